/* The ledger: what grows has a limit, or a cost that does not grow with it. Costs are calls of the store, one
 * run beside another. */
#include "broker/core/job.h"
#include "proto/errors.h"
#include "proto/limits.h"
#include "tests/unit/core/faults.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- counting ---- */

static struct faults counter;

/* From now on the fixture's store is counted. */
static void begin_to_count(struct fixture *f)
{
    f->quiet = f->careless = true; /* an audit of this many rows after each step takes long */
    faults_init(&counter, f->store);
    counter.counts = true;
    f->store = &counter.base;
}

static void end_counting(struct fixture *f)
{
    f->store = counter.inner;
    fixture_done(f);
}

static uint64_t calls_of_tick(struct fixture *f, int64_t ms)
{
    faults_arm(&counter, 0, 0);
    tick(f, ms);
    return counter.calls;
}

/* ---- jobs ---- */

static void kill(struct fixture *f, uint32_t count)
{
    uint64_t head = ledger_topic(f->l, text("t"))->r.head;
    publish(f, "t", count);
    assign(f, "t", "default", count);
    for (uint64_t seq = head; seq < head + count; seq++) {
        resolve(f, "t", "default",
                (struct resolution){
                    .seq = seq, .token = 1, .outcome = ATTEMPT_REJECTED, .delay_ms = DELAY_BACKOFF});
    }
}

Test(ledger_bounds, redrives_with_a_rate_leave_room_for_other_jobs)
{
    struct fixture f;
    fixture_init(&f);
    begin_to_count(&f);
    topic_create(&f, "t", settings(-1));
    topic_create(&f, "u", settings(-1));
    kill(&f, 2 * JOBS_RATED_MAX + 700);
    for (unsigned i = 0; i < JOBS_RATED_MAX; i++) {
        redrive_pair(&f, "t", "default", i, 1);
        cr_assert_eq(f.err, 0);
    }
    redrive_pair(&f, "t", "default", JOBS_RATED_MAX, 1);
    cr_assert_eq(f.err, SHUNT_TOO_MANY);
    cr_assert(f.why && !f.changed && f.l->jobs_count == JOBS_RATED_MAX);
    dlq_purge_ids(&f, "t", "default", "2600 2601 2602");
    cr_assert(!f.err && f.count == 3, "what makes room begins all the same");
    fixture_reload(&f);
    redrive_pair(&f, "t", "default", JOBS_RATED_MAX, 1);
    cr_assert_eq(f.err, SHUNT_TOO_MANY, "a restart changes nothing");
    while (f.l->jobs_count < JOBS_MAX) { /* jobs that a step does not end */
        struct group *g = fixture_group(&f, "t", "default");
        struct job *j = job_new(JOB_PURGE_DLQ, g->dlq, g);
        j->r.id = f.l->meta.job_next++;
        j->r.total = 1 << 20;
        cr_assert_eq(job_keep(f.l, j), 0);
        cr_assert_eq(job_changed(f.l, j), 0);
    }
    publish(&f, "u", 1);
    dlq_purge_ids(&f, "t", "default", "2604");
    cr_assert_eq(f.err, SHUNT_TOO_MANY);
    topic_purge(&f, "u", NULL);
    cr_assert_eq(f.err, SHUNT_TOO_MANY);
    topic_delete(&f, "u");
    cr_assert_eq(f.err, SHUNT_TOO_MANY);
    cr_assert_not_null(ledger_topic(f.l, text("u")), "nothing was deleted");
    tick_until_quiet(&f); /* those without a rate find nothing more, and end */
    topic_delete(&f, "u");
    cr_assert_eq(f.err, 0);
    f.careless = true;
    end_counting(&f);
}

/* So many redrives with a rate, begun at the same time by a server that had no limit. */
static void begin_many(struct fixture *f, unsigned count)
{
    fixture_init(f);
    begin_to_count(f);
    topic_create(f, "t", settings(-1));
    kill(f, 3 * count);
    for (unsigned i = 0; i < count; i++) {
        f->l->jobs_rated = 0;
        redrive_pair(f, "t", "default", i, 1);
        cr_assert_eq(f->err, 0);
    }
    fixture_reload(f);
}

Test(ledger_bounds, a_tick_serves_a_bounded_number_of_jobs)
{
    struct fixture few, many;
    begin_many(&few, 256);
    uint64_t calls_few = calls_of_tick(&few, 1000);
    cr_assert_eq(few.l->jobs_count, 0);
    end_counting(&few);
    begin_many(&many, 1500);
    uint64_t calls_many = calls_of_tick(&many, 1000);
    cr_log_info("a tick costs %llu calls with 256 jobs due, %llu with 1500", (unsigned long long)calls_few,
                (unsigned long long)calls_many);
    cr_assert_lt(calls_many, calls_few * 3 / 2);
    tick_until_quiet(&many);
    cr_assert_eq(many.l->jobs_count, 0, "all come to their end");
    cr_assert_eq(fixture_group(&many, "t", "default")->r.counts.redriven, 3000);
    end_counting(&many);
}

/* ---- the window of first flights ---- */

