/* Dead letters: into the DLQ, read there, and out of it. */
#include "proto/errors.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* `count` messages published and rejected. */
static void kill(struct fixture *f, const char *topic, uint32_t count)
{
    publish(f, topic, count);
    assign(f, topic, "default", count);
    for (uint64_t seq = f->first_seq; seq < f->first_seq + count; seq++)
        fail(f, topic, "default", seq, ATTEMPT_REJECTED);
    fixture_forget(f);
}

static void init(struct fixture *f, uint32_t dead)
{
    fixture_init(f);
    topic_create(f, "t", settings(-1));
    kill(f, "t", dead);
}

Test(ledger_dead, a_divert_is_one_step)
{
    struct fixture f;
    init(&f, 0);
    publish(&f, "t", 1);
    assign(&f, "t", "default", 1);
    fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
    show_counts(&f, "t", "default");
    show_counts(&f, "dlq:t:default", "default");
    fixture_expect(&f, "     0 published 1+1\n"
                       "     0 t/default hand 1 token 1 attempts 0 deliveries 1 generation 0\n"
                       "     0 t/default: published 1 dead 1\n"
                       "     0 dlq:t:default/default: published 1 ready 1\n");
    cr_assert(rows_in(&f, TABLE_MESSAGE) == 1 && rows_in(&f, TABLE_DEAD) == 1, "the body stays where it was");
    fixture_done(&f);
}

/* ---- reading a DLQ ---- */

Test(ledger_dead, an_ack_in_the_dlq_settles_the_message)
{
    struct fixture f;
    init(&f, 2);
    assign(&f, "dlq:t:default", "default", 5);
    cr_assert(f.handed == 2 && f.last_dead.size > 0);
    ack(&f, "dlq:t:default", "default", 1);
    fixture_forget(&f);
    show_counts(&f, "t", "default");
    show_counts(&f, "dlq:t:default", "default");
    fixture_expect(&f, "     0 t/default: published 2 dead 1 acked 1\n"
                       "     0 dlq:t:default/default: published 2 in_flight 1 acked 1\n");
    cr_assert(rows_in(&f, TABLE_MESSAGE) == 1 && rows_in(&f, TABLE_DEAD) == 1);
    fixture_done(&f);
}

Test(ledger_dead, failing_in_the_dlq_only_delays)
{
    struct fixture f;
    init(&f, 1);
    for (int i = 0; i < 20; i++) {
        enum attempt_outcome outcome = i % 3 == 0   ? ATTEMPT_REJECTED
                                       : i % 3 == 1 ? ATTEMPT_NACKED
                                                    : ATTEMPT_LEASE_EXPIRED;
        assign(&f, "dlq:t:default", "default", 1);
        cr_assert_eq(f.handed, 1, "round %d", i);
        fail(&f, "dlq:t:default", "default", 1, outcome);
        expect_state(&f, "dlq:t:default", "default", 1, "delayed");
        expect_state(&f, "t", "default", 1, "dead");
        tick(&f, f.now_ms + 400000);
    }
    assign(&f, "dlq:t:default", "default", 1);
    nack(&f, "dlq:t:default", "default", 1, 777);
    cr_assert_eq(row_of(&f, "dlq:t:default", "default", 1).due_ms, T0 + f.now_ms + 777);
    tick(&f, f.now_ms + 777);
    assign(&f, "dlq:t:default", "default", 1);
    nack(&f, "dlq:t:default", "default", 1, 0);
    expect_state(&f, "dlq:t:default", "default", 1, "ready");
    assign(&f, "dlq:t:default", "default", 1);
    resolve(&f, "dlq:t:default", "default", (struct resolution){.seq = 1, .outcome = ATTEMPT_REJECTED});
    expect_state(&f, "dlq:t:default", "default", 1, "delayed");
    fixture_done(&f);
}

Test(ledger_dead, a_dlq_is_not_read_by_the_clock_of_its_messages)
{
    struct fixture f;
    init(&f, 0);
    publish_timed(&f, "t", 0, 100); /* dies of it */
    publish_timed(&f, "t", 0, 50);  /* dies before its back-off is over */
    assign(&f, "t", "default", 2);
    nack(&f, "t", "default", 2, 10000);
    fail(&f, "t", "default", 1, ATTEMPT_RELEASED);
    tick(&f, 100);
    expect_state(&f, "t", "default", 1, "dead");
    expect_state(&f, "t", "default", 2, "dead");
    assign(&f, "dlq:t:default", "default", 5);
    cr_assert_eq(f.handed, 2);
    nack(&f, "dlq:t:default", "default", 1, 10);
    tick(&f, 5000);
    assign(&f, "dlq:t:default", "default", 5);
    cr_assert_eq(f.handed, 1);
    ack(&f, "dlq:t:default", "default", 1);
    ack(&f, "dlq:t:default", "default", 2);
    cr_assert_eq(rows_in(&f, TABLE_MESSAGE), 0);
    fixture_done(&f);
}

