/* What the passing of time brings about: scheduled messages, time to live, retention. */
#include "proto/errors.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>

/* ---- scheduled messages ---- */

Test(ledger_time, a_scheduled_message_waits_for_its_time)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish_timed(&f, "t", 100, 0);
    publish(&f, "t", 1);
    tick_until_quiet(&f);
    cr_assert_eq(ledger_tick_at(f.l), T0 + 100);
    show_counts(&f, "t", "default");
    assign(&f, "t", "default", 5);
    tick(&f, 99);
    assign(&f, "t", "default", 5);
    tick(&f, 100);
    assign(&f, "t", "default", 5);
    fixture_expect(&f, "     0 ok\n"
                       "     0 published 1+1\n"
                       "     0 published 2+1\n"
                       "     0 t/default: published 2 ready 1 delayed 1\n"
                       "     0 t/default hand 2 token 1 attempts 0 deliveries 1 generation 0\n"
                       "   100 t/default hand 1 token 1 attempts 0 deliveries 1 generation 0\n");
    ack(&f, "t", "default", 1);
    ack(&f, "t", "default", 2);
    cr_assert_eq(rows_in(&f, TABLE_MESSAGE), 0);
    fixture_done(&f);
}

Test(ledger_time, scheduled_messages_come_in_the_order_of_their_times)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish_timed(&f, "t", 300, 0);
    publish_timed(&f, "t", 100, 0);
    publish_timed(&f, "t", 200, 0);
    tick(&f, 300);
    fixture_forget(&f);
    assign(&f, "t", "default", 5);
    fixture_expect(&f, "   300 t/default hand 2 token 1 attempts 0 deliveries 1 generation 0\n"
                       "   300 t/default hand 3 token 1 attempts 0 deliveries 1 generation 0\n"
                       "   300 t/default hand 1 token 1 attempts 0 deliveries 1 generation 0\n");
    fixture_done(&f);
}

Test(ledger_time, a_late_group_does_not_get_a_scheduled_message_early)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish_timed(&f, "t", 100, 0);
    publish(&f, "t", 1);
    group_create(&f, "t", "late", false);
    assign(&f, "t", "late", 5);
    show(&f, "t", "late", 1);
    tick(&f, 100);
    assign(&f, "t", "late", 5);
    ack(&f, "t", "late", 1);
    ack(&f, "t", "late", 2);
    show_counts(&f, "t", "late");
    fixture_expect(&f, "     0 ok\n"
                       "     0 published 1+1\n"
                       "     0 published 2+1\n"
                       "     0 ok\n"
                       "     0 t/late hand 2 token 1 attempts 0 deliveries 1 generation 0\n"
                       "     0 t/late 1 delayed until 100 attempts 0/0 deliveries 0/0 generation 0 rows 0\n"
                       "   100 t/late hand 1 token 1 attempts 0 deliveries 1 generation 0\n"
                       "   100 t/late: published 2 acked 2\n");
    fixture_done(&f);
}

Test(ledger_time, many_due_at_once_all_come_in_bounded_ticks)
{
    struct fixture f;
    struct mpack_buffer messages = {0};
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    f.careless = true;
    for (uint32_t i = 0; i < 10000; i++)
        write_message(&messages, "m", 1 + i / 100, 0);
    struct publish_command c = {
        .topic = text("t"), .messages = {messages.data, messages.size}, .count = 10000};
    for (int i = 0; i < 10; i++)
        fixture_run(&f, (struct command){.kind = COMMAND_PUBLISH, .publish = c});
    fixture_at(&f, 1000);
    tick(&f, 1000);
    uint64_t ready = fixture_group(&f, "t", "default")->r.counts.ready;
    cr_assert(ready >= 65536 && ready < 68000, "%llu in one tick", (unsigned long long)ready);
    cr_assert_leq(ledger_tick_at(f.l), T0 + 1000);
    tick_until_quiet(&f);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.ready, 100000);
    mpack_buffer_done(&messages);
    fixture_done(&f);
}

/* ---- time to live ---- */

