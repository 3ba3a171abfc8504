/* Jobs: purging, deleting, and going on after a restart. */
#include "proto/errors.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* ---- purge ---- */

Test(ledger_jobs, purge_takes_what_is_ready_or_delayed_and_leaves_the_rest)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", 5);
    publish_timed(&f, "t", 1000, 5000);
    assign(&f, "t", "default", 4);
    fail(&f, "t", "default", 1, ATTEMPT_REJECTED); /* dead */
    nack(&f, "t", "default", 2, 500);              /* delayed */
    fail(&f, "t", "default", 3, ATTEMPT_RELEASED); /* ready again; 4 stays in flight */
    fixture_forget(&f);
    topic_purge(&f, "t", NULL);
    show_counts(&f, "t", "default");
    topic_purge(&f, "t", NULL);
    cr_assert(!f.changed, "nothing to purge, no job");
    fixture_expect(&f, "     0 job 1 of 4\n"
                       "     0 t/default: published 6 in_flight 1 dead 1 purged 4\n"
                       "     0 ok\n");
    struct job_record r = job_of(&f, 1);
    cr_assert(job_over(&r) && r.done == 4 && r.total == 4);
    ack(&f, "t", "default", 4);
    cr_assert_eq(f.stale, 0);
    fixture_done(&f);
}

Test(ledger_jobs, purge_of_one_group_leaves_the_others)
{
    struct fixture f;
    fixture_init(&f);
    topic_create_groups(&f, "t", "a b");
    publish(&f, "t", 3);
    topic_purge(&f, "t", "a");
    fixture_forget(&f);
    show_counts(&f, "t", "a");
    show_counts(&f, "t", "b");
    fixture_expect(&f, "     0 t/a: published 3 purged 3\n"
                       "     0 t/b: published 3 ready 3\n");
    cr_assert_eq(stored_in(&f, "t"), 3);
    topic_purge(&f, "t", "b");
    cr_assert_eq(stored_in(&f, "t"), 0);
    topic_purge(&f, "t", "c");
    cr_assert_eq(f.err, SHUNT_UNKNOWN_GROUP);
    topic_purge(&f, "u", NULL);
    cr_assert_eq(f.err, SHUNT_UNKNOWN_TOPIC);
    fixture_done(&f);
}

/* Page by page, what comes meanwhile stays, and a reload or a crash in the middle loses nothing. */
Test(ledger_jobs, a_long_purge_goes_on_after_a_reload)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", 1500);
    topic_purge(&f, "t", NULL);
    cr_assert_eq(f.count, 1500);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.purged, 512);
    cr_assert_eq(job_of(&f, 1).done, 512);
    publish(&f, "t", 2);
    fixture_reload(&f);
    cr_assert_leq(ledger_tick_at(f.l), T0);
    tick(&f, 1);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.purged, 1024);
    fixture_crash(&f);
    tick_until_quiet(&f);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.purged, 1500);
    struct job_record r = job_of(&f, 1);
    cr_assert(job_over(&r) && r.done == 1500 && r.begun_ms == T0 && r.ended_ms == T0 + 1);
    cr_assert_eq(stored_in(&f, "t"), 2);
    fixture_done(&f);
}

Test(ledger_jobs, a_long_redrive_goes_on_after_a_reload)
{
    struct fixture f;
    fixture_init(&f);
    f.quiet = f.careless = true;
    topic_create(&f, "t", settings(POLICY_ttl_ms, 10, -1));
    publish(&f, "t", 1200);
    fixture_at(&f, 10);
    tick_until_quiet(&f);
    topic_update(&f, "t", (struct policy_change){.reset = 1u << POLICY_ttl_ms});
    fixture_reload(&f);
    redrive(&f, "t", "default", 1100, 0);
    cr_assert_eq(f.count, 1100);
    fixture_reload(&f);
    fixture_crash(&f);
    for (int i = 0; i < 2; i++)
        fixture_run(&f, (struct command){.kind = COMMAND_TICK});
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.redriven, 1100);
    cr_assert(job_is_over(&f, 1));
    fixture_done(&f);
}

/* ---- delete ---- */