Test(ledger_dead, every_reader_group_sees_it_and_the_last_settles)
{
    struct fixture f;
    init(&f, 1);
    group_create(&f, "dlq:t:default", "audit", false);
    cr_assert_eq(f.err, 0);
    group_create(&f, "dlq:t:default", "later", true);
    kill(&f, "t", 1);
    assign(&f, "dlq:t:default", "default", 5);
    assign(&f, "dlq:t:default", "audit", 5);
    cr_assert_eq(f.handed, 2);
    assign(&f, "dlq:t:default", "later", 5);
    cr_assert_eq(f.handed, 1);
    ack(&f, "dlq:t:default", "default", 1);
    expect_state(&f, "t", "default", 1, "dead");
    ack(&f, "dlq:t:default", "audit", 1);
    expect_state(&f, "t", "default", 1, "gone");
    redrive(&f, "t", "default", UINT64_MAX, 0);
    fixture_forget(&f);
    show_counts(&f, "dlq:t:default", "later");
    fixture_expect(&f, "     0 dlq:t:default/later: published 1 away 1\n");
    fixture_done(&f);
}

Test(ledger_dead, a_redrive_takes_what_a_reader_holds)
{
    struct fixture f;
    init(&f, 1);
    assign(&f, "dlq:t:default", "default", 1);
    fixture_forget(&f);
    redrive(&f, "t", "default", UINT64_MAX, 0);
    fixture_expect(&f, "     0 dlq:t:default/default revoked 1\n"
                       "     0 job 1 of 1\n");
    ack(&f, "dlq:t:default", "default", 1);
    cr_assert_eq(f.stale, 1);
    expect_state(&f, "t", "default", 1, "ready");
    fixture_done(&f);
}

/* ---- redrive ---- */

Test(ledger_dead, redrive_begins_a_generation_and_keeps_totals)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(POLICY_max_attempts, 2, -1));
    publish(&f, "t", 1);
    for (int i = 0; i < 2; i++) {
        assign(&f, "t", "default", 1);
        nack(&f, "t", "default", 1, 0);
    }
    fixture_forget(&f);
    fixture_at(&f, 500);
    redrive(&f, "t", "default", UINT64_MAX, 0);
    show(&f, "t", "default", 1);
    assign(&f, "t", "default", 1);
    nack(&f, "t", "default", 1, 0);
    show(&f, "t", "default", 1);
    assign(&f, "t", "default", 1);
    nack(&f, "t", "default", 1, 0);
    show(&f, "t", "default", 1);
    show_counts(&f, "t", "default");
    show_counts(&f, "dlq:t:default", "default");
    fixture_expect(&f, "   500 job 1 of 1\n"
                       "   500 t/default 1 ready attempts 0/2 deliveries 0/2 generation 1 rows 2\n"
                       "   500 t/default hand 1 token 3 attempts 0 deliveries 1 generation 1\n"
                       "   500 t/default 1 ready attempts 1/3 deliveries 1/3 generation 1 rows 3\n"
                       "   500 t/default hand 1 token 4 attempts 1 deliveries 2 generation 1\n"
                       "   500 t/default 1 dead attempts 2/4 deliveries 2/4 generation 1 rows 4\n"
                       "   500 t/default: published 1 dead 1 redriven 1\n"
                       "   500 dlq:t:default/default: published 2 ready 1 away 1\n");
    fixture_done(&f);
}

Test(ledger_dead, a_suspect_stays_one_through_the_dlq)
{
    struct fixture f;
    fixture_init_held(&f, settings(POLICY_max_attempts, 1, -1), 1, 1);
    fail(&f, "t", "default", 1, ATTEMPT_DISCONNECTED);
    expect_state(&f, "t", "default", 1, "dead");
    redrive(&f, "t", "default", 1, 0);
    cr_assert(row_of(&f, "t", "default", 1).suspect);
    assign(&f, "t", "default", 1);
    cr_assert_eq(f.handed, 0);
    assign_lane(&f, "t", "default", LANE_SUSPECT, 1);
    cr_assert_eq(f.handed, 1);
    fixture_done(&f);
}

