/* The breaker of a group: what opens it and what does not, and what is charged while it is open. */
#include "proto/errors.h"
#include "tests/unit/core/ledger_breaker.h"

#include <criterion/criterion.h>
#include <string.h>

/* ---- what opens it ---- */

Test(ledger_breaker, opens_when_so_many_different_messages_have_failed_and_not_before)
{
    struct fixture f;
    begin(&f, small(), 10, 6);
    for (uint64_t seq = 1; seq <= 3; seq++)
        nack_now(&f, seq);
    cr_assert(state(&f) == BREAKER_CLOSED && f.opened == 0);
    nack_now(&f, 4);
    cr_assert(state(&f) == BREAKER_OPEN && f.opened == 1 && trips(&f) == 1);
    cr_assert_eq(row_of(&f, "t", "default", 4).attempts, 1, "until then it is charged");
    int64_t pause_ms = g_of(&f)->breaker->r.until_ms - T0 - 10;
    cr_assert(pause_ms >= 50 && pause_ms <= 100, "%lld ms", (long long)pause_ms);
    struct group_ready ready;
    ledger_group_ready(f.l, g_of(&f)->r.id, &ready);
    cr_assert(ready.lane[LANE_NORMAL] == 0 && ready.lane[LANE_SUSPECT] == 0);
    assign(&f, "t", "default", 3);
    cr_assert_eq(f.handed, 0);
    fixture_done(&f);
}

Test(ledger_breaker, acks_among_the_failures_keep_it_closed)
{
    struct fixture f;
    begin(&f, small(), 60, 60);
    for (uint64_t seq = 1; seq <= 60; seq++) {
        if (seq % 2)
            nack_now(&f, seq);
        else
            ack(&f, "t", "default", seq);
    }
    cr_assert(state(&f) == BREAKER_CLOSED && f.opened == 0);
    fixture_done(&f);
}

Test(ledger_breaker, one_message_that_fails_for_ever_does_not_open_it)
{
    struct fixture f;
    struct policy_change change = small();
    change.set.given |= 1u << POLICY_max_attempts;
    change.set.value[POLICY_max_attempts] = 1000;
    begin(&f, change, 1, 1);
    for (int i = 0; i < 200; i++) {
        end(&f, 1, i % 2 ? ATTEMPT_DISCONNECTED : ATTEMPT_NACKED, f.now_ms);
        tick(&f, f.now_ms + 5);
        assign_lane(&f, "t", "default", i % 2 ? LANE_SUSPECT : LANE_NORMAL, 1);
        cr_assert_eq(f.handed, 1);
    }
    cr_assert(state(&f) == BREAKER_CLOSED && f.opened == 0);
    cr_assert_eq(row_of(&f, "t", "default", 1).attempts, 200, "all of them are charged");
    fixture_done(&f);
}

static void publish_key(struct fixture *f, const char *key, uint32_t count)
{
    struct mpack_buffer messages = {0};
    for (uint32_t i = 0; i < count; i++) {
        mpack_write_array(&messages, 3);
        mpack_write_bin(&messages, "m", 1);
        mpack_write_nil(&messages);
        mpack_write_cstr(&messages, key);
    }
    const struct publish_command c = {
        .topic = text("t"), .count = count, .messages = {messages.data, messages.size}};
    fixture_run(f, (struct command){.kind = COMMAND_PUBLISH, .publish = c});
    mpack_buffer_done(&messages);
}