Test(ledger_jobs, a_deleted_topic_is_gone_at_once_and_cleared_page_by_page)
{
    struct fixture f;
    fixture_init(&f);
    topic_create_groups(&f, "t", "a b");
    publish(&f, "t", 1400);
    publish_timed(&f, "t", 100, 200);
    assign(&f, "t", "a", 700);
    fail(&f, "t", "a", 1, ATTEMPT_REJECTED);
    nack(&f, "t", "a", 2, 1000);
    fixture_forget(&f);
    topic_delete(&f, "t");
    fixture_expect(&f, "     0 dlq:t:a/default gone UNKNOWN_TOPIC\n"
                       "     0 t/a gone UNKNOWN_TOPIC\n"
                       "     0 dlq:t:b/default gone UNKNOWN_TOPIC\n"
                       "     0 t/b gone UNKNOWN_TOPIC\n"
                       "     0 job 1 of 1401\n");
    cr_assert_null(ledger_topic(f.l, text("t")));
    cr_assert_null(ledger_topic(f.l, text("dlq:t:a")));
    cr_assert_gt(rows_in(&f, TABLE_MESSAGE), 0);
    publish(&f, "t", 1);
    cr_assert_eq(f.err, SHUNT_UNKNOWN_TOPIC);
    fixture_reload(&f);
    /* Its successor has the same name and nothing else. */
    topic_create_groups(&f, "t", "a");
    cr_assert_eq(f.err, 0);
    publish(&f, "t", 2);
    cr_assert_eq(f.first_seq, 1);
    fixture_at(&f, 500);
    tick_until_quiet(&f);
    struct job_record r = job_of(&f, 1);
    cr_assert(job_over(&r) && r.done == 1401 && r.kind == JOB_DROP);
    cr_assert_eq(rows_in(&f, TABLE_MESSAGE), 2);
    cr_assert(rows_in(&f, TABLE_ATTEMPT) == 0 && rows_in(&f, TABLE_HISTORY) == 0 &&
              rows_in(&f, TABLE_DUE) == 0 && rows_in(&f, TABLE_EXPIRY) == 0 && rows_in(&f, TABLE_DEAD) == 0 &&
              rows_in(&f, TABLE_DONE) == 0);
    cr_assert(rows_in(&f, TABLE_TOPIC) == 2 && rows_in(&f, TABLE_GROUP) == 2);
    assign(&f, "t", "a", 5);
    cr_assert_eq(f.handed, 2);
    fixture_done(&f);
}

Test(ledger_jobs, a_deleted_group_takes_what_it_alone_needed)
{
    struct fixture f;
    fixture_init(&f);
    topic_create_groups(&f, "t", "a b");
    publish_timed(&f, "t", 0, 100000);
    publish(&f, "t", 1300);
    assign(&f, "t", "a", 1000);
    for (uint64_t seq = 1; seq <= 600; seq++)
        ack(&f, "t", "a", seq);
    f.careless = true;
    fixture_forget(&f);
    group_delete(&f, "t", "b");
    f.careless = false;
    cr_assert_eq(f.count, 1301);
    cr_assert_null(catalog_find_group(ledger_topic(f.l, text("t")), text("b")));
    group_create(&f, "t", "b", true);
    cr_assert_eq(f.err, 0, "the name is free");
    ack(&f, "t", "a", 601);
    tick_until_quiet(&f);
    cr_assert_eq(stored_in(&f, "t"), 700);
    struct job_record r = job_of(&f, 1);
    cr_assert(job_over(&r) && r.done == 1301, "%llu", (unsigned long long)r.done);
    fixture_forget(&f);
    show_counts(&f, "t", "a");
    fixture_expect(&f, "     0 t/a: published 1301 ready 301 in_flight 399 acked 601\n");
    group_delete(&f, "t", "b");
    group_delete(&f, "t", "a");
    cr_assert_eq(f.err, SHUNT_LAST_GROUP);
    group_delete(&f, "t", "c");
    cr_assert_eq(f.err, SHUNT_UNKNOWN_GROUP);
    fixture_done(&f);
}

Test(ledger_jobs, deleting_ends_the_jobs_that_were_at_it)
{
    struct fixture f;
    fixture_init(&f);
    topic_create_groups(&f, "t", "a b");
    publish(&f, "t", 3);
    assign(&f, "t", "a", 3);
    for (uint64_t seq = 1; seq <= 3; seq++)
        fail(&f, "t", "a", seq, ATTEMPT_REJECTED);
    redrive(&f, "t", "a", UINT64_MAX, 1);
    cr_assert(!job_is_over(&f, 1));
    group_delete(&f, "t", "a");
    tick(&f, 5000);
    cr_assert(job_is_over(&f, 1));
    publish(&f, "t", 1000);
    topic_purge(&f, "t", "b");
    topic_delete(&f, "t");
    tick_until_quiet(&f);
    cr_assert_eq(f.l->jobs_count, 0);
    cr_assert(rows_in(&f, TABLE_MESSAGE) == 0 && rows_in(&f, TABLE_TOPIC) == 0 &&
              rows_in(&f, TABLE_GROUP) == 0);
    fixture_done(&f);
}

