/* Fair turns when other things change: restarts, the setting, order by key, a store without room, damage. */
#include "broker/core/fair.h"
#include "tests/unit/core/ledger_fair.h"

Test(ledger_fair, a_restart_keeps_the_turns)
{
    for (unsigned crash = 0; crash < 2; crash++) {
        struct fixture f;
        begin_fair(&f, "AAAAABBC");
        gets_one(&f, 1);
        gets_one(&f, 8);
        uint64_t keys = turns_of(&f)->keys, last = turns_of(&f)->last, run = turns_of(&f)->run;
        crash ? fixture_crash(&f) : fixture_reload(&f);
        cr_assert_eq(g_of(&f)->keys->count, 2, "what is out is known again");
        cr_assert(turns_of(&f)->keys == keys && turns_of(&f)->last == last && turns_of(&f)->run == run);
        gets_one(&f, 6); /* B has none in flight */
        recover(&f);
        cr_assert_eq(g_of(&f)->keys->count, 0);
        unsigned of[3] = {0};
        for (unsigned i = 0; i < 3; i++) {
            assign(&f, "t", "default", 1);
            of[f.handed_seqs[0] <= 5 ? 0 : f.handed_seqs[0] <= 7 ? 1 : 2]++;
        }
        cr_assert(of[0] == 1 && of[1] == 1 && of[2] == 1);
        fixture_done(&f);
    }
}

/* A ledger that was loaded anew hands out what the other one would have. */
Test(ledger_fair, whose_turn_it_is_follows_from_what_is_stored)
{
    uint64_t got[2][120];
    for (unsigned reloads = 0; reloads < 2; reloads++) {
        struct fixture f;
        begin_fair(&f, "ABCABCDDDDAABBCCDAEAFAGAHABACADAEAA");
        f.quiet = true;
        for (unsigned i = 0; i < 120; i++) {
            static const char *const more[] = {"A", "B", "C", "AA", "-", "DA", "EB"};
            if (i % 3 == 0)
                publish_keys(&f, more[i % 7], i % 11 == 0 ? 20 : 0, 0);
            assign(&f, "t", "default", 1);
            got[reloads][i] = f.handed ? f.handed_seqs[0] : 0;
            uint64_t seq = i >= 6 ? got[reloads][i - 6] : 0;
            if (seq && i % 5 == 1)
                nack(&f, "t", "default", seq, DELAY_BACKOFF);
            else if (seq && i % 5 == 2)
                fail(&f, "t", "default", seq, ATTEMPT_RELEASED);
            else if (seq)
                ack(&f, "t", "default", seq);
            if (i % 10 == 0)
                tick(&f, (int64_t)(i + 1) * 10);
            if (reloads && i % 4 == 0)
                fixture_reload(&f);
        }
        fixture_done(&f);
    }
    for (unsigned i = 0; i < 120; i++)
        cr_assert_eq(got[0][i], got[1][i], "hand-out %u", i);
}

Test(ledger_fair, the_setting_takes_in_what_is_out_and_what_waits)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish_keys(&f, "AAAAAAB-", 0, 0);
    assign(&f, "t", "default", 2);
    nack(&f, "t", "default", 2, 0);
    group_update(&f, "t", "default", settings(POLICY_fair, FAIR_KEY, -1));
    cr_assert_eq(key_table_out(g_of(&f)->keys, FAIR_NO_KEY), 0);
    cr_assert_eq(g_of(&f)->keys->count, 1);
    assign(&f, "t", "default", 2);
    cr_assert_eq(f.handed_seqs[0] + f.handed_seqs[1], 7 + 8);
    gets_one(&f, 2);
    fixture_done(&f);
}

Test(ledger_fair, without_the_setting_any_more_all_come_as_they_lie)
{
    struct fixture f;
    begin_fair(&f, "AAABBCC");
    gets_one(&f, 1);
    cr_assert_gt(turns_of(&f)->listed, 0);
    topic_update(&f, "t", settings(POLICY_fair, FAIR_NONE, -1));
    cr_assert_eq(turns_of(&f)->run, 0);
    fixture_reload(&f);
    gets(&f, "4 5 6 7 2 3");
    cr_assert_null(g_of(&f)->keys);
    cr_assert_eq(turns_of(&f)->keys, 0);
    fixture_done(&f);
}

Test(ledger_fair, the_setting_may_come_back_before_all_have_left_their_turn)
{
    struct fixture f;
    begin_fair(&f, "AAABBCC-");
    gets_one(&f, 1);
    topic_update(&f, "t", settings(POLICY_fair, FAIR_NONE, -1));
    topic_update(&f, "t", settings(POLICY_fair, FAIR_KEY, -1));
    assign(&f, "t", "default", 3);
    uint64_t sum = f.handed_seqs[0] + f.handed_seqs[1] + f.handed_seqs[2];
    cr_assert_eq(sum, 4 + 6 + 8);
    fixture_done(&f);
}

