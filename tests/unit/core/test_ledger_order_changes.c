/* Order by key when other things change: restarts, who goes on with what he held, the setting, a store without room, damage. */
#include "proto/errors.h"
#include "tests/unit/core/ledger_order.h"

/* The same as without a restart, for each kind of end. */
Test(ledger_order, a_restart_keeps_the_order)
{
    for (unsigned crash = 0; crash < 2; crash++) {
        struct fixture f;
        begin(&f, "AABA");
        publish_keys(&f, "A", 50, 0);
        gets(&f, "1 3");
        crash ? fixture_crash(&f) : fixture_reload(&f);
        cr_assert_eq(g_of(&f)->keys->count, 2, "what is out is known again");
        recover(&f);
        cr_assert_eq(g_of(&f)->keys->count, 0);
        gets(&f, "1 3");
        ack(&f, "t", "default", 1);
        tick(&f, 100);
        gets(&f, "2");
        fixture_reload(&f);
        gets(&f, "");
        ack(&f, "t", "default", 2);
        gets(&f, "4");
        ack(&f, "t", "default", 4);
        gets(&f, "5");
        fixture_done(&f);
    }
}

Test(ledger_order, who_held_the_head_before_a_restart_goes_on_with_it)
{
    struct fixture f;
    begin(&f, "AA");
    gets(&f, "1");
    fixture_reload(&f);
    recover_waiting(&f, 1000);
    gets(&f, "");
    take_up(&f, "t", "default", 1, 1);
    gets(&f, "");
    ack(&f, "t", "default", 1);
    gets(&f, "2");
    fixture_done(&f);
}

Test(ledger_order, nobody_goes_on_with_one_whose_key_another_has)
{
    struct fixture f;
    begin(&f, "AA");
    gets(&f, "1");
    fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
    gets(&f, "2");
    redrive(&f, "t", "default", UINT64_MAX, 0);
    tick_until_quiet(&f);
    fixture_reload(&f);
    recover_waiting(&f, 1000);
    gets(&f, "1");
    take_up(&f, "t", "default", 2, 1);
    expect_state(&f, "t", "default", 2, "delayed");
    ack(&f, "t", "default", 1);
    take_up(&f, "t", "default", 2, 1);
    expect_state(&f, "t", "default", 2, "in_flight");
    fixture_done(&f);
}

Test(ledger_order, the_setting_takes_in_what_is_out)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish_keys(&f, "AAAA", 0, 0);
    assign(&f, "t", "default", 2);
    nack(&f, "t", "default", 2, 0);
    group_update(&f, "t", "default", settings(POLICY_order, ORDER_KEY, -1));
    gets(&f, ""); /* 1 is out */
    ack(&f, "t", "default", 1);
    gets(&f, "2");
    ack(&f, "t", "default", 2);
    gets(&f, "3");
    fixture_done(&f);
}

Test(ledger_order, without_the_setting_any_more_parked_ones_go_out)
{
    struct fixture f;
    begin(&f, "AAABB-");
    gets(&f, "1 4 6");
    fail(&f, "t", "default", 4, ATTEMPT_RELEASED);
    topic_update(&f, "t", settings(POLICY_order, ORDER_NONE, -1));
    struct group_ready ready;
    ledger_group_ready(f.l, g_of(&f)->r.id, &ready);
    cr_assert_eq(ready.lane[LANE_NORMAL], 4, "there is something to hand out");
    fixture_reload(&f);
    cr_assert_not_null(g_of(&f)->keys, "as long as some are parked");
    gets(&f, "4 2 3 5");
    cr_assert_null(g_of(&f)->keys);
    topic_update(&f, "t", settings(POLICY_order, ORDER_KEY, -1));
    publish_keys(&f, "A", 0, 0);
    gets(&f, "");
    for (uint64_t seq = 1; seq <= 3; seq++)
        ack(&f, "t", "default", seq);
    gets(&f, "7");
    fixture_done(&f);
}

