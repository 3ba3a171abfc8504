/* Redriven messages have outcomes: what they stop, whose they are; how they come back; jobs in a list. */
#include "proto/errors.h"
#include "tests/unit/core/ledger_redrive.h"

/* ---- too many fail ---- */

Test(ledger_redrive, more_failures_than_may_be_stop_it_and_as_many_do_not)
{
    struct fixture f;
    struct dead_command c = all();
    begin(&f, 40);
    c.rate = 20;
    c.has_max_fail = true;
    c.max_fail = 250;
    redrive_as(&f, &c);
    tick(&f, 1000);
    cr_assert_eq(redriven(&f), 21);
    take_and_ack(&f, 1, 9);
    assign(&f, "t", "default", 12);
    for (uint64_t seq = 10; seq <= 12; seq++)
        fail_as(&f, seq, ATTEMPT_REJECTED, "A", "as planted");
    expect_phase(&f, 1, JOB_RUNNING); /* 3 of 12 */
    fail_as(&f, 13, ATTEMPT_NACKED, "C", "new");
    expect_phase(&f, 1, JOB_STOPPED); /* 4 of 13 */
    struct job_record r = job_of(&f, 1);
    cr_assert(r.stopped_failed == 4 && r.stopped_known == 13 && !r.stopped_same && r.stopped_seq == 13);
    expect_outcomes(&f, 1, 8, 9, 3, 1, 0);
    fixture_done(&f);
}

Test(ledger_redrive, no_failure_at_all_may_be_asked_for)
{
    struct fixture f;
    struct dead_command c = all();
    begin(&f, 5);
    c.rate = 1;
    c.has_max_fail = true;
    redrive_as(&f, &c);
    assign(&f, "t", "default", 1);
    fail_as(&f, 1, ATTEMPT_NACKED, "A", "as planted");
    expect_phase(&f, 1, JOB_STOPPED);
    fixture_done(&f);
}

/* ---- very many ---- */

#define MANY 200000

/* So many letters, which are redriven unless more than `max_fail` thousandths fail (negative: whatever fails). */
static void begin_many(struct fixture *f, uint64_t count, uint64_t rate, int max_fail)
{
    struct dead_command c = all();
    fixture_init(f);
    f->quiet = f->careless = true;
    topic_create(f, "t", settings(POLICY_max_attempts, 2, -1));
    for (uint64_t seq = 1; seq <= count; seq += 500)
        die(f, seq, seq + 499, "A");
    c.rate = (uint32_t)rate;
    c.has_max_fail = max_fail >= 0;
    c.max_fail = (uint32_t)max_fail;
    redrive_as(f, &c);
}

static void take_half(struct fixture *f)
{
    assign(f, "t", "default", 64);
    uint32_t handed = f->handed < 64 ? f->handed : 64;
    uint64_t seqs[64];
    memcpy(seqs, f->handed_seqs, sizeof seqs);
    for (uint32_t i = 0; i < handed; i++) {
        if (seqs[i] % 4 < 2)
            fail_as(f, seqs[i], ATTEMPT_REJECTED, "A", "as planted");
        else
            ack(f, "t", "default", seqs[i]);
    }
}

/* Redrive all of MANY letters to consumers that fail half of them, until nothing goes on; returns how many were moved. */
static uint64_t moved_of_many(uint64_t rate, int max_fail)
{
    struct fixture f;
    struct job_record r;
    begin_many(&f, MANY, rate, max_fail);
    for (int64_t ms = 100; r = job_of(&f, 1), !job_over(&r); ms += 100) {
        take_half(&f);
        tick(&f, ms);
    }
    uint64_t moved = redriven(&f);
    if (max_fail >= 0) {
        expect_phase(&f, 1, JOB_STOPPED);
        const struct group_counts *n = &fixture_group(&f, "t", "default")->r.counts;
        cr_assert_eq(n->dead + n->acked + n->ready + n->in_flight, MANY);
        cr_assert_geq(n->dead, MANY - moved, "the rest is untouched");
    }
    fixture_done(&f);
    return moved;
}

Test(ledger_redrive, of_very_many_that_fail_again_by_halves_the_rest_is_untouched, .timeout = 120)
{
    cr_assert_leq(moved_of_many(0, 250), REDRIVE_ROUND_LEAST);
    cr_assert_leq(moved_of_many(500, 250), 501, "with a rate, a second's worth");
}