Test(ledger_fair, with_order_by_key_a_key_whose_head_waits_takes_no_turn)
{
    struct fixture f;
    begin_fair(&f, "AAAABBC");
    group_update(&f, "t", "default", settings(POLICY_order, ORDER_KEY, -1));
    uint64_t sum = 0;
    for (unsigned i = 0; i < 3; i++) {
        assign(&f, "t", "default", 1);
        sum += f.handed_seqs[0];
    }
    cr_assert_eq(sum, 1 + 5 + 7);
    gets_one(&f, 0);
    nack(&f, "t", "default", 1, DELAY_BACKOFF);
    gets_one(&f, 0);
    ack(&f, "t", "default", 5);
    gets_one(&f, 6);
    tick(&f, 100);
    gets_one(&f, 1);
    ack(&f, "t", "default", 1);
    gets_one(&f, 2);
    fixture_done(&f);
}

Test(ledger_fair, with_order_by_key_new_keys_are_found_behind_those_that_are_let_go)
{
    struct fixture f;
    begin_fair(&f, "ABABABABABABABABC");
    group_update(&f, "t", "default", settings(POLICY_order, ORDER_KEY, -1));
    unsigned until = 0;
    for (uint64_t seq = 0; seq != 17; until++) {
        assign(&f, "t", "default", 1);
        seq = f.handed_seqs[0];
        if (seq != 17)
            ack(&f, "t", "default", seq);
    }
    cr_assert_leq(until, 3);
    fixture_done(&f);
}

Test(ledger_fair, order_comes_to_a_group_that_has_a_run_and_goes)
{
    struct fixture f;
    begin_fair(&f, "AAAAB--");
    gets_one(&f, 1);
    cr_assert_neq(turns_of(&f)->run, 0);
    group_update(&f, "t", "default", settings(POLICY_order, ORDER_KEY, -1));
    assign(&f, "t", "default", 9);
    cr_assert_eq(f.handed, 3, "two without a key, and B");
    group_update(&f, "t", "default", settings(POLICY_order, ORDER_NONE, -1));
    assign(&f, "t", "default", 9);
    cr_assert_eq(f.handed, 3);
    fixture_done(&f);
}

Test(ledger_fair, in_a_full_store_what_is_listed_takes_turns_and_the_rest_comes_as_it_lies)
{
    struct fixture f;
    begin_fair(&f, "AAAB");
    gets_one(&f, 1);
    publish_keys(&f, "CC", 0, 0);
    f.room.fullness = STORE_FULL;
    gets_one(&f, 4);
    gets_singly(&f, "2 3 5 6");
    fixture_done(&f);
}

Test(ledger_fair, a_damaged_message_counts_as_one_without_a_key)
{
    struct fixture f;
    begin_fair(&f, "AABB");
    flip_message_byte(&f, "t", 2, 20);
    gets_singly(&f, "1 3");
    expect_state(&f, "t", "default", 2, "dead");
    gets_one(&f, 4);
    fixture_done(&f);
}

Test(ledger_fair, who_held_one_before_a_restart_goes_on_with_it)
{
    struct fixture f;
    begin_fair(&f, "AAABB");
    gets_one(&f, 1);
    gets_one(&f, 4);
    fixture_reload(&f);
    recover(&f);
    gets_one(&f, 1);
    fixture_reload(&f);
    recover_waiting(&f, 1000);
    take_up(&f, "t", "default", 1, 2);
    expect_state(&f, "t", "default", 1, "in_flight");
    cr_assert_eq(g_of(&f)->keys->count, 1);
    fixture_done(&f);
}

Test(ledger_fair, a_dead_letter_queue_has_no_turns)
{
    struct fixture f;
    begin_fair(&f, "AA");
    group_update(&f, "dlq:t:default", "default", settings(POLICY_fair, FAIR_KEY, -1));
    cr_assert_eq(f.err, SHUNT_BAD_ARGUMENT);
    fixture_done(&f);
}

Test(ledger_fair, each_group_has_turns_of_its_own)
{
    struct fixture f;
    begin_fair(&f, "");
    group_create(&f, "t", "free", false);
    group_update(&f, "t", "free", settings(POLICY_fair, FAIR_NONE, -1));
    publish_keys(&f, "AAAB", 0, 0);
    assign(&f, "t", "free", 3);
    cr_assert_eq(f.handed_seqs[1], 2);
    cr_assert_null(fixture_group(&f, "t", "free")->keys);
    gets_one(&f, 1);
    gets_one(&f, 4);
    fixture_done(&f);
}
