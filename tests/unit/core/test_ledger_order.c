/* Order by key: messages of one key go out in the order of publishing, one at a time, whatever happens to those before them. */
#include "tests/unit/core/ledger_order.h"

Test(ledger_order, of_each_key_one_is_out_and_the_next_follows_when_it_is_done)
{
    struct fixture f;
    begin(&f, "ABAAB--");
    gets(&f, "1 2 6 7");
    cr_assert_eq(g_of(&f)->r.parked, 3);
    cr_assert_eq(g_of(&f)->r.counts.ready, 3, "parked ones are ready");
    gets(&f, "");
    ack(&f, "t", "default", 2);
    gets(&f, "5");
    ack(&f, "t", "default", 1);
    gets(&f, "3");
    ack(&f, "t", "default", 3);
    gets(&f, "4");
    for (uint64_t seq = 4; seq <= 7; seq++)
        ack(&f, "t", "default", seq);
    cr_assert_eq(stored_in(&f, "t"), 0);
    cr_assert_eq(rows_in(&f, TABLE_DUE), 0);
    cr_assert_eq(rows_in(&f, TABLE_ATTEMPT), 0);
    fixture_done(&f);
}

Test(ledger_order, without_the_setting_keys_mean_nothing)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish_keys(&f, "AAA", 0, 0);
    gets(&f, "1 2 3");
    cr_assert_null(g_of(&f)->keys);
    cr_assert_eq(rows_in(&f, TABLE_DUE), 0);
    fixture_done(&f);
}

Test(ledger_order, each_group_has_an_order_of_its_own)
{
    struct fixture f;
    begin(&f, "");
    group_create(&f, "t", "free", false);
    group_update(&f, "t", "free", settings(POLICY_order, ORDER_NONE, -1));
    publish_keys(&f, "AA", 0, 0);
    gets(&f, "1");
    assign(&f, "t", "free", 9);
    cr_assert_eq(f.handed, 2);
    fixture_done(&f);
}

Test(ledger_order, while_a_head_waits_after_a_failure_its_key_waits_and_no_other)
{
    struct fixture f;
    begin(&f, "ABAB");
    gets(&f, "1 2");
    nack(&f, "t", "default", 1, DELAY_BACKOFF);
    ack(&f, "t", "default", 2);
    gets(&f, "4");
    publish_keys(&f, "AC", 0, 0);
    gets(&f, "6");
    tick(&f, 100);
    gets(&f, "1");
    ack(&f, "t", "default", 1);
    gets(&f, "3");
    ack(&f, "t", "default", 3);
    gets(&f, "5");
    fixture_done(&f);
}

Test(ledger_order, whatever_ends_a_delivery_it_comes_again_before_the_next)
{
    static const enum attempt_outcome outcomes[] = {ATTEMPT_RELEASED, ATTEMPT_UNSTARTED,
                                                    ATTEMPT_LEASE_EXPIRED, ATTEMPT_NACKED};
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        struct fixture f;
        begin(&f, "AAA");
        gets(&f, "1");
        fail(&f, "t", "default", 1, outcomes[i]);
        tick(&f, 100);
        gets(&f, "1");
        ack(&f, "t", "default", 1);
        gets(&f, "2");
        fixture_done(&f);
    }
}

Test(ledger_order, a_suspect_holds_its_key_and_goes_alone)
{
    struct fixture f;
    begin(&f, "ABA");
    gets(&f, "1 2");
    fail(&f, "t", "default", 1, ATTEMPT_SUSPECTED);
    gets(&f, "");
    assign_lane(&f, "t", "default", LANE_SUSPECT, 1);
    cr_assert_eq(f.handed_seqs[0], 1);
    ack(&f, "t", "default", 1);
    gets(&f, "3");
    fixture_done(&f);
}

Test(ledger_order, a_dead_head_lets_the_next_one_go)
{
    struct fixture f;
    begin(&f, "AAA");
    gets(&f, "1");
    fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
    gets(&f, "2");
    for (unsigned i = 1; i <= 3; i++) {
        nack(&f, "t", "default", 2, DELAY_BACKOFF);
        tick(&f, 100 * i);
        gets(&f, i < 3 ? "2" : "3");
    }
    expect_state(&f, "t", "default", 2, "dead");
    fixture_done(&f);
}

Test(ledger_order, what_is_redriven_comes_before_newer_ones_in_its_order)
{
    struct fixture f;
    begin(&f, "AAAA");
    for (uint64_t seq = 1; seq <= 2; seq++) {
        gets(&f, seq == 1 ? "1" : "2");
        fail(&f, "t", "default", seq, ATTEMPT_REJECTED);
    }
    gets(&f, "3");
    redrive_ids(&f, "t", "default", "t/2");
    redrive_ids(&f, "t", "default", "t/1");
    tick_until_quiet(&f);
    gets(&f, ""); /* one of the key is out */
    ack(&f, "t", "default", 3);
    gets(&f, "1");
    ack(&f, "t", "default", 1);
    gets(&f, "2");
    ack(&f, "t", "default", 2);
    gets(&f, "4");
    fixture_done(&f);
}

Test(ledger_order, what_fails_behind_a_redriven_one_waits_for_it)
{
    struct fixture f;
    begin(&f, "AAA");
    gets(&f, "1");
    fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
    gets(&f, "2");
    redrive(&f, "t", "default", UINT64_MAX, 0);
    tick_until_quiet(&f);
    gets(&f, "");
    nack(&f, "t", "default", 2, 0); /* at once, and yet */
    gets(&f, "1");
    ack(&f, "t", "default", 1);
    gets(&f, "2");
    ack(&f, "t", "default", 2);
    gets(&f, "3");
    fixture_done(&f);
}

