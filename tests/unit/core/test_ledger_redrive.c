/* Redrives that cannot make things worse: the rate, filters, canary and ramp, pausing. */
#include "proto/errors.h"
#include "tests/unit/core/ledger_redrive.h"

#include <stdio.h>

/* ---- the rate ---- */

Test(ledger_redrive, a_rate_never_saves_up_more_than_one_second)
{
    struct fixture f;
    struct dead_command c = all();
    begin(&f, 30);
    c.rate = 5;
    redrive_as(&f, &c);
    cr_assert_eq(redriven(&f), 1);
    tick(&f, 200);
    cr_assert_eq(redriven(&f), 2);
    fixture_reload(&f);
    tick(&f, 3600000); /* the broker was away */
    cr_assert_eq(redriven(&f), 7);
    cr_assert_lt(job_of(&f, 1).allowed, 1000);
    tick(&f, 3600000);
    cr_assert_eq(redriven(&f), 7);
    job_pause(&f, 1);
    tick(&f, 7200000);
    cr_assert_eq(redriven(&f), 7);
    job_resume(&f, 1);
    tick(&f, 7200000);
    cr_assert_eq(redriven(&f), 12);
    fixture_done(&f);
}

#define TOGETHER 100

/* So many, each with a message a second for three of its own, have moved `before` of them; those that follow come spread over the second,
 * which are quarters here: 25 in each, and six times their deviation. */
static void expect_spread(struct fixture *f, int64_t from_ms, uint64_t before)
{
    for (int quarter = 1; quarter <= 4; quarter++) {
        uint64_t had = redriven(f);
        tick(f, from_ms + 250 * quarter);
        uint64_t came = redriven(f) - had;
        cr_assert(came > 0 && came < 51, "quarter %d: %llu", quarter, (unsigned long long)came);
    }
    cr_assert_eq(redriven(f), before + TOGETHER);
}

static void begin_together(struct fixture *f)
{
    begin(f, 3 * TOGETHER);
    for (unsigned i = 1; i <= 3 * TOGETHER; i += 3) {
        char ids[64];
        (void)snprintf(ids, sizeof ids, "t/%u t/%u t/%u", i, i + 1, i + 2);
        redrive_ids_at(f, "t", "default", ids, 1);
    }
    cr_assert_eq(redriven(f), TOGETHER, "one at once");
}

Test(ledger_redrive, those_that_begin_together_do_not_go_on_together)
{
    struct fixture f;
    begin_together(&f);
    expect_spread(&f, f.now_ms, TOGETHER);
    fixture_done(&f);
}

Test(ledger_redrive, nor_do_those_that_all_were_away_for_long)
{
    struct fixture f;
    begin_together(&f);
    fixture_reload(&f);
    tick(&f, f.now_ms + 3600000);
    cr_assert_eq(redriven(&f), 2 * TOGETHER, "a second's worth, at once");
    expect_spread(&f, f.now_ms, 2 * TOGETHER);
    fixture_done(&f);
}

/* ---- which ---- */

Test(ledger_redrive, a_filter_moves_what_it_lets_through_and_nothing_else)
{
    struct fixture f;
    struct dead_command c = all();
    begin(&f, 3);
    fixture_at(&f, 5000);
    die(&f, 4, 6, "B");
    c.filter.type = text("B");
    redrive_as(&f, &c);
    cr_assert_eq(f.count, 6, "so many at most");
    cr_assert(job_is_over(&f, 1));
    cr_assert(job_of(&f, 1).done == 3 && job_of(&f, 1).total == 3);
    for (uint64_t seq = 1; seq <= 6; seq++)
        expect_state(&f, "t", "default", seq, seq < 4 ? "dead" : "ready");

    c = all();
    c.filter.since_ms = T0 + 5000; /* those that died then came back and are no letters any more */
    redrive_as(&f, &c);
    cr_assert_eq(job_of(&f, 2).done, 0);
    c.filter =
        (struct letter_filter){.match = text("plant"), .has_reason = true, .reason = DEAD_MAX_ATTEMPTS};
    redrive_as(&f, &c);
    cr_assert_eq(job_of(&f, 3).done, 0, "they were rejected");
    c.filter.reason = DEAD_REJECTED;
    c.count = 2;
    redrive_as(&f, &c);
    cr_assert_eq(job_of(&f, 4).done, 2, "the oldest two");
    expect_state(&f, "t", "default", 3, "dead");
    c.filter = (struct letter_filter){.header = text("h"), .value = text("v")};
    redrive_as(&f, &c);
    cr_assert_eq(job_of(&f, 5).done, 0);
    fixture_done(&f);
}

