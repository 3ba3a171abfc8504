/* What is kept of messages that failed, once they are done, and for how long. */
#include "broker/core/past.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static struct fixture f;

/* So many messages, each of which failed once and is in flight again. */
static void begin(uint32_t count, struct policy_change change)
{
    fixture_init(&f);
    f.quiet = true;
    topic_create(&f, "t", change);
    publish(&f, "t", count);
    assign(&f, "t", "default", count);
    for (uint64_t seq = 1; seq <= count; seq++)
        nack(&f, "t", "default", seq, 0);
    assign(&f, "t", "default", count);
}

static uint64_t past(void)
{
    return fixture_group(&f, "t", "default")->r.past;
}

/* How it ended, as far as that is kept; all zero if it is not. The texts live until the next call. */
static struct ended_record ended_of(uint64_t seq)
{
    static uint8_t copy[RECORD_BYTES_MAX];
    struct key key = key_history(fixture_group(&f, "t", "default")->r.id, seq, HISTORY_ROW_END);
    struct ended_record e = {0};
    struct slice value;
    struct store_txn *t;
    cr_assert_eq(store_begin(f.store, false, &t), 0);
    if (!store_get(t, TABLE_HISTORY, key_slice(&key), &value)) {
        memcpy(copy, value.data, value.size);
        cr_assert_eq(ended_decode(key_slice(&key), (struct slice){copy, value.size}, &e), 0);
    }
    store_abort(t);
    return e;
}

static bool is_kept(uint64_t seq)
{
    return ended_of(seq).ended_ms != 0;
}

static struct policy_change kept_for(int64_t ms)
{
    return settings(POLICY_history_after_ms, ms, -1);
}

/* ---- for how long ---- */

Test(ledger_past, attempts_of_a_message_that_failed_outlive_its_ack_by_an_hour)
{
    begin(1, settings(-1));
    fixture_at(&f, 500);
    ack(&f, "t", "default", 1);
    cr_assert_eq(rows_in(&f, TABLE_HISTORY), 2);
    cr_assert_eq(rows_in(&f, TABLE_DUE), 1);
    cr_assert_eq(rows_in(&f, TABLE_ATTEMPT) + rows_in(&f, TABLE_MESSAGE), 0);
    int64_t leaves_ms = 3600000 + 1000; /* at a whole second */
    tick_until_quiet(&f);
    cr_assert_eq(past_at(f.l), T0 + leaves_ms);
    tick(&f, leaves_ms - 1);
    cr_assert_eq(past(), 1);
    tick(&f, leaves_ms);
    cr_assert_eq(past(), 0);
    cr_assert_eq(rows_in(&f, TABLE_HISTORY) + rows_in(&f, TABLE_DUE), 0);
    fixture_done(&f);
}

Test(ledger_past, message_that_never_failed_leaves_nothing)
{
    fixture_init_held(&f, settings(-1), 3, 3);
    f.quiet = true;
    ack(&f, "t", "default", 1);
    fail(&f, "t", "default", 2, ATTEMPT_RELEASED);
    fail(&f, "t", "default", 3, ATTEMPT_BROKER_RESTART);
    assign(&f, "t", "default", 2);
    ack(&f, "t", "default", 2);
    ack(&f, "t", "default", 3);
    cr_assert_eq(past(), 0);
    cr_assert_eq(rows_in(&f, TABLE_HISTORY) + rows_in(&f, TABLE_DUE), 0);
    fixture_done(&f);
}

Test(ledger_past, setting_of_0_keeps_none)
{
    begin(1, kept_for(0));
    ack(&f, "t", "default", 1);
    cr_assert_eq(past(), 0);
    cr_assert_eq(rows_in(&f, TABLE_HISTORY) + rows_in(&f, TABLE_DUE), 0);
    fixture_done(&f);
}