Test(ledger_order, a_delayed_head_holds_its_key)
{
    struct fixture f;
    begin(&f, "");
    publish_keys(&f, "A", 500, 0);
    publish_keys(&f, "AB", 0, 0);
    gets(&f, "3");
    tick(&f, 500);
    gets(&f, "1");
    ack(&f, "t", "default", 1);
    gets(&f, "2");
    fixture_done(&f);
}

Test(ledger_order, a_delay_that_is_over_while_another_is_out_waits_for_it)
{
    struct fixture f;
    begin(&f, "A");
    publish_keys(&f, "A", 500, 0);
    gets(&f, "1");
    tick(&f, 500);
    gets(&f, "");
    ack(&f, "t", "default", 1);
    gets(&f, "2");
    fixture_done(&f);
}

/* It is not at its place in the order before the cursor has come there. */
Test(ledger_order, a_delay_that_is_over_does_not_pass_those_before_it)
{
    struct fixture f;
    begin(&f, "AA");
    publish_keys(&f, "A", 500, 0);
    tick(&f, 500);
    gets(&f, "1");
    ack(&f, "t", "default", 1);
    gets(&f, "2");
    fixture_reload(&f);
    recover(&f);
    gets(&f, "2");
    ack(&f, "t", "default", 2);
    gets(&f, "3");
    fixture_done(&f);
}

Test(ledger_order, what_died_in_the_backlog_comes_back_to_its_place)
{
    struct fixture f;
    begin(&f, "AB");
    publish_keys(&f, "A", 0, 100);
    publish_keys(&f, "A", 0, 0);
    tick(&f, 100);
    expect_state(&f, "t", "default", 3, "dead");
    redrive(&f, "t", "default", UINT64_MAX, 0);
    tick_until_quiet(&f);
    f.room.fullness = STORE_FULL;
    gets(&f, "1 2");
    f.room.fullness = STORE_HAS_ROOM;
    ack(&f, "t", "default", 1);
    gets(&f, "3");
    ack(&f, "t", "default", 3);
    gets(&f, "4");
    fixture_done(&f);
}

Test(ledger_order, ahead_of_the_cursor_it_may_be_purged)
{
    struct fixture f;
    begin(&f, "A");
    publish_keys(&f, "A", 500, 0);
    tick(&f, 500);
    group_pause(&f, "t", "default", true);
    topic_purge(&f, "t", "default");
    tick_until_quiet(&f);
    cr_assert_eq(g_of(&f)->r.counts.purged, 2);
    cr_assert_eq(rows_in(&f, TABLE_DUE), 0);
    fixture_done(&f);
}

Test(ledger_order, an_expired_head_lets_the_next_one_go)
{
    struct fixture f;
    begin(&f, "");
    publish_keys(&f, "A", 300, 200);
    publish_keys(&f, "A", 0, 0);
    gets(&f, "");
    tick(&f, 500);
    expect_state(&f, "t", "default", 1, "dead");
    gets(&f, "2");
    fixture_done(&f);
}

Test(ledger_order, a_parked_one_expires_where_it_is)
{
    struct fixture f;
    begin(&f, "A");
    group_update(&f, "t", "default", settings(POLICY_expired, 1, -1));
    publish_keys(&f, "A", 0, 200);
    publish_keys(&f, "A", 0, 0);
    gets(&f, "1");
    tick(&f, 300);
    cr_assert_eq(g_of(&f)->r.counts.discarded, 1);
    ack(&f, "t", "default", 1);
    gets(&f, "3");
    fixture_done(&f);
}

Test(ledger_order, a_purge_takes_parked_ones_and_frees_those_that_stay)
{
    struct fixture f;
    begin(&f, "AAABA");
    gets(&f, "1 4");
    topic_purge(&f, "t", "default");
    tick_until_quiet(&f);
    cr_assert_eq(g_of(&f)->r.parked, 0);
    cr_assert_eq(g_of(&f)->r.counts.purged, 3);
    publish_keys(&f, "A", 0, 0);
    gets(&f, "");
    ack(&f, "t", "default", 1);
    gets(&f, "6");
    fixture_done(&f);
}

Test(ledger_order, a_purged_delayed_head_frees_its_key)
{
    struct fixture f;
    begin(&f, "");
    publish_keys(&f, "A", 900, 0);
    publish_keys(&f, "A", 0, 0);
    gets(&f, "");
    topic_purge(&f, "t", "default");
    publish_keys(&f, "A", 0, 0);
    tick_until_quiet(&f);
    cr_assert_eq(g_of(&f)->r.counts.purged, 2);
    gets(&f, "3");
    fixture_done(&f);
}

Test(ledger_order, a_pause_keeps_the_order)
{
    struct fixture f;
    begin(&f, "AAA");
    gets(&f, "1");
    group_pause(&f, "t", "default", true);
    ack(&f, "t", "default", 1);
    gets(&f, "");
    group_pause(&f, "t", "default", false);
    gets(&f, "2");
    fixture_done(&f);
}

Test(ledger_order, a_group_goes_with_its_index)
{
    struct fixture f;
    begin(&f, "AAB");
    group_create(&f, "t", "other", false);
    gets(&f, "1 3");
    group_delete(&f, "t", "default");
    tick_until_quiet(&f);
    cr_assert_eq(rows_in(&f, TABLE_DUE), 0);
    fixture_done(&f);
}