Test(ledger_redrive, of_a_cause_that_has_no_letter_nothing_begins)
{
    struct fixture f;
    struct dead_command c = all();
    begin(&f, 3);
    c.filter.cause = 77;
    redrive_as(&f, &c);
    cr_assert(!f.err && !f.job && !f.count);
    c.filter.cause = cause_of(&f, "t", "default", 0);
    redrive_as(&f, &c);
    cr_assert_eq(f.count, 3);
    cr_assert_eq(redriven(&f), 3);
    fixture_done(&f);
}

Test(ledger_redrive, letters_that_die_during_a_job_are_left_out_of_it)
{
    struct fixture f;
    struct dead_command c = all();
    begin(&f, 3);
    c.rate = 1;
    redrive_as(&f, &c);
    assign(&f, "t", "default", 1);
    fail_as(&f, 1, ATTEMPT_REJECTED, "A", "again");
    for (int s = 1; s < 10; s++)
        tick(&f, 1000 * s);
    cr_assert(job_is_over(&f, 1));
    cr_assert_eq(redriven(&f), 3);
    expect_state(&f, "t", "default", 1, "dead");
    fixture_done(&f);
}

/* ---- two at a time ---- */

Test(ledger_redrive, two_jobs_on_one_letter_are_refused_and_the_first_is_named)
{
    struct fixture f;
    struct dead_command c = all();
    begin(&f, 4);
    die(&f, 5, 8, "B");
    uint64_t a = titled_cause(&f, "A"), b = titled_cause(&f, "B");
    c.rate = 1;
    c.filter.cause = a;
    redrive_as(&f, &c);
    cr_assert_eq(f.job, 1);
    redrive(&f, "t", "default", 2, 0);
    cr_assert(f.err == SHUNT_TOO_MANY && f.job == 1 && !f.changed);
    dlq_purge(&f, "t", "default", 2);
    cr_assert(f.err == SHUNT_TOO_MANY && f.job == 1);
    c.filter.cause = b;
    redrive_as(&f, &c);
    cr_assert(!f.err && f.job == 2, "of another cause are other letters");
    redrive_ids(&f, "t", "default", "t/7");
    cr_assert(f.err == SHUNT_TOO_MANY && f.job == 1, "an id may be of any cause");
    job_cancel(&f, 1);
    job_cancel(&f, 2);
    redrive_ids_at(&f, "t", "default", "t/2 t/3", 1);
    redrive_ids_at(&f, "t", "default", "t/4 t/6", 1);
    cr_assert(!f.err && f.job == 4, "these are others");
    redrive_ids_at(&f, "t", "default", "t/6 t/7", 1);
    cr_assert(f.err == SHUNT_TOO_MANY && f.job == 4);
    fixture_done(&f);
}

/* ---- canary and ramp ---- */

Test(ledger_redrive, a_canary_goes_first_and_twice_as_many_follow_each_time_all_are_acked)
{
    struct fixture f;
    struct dead_command c = all();
    begin(&f, 20);
    c.canary = 2;
    redrive_as(&f, &c);
    cr_assert_eq(redriven(&f), 2);
    cr_assert_eq(jobs_at(f.l), NEVER, "it waits, and costs no tick");
    tick(&f, 100000);
    cr_assert_eq(redriven(&f), 2);
    take_and_ack(&f, 1, 1);
    tick(&f, 100000);
    cr_assert_eq(redriven(&f), 2, "one is still out");
    fixture_reload(&f);
    take_and_ack(&f, 2, 2);
    expect_phase(&f, 1, JOB_RAMP);
    tick(&f, 100001);
    cr_assert_eq(redriven(&f), 6);
    take_and_ack(&f, 3, 5);
    tick(&f, 100002);
    cr_assert_eq(redriven(&f), 6);
    take_and_ack(&f, 6, 6);
    tick(&f, 100003);
    cr_assert_eq(redriven(&f), 14);
    take_and_ack(&f, 7, 14);
    tick(&f, 100004);
    cr_assert_eq(redriven(&f), 20);
    cr_assert(job_is_over(&f, 1));
    expect_outcomes(&f, 1, 6, 14, 0, 0, 0);
    take_and_ack(&f, 15, 20);
    expect_outcomes(&f, 1, 0, 20, 0, 0, 0);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.outcomes[REDRIVE_ACKED], 20);
    fixture_done(&f);
}

