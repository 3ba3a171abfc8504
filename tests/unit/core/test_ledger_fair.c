/* Fair turns: keys take turns, those with the fewest messages in flight first, whatever lies in front. */
#include "broker/core/fair.h"
#include "tests/unit/core/ledger_fair.h"

/* Many of one key. */
static void flood(struct fixture *f, char key, unsigned count)
{
    char keys[41];
    memset(keys, key, 40);
    f->careless = true;
    for (; count; count -= count < 40 ? count : 40) {
        keys[count < 40 ? count : 40] = '\0';
        publish_keys(f, keys, 0, 0);
    }
    f->careless = false;
}

Test(ledger_fair, one_with_little_waits_for_no_backlog)
{
    struct fixture f;
    begin_fair(&f, "AAAAAAAAB");
    gets_one(&f, 1);
    gets_one(&f, 9);
    gets_one(&f, 2);
    publish_keys(&f, "B", 0, 0);
    gets_one(&f, 10); /* A and B have as much out each, but it is after A's turn */
    ack(&f, "t", "default", 9);
    ack(&f, "t", "default", 10);
    publish_keys(&f, "B", 0, 0);
    gets_one(&f, 11);
    fixture_done(&f);
}

Test(ledger_fair, the_key_with_the_fewest_in_flight_is_next)
{
    struct fixture f;
    begin_fair(&f, "AAAAAABBBBBBCCCCCC");
    for (unsigned i = 0; i < 6; i++)
        assign(&f, "t", "default", 1);
    cr_assert_eq(g_of(&f)->keys->keys_count, 3);
    for (uint32_t i = 0; i < 3; i++)
        cr_assert_eq(g_of(&f)->keys->keys[i].out, 2, "each has its share");
    ack(&f, "t", "default", 7);
    ack(&f, "t", "default", 8);
    gets_one(&f, 9);
    gets_one(&f, 10);
    fixture_done(&f);
}

Test(ledger_fair, what_goes_out_at_once_is_shared_too)
{
    struct fixture f;
    begin_fair(&f, "AAAAAAAAAAAABBCC");
    assign(&f, "t", "default", 6);
    cr_assert_eq(f.handed, 6);
    unsigned of_a = 0;
    for (unsigned i = 0; i < 6; i++)
        of_a += f.handed_seqs[i] <= 12;
    cr_assert_eq(of_a, 2);
    fixture_done(&f);
}

Test(ledger_fair, if_there_is_credit_for_all_they_come_as_they_lie_and_nothing_is_written)
{
    struct fixture f;
    begin_fair(&f, "ABACBA");
    gets(&f, "1 2 3 4 5 6");
    cr_assert_eq(rows_in(&f, TABLE_ATTEMPT), 0);
    cr_assert_eq(turns_of(&f)->keys, 0);
    fixture_done(&f);
}

Test(ledger_fair, a_key_keeps_the_order_of_publishing)
{
    struct fixture f;
    begin_fair(&f, "ABABABAB");
    uint64_t last[2] = {0, 0};
    for (unsigned i = 0; i < 8; i++) {
        assign(&f, "t", "default", 1);
        cr_assert_eq(f.handed, 1);
        uint64_t seq = f.handed_seqs[0];
        cr_assert_gt(seq, last[seq % 2]);
        last[seq % 2] = seq;
    }
    fixture_done(&f);
}

Test(ledger_fair, messages_without_a_key_are_one_tenant)
{
    struct fixture f;
    begin_fair(&f, "------A");
    gets_one(&f, 1);
    gets_one(&f, 7);
    gets_one(&f, 2);
    cr_assert_eq(key_table_out(g_of(&f)->keys, FAIR_NO_KEY), 2);
    fixture_done(&f);
}

