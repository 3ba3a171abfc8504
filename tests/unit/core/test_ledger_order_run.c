/* Runs: with the setting key-run, several messages of one key are out at once, with one consumer. */
#include "broker/core/breaker.h"
#include "broker/core/order.h"
#include "tests/unit/core/ledger_order.h"

#define KEY_RUN_MAX 100 /* of the setting */

/* As begin(), with runs of so many. */
static void begin_runs(struct fixture *f, int64_t run, const char *keys)
{
    begin(f, "");
    topic_update(f, "t", settings(POLICY_key_run, run, -1));
    publish_keys(f, keys, 0, 0);
}

static void recalled(struct fixture *f, uint64_t seq)
{
    struct attempt_record row = row_of(f, "t", "default", seq);
    expect_state(f, "t", "default", seq, "ready");
    cr_assert_eq(row.attempts, 0, "uncharged");
    cr_assert_eq(row.rows, 1, "its attempt ledger says it");
}

Test(ledger_order, one_hand_out_gives_as_many_of_a_key_as_a_run_has)
{
    struct fixture f;
    begin_runs(&f, 3, "AAAAABB");
    gets(&f, "1 2 3 6 7");
    gets(&f, "");
    ack(&f, "t", "default", 1);
    ack(&f, "t", "default", 2);
    gets(&f, "");
    ack(&f, "t", "default", 3);
    gets(&f, "4 5");
    fixture_done(&f);
}

/* Another hand-out may be to another consumer. */
Test(ledger_order, a_run_is_handed_out_at_once_and_never_added_to)
{
    struct fixture f;
    begin_runs(&f, 3, "AAAB");
    gets_of(&f, 1, "1");
    gets(&f, "4");
    ack(&f, "t", "default", 1);
    gets_of(&f, 2, "2 3");
    publish_keys(&f, "A", 0, 0);
    gets(&f, "");
    fixture_done(&f);
}

Test(ledger_order, when_one_of_a_run_fails_those_behind_it_are_taken_back_and_come_again_behind_it)
{
    static const enum attempt_outcome outcomes[] = {ATTEMPT_NACKED, ATTEMPT_LEASE_EXPIRED, ATTEMPT_UNSTARTED,
                                                    ATTEMPT_RELEASED};
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        struct fixture f;
        begin_runs(&f, 4, "AAAAB");
        gets(&f, "1 2 3 4 5");
        ack(&f, "t", "default", 1);
        fail(&f, "t", "default", 2, outcomes[i]);
        recalled(&f, 3);
        recalled(&f, 4);
        cr_assert_eq(g_of(&f)->r.counts.attempts[ATTEMPT_RECALLED], 2);
        cr_assert_eq(g_of(&f)->r.counts.in_flight, 1);
        fixture_reload(&f);
        recover(&f);
        tick(&f, 100);
        gets(&f, outcomes[i] == ATTEMPT_RELEASED || outcomes[i] == ATTEMPT_UNSTARTED ? "2 5 3 4" : "5 2 3 4");
        fixture_done(&f);
    }
}

Test(ledger_order, the_token_of_what_was_recalled_is_stale)
{
    struct fixture f;
    begin_runs(&f, 3, "AAA");
    gets(&f, "1 2 3");
    fail(&f, "t", "default", 1, ATTEMPT_NACKED);
    ack(&f, "t", "default", 2);
    cr_assert_eq(f.stale, 1);
    expect_state(&f, "t", "default", 2, "ready");
    fixture_done(&f);
}

Test(ledger_order, a_run_whose_first_one_dies_goes_on_unless_that_holds_the_key)
{
    for (int64_t how = ON_DEAD_CONTINUE; how <= ON_DEAD_FOLLOW; how++) {
        struct fixture f;
        begin_runs(&f, 3, "AAA");
        topic_update(&f, "t", settings(POLICY_on_dead, how, -1));
        gets(&f, "1 2 3");
        fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
        expect_state(&f, "t", "default", 2, how == ON_DEAD_CONTINUE ? "in_flight" : "ready");
        gets(&f, "");
        expect_state(&f, "t", "default", 3,
                     how == ON_DEAD_CONTINUE ? "in_flight"
                     : how == ON_DEAD_BLOCK  ? "ready"
                                             : "dead");
        fixture_done(&f);
    }
}