Test(ledger_time, time_to_live_before_delivery_dead_letters)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish_timed(&f, "t", 0, 100);
    publish_timed(&f, "t", 0, 50);
    publish(&f, "t", 1);
    tick_until_quiet(&f);
    cr_assert_eq(ledger_tick_at(f.l), T0 + 50);
    tick(&f, 99);
    show(&f, "t", "default", 1);
    show(&f, "t", "default", 2);
    tick(&f, 100);
    show(&f, "t", "default", 1);
    show_counts(&f, "t", "default");
    fixture_expect(&f, "     0 ok\n"
                       "     0 published 1+1\n"
                       "     0 published 2+1\n"
                       "     0 published 3+1\n"
                       "    99 t/default 1 ready attempts 0/0 deliveries 0/0 generation 0 rows 0\n"
                       "    99 t/default 2 dead attempts 0/0 deliveries 0/0 generation 0 rows 1\n"
                       "   100 t/default 1 dead attempts 0/0 deliveries 0/0 generation 0 rows 1\n"
                       "   100 t/default: published 3 ready 1 dead 2\n");
    const struct group_counts *n = &fixture_group(&f, "t", "default")->r.counts;
    cr_assert(n->dead_lettered[DEAD_TTL_EXPIRED] == 2 && n->attempts[ATTEMPT_TTL_EXPIRED] == 2);
    fixture_done(&f);
}

Test(ledger_time, time_to_live_discards_where_the_policy_says_so)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(POLICY_expired, 1, -1));
    publish_timed(&f, "t", 0, 50);
    publish_timed(&f, "t", 0, 50);
    assign(&f, "t", "default", 1);
    fail(&f, "t", "default", 1, ATTEMPT_RELEASED); /* it has a row, the other has none */
    tick(&f, 50);
    show_counts(&f, "t", "default");
    fixture_expect(&f, "     0 ok\n"
                       "     0 published 1+1\n"
                       "     0 published 2+1\n"
                       "     0 t/default hand 1 token 1 attempts 0 deliveries 1 generation 0\n"
                       "    50 t/default: published 2 discarded 2\n");
    cr_assert_eq(rows_in(&f, TABLE_MESSAGE), 0);
    cr_assert_eq(rows_in(&f, TABLE_HISTORY), 0);
    fixture_done(&f);
}

/* The hand-out itself looks at the time, so that nothing late slips through between two ticks. */
Test(ledger_time, an_expired_message_is_not_handed_out_before_the_tick)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish_timed(&f, "t", 0, 50);
    publish_timed(&f, "t", 0, 50);
    assign(&f, "t", "default", 1);
    fail(&f, "t", "default", 1, ATTEMPT_RELEASED);
    fixture_at(&f, 50);
    assign(&f, "t", "default", 5);
    cr_assert(f.handed == 0 && f.changed);
    expect_state(&f, "t", "default", 1, "dead");
    expect_state(&f, "t", "default", 2, "dead");
    fixture_done(&f);
}

Test(ledger_time, time_to_live_in_flight_matters_when_it_comes_back)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish_timed(&f, "t", 0, 50);
    publish_timed(&f, "t", 0, 50);
    publish_timed(&f, "t", 0, 50);
    assign(&f, "t", "default", 3);
    fail(&f, "t", "default", 3, ATTEMPT_RELEASED);
    assign(&f, "t", "default", 3); /* 1 and 2 for the first time, 3 again */
    tick(&f, 60);
    show_counts(&f, "t", "default");
    ack(&f, "t", "default", 1); /* it was handled: nothing to punish */
    fail(&f, "t", "default", 2, ATTEMPT_RELEASED);
    nack(&f, "t", "default", 3, 1000);
    show_counts(&f, "t", "default");
    tick(&f, 61);
    show_counts(&f, "t", "default");
    fixture_forget(&f);
    expect_state(&f, "t", "default", 2, "dead");
    expect_state(&f, "t", "default", 3, "dead");
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.acked, 1);
    fixture_done(&f);
}

Test(ledger_time, time_to_live_while_delayed)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish_timed(&f, "t", 0, 50);
    assign(&f, "t", "default", 5);
    nack(&f, "t", "default", 1, 1000);
    tick(&f, 50);
    expect_state(&f, "t", "default", 1, "dead");
    fixture_done(&f);
}

