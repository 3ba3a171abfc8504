/* Further groups of a dead-letter queue: made beside its first one, and deleted again. The fixture walks the
 * store after every step. */
#include "proto/errors.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

#define DLQ "dlq:t:default"

/* A topic whose `count` messages are dead, and a group `audit` beside the first of the queue. */
static void init(struct fixture *f, uint32_t count)
{
    fixture_init(f);
    f->quiet = true;
    topic_create(f, "t", settings(POLICY_ttl_ms, 10, -1));
    publish(f, "t", count);
    fixture_at(f, 10);
    tick_until_quiet(f);
    cr_assert_eq(fixture_group(f, "t", "default")->r.counts.dead, count);
    group_create(f, DLQ, "audit", false);
    cr_assert_eq(f->err, 0);
}

/* The queue's first group acks the dead letters [from, to]. */
static void ack_first(struct fixture *f, uint64_t from, uint64_t to)
{
    assign(f, DLQ, "default", (uint32_t)(to - from + 1));
    cr_assert_eq(f->handed, to - from + 1);
    for (uint64_t seq = from; seq <= to; seq++)
        ack(f, DLQ, "default", seq);
}

static uint64_t dead_of(struct fixture *f)
{
    return fixture_group(f, "t", "default")->r.counts.dead;
}

Test(ledger_readers, what_only_a_deleted_group_needed_is_done_and_the_rest_stays)
{
    struct fixture f;
    init(&f, 5);
    ack_first(&f, 1, 2);
    assign(&f, DLQ, "audit", 2);
    ack(&f, DLQ, "audit", 2);
    cr_assert_eq(dead_of(&f), 4, "1 waits for the audit");
    f.quiet = false;
    group_delete(&f, DLQ, "audit");
    show_counts(&f, "t", "default");
    show_counts(&f, DLQ, "default");
    fixture_expect(&f, "    10 dlq:t:default/audit gone UNKNOWN_GROUP\n"
                       "    10 job 1 of 4\n"
                       "    10 t/default: published 5 dead 3 acked 2\n"
                       "    10 dlq:t:default/default: published 5 ready 3 acked 2\n");
    cr_assert_eq(stored_in(&f, "t"), 3);
    group_delete(&f, DLQ, "audit");
    cr_assert_eq(f.err, SHUNT_UNKNOWN_GROUP);
    group_create(&f, DLQ, "audit", false);
    cr_assert_eq(fixture_group(&f, DLQ, "audit")->r.counts.ready, 3, "the name is free");
    fixture_done(&f);
}

Test(ledger_readers, the_first_group_of_a_queue_stays_and_the_error_says_what_to_do)
{
    struct fixture f;
    init(&f, 1);
    group_delete(&f, DLQ, "default");
    cr_assert_eq(f.err, SHUNT_LAST_GROUP);
    cr_assert(strstr(f.why, "pause it"), "%s", f.why);
    group_delete(&f, DLQ, "audit");
    cr_assert_eq(f.err, 0);
    group_delete(&f, DLQ, "default");
    cr_assert_eq(f.err, SHUNT_LAST_GROUP, "also where it is the only one");
    fixture_done(&f);
}

/* Goes on for two more pages. */
static void delete_slowly(struct fixture *f)
{
    init(f, 1200);
    f->careless = true;
    ack_first(f, 1, 550);
    ack_first(f, 551, 1100);
    f->careless = false;
    cr_assert_eq(dead_of(f), 1200, "all wait for the audit");
    group_delete(f, DLQ, "audit");
    cr_assert_eq(dead_of(f), 1200 - 512, "the first page");
}

Test(ledger_readers, a_long_deletion_goes_on_after_a_restart)
{
    struct fixture f;
    delete_slowly(&f);
    fixture_crash(&f);
    recover(&f);
    fixture_reload(&f);
    tick_until_quiet(&f);
    cr_assert_eq(dead_of(&f), 100);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.acked, 1100);
    fixture_done(&f);
}

Test(ledger_readers, what_a_deletion_has_not_come_to_can_be_redriven_and_purged)
{
    struct fixture f;
    delete_slowly(&f);
    redrive_ids(&f, "t", "default", "600 t/1000");
    dlq_purge_ids(&f, "t", "default", "700");
    expect_state(&f, "t", "default", 600, "ready");
    expect_state(&f, "t", "default", 1000, "ready");
    expect_state(&f, "t", "default", 700, "gone");
    tick_until_quiet(&f);
    const struct group_counts *n = &fixture_group(&f, "t", "default")->r.counts;
    cr_assert(n->dead == 100 && n->purged == 1 && n->acked == 1097, "dead %lu purged %lu acked %lu",
              (unsigned long)n->dead, (unsigned long)n->purged, (unsigned long)n->acked);
    fixture_done(&f);
}

Test(ledger_readers, a_group_made_while_a_deletion_runs_keeps_what_is_left)
{
    struct fixture f;
    delete_slowly(&f);
    group_create(&f, DLQ, "audit", false);
    cr_assert_eq(fixture_group(&f, DLQ, "audit")->r.counts.ready, 1200 - 512);
    tick_until_quiet(&f);
    cr_assert_eq(dead_of(&f), 1200 - 512);
    group_delete(&f, DLQ, "audit");
    tick_until_quiet(&f);
    cr_assert_eq(dead_of(&f), 100);
    fixture_done(&f);
}

Test(ledger_readers, the_queue_may_go_while_a_deletion_runs)
{
    struct fixture f;
    delete_slowly(&f);
    group_create(&f, "t", "other", false);
    group_delete(&f, "t", "default");
    cr_assert_eq(f.err, 0);
    tick_until_quiet(&f);
    cr_assert_eq(rows_in(&f, TABLE_DEAD), 0);
    fixture_done(&f);
    delete_slowly(&f);
    topic_delete(&f, "t");
    tick_until_quiet(&f);
    cr_assert_eq(rows_in(&f, TABLE_DEAD), 0);
    cr_assert_eq(rows_in(&f, TABLE_GROUP), 0);
    cr_assert_eq(rows_in(&f, TABLE_ATTEMPT), 0);
    fixture_done(&f);
}