Test(ledger_order, the_setting_may_come_back_before_all_parked_ones_are_out)
{
    struct fixture f;
    begin(&f, "AAAA");
    gets(&f, "1");
    topic_update(&f, "t", settings(POLICY_order, ORDER_NONE, -1));
    ack(&f, "t", "default", 1);
    topic_update(&f, "t", settings(POLICY_order, ORDER_KEY, -1));
    gets(&f, "2");
    ack(&f, "t", "default", 2);
    gets(&f, "3");
    fixture_done(&f);
}

Test(ledger_order, a_dead_letter_queue_has_no_order)
{
    struct fixture f;
    begin(&f, "AA");
    group_update(&f, "dlq:t:default", "default", settings(POLICY_order, ORDER_KEY, -1));
    cr_assert_eq(f.err, SHUNT_BAD_ARGUMENT);
    group_create(&f, "dlq:t:default", "other", false);
    cr_assert_eq(f.err, 0);
    fixture_done(&f);
}

Test(ledger_order, in_a_full_store_what_must_wait_stays_at_the_cursor)
{
    struct fixture f;
    begin(&f, "AAB");
    f.room.fullness = STORE_FULL;
    gets(&f, "1");
    cr_assert_eq(g_of(&f)->r.parked, 0);
    unsigned readies = f.readies;
    ack(&f, "t", "default", 1);
    cr_assert_gt(f.readies, readies, "the group is looked at again");
    gets(&f, "2 3");
    fixture_done(&f);
}

/* Most fail, so what never failed would come first; but it waits for those that did, and a full store cannot set it aside. */
Test(ledger_order, in_a_full_store_what_must_wait_does_not_hide_what_failed)
{
    struct fixture f;
    begin(&f, "ABC");
    gets(&f, "1 2 3");
    publish_keys(&f, "ABC", 0, 0);
    for (uint64_t seq = 1; seq <= 3; seq++)
        fail(&f, "t", "default", seq, ATTEMPT_NACKED);
    tick(&f, f.now_ms + 100);
    f.room.fullness = STORE_FULL;
    gets(&f, "1 2 3");
    for (uint64_t seq = 1; seq <= 3; seq++)
        ack(&f, "t", "default", seq);
    gets(&f, "4 5 6");
    fixture_done(&f);
}

Test(ledger_order, a_damaged_message_has_no_key)
{
    struct fixture f;
    begin(&f, "AA");
    flip_message_byte(&f, "t", 2, 20);
    gets(&f, "1");
    expect_state(&f, "t", "default", 2, "dead");
    fixture_done(&f);
}

Test(ledger_order, one_more_row_is_the_price_of_one_that_is_parked_and_no_memory)
{
    struct fixture f;
    begin(&f, "A");
    f.careless = true;
    for (unsigned i = 0; i < 50; i++)
        publish_keys(&f, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 0, 0);
    publish_keys(&f, "B", 0, 0);
    gets(
        &f,
        "1"); /* no more than a thousand are passed over at once; then the group asks to be looked at again */
    cr_assert_eq(g_of(&f)->r.parked, 1024);
    gets(&f, "2002");
    cr_assert_eq(g_of(&f)->r.parked, 2000);
    cr_assert_eq(rows_in(&f, TABLE_ATTEMPT), 2000);
    cr_assert_eq(rows_in(&f, TABLE_DUE), 2000);
    cr_assert_eq(g_of(&f)->keys->count, 2);
    f.careless = false;
    fixture_done(&f);
}

/* Nobody knows its key after a restart. */
Test(ledger_order, one_that_was_damaged_while_it_was_out_lets_the_next_one_go_after_a_restart)
{
    struct fixture f;
    begin(&f, "AABAB");
    gets(&f, "1 3");
    cr_assert_eq(g_of(&f)->r.parked, 3);
    flip_message_byte(&f, "t", 1, 20);
    /* until what was out is given back: nothing lets go of what waits for it; so no faults are tried either */
    f.careless = true;
    fixture_crash(&f);
    recover(&f);
    f.careless = false;
    ledger_audit(f.l, f.store);
    cr_assert_eq(g_of(&f)->r.parked, 2, "the fourth waits for the second, and the fifth for the third");
    gets(&f, "3 2");
    expect_state(&f, "t", "default", 1, "dead");
    ack(&f, "t", "default", 2);
    gets(&f, "4");
    fixture_done(&f);
}