Test(ledger_jobs, a_topic_deleted_while_its_group_is_being_cleared)
{
    struct fixture f;
    fixture_init(&f);
    topic_create_groups(&f, "t", "a b");
    publish(&f, "t", 2000);
    group_delete(&f, "t", "a");
    topic_delete(&f, "t");
    fixture_reload(&f);
    tick_until_quiet(&f);
    cr_assert_eq(f.l->jobs_count, 0);
    cr_assert(rows_in(&f, TABLE_MESSAGE) == 0 && rows_in(&f, TABLE_TOPIC) == 0 &&
              rows_in(&f, TABLE_GROUP) == 0);
    fixture_done(&f);
}

/* The rest of what was to be purged goes with the topic, all in one step. */
Test(ledger_jobs, a_purge_whose_topic_is_cleared_meanwhile_is_over)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", 600);
    topic_purge(&f, "t", NULL);
    cr_assert_eq(job_of(&f, 1).done, 512);
    topic_delete(&f, "t");
    cr_assert_eq(rows_in(&f, TABLE_TOPIC), 0);
    cr_assert(!job_is_over(&f, 1));
    tick_until_quiet(&f);
    cr_assert(job_is_over(&f, 1));
    fixture_done(&f);
}

Test(ledger_jobs, a_purge_whose_topic_is_being_cleared_is_over)
{
    struct fixture f;
    fixture_init(&f);
    f.careless = true;
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", 2000);
    topic_purge(&f, "t", NULL);
    topic_delete(&f, "t");
    cr_assert_gt(rows_in(&f, TABLE_MESSAGE), 0);
    tick(&f, 1);
    cr_assert(job_is_over(&f, 1) && job_of(&f, 1).done == 512);
    cr_assert(!job_is_over(&f, 2));
    tick_until_quiet(&f);
    cr_assert_eq(rows_in(&f, TABLE_MESSAGE), 0);
    fixture_done(&f);
}

/* What is being cleared away is in no figure. */
Test(ledger_jobs, a_deleted_topic_is_not_counted_while_it_is_cleared)
{
    struct fixture f;
    struct groups_cursor cursor = {0};
    struct group_numbers figures;
    fixture_init(&f);
    f.careless = true;
    topic_create(&f, "t", settings(-1));
    topic_create(&f, "u", settings(-1));
    publish(&f, "t", 2000);
    publish(&f, "u", 3);
    assign(&f, "t", "default", 5);
    topic_delete(&f, "t");
    struct view v = {.ledger = f.l};
    cr_assert_eq(store_begin(f.store, false, &v.txn), 0);
    cr_assert(view_next_group(&v, &cursor, &figures));
    cr_assert_str_eq(figures.topic, "u");
    cr_assert(!view_next_group(&v, &cursor, &figures));
    store_abort(v.txn);
    cr_assert_eq(view_sums(f.l)->groups, 1);
    cr_assert_eq(view_sums(f.l)->ready, 3);
    recover(&f); /* gives nothing of it back */
    tick_until_quiet(&f);
    fixture_done(&f);
}

/* Each clears the times to live of its own group. */
Test(ledger_jobs, two_groups_of_a_topic_are_cleared_side_by_side)
{
    struct fixture f;
    fixture_init(&f);
    topic_create_groups(&f, "t", "a b c");
    publish_timed(&f, "t", 0, 100000);
    f.careless = true;
    publish(&f, "t", 600);
    group_delete(&f, "t", "b");
    group_delete(&f, "t", "c");
    cr_assert_eq(f.l->jobs_count, 2);
    tick_until_quiet(&f);
    cr_assert(job_is_over(&f, 1) && job_is_over(&f, 2));
    cr_assert_eq(rows_in(&f, TABLE_EXPIRY), 1);
    cr_assert_eq(rows_in(&f, TABLE_GROUP), 2);
    fixture_done(&f);
}

/* The group's messages were looked at in part; the topic's deletion then clears all that is left in one step.
 */