Test(ledger_past, changed_setting_is_in_force_at_once_for_what_is_kept)
{
    begin(2, kept_for(10000));
    ack(&f, "t", "default", 1);
    topic_update(&f, "t", kept_for(20000));
    tick(&f, 15000);
    cr_assert(is_kept(1), "it is kept for longer now");
    ack(&f, "t", "default", 2);
    group_update(&f, "t", "default", kept_for(16000));
    tick(&f, 16000);
    cr_assert(!is_kept(1) && is_kept(2), "and now for less");
    group_update(&f, "t", "default", kept_for(0));
    tick_until_quiet(&f);
    cr_assert_eq(past(), 0);
    fixture_done(&f);
}

Test(ledger_past, what_is_kept_is_forgotten_in_time_after_a_restart)
{
    begin(1, kept_for(5000));
    ack(&f, "t", "default", 1);
    fixture_reload(&f);
    tick(&f, 4999);
    cr_assert(is_kept(1));
    tick(&f, 5000);
    cr_assert(!is_kept(1));
    fixture_done(&f);
}

/* ---- how it ended ---- */

Test(ledger_past, ack_is_kept_with_who_gave_it)
{
    begin(1, settings(-1));
    fixture_at(&f, 70);
    ack(&f, "t", "default", 1);
    struct ended_record e = ended_of(1);
    cr_assert(e.how == DONE_ACKED && e.ended_ms == T0 + 70 && e.published_ms == T0 && !e.died_ms);
    cr_assert(e.attempts == 1 && e.attempts_total == 1 && e.deliveries == 2 && e.generation == 0);
    cr_assert(slice_is(e.client, "client") && slice_is(e.host, "host") && slice_is(e.build, "build"));
    fixture_done(&f);
}

Test(ledger_past, purge_and_discard_are_kept_as_such)
{
    fixture_init(&f);
    f.quiet = true;
    topic_create(&f, "t", settings(POLICY_expired, 1, -1));
    publish_timed(&f, "t", 0, 100);
    publish(&f, "t", 1);
    assign(&f, "t", "default", 2);
    nack(&f, "t", "default", 1, 0);
    nack(&f, "t", "default", 2, 0);
    tick(&f, 100);
    tick_until_quiet(&f);
    topic_purge(&f, "t", NULL);
    tick_until_quiet(&f);
    cr_assert_eq(ended_of(1).how, DONE_DISCARDED);
    cr_assert_eq(ended_of(2).how, DONE_PURGED);
    cr_assert_eq(past(), 2);
    fixture_done(&f);
}

Test(ledger_past, dead_letter_that_ends_is_kept_with_its_death)
{
    fixture_init(&f);
    f.quiet = true;
    topic_create(&f, "t", settings(POLICY_dlq_retention_ms, (int64_t)60000, -1));
    publish(&f, "t", 3);
    assign(&f, "t", "default", 3);
    for (uint64_t seq = 1; seq <= 3; seq++)
        fail(&f, "t", "default", seq, ATTEMPT_REJECTED);
    uint64_t cause = cause_of(&f, "t", "default", 0);
    dlq_purge_ids(&f, "t", "default", "1");
    tick_until_quiet(&f);
    assign(&f, "dlq:t:default", "default", 1);
    ack(&f, "dlq:t:default", "default", 2);
    tick(&f, 60000);
    static const enum done_how hows[] = {DONE_PURGED, DONE_ACKED, DONE_EXPIRED};
    for (uint64_t seq = 1; seq <= 3; seq++) {
        struct ended_record e = ended_of(seq);
        cr_assert_eq(e.how, hows[seq - 1]);
        cr_assert(e.died_ms == T0 && e.reason == DEAD_REJECTED && e.cause == cause && e.dead_seq == seq);
    }
    cr_assert_eq(fixture_group(&f, "dlq:t:default", "default")->r.past, 0, "readers of a DLQ keep nothing");
    fixture_done(&f);
}