/* Hand out and ack `count` messages, except the first of all. */
static void pass(struct fixture *f, uint32_t count, uint64_t *head)
{
    struct resolution *acks = calloc(count, sizeof *acks);
    struct group *g = fixture_group(f, "t", "default");
    publish(f, "t", count);
    assign(f, "t", "default", count);
    cr_assert_eq(f->handed, count);
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++, (*head)++) {
        if (*head > 1)
            acks[n++] = (struct resolution){.seq = *head, .token = 1, .acked = true};
    }
    fixture_run(f, (struct command){.kind = COMMAND_RESOLVE,
                                    .resolve = {.group = g->r.id, .entries = acks, .count = n}});
    cr_assert_eq(f->stale, 0);
    free(acks);
}

Test(ledger_bounds, one_message_held_for_long_does_not_make_the_bitmap_grow)
{
    enum { STEP = 16384 };
    struct fixture f;
    uint64_t head = 1;
    fixture_init(&f);
    begin_to_count(&f);
    topic_create(&f, "t", settings(-1));
    struct group *g = fixture_group(&f, "t", "default");
    for (uint64_t passed = 0; passed < WINDOW_MAX + 3 * STEP; passed += STEP) {
        pass(&f, STEP, &head);
        cr_assert_leq(g->r.next - g->r.floor, WINDOW_MAX + STEP);
        cr_assert_leq(g->bits.count, (WINDOW_MAX + STEP) / CHUNK_BITS + 1);
    }
    cr_assert_eq(g->r.floor, g->r.next, "it has a row, and nothing else stands in the way");
    cr_assert_leq(g->bits.count, 1);
    cr_assert_eq(rows_in(&f, TABLE_DONE), g->bits.count);
    expect_state(&f, "t", "default", 1, "in_flight");
    cr_assert_eq(g->r.counts.in_flight, 1);
    cr_assert_eq(stored_in(&f, "t"), 1);
    fixture_reload(&f);
    resolve(&f, "t", "default",
            (struct resolution){.seq = 1, .token = 1, .acked = true}); /* as its holder got it */
    cr_assert_eq(f.stale, 0);
    expect_state(&f, "t", "default", 1, "gone");
    f.careless = false;
    publish(&f, "t", 1);
    end_counting(&f);
}

/* Many that are held at once: they get their rows by and by, and the server's end gives all of them back. */
Test(ledger_bounds, many_that_are_held_get_rows_by_and_by)
{
    enum { STEP = 16384, HELD = 3000 };
    struct fixture f;
    uint64_t head = HELD + 1;
    fixture_init(&f);
    begin_to_count(&f);
    topic_create(&f, "t", settings(POLICY_ttl_ms, 100000, -1));
    publish(&f, "t", HELD);
    assign(&f, "t", "default", HELD);
    struct group *g = fixture_group(&f, "t", "default");
    topic_update(&f, "t", (struct policy_change){.reset = 1u << POLICY_ttl_ms});
    while (g->r.next < WINDOW_MAX)
        pass(&f, STEP, &head);
    pass(&f, 100, &head);
    cr_assert(g->r.counts.tracked > 0 && g->r.counts.tracked <= 64 + 2 * STEP);
    for (int i = 0; i < 50; i++)
        pass(&f, 100, &head);
    cr_assert_eq(g->r.counts.tracked, HELD);
    cr_assert_eq(g->r.counts.in_flight, HELD);
    cr_assert_leq(g->bits.count, 1);
    f.careless = false;
    publish(&f, "t", 1); /* with an audit */
    f.careless = true;
    recover(&f);
    cr_assert_eq(g->r.counts.ready, HELD + 1);
    fixture_at(&f, 100000); /* their times to live came along */
    tick_until_quiet(&f);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.dead, HELD);
    f.careless = false;
    end_counting(&f);
}

/* ---- what lies before the cursor ---- */

static void publish_delayed(struct fixture *f, uint32_t count)
{
    struct mpack_buffer messages = {0};
    for (uint32_t i = 0; i < count; i++)
        write_message(&messages, "later", 3600000, 0);
    struct publish_command c = {
        .topic = text("t"), .messages = {messages.data, messages.size}, .count = count};
    fixture_run(f, (struct command){.kind = COMMAND_PUBLISH, .publish = c});
    cr_assert_eq(f->accepted, count);
    mpack_buffer_done(&messages);
}

static uint64_t calls_past_delayed(uint32_t delayed)
{
    struct fixture f;
    fixture_init(&f);
    begin_to_count(&f);
    topic_create(&f, "t", settings(-1));
    for (int i = 0; i < 3; i++) {
        publish(&f, "t", 1);
        publish_delayed(&f, delayed);
    }
    publish(&f, "t", 1);
    faults_arm(&counter, 0, 0);
    assign(&f, "t", "default", 10);
    uint64_t calls = counter.calls;
    cr_assert_eq(f.handed, 4);
    cr_assert_eq(f.handed_seqs[3], 3 * (delayed + 1) + 1);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.delayed, 3 * delayed);
    end_counting(&f);
    return calls;
}