Test(ledger_breaker, one_key_has_a_quarter_of_the_window)
{
    struct fixture f;
    struct policy_change change = small();
    change.set.value[POLICY_breaker_window] = 20; /* 16 open it, a key has 5 */
    begin(&f, change, 0, 0);
    publish_key(&f, "poison", 100);
    assign(&f, "t", "default", 100);
    for (uint64_t seq = 1; seq <= 100; seq++)
        nack_now(&f, seq);
    cr_assert(state(&f) == BREAKER_CLOSED && g_of(&f)->breaker->r.count == 5);
    publish_key(&f, "second", 6);
    publish_key(&f, "third", 5);
    assign(&f, "t", "default", 11); /* in doubt: the new ones */
    cr_assert(f.handed == 11 && f.handed_seqs[0] == 101);
    for (uint64_t seq = 101; seq <= 111; seq++)
        nack_now(&f, seq);
    cr_assert(state(&f) == BREAKER_CLOSED && g_of(&f)->breaker->r.count == 15);
    publish_key(&f, "fourth", 1);
    assign(&f, "t", "default", 1);
    nack_now(&f, 112);
    cr_assert_eq(state(&f), BREAKER_OPEN, "four keys are no single fault");
    fixture_done(&f);
}

Test(ledger_breaker, messages_that_were_dead_count_together_like_one_key)
{
    struct fixture f;
    struct policy_change change = small();
    change.set.value[POLICY_breaker_window] = 8; /* 7 open it, a key has 2 */
    begin(&f, change, 12, 12);
    for (uint64_t seq = 1; seq <= 12; seq++)
        fail(&f, "t", "default", seq, ATTEMPT_REJECTED);
    cr_assert(g_of(&f)->r.counts.dead == 12 && !g_of(&f)->breaker, "a rejection is no failure of others");
    redrive(&f, "t", "default", UINT64_MAX, 0);
    tick_until_quiet(&f);
    assign(&f, "t", "default", 12);
    cr_assert_eq(f.handed, 12);
    for (uint64_t seq = 1; seq <= 12; seq++)
        nack_now(&f, seq);
    cr_assert(state(&f) == BREAKER_CLOSED && g_of(&f)->breaker->r.count == 2);
    fixture_done(&f);
}

Test(ledger_breaker, what_says_nothing_of_the_message_is_not_counted)
{
    struct fixture f;
    begin(&f, small(), 30, 30);
    static const enum attempt_outcome others[] = {ATTEMPT_RELEASED, ATTEMPT_UNSTARTED, ATTEMPT_SUSPECTED,
                                                  ATTEMPT_REJECTED, ATTEMPT_BROKER_RESTART};
    for (uint64_t seq = 1; seq <= 25; seq++)
        end(&f, seq, others[seq % 5], 10);
    cr_assert_null(g_of(&f)->breaker);
    fixture_done(&f);
}

Test(ledger_breaker, off_is_off_also_when_it_is_open)
{
    struct fixture f;
    begin_open(&f);
    group_update(&f, "t", "default", settings(POLICY_breaker, BREAKER_OFF, -1));
    cr_assert(state(&f) == BREAKER_CLOSED && f.closed == 1);
    assign(&f, "t", "default", 20);
    cr_assert_eq(f.handed, 14);
    for (uint64_t seq = 5; seq <= 20; seq++)
        nack_now(&f, seq);
    cr_assert(state(&f) == BREAKER_CLOSED && trips(&f) == 1);
    cr_assert_eq(row_of(&f, "t", "default", 20).attempts, 1);
    fixture_done(&f);
}

Test(ledger_breaker, a_dead_letter_queue_has_none)
{
    struct fixture f;
    begin(&f, small(), 10, 10);
    for (uint64_t seq = 1; seq <= 10; seq++)
        fail(&f, "t", "default", seq, ATTEMPT_REJECTED);
    assign(&f, "dlq:t:default", "default", 10);
    for (uint64_t seq = 1; seq <= 10; seq++)
        nack(&f, "dlq:t:default", "default", seq, DELAY_BACKOFF);
    cr_assert_null(fixture_group(&f, "dlq:t:default", "default")->breaker);
    fixture_run(&f, (struct command){.kind = COMMAND_BREAKER_RESET,
                                     .group = {.topic = text("dlq:t:default"), .group = text("default")}});
    cr_assert(f.err == SHUNT_BAD_ARGUMENT && strstr(f.why, "no breaker"));
    fixture_done(&f);
}

