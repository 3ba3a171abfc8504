/* Dead letters that hold their keys, by the setting on-dead: block, and follow. */
#include "tests/unit/core/ledger_order.h"

static void follows(struct fixture *f, uint64_t seq)
{
    struct attempt_record row = row_of(f, "t", "default", seq);
    struct key key = key_id_seq(g_of(f)->dlq->r.id, row.dead_seq);
    struct store_txn *t;
    struct slice value;
    struct dead_record dead;
    expect_state(f, "t", "default", seq, "dead");
    cr_assert_eq(row.attempts, 0, "uncharged");
    cr_assert_eq(store_begin(f->store, false, &t), 0);
    cr_assert_eq(store_get(t, TABLE_DEAD, key_slice(&key), &value), 0);
    cr_assert_eq(dead_decode(key_slice(&key), value, &dead), 0);
    cr_assert_eq(dead.reason, DEAD_PREDECESSOR_DEAD);
    store_abort(t);
}

/* ---- block ---- */

Test(ledger_order, a_dead_head_blocks_its_key_and_no_other)
{
    struct fixture f;
    begin_with(&f, ON_DEAD_BLOCK, "AAB");
    gets(&f, "1 3");
    dies(&f, 1);
    publish_keys(&f, "ABC", 0, 0);
    gets(&f, "6");
    ack(&f, "t", "default", 3);
    gets(&f, "5");
    cr_assert(g_of(&f)->r.blocked == 1 && g_of(&f)->r.blocking == 1);
    cr_assert_eq(g_of(&f)->keys->count, 2, "memory has what is out, and nothing of what is blocked");
    fixture_done(&f);
}

Test(ledger_order, a_blocked_key_goes_on_when_its_letter_is_back_and_done)
{
    struct fixture f;
    begin_with(&f, ON_DEAD_BLOCK, "AAA");
    gets(&f, "1");
    dies(&f, 1);
    gets(&f, "");
    redrive_all(&f);
    gets(&f, "1");
    cr_assert_eq(g_of(&f)->r.blocked, 0);
    ack(&f, "t", "default", 1);
    gets(&f, "2");
    ack(&f, "t", "default", 2);
    gets(&f, "3");
    ack(&f, "t", "default", 3);
    cr_assert(g_of(&f)->r.indexed == 0 && g_of(&f)->r.blocking == 0);
    fixture_done(&f);
}

Test(ledger_order, a_letter_that_dies_again_blocks_again)
{
    struct fixture f;
    begin_with(&f, ON_DEAD_BLOCK, "AA");
    for (unsigned i = 0; i < 3; i++) {
        gets(&f, "1");
        dies(&f, 1);
        gets(&f, "");
        redrive_all(&f);
    }
    gets(&f, "1");
    ack(&f, "t", "default", 1);
    gets(&f, "2");
    fixture_done(&f);
}

Test(ledger_order, whatever_takes_a_letter_away_unblocks_its_key)
{
    for (unsigned how = 0; how < 4; how++) {
        struct fixture f;
        begin_with(&f, ON_DEAD_BLOCK, "AA");
        topic_create(&f, "other", settings(-1));
        if (how == 1)
            group_update(&f, "t", "default", settings(POLICY_dlq_retention_ms, 1000, -1));
        if (how == 2) {
            rule_set(&f, &(struct rule_command){.topic = text("t"),
                                                .group = text("default"),
                                                .number = 10,
                                                .define = true,
                                                .action = RULE_DISCARD});
        }
        gets(&f, "1");
        fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
        if (how == 0)
            dlq_purge(&f, "t", "default", UINT64_MAX);
        if (how == 3) {
            redrive_as(&f, &(struct dead_command){.topic = text("t"),
                                                  .group = text("default"),
                                                  .count = UINT64_MAX,
                                                  .to = text("other")});
        }
        tick(&f, 3000);
        tick_until_quiet(&f);
        gets(&f, "2");
        cr_assert_eq(g_of(&f)->r.blocking, 0);
        fixture_done(&f);
    }
}