Test(ledger_order, a_run_ends_where_one_of_its_key_waits_for_its_time)
{
    struct fixture f;
    begin_runs(&f, 9, "AA");
    publish_keys(&f, "A", 500, 0);
    publish_keys(&f, "A", 0, 0);
    gets(&f, "1 2");
    ack(&f, "t", "default", 1);
    ack(&f, "t", "default", 2);
    tick(&f, 500);
    gets(&f, "3 4");
    fixture_done(&f);
}

Test(ledger_order, what_comes_back_from_the_dead_waits_for_the_run_and_goes_before_the_rest)
{
    struct fixture f;
    begin_runs(&f, 2, "AAAAA");
    gets(&f, "1 2");
    fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
    ack(&f, "t", "default", 2);
    gets(&f, "3 4");
    redrive_all(&f);
    gets(&f, "");
    ack(&f, "t", "default", 3);
    gets(&f, "");
    ack(&f, "t", "default", 4);
    gets(&f, "1 5");
    fixture_done(&f);
}

Test(ledger_order, a_suspect_is_in_no_run)
{
    struct fixture f;
    begin_runs(&f, 3, "AAA");
    gets(&f, "1 2 3");
    fail(&f, "t", "default", 2, ATTEMPT_SUSPECTED);
    ack(&f, "t", "default", 1);
    gets(&f, "");
    assign_lane(&f, "t", "default", LANE_SUSPECT, 1);
    expect_state(&f, "t", "default", 2, "in_flight");
    gets(&f, "");
    ack(&f, "t", "default", 2);
    gets(&f, "3");
    fixture_done(&f);
}

Test(ledger_order, a_run_is_given_back_by_a_restart_and_comes_again_as_one)
{
    struct fixture f;
    begin_runs(&f, 3, "AAAA");
    gets(&f, "1 2 3");
    fixture_crash(&f);
    recover_waiting(&f, 1000);
    cr_assert_eq(g_of(&f)->r.counts.attempts[ATTEMPT_RECALLED], 0, "it was the broker that left");
    take_up(&f, "t", "default", 2, 1);
    expect_state(&f, "t", "default", 2, "delayed"); /* 1 comes first */
    take_up(&f, "t", "default", 1, 1);
    expect_state(&f, "t", "default", 1, "in_flight");
    tick(&f, 1000);
    gets(&f, "");
    ack(&f, "t", "default", 1);
    gets(&f, "2 3 4");
    fixture_done(&f);
}

Test(ledger_order, a_longest_run_is_bounded_and_its_recall_fits_a_batch)
{
    struct fixture f;
    char keys[KEY_RUN_MAX + 2];
    memset(keys, 'A', sizeof keys - 1);
    keys[sizeof keys - 1] = '\0';
    begin_runs(&f, KEY_RUN_MAX, keys);
    assign(&f, "t", "default", 1000);
    cr_assert_eq(f.handed, KEY_RUN_MAX);
    cr_assert_leq(order_recall_cost(g_of(&f), 1), 32ull * 1024 * 1024);
    fail(&f, "t", "default", 1, ATTEMPT_NACKED);
    cr_assert_eq(g_of(&f)->r.counts.in_flight, 0);
    cr_assert_eq(g_of(&f)->keys->count, 0);
    tick(&f, 100);
    assign(&f, "t", "default", 1000);
    cr_assert(f.handed == KEY_RUN_MAX && f.handed_seqs[0] == 1);
    fixture_done(&f);
}

Test(ledger_order, as_much_is_said_to_be_ready_as_may_go_in_runs)
{
    struct fixture f;
    struct group_ready ready;
    begin_runs(&f, 3, "AAAAAAAB");
    gets_of(&f, 1, "1");
    gets(&f, "8");
    ack(&f, "t", "default", 1);
    ledger_group_ready(f.l, g_of(&f)->r.id, &ready);
    cr_assert(ready.lane[LANE_NORMAL] == 3 && ready.run == 3);
    gets_of(&f, 3, "2 3 4");
    ledger_group_ready(f.l, g_of(&f)->r.id, &ready);
    cr_assert_eq(ready.lane[LANE_NORMAL], 0);
    fixture_done(&f);
}