/* The tenant of the documentation: 100,000 wait, and four at a time are out. */
Test(ledger_fair, a_tenant_with_a_huge_backlog_delays_another_by_no_more_than_the_look_at_it)
{
    struct fixture f;
    begin_fair(&f, "");
    flood(&f, 'A', 100000);
    f.careless = f.quiet = true;
    uint64_t held[4], waits = 0;
    for (unsigned i = 0; i < 4; i++) {
        assign(&f, "t", "default", 1);
        held[i] = f.handed_seqs[0];
    }
    for (uint64_t b = 1; b <= 20; b++) {
        unsigned others = 0;
        publish_keys(&f, "B", 0, 0);
        for (bool found = false; !found;) {
            unsigned at = (unsigned)(others % 4);
            ack(&f, "t", "default", held[at]);
            assign(&f, "t", "default", 1);
            cr_assert_eq(f.handed, 1);
            held[at] = f.handed_seqs[0];
            found = held[at] == 100000 + b;
            others += !found;
        }
        waits = b == 1 ? waits : waits + others;
        cr_assert_leq(others, 100000 / FAIR_LOOK_MAX + 1);
    }
    cr_assert_eq(waits, 0, "once the backlog was looked at, the next hand-out is of the other");
    cr_assert_leq(rows_in(&f, TABLE_ATTEMPT), 4, "the backlog has no rows");
    cr_assert_leq(g_of(&f)->keys->count, 4, "nor memory");
    fixture_reload(&f);
    recover(&f);
    publish_keys(&f, "B", 0, 0);
    unsigned others = 0;
    for (assign(&f, "t", "default", 1); f.handed && f.handed_seqs[0] <= 100000; others++)
        assign(&f, "t", "default", 1);
    cr_assert_leq(others, 1, "nor is any of it looked at again after a restart");
    f.careless = f.quiet = false;
    fixture_done(&f);
}

Test(ledger_fair, without_the_setting_it_comes_last)
{
    struct fixture f;
    begin_fair(&f, "");
    topic_update(&f, "t", settings(POLICY_fair, FAIR_NONE, -1));
    flood(&f, 'A', 2000);
    f.careless = f.quiet = true;
    publish_keys(&f, "B", 0, 0);
    unsigned others = 0;
    for (assign(&f, "t", "default", 1); f.handed_seqs[0] <= 2000; others++)
        assign(&f, "t", "default", 1);
    cr_assert_eq(others, 2000);
    cr_assert_null(g_of(&f)->keys);
    f.careless = f.quiet = false;
    fixture_done(&f);
}

Test(ledger_fair, no_more_than_so_many_are_looked_at_before_one_is_handed_out)
{
    struct fixture f;
    begin_fair(&f, "");
    flood(&f, 'A', FAIR_LOOK_MAX);
    publish_keys(&f, "B", 0, 0);
    f.careless = true;
    gets_one(&f, 1);
    cr_assert_eq(turns_of(&f)->keys, 1, "one was not looked at");
    gets_one(&f, FAIR_LOOK_MAX + 1);
    f.careless = false;
    fixture_done(&f);
}

/* One message for each of so many keys. */
static void publish_many(struct fixture *f, unsigned first, unsigned count)
{
    struct mpack_buffer messages = {0};
    for (unsigned i = first; i < first + count; i++) {
        mpack_write_array(&messages, 5);
        mpack_write_bin(&messages, "m", 1);
        mpack_write_nil(&messages);
        mpack_write_str(&messages, (const char *)&i, sizeof i);
        mpack_write_int(&messages, 0);
        mpack_write_int(&messages, 0);
    }
    const struct publish_command c = {
        .topic = text("t"), .count = count, .messages = {messages.data, messages.size}};
    fixture_run(f, (struct command){.kind = COMMAND_PUBLISH, .publish = c});
    mpack_buffer_done(&messages);
}