Test(ledger_time, time_to_live_stands_still_while_dead)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish_timed(&f, "t", 0, 100);
    assign(&f, "t", "default", 1);
    fixture_at(&f, 30);
    fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
    cr_assert_eq(rows_in(&f, TABLE_EXPIRY), 0);
    tick(&f, 5000);
    expect_state(&f, "t", "default", 1, "dead");
    redrive(&f, "t", "default", UINT64_MAX, 0);
    expect_state(&f, "t", "default", 1, "ready");
    cr_assert_eq(row_of(&f, "t", "default", 1).expires_ms, T0 + 5070, "what was left goes on: 70 ms");
    tick(&f, 5069);
    expect_state(&f, "t", "default", 1, "ready");
    tick(&f, 5070);
    expect_state(&f, "t", "default", 1, "dead");
    fixture_done(&f);
}

Test(ledger_time, a_redriven_expired_message_gets_its_time_to_live_anew)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish_timed(&f, "t", 0, 100);
    tick(&f, 100);
    fixture_at(&f, 1000);
    redrive(&f, "t", "default", UINT64_MAX, 0);
    tick(&f, 1099);
    expect_state(&f, "t", "default", 1, "ready");
    tick(&f, 1100);
    expect_state(&f, "t", "default", 1, "dead");
    fixture_done(&f);
}

/* Nothing expires before anybody could have taken it, whether the publisher or the topic set the two. */
Test(ledger_time, a_time_to_live_begins_when_the_delay_is_over)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(POLICY_ttl_ms, 100, -1));
    publish_timed(&f, "t", 200, 0); /* of the topic's time to live its publisher knows nothing */
    publish_timed(&f, "t", 200, 50);
    tick(&f, 200);
    expect_state(&f, "t", "default", 1, "ready");
    expect_state(&f, "t", "default", 2, "ready");
    tick(&f, 249);
    expect_state(&f, "t", "default", 2, "ready");
    tick(&f, 250);
    expect_state(&f, "t", "default", 1, "ready");
    expect_state(&f, "t", "default", 2, "dead");
    tick(&f, 300);
    expect_state(&f, "t", "default", 1, "dead");
    fixture_at(&f, 1000);
    redrive(&f, "t", "default", UINT64_MAX, 0); /* anew: the time to live, without the delay */
    tick(&f, 1049);
    expect_state(&f, "t", "default", 2, "ready");
    tick(&f, 1050);
    expect_state(&f, "t", "default", 2, "dead");
    fixture_done(&f);
}

Test(ledger_time, the_topic_gives_a_time_to_live_to_messages_without)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(POLICY_ttl_ms, 500, -1));
    publish(&f, "t", 1);
    publish_timed(&f, "t", 0, 1000);
    tick(&f, 500);
    expect_state(&f, "t", "default", 1, "dead");
    expect_state(&f, "t", "default", 2, "ready");
    fixture_done(&f);
}

Test(ledger_time, groups_expire_by_their_own_policy)
{
    struct fixture f;
    fixture_init(&f);
    topic_create_groups(&f, "t", "a b");
    group_update(&f, "t", "b", settings(POLICY_expired, 1, -1));
    publish_timed(&f, "t", 0, 50);
    tick(&f, 50);
    expect_state(&f, "t", "a", 1, "dead");
    expect_state(&f, "t", "b", 1, "gone");
    cr_assert_eq(fixture_group(&f, "t", "b")->r.counts.discarded, 1);
    cr_assert_eq(rows_in(&f, TABLE_MESSAGE), 1);
    fixture_done(&f);
}