/* The control. */
Test(ledger_redrive, without_a_stop_all_of_very_many_are_moved, .timeout = 120)
{
    cr_assert_eq(moved_of_many(0, -1), MANY);
}

/* Twenty at a time, of which so many of ten fail. `tried` NULL: for good; otherwise it says which have failed once, and are acked. */
static void take_twenty(struct fixture *f, unsigned fail, bool *tried)
{
    uint64_t seqs[20];
    assign(f, "t", "default", 20);
    uint32_t handed = f->handed;
    memcpy(seqs, f->handed_seqs, sizeof seqs);
    for (uint32_t i = 0; i < handed; i++) {
        bool fails = i % 10 < fail && !(tried && tried[seqs[i]]);
        if (fails && tried)
            tried[seqs[i]] = true;
        if (fails)
            fail_as(f, seqs[i], tried ? ATTEMPT_NACKED : ATTEMPT_REJECTED, "A", "as planted");
        else
            ack(f, "t", "default", seqs[i]);
    }
    tick(f, f->now_ms + 1000000);
}

Test(ledger_redrive, those_that_begin_to_fail_late_stop_it_too, .timeout = 120)
{
    struct fixture f;
    struct job_record r;
    begin_many(&f, 8000, 0, 250);
    while (r = job_of(&f, 1), !job_over(&r)) {
        uint64_t known = r.outcomes[REDRIVE_ACKED] + r.outcomes[REDRIVE_FAILED_SAME];
        take_twenty(&f, known < 4000 ? 0 : 5, NULL);
        if (known % 1000 == 500)
            fixture_reload(&f);
    }
    expect_phase(&f, 1, JOB_STOPPED);
    cr_assert(r.stopped_recent && r.stopped_known > 900 && r.stopped_known <= 1000);
    cr_assert_gt(r.stopped_failed * 1000, r.stopped_known * 250);
    cr_assert_leq(r.stopped_failed, 300, "at once");
    cr_assert_leq(r.outcomes[REDRIVE_FAILED_SAME] * 8, r.outcomes[REDRIVE_ACKED], "of all they are few");
    cr_assert_lt(r.done, 6000, "the rest is untouched");
    fixture_done(&f);
}

/* Of each ten that come, eight fail once, and are acked soon after. */
Test(ledger_redrive, what_is_acked_in_the_end_is_no_failure_among_the_latest_either, .timeout = 120)
{
    static bool tried[3001];
    struct fixture f;
    struct job_record r;
    begin_many(&f, 3000, 10, 250);
    while (r = job_of(&f, 1), !job_over(&r))
        take_twenty(&f, r.outcomes[REDRIVE_ACKED] < 1000 ? 0 : 8, tried);
    expect_phase(&f, 1, JOB_DONE);
    cr_assert_eq(redriven(&f), 3000);
    fixture_done(&f);
}

/* ---- outcomes ---- */

Test(ledger_redrive, a_message_that_is_acked_after_a_failure_counts_as_acked_and_once_for_its_group)
{
    struct fixture f;
    begin(&f, 1);
    redrive(&f, "t", "default", 1, 0);
    assign(&f, "t", "default", 1);
    fail_as(&f, 1, ATTEMPT_NACKED, "A", "as planted");
    expect_outcomes(&f, 1, 0, 0, 1, 0, 0);
    tick(&f, 1000000);
    take_and_ack(&f, 1, 1);
    expect_outcomes(&f, 1, 0, 1, 0, 0, 0);
    const uint64_t *n = fixture_group(&f, "t", "default")->r.counts.outcomes;
    cr_assert(n[REDRIVE_FAILED_SAME] == 1 && n[REDRIVE_ACKED] == 0);
    fixture_done(&f);
}

Test(ledger_redrive, what_another_redrive_brings_back_again_is_of_that_one)
{
    struct fixture f;
    begin(&f, 1);
    redrive(&f, "t", "default", 1, 0);
    assign(&f, "t", "default", 1);
    fail_as(&f, 1, ATTEMPT_REJECTED, "B", "other");
    expect_outcomes(&f, 1, 0, 0, 0, 1, 0);
    redrive(&f, "t", "default", 1, 0);
    expect_outcomes(&f, 2, 1, 0, 0, 0, 0);
    assign(&f, "t", "default", 1);
    fail_as(&f, 1, ATTEMPT_REJECTED, "B", "other");
    expect_outcomes(&f, 2, 0, 0, 1, 0, 0);
    redrive(&f, "t", "default", 1, 0);
    take_and_ack(&f, 1, 1);
    expect_outcomes(&f, 1, 0, 0, 0, 1, 0);
    expect_outcomes(&f, 2, 0, 0, 1, 0, 0);
    expect_outcomes(&f, 3, 0, 1, 0, 0, 0);
    fixture_done(&f);
}