Test(ledger_bounds, a_hand_out_goes_past_any_number_of_delayed_messages_at_once)
{
    uint64_t few = calls_past_delayed(20), many = calls_past_delayed(16000);
    cr_log_info("a hand-out past 20 delayed messages costs %llu calls, past 16000 %llu",
                (unsigned long long)few, (unsigned long long)many);
    cr_assert_leq(many, few);
}

/* ---- groups ---- */

/* So many topics with a retention, each with a dead letter of its own millisecond. */
static void begin_topics(struct fixture *f, unsigned count)
{
    char name[16];
    fixture_init(f);
    begin_to_count(f);
    fixture_run(f, (struct command){.kind = COMMAND_LIMITS, .limits = {10000, 10, 1 << 20, 3600000, 0, 0}});
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "t%u", i);
        topic_create(f, name, settings(POLICY_dlq_retention_ms, 100000, -1));
        publish(f, name, 1);
        assign(f, name, "default", 1);
        fixture_at(f, 1000 * i); /* retentions run out at whole seconds */
        resolve(f, name, "default",
                (struct resolution){
                    .seq = 1, .token = 1, .outcome = ATTEMPT_REJECTED, .delay_ms = DELAY_BACKOFF});
    }
}

static uint64_t calls_of_retention(unsigned count, bool reload)
{
    struct fixture f;
    begin_topics(&f, count);
    if (reload)
        fixture_reload(&f);
    tick_until_quiet(&f); /* after a start it finds out when what is due */
    cr_assert_geq(ledger_tick_at(f.l), T0 + 100000);
    uint64_t calls = calls_of_tick(&f, 100000);
    cr_assert_eq(fixture_group(&f, "t0", "default")->r.counts.dead, 0);
    cr_assert_eq(fixture_group(&f, "t1", "default")->r.counts.dead, 1);
    cr_assert_eq(ledger_tick_at(f.l), T0 + 101000);
    end_counting(&f);
    return calls;
}

Test(ledger_bounds, a_tick_costs_by_the_groups_that_have_something_due)
{
    for (int reload = 0; reload < 2; reload++) {
        uint64_t few = calls_of_retention(5, reload), many = calls_of_retention(90, reload);
        cr_log_info("a tick costs %llu calls among 5 topics, %llu among 90", (unsigned long long)few,
                    (unsigned long long)many);
        cr_assert_eq(many, few);
    }
}

Test(ledger_bounds, statistics_cost_by_the_groups_that_changed)
{
    struct fixture f;
    begin_topics(&f, 90);
    cr_assert_eq(view_sums(f.l)->dead, 90);
    uint64_t before = ledger_rows(f.l);
    cr_assert_eq(view_sums(f.l)->groups, 90);
    cr_assert_eq(ledger_rows(f.l), before);
    publish(&f, "t7", 3);
    publish(&f, "t8", 1);
    assign(&f, "t8", "default", 1);
    before = ledger_rows(f.l);
    cr_assert(view_sums(f.l)->ready == 3 && view_sums(f.l)->in_flight == 1);
    cr_assert_eq(ledger_rows(f.l) - before, 2);
    topic_delete(&f, "t7");
    cr_assert(view_sums(f.l)->ready == 0 && view_sums(f.l)->groups == 89);
    f.careless = false;
    end_counting(&f);
}

/* Twice the topics that there may be, and the groups of one topic; what DLQs have counts beside them. */
Test(ledger_bounds, groups_of_all_topics_have_a_limit)
{
    enum { TOPICS = 10, GROUPS = 8, MOST = GROUPS_EACH * TOPICS + GROUPS };
    struct fixture f;
    char name[16];
    fixture_init(&f);
    begin_to_count(&f);
    fixture_run(&f,
                (struct command){.kind = COMMAND_LIMITS, .limits = {TOPICS, GROUPS, 1 << 20, 3600000, 0, 0}});
    for (unsigned i = 0; i < 3; i++) {
        (void)snprintf(name, sizeof name, "t%u", i);
        topic_create_groups(&f, name, "a b c d e f g h");
        cr_assert_eq(f.err, 0);
    }
    topic_create_groups(&f, "last", "a b c d e");
    cr_assert_eq(f.err, SHUNT_TOO_MANY);
    cr_assert(f.why && !f.changed && !ledger_topic(f.l, text("last")));
    topic_create_groups(&f, "last", "a b c");
    cr_assert_eq(f.err, 0);
    group_create(&f, "last", "d", true);
    cr_assert_eq(f.err, 0);
    cr_assert_eq(f.l->groups_count, 2 * MOST);
    group_create(&f, "last", "e", true);
    cr_assert_eq(f.err, SHUNT_TOO_MANY);
    group_create(&f, "dlq:last:a", "more", true);
    cr_assert_eq(f.err, SHUNT_TOO_MANY);
    topic_create(&f, "one", settings(-1));
    cr_assert_eq(f.err, SHUNT_TOO_MANY);
    group_delete(&f, "last", "d");
    tick_until_quiet(&f);
    topic_create(&f, "one", settings(-1));
    cr_assert_eq(f.err, 0);
    f.careless = false;
    end_counting(&f);
}