/* A group made later has no row in expiry for what was there before it. */
Test(ledger_time, a_late_group_handles_messages_with_a_time_to_live)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    for (int i = 0; i < 5; i++)
        publish_timed(&f, "t", 0, 100);
    group_create(&f, "t", "late", false);
    publish_timed(&f, "t", 0, 100);
    assign(&f, "t", "late", 4);
    ack(&f, "t", "late", 1);
    nack(&f, "t", "late", 2, 10);
    fail(&f, "t", "late", 3, ATTEMPT_REJECTED);
    tick(&f, 20);
    assign(&f, "t", "late", 1);
    ack(&f, "t", "late", 2);
    tick(&f, 100);
    fail(&f, "t", "late", 4, ATTEMPT_RELEASED);
    assign(&f, "t", "late", 10);
    cr_assert_eq(f.handed, 0);
    fixture_forget(&f);
    show_counts(&f, "t", "late");
    fixture_expect(&f, "   100 t/late: published 6 dead 4 acked 2\n");
    fixture_done(&f);
}

Test(ledger_time, one_tick_expires_a_bounded_number)
{
    struct fixture f;
    struct mpack_buffer messages = {0};
    fixture_init(&f);
    f.careless = true;
    topic_create(&f, "t", settings(POLICY_ttl_ms, 10, -1));
    publish(&f, "t", 3000);
    tick(&f, 10);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.dead, 1024);
    cr_assert_leq(ledger_tick_at(f.l), T0 + 10);
    tick_until_quiet(&f);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.dead, 3000);
    /* A hand-out is bounded too. */
    publish(&f, "t", 3000);
    fixture_at(&f, 20);
    assign(&f, "t", "default", 1);
    cr_assert_leq(fixture_group(&f, "t", "default")->r.counts.dead, 4100);
    cr_assert(f.handed == 0 && f.readies > 0, "it asks to be looked at again");
    mpack_buffer_done(&messages);
    fixture_done(&f);
}

/* ---- retention ---- */

Test(ledger_time, retention_counts_from_death)
{
    struct fixture f;
    fixture_init_held(&f, settings(POLICY_dlq_retention_ms, 5000, -1), 2, 2);
    fixture_at(&f, 3000);
    fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
    tick(&f, 4000);
    fail(&f, "t", "default", 2, ATTEMPT_REJECTED);
    tick(&f, 7999);
    expect_state(&f, "t", "default", 1, "dead");
    tick(&f, 8000);
    expect_state(&f, "t", "default", 1, "gone");
    expect_state(&f, "t", "default", 2, "dead");
    cr_assert_eq(ledger_tick_at(f.l), T0 + 9000);
    tick(&f, 9000);
    fixture_forget(&f);
    show_counts(&f, "t", "default");
    show_counts(&f, "dlq:t:default", "default");
    fixture_expect(&f, "  9000 t/default: published 2 expired 2\n"
                       "  9000 dlq:t:default/default: published 2 expired 2\n");
    cr_assert_eq(rows_in(&f, TABLE_MESSAGE), 0);
    fixture_done(&f);
}

Test(ledger_time, retention_set_later_works_at_once_and_none_keeps_for_ever)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 1, 1);
    fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
    tick(&f, 100000000);
    expect_state(&f, "t", "default", 1, "dead");
    group_update(&f, "t", "default", settings(POLICY_dlq_retention_ms, 1000, -1));
    cr_assert_leq(ledger_tick_at(f.l), T0 + 100000000);
    tick(&f, 100000000);
    expect_state(&f, "t", "default", 1, "gone");
    fixture_done(&f);
}

/* What is looked at when must not depend on how long the process has been up. */
Test(ledger_time, retention_is_the_same_after_a_reload)
{
    uint64_t histories[2] = {0};
    for (int reload = 0; reload < 2; reload++) {
        struct fixture f;
        fixture_init(&f);
        topic_create(&f, "t", settings(POLICY_dlq_retention_ms, 100, -1));
        publish(&f, "t", 2);
        assign(&f, "t", "default", 2);
        fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
        tick(&f, 150);
        fail(&f, "t", "default", 2, ATTEMPT_REJECTED);
        if (reload)
            fixture_reload(&f);
        for (int64_t ms = 160; ms < 2400; ms += 10) {
            tick(&f, ms);
            histories[reload] += (uint64_t)ms * fixture_group(&f, "t", "default")->r.counts.expired;
        }
        fixture_done(&f);
    }
    cr_assert_eq(histories[0], histories[1]);
}