Test(ledger_order, a_blocked_key_stays_so_over_a_restart)
{
    for (unsigned crash = 0; crash < 2; crash++) {
        struct fixture f;
        begin_with(&f, ON_DEAD_BLOCK, "AAB");
        gets(&f, "1 3");
        dies(&f, 1);
        crash ? fixture_crash(&f) : fixture_reload(&f);
        recover(&f);
        publish_keys(&f, "A", 0, 0);
        gets(&f, "3");
        redrive_all(&f);
        gets(&f, "1");
        fixture_reload(&f);
        recover(&f);
        gets(&f, "1 3");
        ack(&f, "t", "default", 1);
        gets(&f, "2");
        fixture_done(&f);
    }
}

Test(ledger_order, what_waits_for_a_dead_one_expires_and_blocks_as_well)
{
    struct fixture f;
    begin_with(&f, ON_DEAD_BLOCK, "A");
    publish_keys(&f, "A", 0, 200);
    publish_keys(&f, "A", 0, 0);
    gets(&f, "1");
    dies(&f, 1);
    gets(&f, "");
    tick(&f, 300);
    expect_state(&f, "t", "default", 2, "dead");
    cr_assert(g_of(&f)->r.blocked == 1 && g_of(&f)->r.blocking == 2);
    redrive_ids(&f, "t", "default", "t/1");
    tick_until_quiet(&f);
    gets(&f, "1");
    ack(&f, "t", "default", 1);
    gets(&f, ""); /* 2 is dead */
    redrive_ids(&f, "t", "default", "t/2");
    tick_until_quiet(&f);
    gets(&f, "2");
    ack(&f, "t", "default", 2);
    gets(&f, "3");
    fixture_done(&f);
}

Test(ledger_order, of_several_letters_a_later_one_waits_for_those_that_are_still_dead)
{
    struct fixture f;
    begin_with(&f, ON_DEAD_BLOCK, "A");
    publish_keys(&f, "A", 0, 100);
    gets(&f, "1");
    dies(&f, 1);
    gets(&f, "");
    tick(&f, 200);
    redrive_ids(&f, "t", "default", "t/2");
    tick_until_quiet(&f);
    gets(&f, "");
    redrive_ids(&f, "t", "default", "t/1");
    tick_until_quiet(&f);
    gets(&f, "1");
    ack(&f, "t", "default", 1);
    gets(&f, "2");
    fixture_done(&f);
}

/* It died before the cursor came to those of its key that are before it. */
Test(ledger_order, a_letter_blocks_what_comes_after_it_and_not_what_comes_before_it)
{
    struct fixture f;
    begin_with(&f, ON_DEAD_BLOCK, "AA");
    publish_keys(&f, "A", 0, 100);
    publish_keys(&f, "A", 0, 0);
    tick(&f, 100);
    expect_state(&f, "t", "default", 3, "dead");
    gets(&f, "1");
    ack(&f, "t", "default", 1);
    gets(&f, "2");
    ack(&f, "t", "default", 2);
    gets(&f, "");
    redrive_all(&f);
    gets(&f, "3");
    ack(&f, "t", "default", 3);
    gets(&f, "4");
    fixture_done(&f);
}

Test(ledger_order, a_blocked_delay_is_over_and_waits_on)
{
    struct fixture f;
    begin_with(&f, ON_DEAD_BLOCK, "A");
    publish_keys(&f, "A", 500, 0);
    gets(&f, "1");
    dies(&f, 1);
    tick(&f, 500);
    gets(&f, "");
    expect_state(&f, "t", "default", 2, "ready");
    dlq_purge(&f, "t", "default", UINT64_MAX);
    tick_until_quiet(&f);
    gets(&f, "2");
    fixture_done(&f);
}

Test(ledger_order, a_suspect_that_dies_blocks_and_a_pause_changes_nothing)
{
    struct fixture f;
    begin_with(&f, ON_DEAD_BLOCK, "AA");
    gets(&f, "1");
    fail(&f, "t", "default", 1, ATTEMPT_SUSPECTED);
    assign_lane(&f, "t", "default", LANE_SUSPECT, 1);
    dies(&f, 1);
    group_pause(&f, "t", "default", true);
    gets(&f, "");
    group_pause(&f, "t", "default", false);
    gets(&f, "");
    fixture_done(&f);
}