Test(ledger_dead, redrive_goes_to_the_failing_group_alone)
{
    struct fixture f;
    fixture_init(&f);
    topic_create_groups(&f, "t", "bad good");
    publish(&f, "t", 3);
    assign(&f, "t", "bad", 3);
    assign(&f, "t", "good", 3);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        fail(&f, "t", "bad", seq, ATTEMPT_REJECTED);
        ack(&f, "t", "good", seq);
    }
    redrive(&f, "t", "bad", UINT64_MAX, 0);
    assign(&f, "t", "good", 10);
    cr_assert_eq(f.handed, 0);
    assign(&f, "t", "bad", 10);
    cr_assert_eq(f.handed, 3);
    fixture_forget(&f);
    show_counts(&f, "t", "good");
    fixture_expect(&f, "     0 t/good: published 3 acked 3\n");
    fixture_done(&f);
}

Test(ledger_dead, chosen_by_id_by_origin_and_by_number)
{
    struct fixture f;
    init(&f, 5);
    redrive_ids(&f, "t", "default", "dlq:t:default/2 t/3 4 99 t/77 dlq:x:y/1 t/3 nonsense 0");
    cr_assert_eq(f.count, 3, "each once; those that are not there are skipped");
    for (uint64_t seq = 1; seq <= 5; seq++)
        expect_state(&f, "t", "default", seq, seq >= 2 && seq <= 4 ? "ready" : "dead");
    redrive_ids(&f, "t", "default", "2 t/3");
    cr_assert(f.err == 0 && f.job == 0 && f.count == 0 && !f.changed, "nothing to do");
    dlq_purge_ids(&f, "t", "default", "t/5");
    expect_state(&f, "t", "default", 5, "gone");
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.purged, 1);
    fixture_done(&f);
}

Test(ledger_dead, chosen_by_count_are_the_oldest)
{
    struct fixture f;
    init(&f, 5);
    redrive(&f, "t", "default", 2, 0);
    cr_assert_eq(f.count, 2);
    expect_state(&f, "t", "default", 2, "ready");
    expect_state(&f, "t", "default", 3, "dead");
    redrive(&f, "t", "default", 0, 0);
    cr_assert(f.job == 0 && !f.changed);
    redrive(&f, "t", "default", 100, 0);
    cr_assert_eq(f.count, 3);
    redrive(&f, "t", "default", UINT64_MAX, 0);
    cr_assert(f.err == 0 && f.job == 0 && f.count == 0 && !f.changed);
    fixture_done(&f);
}

/* The first at once, then, from a random time on, one each 1000 / rate ms, counted so that no rounding adds up. */
Test(ledger_dead, a_rate_is_kept_exactly)
{
    struct fixture f;
    init(&f, 10);
    redrive(&f, "t", "default", UINT64_MAX, 3);
    const struct group_counts *n = &fixture_group(&f, "t", "default")->r.counts;
    cr_assert_eq(n->redriven, 1);
    int64_t early = (int64_t)job_of(&f, 1).allowed; /* thousandths of a message */
    cr_assert(early >= 0 && early < 1000);
    for (unsigned i = 0; i < 9; i++) {
        int64_t at_ms = (1000 * (i + 1) - early + 2) / 3;
        tick_until_quiet(&f);
        cr_assert_eq(ledger_tick_at(f.l), T0 + at_ms, "the tick %u is due at %lld, not %lld", i,
                     (long long)at_ms, (long long)ledger_tick_at(f.l) - T0);
        tick(&f, at_ms - 1);
        cr_assert_eq(n->redriven, i + 1);
        tick(&f, at_ms);
        cr_assert_eq(n->redriven, i + 2);
    }
    cr_assert_eq(f.l->jobs_count, 0, "over with the last one");
    fixture_done(&f);
}

Test(ledger_dead, what_dies_again_is_not_redriven_by_the_same_job)
{
    struct fixture f;
    init(&f, 3);
    redrive(&f, "t", "default", UINT64_MAX, 1);
    for (int64_t ms = 0; ms <= 5000; ms += 1000) {
        tick(&f, ms);
        assign(&f, "t", "default", 5);
        for (uint64_t seq = 1; seq <= 3; seq++) {
            if (!strcmp(state_of(&f, "t", "default", seq), "in_flight"))
                fail(&f, "t", "default", seq, ATTEMPT_REJECTED);
        }
    }
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.redriven, 3);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.dead, 3);
    fixture_done(&f);
}

Test(ledger_dead, redriven_messages_come_before_the_backlog)
{
    struct fixture f;
    init(&f, 2);
    publish(&f, "t", 2);
    redrive(&f, "t", "default", UINT64_MAX, 0);
    fixture_forget(&f);
    assign(&f, "t", "default", 3);
    fixture_expect(&f, "     0 t/default hand 1 token 2 attempts 0 deliveries 1 generation 1\n"
                       "     0 t/default hand 2 token 2 attempts 0 deliveries 1 generation 1\n"
                       "     0 t/default hand 3 token 1 attempts 0 deliveries 1 generation 0\n");
    fixture_done(&f);
}