Test(ledger_jobs, clearing_a_group_whose_topic_is_cleared_meanwhile_is_over)
{
    struct fixture f;
    fixture_init(&f);
    topic_create_groups(&f, "t", "a b");
    publish(&f, "t", 600);
    assign(&f, "t", "a", 600);
    group_delete(&f, "t", "b");
    cr_assert(!job_is_over(&f, 1));
    for (uint64_t seq = 1; seq <= 200; seq++)
        ack(&f, "t", "a", seq);
    topic_delete(&f, "t");
    cr_assert_eq(rows_in(&f, TABLE_TOPIC), 0);
    tick_until_quiet(&f);
    cr_assert(job_is_over(&f, 1) && job_is_over(&f, 2));
    cr_assert_eq(rows_in(&f, TABLE_GROUP), 0);
    fixture_done(&f);
}

/* ---- many and chosen ones ---- */

static void kill(struct fixture *f, const char *topic, uint32_t count)
{
    publish(f, topic, count);
    assign(f, topic, "default", count);
    for (uint64_t seq = 1; seq <= count; seq++)
        fail(f, topic, "default", seq, ATTEMPT_REJECTED);
}

Test(ledger_jobs, chosen_dead_letters_come_at_a_rate_and_those_gone_meanwhile_are_passed_over)
{
    static const struct slice ids[] = {{"t/1", 3}, {"t/2", 3}, {"t/3", 3}};
    const struct dead_command c = {
        .topic = text("t"), .group = text("default"), .ids = ids, .ids_count = 3, .rate = 1};
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    kill(&f, "t", 3);
    fixture_run(&f, (struct command){.kind = COMMAND_DLQ_REDRIVE, .dead = c});
    cr_assert_eq(job_of(&f, 1).done, 1);
    assign(&f, "dlq:t:default", "default", 1);
    ack(&f, "dlq:t:default", "default", 2);
    cr_assert_eq(job_of(&f, 1).cursor, 1);
    tick(&f, 2000);
    cr_assert(job_is_over(&f, 1) && job_of(&f, 1).done == 2);
    redrive_ids(&f, "t", "default", "1234567890123456789012345678901234567890 99");
    cr_assert(!f.err && !f.job, "there are no such ones");
    expect_state(&f, "t", "default", 1, "ready");
    expect_state(&f, "t", "default", 2, "gone");
    expect_state(&f, "t", "default", 3, "ready");
    fixture_done(&f);
}

Test(ledger_jobs, no_more_are_chosen_than_may_be)
{
    enum { CHOSEN = IDS_MAX + 5 };
    static char names[CHOSEN][8];
    static struct slice ids[CHOSEN];
    struct dead_command c = {.topic = text("t"), .group = text("default"), .ids = ids, .ids_count = CHOSEN};
    struct fixture f;
    fixture_init(&f);
    f.careless = f.quiet = true;
    topic_create(&f, "t", settings(-1));
    kill(&f, "t", CHOSEN);
    for (uint32_t i = 0; i < CHOSEN; i++) {
        snprintf(names[i], sizeof names[i], "%u", i + 1);
        ids[i] = text(names[i]);
    }
    fixture_run(&f, (struct command){.kind = COMMAND_DLQ_PURGE, .dead = c});
    tick_until_quiet(&f);
    cr_assert_eq(f.count, IDS_MAX);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.dead, 5);
    fixture_done(&f);
}

Test(ledger_jobs, twenty_at_once_all_come_to_their_end)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    kill(&f, "t", 40);
    for (unsigned i = 0; i < 20; i++)
        redrive_pair(&f, "t", "default", i, 1);
    cr_assert_eq(f.l->jobs_count, 20);
    fixture_reload(&f);
    tick(&f, 1000);
    cr_assert_eq(f.l->jobs_count, 0);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.redriven, 40);
    fixture_done(&f);
}

Test(ledger_jobs, the_last_hundred_finished_are_kept)
{
    struct fixture f;
    fixture_init(&f);
    f.quiet = true;
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", 2);
    assign(&f, "t", "default", 2);
    fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
    fail(&f, "t", "default", 2, ATTEMPT_REJECTED);
    redrive(&f, "t", "default", 2, 1); /* the first of all runs on */
    for (int i = 0; i < 105; i++) {
        publish(&f, "t", 1);
        topic_purge(&f, "t", NULL);
        cr_assert_eq(f.job, (uint64_t)i + 2);
    }
    cr_assert_eq(rows_in(&f, TABLE_JOB), 101);
    cr_assert(!job_is_over(&f, 1));
    cr_assert(job_is_over(&f, 7) && job_is_over(&f, 106));
    tick(&f, 1000);
    cr_assert_eq(rows_in(&f, TABLE_JOB), 100);
    fixture_done(&f);
}