Test(ledger_order, a_purge_takes_what_is_blocked_and_leaves_the_letter)
{
    struct fixture f;
    begin_with(&f, ON_DEAD_BLOCK, "AAA");
    gets(&f, "1");
    dies(&f, 1);
    gets(&f, "");
    topic_purge(&f, "t", "default");
    tick_until_quiet(&f);
    cr_assert_eq(g_of(&f)->r.counts.purged, 2);
    publish_keys(&f, "A", 0, 0);
    gets(&f, "");
    cr_assert_eq(g_of(&f)->r.parked, 1);
    fixture_done(&f);
}

Test(ledger_order, a_group_goes_with_its_blocked_keys)
{
    struct fixture f;
    begin_with(&f, ON_DEAD_BLOCK, "AAB");
    group_create(&f, "t", "other", false);
    gets(&f, "1 3");
    dies(&f, 1);
    group_delete(&f, "t", "default");
    tick_until_quiet(&f);
    cr_assert_eq(rows_in(&f, TABLE_DUE), 0);
    fixture_done(&f);
}

Test(ledger_order, without_on_dead_any_more_hand_outs_free_the_keys)
{
    for (unsigned how = 0; how < 2; how++) {
        struct fixture f;
        begin_with(&f, ON_DEAD_BLOCK, "AABB");
        gets(&f, "1 3");
        dies(&f, 1);
        dies(&f, 3);
        gets(&f, "");
        if (how)
            topic_update(&f, "t", settings(POLICY_order, ORDER_NONE, -1));
        else
            topic_update(&f, "t", settings(POLICY_on_dead, ON_DEAD_CONTINUE, -1));
        struct group_ready ready;
        ledger_group_ready(f.l, g_of(&f)->r.id, &ready);
        cr_assert_eq(ready.lane[LANE_NORMAL], 2, "there is something to hand out");
        fixture_reload(&f);
        gets(&f, "2 4");
        cr_assert_eq(g_of(&f)->r.blocking, 0);
        cr_assert_eq(!g_of(&f)->keys, how == 1);
        fixture_done(&f);
    }
}

Test(ledger_order, what_was_dead_before_the_setting_blocks_nothing)
{
    struct fixture f;
    begin(&f, "AAA");
    gets(&f, "1");
    dies(&f, 1);
    topic_update(&f, "t", settings(POLICY_on_dead, ON_DEAD_BLOCK, -1));
    gets(&f, "2");
    dies(&f, 2);
    gets(&f, "");
    fixture_done(&f);
}

/* ---- follow ---- */

Test(ledger_order, what_comes_after_a_dead_one_follows_it_uncharged)
{
    struct fixture f;
    begin_with(&f, ON_DEAD_FOLLOW, "AAAB");
    gets(&f, "1 4");
    dies(&f, 1);
    gets(&f, "");
    follows(&f, 2);
    follows(&f, 3);
    publish_keys(&f, "AC", 0, 0);
    gets(&f, "6");
    follows(&f, 5);
    cr_assert_eq(g_of(&f)->r.counts.dead_lettered[DEAD_PREDECESSOR_DEAD], 3);
    cr_assert(g_of(&f)->r.blocked == 1 && g_of(&f)->r.blocking == 4);
    fixture_done(&f);
}

Test(ledger_order, followers_come_back_in_their_order_ahead_of_newer_ones)
{
    struct fixture f;
    begin_with(&f, ON_DEAD_FOLLOW, "AAA");
    gets(&f, "1");
    dies(&f, 1);
    gets(&f, "");
    fixture_reload(&f);
    redrive_all(&f);
    publish_keys(&f, "A", 0, 0);
    for (uint64_t seq = 1; seq <= 4; seq++) {
        static const char *const numbers[] = {"", "1", "2", "3", "4"};
        gets(&f, numbers[seq]);
        ack(&f, "t", "default", seq);
    }
    cr_assert(g_of(&f)->r.indexed == 0 && g_of(&f)->r.blocking == 0);
    fixture_done(&f);
}

