/* The breaker of a group: how it closes again, and what it does beside restarts, pauses, redrives and deletions. */
#include "proto/errors.h"
#include "tests/unit/core/ledger_breaker.h"

#include <criterion/criterion.h>
#include <string.h>

/* ---- and back ---- */

Test(ledger_breaker_back, a_probe_that_is_acked_begins_a_ramp_that_closes_it)
{
    struct fixture f;
    begin_open(&f);
    uint64_t seq = probe(&f);
    ack(&f, "t", "default", seq);
    cr_assert_eq(state(&f), BREAKER_RAMP);
    for (uint32_t out = 2; out < 5; out++) {
        assign(&f, "t", "default", 10);
        cr_assert_eq(f.handed, out == 2 ? 2 : 2, "one for the ack, and one more");
        cr_assert_eq(g_of(&f)->breaker->r.count, out);
        ack(&f, "t", "default", f.handed_seqs[0]);
    }
    cr_assert(state(&f) == BREAKER_CLOSED && f.closed == 1);
    assign(&f, "t", "default", 30);
    cr_assert_eq(f.handed, 20 - 6 - 1 - 6 + 4, "all that is left");
    fixture_done(&f);
}

Test(ledger_breaker_back, a_failure_of_the_ramp_is_charged_and_too_many_open_it_again)
{
    struct fixture f;
    begin_open(&f);
    ack(&f, "t", "default", probe(&f));
    assign(&f, "t", "default", 10);
    cr_assert_eq(f.handed, 2);
    uint64_t first = f.handed_seqs[0], second = f.handed_seqs[1];
    nack_now(&f, first);
    cr_assert_eq(state(&f), BREAKER_RAMP);
    nack_now(&f, second);
    cr_assert(state(&f) == BREAKER_OPEN && trips(&f) == 1);
    cr_assert_eq(row_of(&f, "t", "default", first).attempts, 1);
    fixture_done(&f);
}

Test(ledger_breaker_back, what_was_handed_out_before_the_first_ack_is_never_charged)
{
    struct fixture f;
    begin_open(&f);
    ack(&f, "t", "default", probe(&f));
    end(&f, 5, ATTEMPT_NACKED, 0);
    cr_assert_eq(row_of(&f, "t", "default", 5).attempts, 0, "in the ramp");
    cr_assert_eq(g_of(&f)->breaker->r.limit, 2, "which it does not slow down");
    fixture_run(&f, (struct command){.kind = COMMAND_BREAKER_RESET,
                                     .group = {.topic = text("t"), .group = text("default")}});
    cr_assert(state(&f) == BREAKER_CLOSED && f.err == 0);
    end(&f, 6, ATTEMPT_NACKED, 0);
    cr_assert_eq(row_of(&f, "t", "default", 6).attempts, 0, "and afterwards");
    cr_assert_not(g_of(&f)->watched, "nor does it count");
    fixture_done(&f);
}

Test(ledger_breaker_back, what_is_left_and_could_not_open_it_cannot_keep_it_open)
{
    struct fixture f;
    begin(&f, small(), 5, 5);
    for (uint64_t seq = 1; seq <= 4; seq++)
        nack_now(&f, seq);
    ack(&f, "t", "default", 5);
    uint64_t seq = probe(&f);
    ack(&f, "t", "default", seq); /* three are left, which fail for ever */
    assign(&f, "t", "default", 2);
    nack_now(&f, f.handed_seqs[0]);
    nack_now(&f, f.handed_seqs[1]);
    cr_assert_eq(state(&f), BREAKER_OPEN);
    tick(&f, f.now_ms + 400);
    cr_assert_eq(state(&f), BREAKER_CLOSED);
    assign(&f, "t", "default", 5);
    cr_assert_eq(f.handed, 3);
    fixture_done(&f);
}