Test(ledger_redrive, uncharged_ends_tell_nothing_and_a_deleted_group_makes_them_gone)
{
    struct fixture f;
    begin(&f, 3);
    group_create(&f, "t", "other", false);
    redrive(&f, "t", "default", 2, 0);
    assign(&f, "t", "default", 2);
    fail(&f, "t", "default", 1, ATTEMPT_RELEASED);
    fail(&f, "t", "default", 2, ATTEMPT_SUSPECTED);
    recover(&f);
    expect_outcomes(&f, 1, 2, 0, 0, 0, 0);
    struct dead_command c = all();
    c.canary = 1;
    redrive_as(&f, &c);
    group_delete(&f, "t", "default");
    tick_until_quiet(&f);
    cr_assert(job_is_over(&f, 2), "it waits for nothing that can come");
    expect_outcomes(&f, 1, 0, 0, 0, 0, 2);
    expect_outcomes(&f, 2, 0, 0, 0, 0, 1);
    fixture_done(&f);
}

Test(ledger_redrive, a_message_that_expires_again_fails_the_same_way)
{
    struct fixture f;
    fixture_init(&f);
    f.quiet = true;
    topic_create(&f, "t", settings(-1));
    publish_timed(&f, "t", 0, 1000);
    tick(&f, 2000);
    redrive(&f, "t", "default", 1, 0);
    tick(&f, 9000);
    expect_outcomes(&f, 1, 0, 0, 1, 0, 0);
    fixture_done(&f);
}

/* ---- spread ---- */

Test(ledger_redrive, they_come_back_spread_over_the_time_that_was_asked_for)
{
    enum { COUNT = 100, SPREAD = 1000 };
    struct fixture f;
    struct dead_command c = all();
    begin(&f, COUNT);
    c.spread_ms = SPREAD;
    redrive_as(&f, &c);
    cr_assert_eq(redriven(&f), COUNT);
    const struct group_counts *n = &fixture_group(&f, "t", "default")->r.counts;
    cr_assert_gt(n->delayed, COUNT / 2);
    uint64_t quarters[4];
    for (int i = 0; i < 4; i++) {
        tick(&f, SPREAD / 4 * (i + 1));
        quarters[i] = n->ready;
    }
    cr_assert_eq(quarters[3], COUNT);
    for (int i = 0; i < 4; i++) /* evenly: 25 each, and six times their deviation */
        cr_assert(quarters[i] - (i ? quarters[i - 1] : 0) < 51, "quarter %d", i);
    fixture_done(&f);
}

/* ---- listing ---- */

Test(ledger_redrive, jobs_are_listed_by_page_the_finished_ones_too)
{
    struct fixture f;
    struct view v = {0};
    struct mpack_buffer b = {0};
    struct mpack_reader r;
    begin(&f, 3);
    redrive(&f, "t", "default", 1, 0);
    redrive_pair(&f, "t", "default", 0, 1);
    topic_purge(&f, "t", NULL);
    fixture_reload(&f);
    v.ledger = f.l;
    cr_assert_eq(view_jobs(&v, 0, 2, &b), 0);
    mpack_read_init(&r, b.data, b.size);
    cr_assert_eq(mpack_read_array(&r), 2);
    cr_assert_eq(mpack_read_map(&r), 20);
    b.size = 0;
    cr_assert_eq(view_jobs(&v, 2, 2, &b), 0);
    mpack_read_init(&r, b.data, b.size);
    cr_assert_eq(mpack_read_array(&r), 1);
    (void)mpack_read_any(&r);
    cr_assert(!mpack_read_bool(&r));
    b.size = 0;
    cr_assert_eq(view_jobs(&v, UINT64_MAX, 2, &b), 0);
    mpack_read_init(&r, b.data, b.size);
    cr_assert_eq(mpack_read_array(&r), 0);
    mpack_buffer_done(&b);
    fixture_done(&f);
}