Test(ledger_order, no_more_follow_than_follow_max)
{
    struct fixture f;
    begin_with(&f, ON_DEAD_FOLLOW, "AAAAA");
    topic_update(&f, "t", settings(POLICY_follow_max, 2, -1));
    gets(&f, "1");
    dies(&f, 1);
    gets(&f, "");
    follows(&f, 2);
    follows(&f, 3);
    expect_state(&f, "t", "default", 4, "ready");
    publish_keys(&f, "A", 0, 0);
    gets(&f, "");
    cr_assert_eq(g_of(&f)->r.parked, 3);
    topic_update(&f, "t", settings(POLICY_follow_max, 3, -1)); /* more may */
    struct group_ready ready;
    ledger_group_ready(f.l, g_of(&f)->r.id, &ready);
    cr_assert_eq(ready.lane[LANE_NORMAL], 3, "the group is looked at");
    fixture_reload(&f);
    gets(&f, "");
    follows(&f, 4);
    cr_assert_eq(g_of(&f)->r.parked, 2);
    dlq_purge(&f, "t", "default", 1); /* one less is dead: one more follows */
    tick_until_quiet(&f);
    gets(&f, "");
    follows(&f, 5);
    cr_assert_eq(g_of(&f)->r.parked, 1);
    fixture_done(&f);
}

Test(ledger_order, what_is_blocked_follows_when_the_setting_says_so)
{
    struct fixture f;
    begin_with(&f, ON_DEAD_BLOCK, "AAA");
    gets(&f, "1");
    dies(&f, 1);
    gets(&f, "");
    topic_update(&f, "t", settings(POLICY_on_dead, ON_DEAD_FOLLOW, -1));
    gets(&f, "");
    follows(&f, 2);
    follows(&f, 3);
    topic_update(&f, "t", settings(POLICY_on_dead, ON_DEAD_BLOCK, -1));
    publish_keys(&f, "A", 0, 0);
    gets(&f, "");
    expect_state(&f, "t", "default", 4, "ready");
    fixture_done(&f);
}

Test(ledger_order, a_delayed_one_follows_when_its_delay_is_over)
{
    struct fixture f;
    begin_with(&f, ON_DEAD_FOLLOW, "A");
    publish_keys(&f, "A", 500, 0);
    gets(&f, "1");
    dies(&f, 1);
    gets(&f, "");
    expect_state(&f, "t", "default", 2, "delayed");
    tick(&f, 500);
    gets(&f, "");
    follows(&f, 2);
    fixture_done(&f);
}

Test(ledger_order, in_a_full_store_followers_of_the_backlog_stay_at_the_cursor)
{
    struct fixture f;
    begin_with(&f, ON_DEAD_FOLLOW, "A");
    gets(&f, "1");
    dies(&f, 1);
    publish_keys(&f, "AB", 0, 0);
    f.room.fullness = STORE_FULL;
    gets(&f, "");
    expect_state(&f, "t", "default", 2, "ready");
    f.room.fullness = STORE_HAS_ROOM;
    gets(&f, "3");
    follows(&f, 2);
    fixture_done(&f);
}

Test(ledger_order, a_consumer_does_not_go_on_with_what_is_to_follow)
{
    struct fixture f;
    begin(&f, "AA");
    gets(&f, "1");
    dies(&f, 1);
    gets(&f, "2");
    redrive_all(&f);
    topic_update(&f, "t", settings(POLICY_on_dead, ON_DEAD_FOLLOW, -1));
    fixture_reload(&f);
    recover_waiting(&f, 1000);
    gets(&f, "1");
    dies(&f, 1);
    take_up(&f, "t", "default", 2, 1);
    expect_state(&f, "t", "default", 2, "delayed");
    tick(&f, 1000);
    gets(&f, "");
    follows(&f, 2);
    fixture_done(&f);
}