Test(ledger_breaker_back, an_operator_closes_it)
{
    struct fixture f;
    begin_open(&f);
    fixture_run(&f, (struct command){.kind = COMMAND_BREAKER_RESET,
                                     .group = {.topic = text("t"), .group = text("default")}});
    cr_assert(f.err == 0 && state(&f) == BREAKER_CLOSED && f.closed == 1);
    assign(&f, "t", "default", 20);
    cr_assert_geq(f.handed, 14);
    fixture_run(&f, (struct command){.kind = COMMAND_BREAKER_RESET,
                                     .group = {.topic = text("t"), .group = text("default")}});
    cr_assert(f.err == 0 && f.closed == 1, "that it is closed is no mistake");
    fixture_run(&f, (struct command){.kind = COMMAND_BREAKER_RESET,
                                     .group = {.topic = text("t"), .group = text("none")}});
    cr_assert_eq(f.err, SHUNT_UNKNOWN_GROUP);
    fixture_done(&f);
}

/* ---- beside the rest ---- */

Test(ledger_breaker_back, a_restart_finds_it_as_it_was_and_the_probe_back)
{
    struct fixture f;
    begin_open(&f);
    fixture_reload(&f);
    cr_assert(state(&f) == BREAKER_OPEN && trips(&f) == 1);
    recover(&f);
    assign(&f, "t", "default", 10);
    cr_assert_eq(f.handed, 0);
    (void)probe(&f);
    fixture_crash(&f);
    cr_assert_eq(state(&f), BREAKER_HALF_OPEN);
    assign(&f, "t", "default", 10);
    cr_assert_eq(f.handed, 0, "the probe is out until the recovery gives it back");
    recover(&f);
    assign(&f, "t", "default", 10);
    cr_assert_eq(f.handed, 1);
    fixture_done(&f);
}

Test(ledger_breaker_back, a_paused_group_gets_no_probe)
{
    struct fixture f;
    begin_open(&f);
    group_pause(&f, "t", "default", true);
    tick(&f, 1000);
    assign(&f, "t", "default", 10);
    cr_assert_eq(f.handed, 0);
    group_pause(&f, "t", "default", false);
    assign(&f, "t", "default", 10);
    cr_assert_eq(f.handed, 1);
    fixture_done(&f);
}

Test(ledger_breaker_back, an_outage_is_no_outcome_of_a_redrive)
{
    struct fixture f;
    struct policy_change change = small();
    begin(&f, change, 20, 5);
    fail(&f, "t", "default", 5, ATTEMPT_REJECTED);
    redrive_as(&f, &(struct dead_command){
                       .topic = text("t"), .group = text("default"), .count = UINT64_MAX, .canary = 1});
    uint64_t job = f.job;
    tick_until_quiet(&f);
    assign(&f, "t", "default", 1);
    cr_assert_eq(f.handed_seqs[0], 5);
    for (uint64_t seq = 1; seq <= 4; seq++)
        nack_now(&f, seq);
    cr_assert_eq(state(&f), BREAKER_OPEN);
    nack_now(&f, 5);
    cr_assert_eq(job_of(&f, job).outcomes[REDRIVE_PENDING], 1, "it is still to come");
    cr_assert_neq(job_of(&f, job).phase, JOB_STOPPED);
    fixture_done(&f);
}

Test(ledger_breaker_back, a_group_that_goes_takes_it_along)
{
    struct fixture f;
    begin_open(&f);
    group_create(&f, "t", "other", false);
    group_delete(&f, "t", "default");
    tick_until_quiet(&f);
    cr_assert_eq(rows_in(&f, TABLE_BREAKER), 0);
    fixture_done(&f);
}

Test(ledger_breaker_back, pauses_have_a_least_that_is_not_above_the_most)
{
    struct fixture f;
    begin(&f, small(), 0, 0);
    group_update(&f, "t", "default", settings(POLICY_breaker_pause_min_ms, 301, -1));
    cr_assert(f.err == SHUNT_BAD_ARGUMENT && strstr(f.why, "breaker_pause_min_ms"));
    group_update(&f, "t", "default", settings(POLICY_breaker_pause_min_ms, 300, -1));
    cr_assert_eq(f.err, 0);
    group_update(&f, "t", "default", settings(POLICY_breaker_window, BREAKER_WINDOW_MAX + 1, -1));
    cr_assert_eq(f.err, SHUNT_BAD_ARGUMENT);
    group_update(&f, "t", "default", settings(POLICY_breaker_window, BREAKER_WINDOW_MAX, -1));
    cr_assert_eq(f.err, 0);
    fixture_done(&f);
}