Test(ledger_order, those_without_a_key_are_in_no_run_where_keys_take_turns)
{
    for (int64_t run = 1; run <= 3; run += 2) {
        struct fixture f;
        begin(&f, "");
        topic_update(&f, "t", settings(POLICY_key_run, run, POLICY_fair, FAIR_KEY, -1));
        publish_keys(&f, "---", 0, 0);
        gets(&f, "1 2 3");
        cr_assert_eq(order_recall_cost(g_of(&f), 1), 0);
        fail(&f, "t", "default", 1, ATTEMPT_NACKED);
        expect_state(&f, "t", "default", 2, "in_flight");
        ack(&f, "t", "default", 3);
        cr_assert_eq(f.stale, 0);
        fixture_done(&f);
    }
}

/* While there is credit for all, nothing is chosen. */
Test(ledger_order, where_keys_take_turns_a_key_has_one_out_if_there_is_less_credit_than_messages)
{
    struct fixture f;
    begin(&f, "");
    topic_update(&f, "t", settings(POLICY_key_run, 3, POLICY_fair, FAIR_KEY, -1));
    publish_keys(&f, "AAABBB", 0, 0);
    assign(&f, "t", "default", 4);
    cr_assert_eq(f.handed, 2);
    expect_state(&f, "t", "default", 1, "in_flight");
    expect_state(&f, "t", "default", 4, "in_flight");
    gets_of(&f, 4, "");
    fixture_done(&f);
}

Test(ledger_order, where_keys_take_turns_what_is_behind_a_failed_one_is_taken_back_too)
{
    struct fixture f;
    begin(&f, "");
    topic_update(&f, "t", settings(POLICY_key_run, 3, POLICY_fair, FAIR_KEY, -1));
    publish_keys(&f, "AAAB", 0, 0);
    gets(&f, "1 2 3 4");
    fail(&f, "t", "default", 1, ATTEMPT_NACKED);
    for (uint64_t seq = 2; seq <= 3; seq++)
        expect_state(&f, "t", "default", seq, "ready");
    expect_state(&f, "t", "default", 4, "in_flight");
    fixture_done(&f);
}

/* It is in front, its key is known, and the next of that key lies at the cursor. */
Test(ledger_order, nothing_is_given_behind_a_damaged_one_of_its_key)
{
    for (int64_t fair = FAIR_NONE; fair <= FAIR_KEY; fair++) {
        struct fixture f;
        begin(&f, "");
        topic_update(&f, "t",
                     settings(POLICY_key_run, 3, POLICY_fair, fair, POLICY_on_dead, ON_DEAD_BLOCK, -1));
        publish_keys(&f, "A", 0, 0);
        gets(&f, "1");
        fail(&f, "t", "default", 1, ATTEMPT_RELEASED);
        publish_keys(&f, "A", 0, 0);
        flip_message_byte(&f, "t", 1, 20);
        gets(&f, "");
        expect_state(&f, "t", "default", 1, "dead");
        gets(&f, "");
        dlq_purge(&f, "t", "default", 1);
        tick_until_quiet(&f);
        gets(&f, "2");
        fixture_done(&f);
    }
}

/* Opened by 1 to 4, and probed with 6. What was taken back would keep its place among those that are out for ever. */
Test(ledger_order, a_breaker_bounds_runs_and_makes_room_for_what_was_taken_back)
{
    struct fixture f;
    begin(&f, "");
    topic_update(&f, "t", settings(POLICY_key_run, 3, POLICY_breaker_window, 5, -1));
    publish_keys(&f, "-----AAAA", 0, 0);
    gets_of(&f, 5, "1 2 3 4 5");
    for (uint64_t seq = 1; seq <= 4; seq++)
        fail(&f, "t", "default", seq, ATTEMPT_NACKED);
    gets(&f, "");
    tick(&f, g_of(&f)->breaker->r.until_ms - T0);
    gets(&f, "6");
    ack(&f, "t", "default", 6);
    gets(&f, "7 8");
    cr_assert_eq(breaker_may(g_of(&f)), 0);
    resolve(&f, "t", "default",
            (struct resolution){
                .seq = 7, .outcome = ATTEMPT_NACKED, .delay_ms = DELAY_BACKOFF, .leased_ms = T0 + f.now_ms});
    recalled(&f, 8);
    cr_assert_eq(breaker_may(g_of(&f)), 1);
    fixture_done(&f);
}