Test(ledger_dead, commands_on_dead_letters_name_the_failing_group)
{
    struct fixture f;
    init(&f, 1);
    redrive(&f, "dlq:t:default", "default", UINT64_MAX, 0);
    cr_assert_eq(f.err, SHUNT_BAD_ARGUMENT);
    redrive(&f, "t", "x", UINT64_MAX, 0);
    cr_assert_eq(f.err, SHUNT_UNKNOWN_GROUP);
    redrive(&f, "x", "default", UINT64_MAX, 0);
    cr_assert_eq(f.err, SHUNT_UNKNOWN_TOPIC);
    expect_state(&f, "t", "default", 1, "dead");
    fixture_done(&f);
}

/* ---- purge ---- */

Test(ledger_dead, purge_deletes_what_only_the_dlq_needed)
{
    struct fixture f;
    init(&f, 3);
    topic_update(&f, "t", settings(POLICY_history_after_ms, 0, -1));
    assign(&f, "dlq:t:default", "default", 1);
    dlq_purge(&f, "t", "default", 2);
    fixture_forget(&f);
    show_counts(&f, "t", "default");
    show_counts(&f, "dlq:t:default", "default");
    fixture_expect(&f, "     0 t/default: published 3 dead 1 purged 2\n"
                       "     0 dlq:t:default/default: published 3 ready 1 purged 2\n");
    cr_assert_eq(rows_in(&f, TABLE_HISTORY), 1);
    topic_purge(&f, "dlq:t:default", NULL);
    cr_assert_eq(f.err, 0);
    cr_assert(rows_in(&f, TABLE_MESSAGE) == 0 && rows_in(&f, TABLE_DEAD) == 0 &&
              rows_in(&f, TABLE_HISTORY) == 0 && rows_in(&f, TABLE_ATTEMPT) == 0);
    fixture_done(&f);
}

/* ---- damage ---- */

/* Whichever byte is hit: the checksum, the flags, a time, the body. */
Test(ledger_dead, a_damaged_message_is_quarantined_and_never_handed_out)
{
    for (size_t at = 0; at < 36; at++) {
        struct fixture f;
        fixture_init(&f);
        topic_create(&f, "t", settings(-1));
        publish_timed(&f, "t", 0, 100000);
        publish_timed(&f, "t", 10, 100000);
        publish(&f, "t", 1);
        flip_message_byte(&f, "t", 1, at);
        flip_message_byte(&f, "t", 2, at);
        tick(&f, 10);
        assign(&f, "t", "default", 5);
        cr_assert_eq(f.handed, 1, "byte %zu", at);
        cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.dead_lettered[DEAD_CORRUPT], 2, "byte %zu",
                     at);
        assign(&f, "dlq:t:default", "default", 5);
        cr_assert_eq(f.handed, 0, "byte %zu", at);
        tick(&f, 400000);
        assign(&f, "dlq:t:default", "default", 5);
        cr_assert_eq(f.handed, 0, "byte %zu", at);
        expect_state(&f, "t", "default", 1, "dead");
        redrive(&f, "t", "default", 1, 0);
        assign(&f, "t", "default", 5);
        cr_assert_eq(f.handed, 0, "byte %zu", at);
        dlq_purge(&f, "t", "default", UINT64_MAX);
        ack(&f, "t", "default", 3);
        cr_assert_eq(rows_in(&f, TABLE_MESSAGE), 0, "byte %zu", at);
        fixture_done(&f);
    }
}

Test(ledger_dead, damage_while_in_flight_does_not_stop_the_answer)
{
    for (size_t at = 0; at < 28; at++) {
        struct fixture f;
        fixture_init(&f);
        topic_create(&f, "t", settings(-1));
        for (int i = 0; i < 4; i++)
            publish_timed(&f, "t", 0, 1000);
        assign(&f, "t", "default", 4);
        for (uint64_t seq = 1; seq <= 4; seq++)
            flip_message_byte(&f, "t", seq, at);
        ack(&f, "t", "default", 1);
        nack(&f, "t", "default", 2, 10);
        fail(&f, "t", "default", 3, ATTEMPT_REJECTED);
        tick(&f, 10);
        assign(&f, "t", "default", 4);
        cr_assert_eq(f.handed, 0);
        tick(&f, 1000);
        ack(&f, "t", "default", 4);
        cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.acked, 2);
        cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.dead, 2);
        fixture_done(&f);
    }
}