Test(ledger_fair, the_search_for_a_key_that_has_nothing_out_ends_and_goes_on_at_the_next_hand_out)
{
    struct fixture f;
    const unsigned many = 3 * FAIR_SEEK_MAX;
    begin_fair(&f, "");
    f.careless = f.quiet = true;
    publish_many(&f, 0x01010101, many);
    publish_many(&f, 0x01010101, many);
    unsigned out = 0;
    for (; out < many; out++)
        assign(&f, "t", "default", 1);
    cr_assert_eq(g_of(&f)->keys->turns.count, many, "each has one out, and one that waits");
    publish_many(&f, 0x02020202, 1);
    f.careless = false;
    unsigned others = 0;
    for (assign(&f, "t", "default", 1); f.handed_seqs[0] != 2 * many + 1; others++)
        assign(&f, "t", "default", 1);
    cr_assert_leq(others, many / FAIR_SEEK_MAX);
    f.quiet = false;
    fixture_done(&f);
}

Test(ledger_fair, what_failed_takes_its_turn_again_behind_keys_with_less_in_flight)
{
    struct fixture f;
    begin_fair(&f, "AAAA");
    gets_one(&f, 1);
    nack(&f, "t", "default", 1, DELAY_BACKOFF);
    gets_one(&f, 2);
    publish_keys(&f, "BB", 0, 0);
    tick(&f, 100);
    gets_one(&f, 5); /* B has nothing out */
    gets_one(&f, 1); /* the first of A again, before newer ones of it */
    fixture_done(&f);
}

Test(ledger_fair, a_tenant_whose_messages_all_fail_delays_no_other)
{
    struct fixture f;
    begin_fair(&f, "AAAAAAAAAAAAAAAAAAAA");
    assign(&f, "t", "default", 20);
    for (uint64_t seq = 1; seq <= 20; seq++)
        nack(&f, "t", "default", seq, DELAY_BACKOFF);
    tick(&f, 100);
    publish_keys(&f, "B", 0, 0);
    assign(&f, "t", "default", 2);
    cr_assert(f.handed_seqs[0] == 21 || f.handed_seqs[1] == 21);
    fixture_done(&f);
}

Test(ledger_fair, delayed_ones_take_turns_when_they_are_due)
{
    struct fixture f;
    begin_fair(&f, "AAA");
    publish_keys(&f, "B", 50, 0);
    publish_keys(&f, "A", 0, 0);
    gets_one(&f, 1);
    gets_one(&f, 2);
    tick(&f, 50);
    gets_one(&f, 4);
    fixture_done(&f);
}

Test(ledger_fair, expired_and_purged_ones_take_no_turn)
{
    struct fixture f;
    begin_fair(&f, "AAA");
    publish_keys(&f, "BC", 0, 50);
    publish_keys(&f, "A", 0, 0);
    gets_one(&f, 1);
    cr_assert_eq(turns_of(&f)->keys, 3);
    tick(&f, 50);
    cr_assert_eq(turns_of(&f)->keys, 1);
    topic_purge(&f, "t", "default");
    tick_until_quiet(&f);
    gets_one(&f, 0);
    cr_assert_eq(turns_of(&f)->listed, 0);
    ack(&f, "t", "default", 1);
    publish_keys(&f, "D", 0, 0);
    gets_one(&f, 7);
    fixture_done(&f);
}

Test(ledger_fair, what_comes_back_from_the_dead_takes_its_turn)
{
    struct fixture f;
    begin_fair(&f, "AAABB");
    gets_one(&f, 1);
    fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
    gets_one(&f, 4);
    redrive(&f, "t", "default", UINT64_MAX, 0);
    tick_until_quiet(&f);
    gets_one(&f, 1);
    gets_one(&f, 5);
    fixture_done(&f);
}

Test(ledger_fair, a_suspect_goes_alone_as_ever)
{
    struct fixture f;
    begin_fair(&f, "AAAABB");
    gets_one(&f, 1);
    gets_one(&f, 5);
    fail(&f, "t", "default", 1, ATTEMPT_SUSPECTED);
    cr_assert_eq(g_of(&f)->r.counts.suspects, 1);
    gets_one(&f, 2);
    cr_assert_eq(g_of(&f)->r.counts.suspects, 1);
    fixture_done(&f);
}