/* ---- while it is open ---- */

Test(ledger_breaker, what_was_out_when_it_opened_is_not_charged_and_says_so)
{
    struct fixture f;
    begin_open(&f);
    end(&f, 5, ATTEMPT_LEASE_EXPIRED, 0);
    end(&f, 6, ATTEMPT_DISCONNECTED, 0);
    struct attempt_record row = row_of(&f, "t", "default", 5);
    cr_assert(row.attempts == 0 && row.attempts_total == 0 && !row.suspect && row.rows == 1);
    cr_assert(row.due_ms > T0 + 10, "it waits as after a failure");
    row = row_of(&f, "t", "default", 6);
    cr_assert(row.attempts == 0 && row.suspect, "it ran alone when its consumer died, and does so again");
    cr_assert_eq(g_of(&f)->r.counts.attempts[ATTEMPT_OUTAGE], 2);
    cr_assert_eq(g_of(&f)->r.counts.attempts[ATTEMPT_LEASE_EXPIRED], 0);
    struct key key = key_history(g_of(&f)->r.id, 5, 1);
    struct store_txn *t;
    struct slice value;
    struct history_record h;
    cr_assert_eq(store_begin(f.store, false, &t), 0);
    cr_assert_eq(store_get(t, TABLE_HISTORY, key_slice(&key), &value), 0);
    cr_assert_eq(history_decode(key_slice(&key), value, &h), 0);
    cr_assert(h.outcome == ATTEMPT_OUTAGE && !h.charged && slice_is(h.error_type, "lease_expired"));
    store_abort(t);
    cr_assert_eq(state(&f), BREAKER_OPEN);
    fixture_done(&f);
}

Test(ledger_breaker, an_ack_of_what_was_out_says_nothing_and_a_rejection_stands)
{
    struct fixture f;
    begin_open(&f);
    ack(&f, "t", "default", 5);
    fail(&f, "t", "default", 6, ATTEMPT_REJECTED);
    expect_state(&f, "t", "default", 6, "dead");
    cr_assert_eq(state(&f), BREAKER_OPEN);
    fixture_done(&f);
}

Test(ledger_breaker, a_probe_that_fails_is_not_charged_and_pauses_grow)
{
    struct fixture f;
    begin_open(&f);
    static const int64_t most_ms[] = {200, 300, 300, 300};
    uint64_t last = 0;
    for (int i = 0; i < 4; i++) {
        uint64_t seq = probe(&f);
        cr_assert_gt(seq, last, "one that never failed, as long as there is one");
        last = seq;
        nack_now(&f, seq);
        cr_assert_eq(state(&f), BREAKER_OPEN);
        cr_assert_eq(row_of(&f, "t", "default", seq).attempts, 0);
        int64_t pause_ms = g_of(&f)->breaker->r.until_ms - T0 - f.now_ms;
        cr_assert(pause_ms >= most_ms[i] / 2 && pause_ms <= most_ms[i], "%lld ms", (long long)pause_ms);
    }
    cr_assert_eq(trips(&f), 1, "that is one outage");
    fixture_done(&f);
}

Test(ledger_breaker, a_probe_that_comes_back_unjudged_makes_room_for_another)
{
    struct fixture f;
    begin_open(&f);
    uint64_t seq = probe(&f);
    end(&f, seq, ATTEMPT_RELEASED, f.now_ms);
    cr_assert_eq(state(&f), BREAKER_HALF_OPEN);
    assign(&f, "t", "default", 10);
    cr_assert_eq(f.handed, 1);
    seq = f.handed_seqs[0];
    fail(&f, "t", "default", seq, ATTEMPT_REJECTED);
    cr_assert_eq(state(&f), BREAKER_HALF_OPEN, "a rejection is about the message");
    assign(&f, "t", "default", 10);
    cr_assert_eq(f.handed, 1);
    topic_purge(&f, "t", NULL);
    tick_until_quiet(&f);
    fixture_done(&f);
}