Test(ledger_breaker_back, the_longest_window_is_kept_whole)
{
    struct fixture f;
    struct policy_change change = small();
    change.set.value[POLICY_breaker_window] = BREAKER_WINDOW_MAX;
    change.set.value[POLICY_breaker_threshold] = 100;
    begin(&f, change, 200, 200);
    for (uint64_t seq = 1; seq < BREAKER_WINDOW_MAX; seq++)
        nack_now(&f, seq);
    fixture_reload(&f);
    cr_assert(state(&f) == BREAKER_CLOSED && g_of(&f)->breaker->r.count == BREAKER_WINDOW_MAX - 1);
    nack_now(&f, BREAKER_WINDOW_MAX);
    cr_assert_eq(state(&f), BREAKER_OPEN);
    fixture_done(&f);
}

/* Half open, with 5 and 6 out since before, and 20 messages in all. */
static void begin_half_open(struct fixture *f)
{
    begin_open(f);
    tick(f, f->now_ms + 100);
    cr_assert_eq(state(f), BREAKER_HALF_OPEN);
}

Test(ledger_breaker_back, a_purge_of_all_that_could_be_a_probe_closes_it)
{
    struct fixture f;
    begin_half_open(&f);
    nack_now(&f, 5);
    nack_now(&f, 6);
    cr_assert_eq(state(&f), BREAKER_HALF_OPEN);
    topic_purge(&f, "t", "default");
    tick_until_quiet(&f);
    cr_assert_eq(g_of(&f)->r.counts.ready + g_of(&f)->r.counts.delayed + g_of(&f)->r.counts.in_flight, 0);
    cr_assert(state(&f) == BREAKER_CLOSED && !g_of(&f)->breaker->r.count);
    fixture_reload(&f);
    cr_assert_eq(state(&f), BREAKER_CLOSED);
    fixture_done(&f);
}

/* All that are left but one are rejected as they come out: each is a probe that says nothing. */
Test(ledger_breaker_back, while_one_is_left_it_waits_for_that_and_then_it_closes)
{
    struct fixture f;
    begin_half_open(&f);
    fail(&f, "t", "default", 5, ATTEMPT_REJECTED);
    fail(&f, "t", "default", 6, ATTEMPT_REJECTED);
    for (int left = 18; left > 0; left--) {
        cr_assert_eq(state(&f), BREAKER_HALF_OPEN, "%d are left", left);
        assign(&f, "t", "default", 1);
        cr_assert_eq(f.handed, 1);
        fail(&f, "t", "default", f.handed_seqs[0], ATTEMPT_REJECTED);
    }
    cr_assert_eq(state(&f), BREAKER_CLOSED);
    fixture_done(&f);
}

Test(ledger_breaker_back, a_ramp_whose_last_message_is_done_is_over)
{
    struct fixture f;
    begin_half_open(&f);
    for (uint64_t seq = 5; seq <= 6; seq++)
        ack(&f, "t", "default", seq);
    for (int left = 18; left > 0; left--) {
        assign(&f, "t", "default", 1);
        cr_assert_eq(f.handed, 1);
        if (left > 2)
            fail(&f, "t", "default", f.handed_seqs[0], ATTEMPT_REJECTED);
        else
            ack(&f, "t", "default", f.handed_seqs[0]);
        cr_assert_eq(state(&f), left == 1 ? BREAKER_CLOSED : left == 2 ? BREAKER_RAMP : BREAKER_HALF_OPEN);
    }
    fixture_done(&f);
}