Test(ledger_past, redrive_ends_nothing_and_its_ack_ends_all_generations)
{
    fixture_init(&f);
    f.quiet = true;
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", 1);
    assign(&f, "t", "default", 1);
    fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
    redrive(&f, "t", "default", 1, 0);
    tick_until_quiet(&f);
    cr_assert_eq(past(), 0);
    assign(&f, "t", "default", 1);
    ack(&f, "t", "default", 1);
    struct ended_record e = ended_of(1);
    cr_assert(e.how == DONE_ACKED && e.generation == 1 && e.attempts == 0 && e.attempts_total == 1);
    fixture_done(&f);
}

/* ---- bounds ---- */

/* Fail and ack that many more messages. */
static void fail_and_ack(uint32_t count)
{
    for (uint32_t done = 0; done < count;) {
        uint32_t some = count - done < 500 ? count - done : 500;
        publish(&f, "t", some);
        uint64_t first = f.first_seq;
        assign(&f, "t", "default", some);
        for (uint64_t seq = first; seq < first + some; seq++)
            nack(&f, "t", "default", seq, 0);
        assign(&f, "t", "default", some);
        for (uint64_t seq = first; seq < first + some; seq++)
            ack(&f, "t", "default", seq);
        done += some;
    }
}

Test(ledger_past, at_most_so_many_messages_of_a_group_and_the_oldest_are_forgotten_first)
{
    fixture_init(&f);
    f.quiet = f.careless = true;
    topic_create(&f, "t", settings(POLICY_breaker, BREAKER_OFF, -1));
    fail_and_ack(PAST_LOW);
    tick_until_quiet(&f);
    cr_assert_eq(past(), PAST_LOW, "%llu", (unsigned long long)past());
    fail_and_ack(PAST_MAX - PAST_LOW + 1);
    cr_assert_eq(past(), PAST_MAX);
    cr_assert(is_kept(PAST_MAX) && !is_kept(PAST_MAX + 1), "no tick has made room");
    uint64_t ticks = 0;
    for (; ledger_tick_at(f.l) <= T0 + f.now_ms; ticks++) {
        uint64_t before = past();
        tick(&f, f.now_ms);
        cr_assert_leq(before - past(), 256, "one tick forgets no more");
    }
    cr_assert_gt(ticks, 1);
    cr_assert_eq(past(), PAST_LOW);
    cr_assert(!is_kept(PAST_MAX - PAST_LOW) && is_kept(PAST_MAX - PAST_LOW + 1));
    fixture_done(&f);
}

Test(ledger_past, full_store_keeps_nothing_and_forgets_what_there_is)
{
    begin(600, settings(POLICY_breaker, BREAKER_OFF, -1));
    f.careless = true;
    for (uint64_t seq = 1; seq <= 599; seq++)
        ack(&f, "t", "default", seq);
    cr_assert_eq(past(), 599);
    cr_assert_gt(past_at(f.l), T0 + f.now_ms);
    f.room.fullness = STORE_FULL;
    ack(&f, "t", "default", 600);
    cr_assert(!is_kept(600));
    tick_until_quiet(&f);
    cr_assert_eq(past(), 0);
    cr_assert_eq(rows_in(&f, TABLE_HISTORY) + rows_in(&f, TABLE_DUE), 0);
    cr_assert_eq(past_at(f.l), NEVER, "and then there is nothing to do");
    fixture_done(&f);
}

Test(ledger_past, history_that_is_kept_goes_with_its_group)
{
    begin(3, settings(-1));
    group_create(&f, "t", "other", false);
    for (uint64_t seq = 1; seq <= 3; seq++)
        ack(&f, "t", "default", seq);
    cr_assert_eq(past(), 3);
    group_delete(&f, "t", "default");
    tick_until_quiet(&f);
    cr_assert_eq(rows_in(&f, TABLE_HISTORY) + rows_in(&f, TABLE_DUE), 0);
    fixture_done(&f);
}