Test(ledger_redrive, with_a_rate_the_ramp_ends_at_a_seconds_worth)
{
    struct fixture f;
    struct dead_command c = all();
    begin(&f, 20);
    c.canary = 1;
    c.rate = 4;
    redrive_as(&f, &c);
    take_and_ack(&f, 1, 1);
    expect_phase(&f, 1, JOB_RAMP);
    tick(&f, 10000);
    cr_assert_eq(redriven(&f), 3);
    take_and_ack(&f, 2, 3);
    expect_phase(&f, 1, JOB_RUNNING);
    tick(&f, 20000);
    cr_assert_eq(redriven(&f), 7);
    tick(&f, 21000);
    cr_assert_eq(redriven(&f), 11, "whatever is still out");
    fixture_done(&f);
}

Test(ledger_redrive, a_canary_that_fails_stops_the_job_and_nothing_else_was_moved)
{
    struct fixture f;
    struct dead_command c = all();
    begin(&f, 20);
    c.canary = 3;
    redrive_as(&f, &c);
    assign(&f, "t", "default", 3);
    ack(&f, "t", "default", 1);
    fail_as(&f, 2, ATTEMPT_NACKED, "A", "as planted"); /* it is tried again, but that is enough */
    expect_phase(&f, 1, JOB_STOPPED);
    struct job_record r = job_of(&f, 1);
    cr_assert(r.stopped_seq == 2 && r.stopped_same && r.before == JOB_CANARY && r.done == 3);
    expect_outcomes(&f, 1, 1, 1, 1, 0, 0);
    tick(&f, 1000000);
    cr_assert_eq(redriven(&f), 3);
    job_resume(&f, 1);
    cr_assert_eq(f.err, SHUNT_BAD_ARGUMENT, "it is over");
    fixture_done(&f);
}

Test(ledger_redrive, a_canary_that_is_gone_tells_nothing_and_the_next_takes_its_place)
{
    struct fixture f;
    struct dead_command c = all();
    begin(&f, 5);
    c.canary = 1;
    redrive_as(&f, &c);
    topic_purge(&f, "t", NULL);
    expect_outcomes(&f, 1, 0, 0, 0, 0, 1);
    tick(&f, 1);
    cr_assert_eq(redriven(&f), 2);
    expect_phase(&f, 1, JOB_CANARY);
    take_and_ack(&f, 2, 2);
    expect_phase(&f, 1, JOB_RAMP);
    fixture_done(&f);
}

Test(ledger_redrive, a_paused_canary_goes_on_with_what_came_of_it_meanwhile)
{
    struct fixture f;
    struct dead_command c = all();
    begin(&f, 5);
    c.canary = 1;
    redrive_as(&f, &c);
    job_pause(&f, 1);
    take_and_ack(&f, 1, 1);
    tick(&f, 1);
    expect_phase(&f, 1, JOB_PAUSED);
    fixture_reload(&f);
    job_resume(&f, 1);
    tick(&f, 2);
    cr_assert_eq(redriven(&f), 3);
    job_pause(&f, 1);
    job_pause(&f, 1);
    cr_assert(!f.err && !f.changed);
    job_cancel(&f, 1);
    expect_phase(&f, 1, JOB_CANCELLED);
    take_and_ack(&f, 2, 3);
    expect_outcomes(&f, 1, 0, 3, 0, 0, 0);
    job_pause(&f, 1);
    cr_assert_eq(f.err, SHUNT_BAD_ARGUMENT);
    job_pause(&f, 99);
    cr_assert_eq(f.err, SHUNT_NOT_FOUND);
    fixture_done(&f);
}
