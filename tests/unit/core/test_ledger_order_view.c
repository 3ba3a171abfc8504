/* What is shown of messages that wait for others of their keys. */
#include "broker/core/order.h"
#include "tests/unit/core/ledger_order.h"

Test(ledger_order, blocked_keys_are_listed_each_with_its_first_letter_and_what_waits)
{
    struct fixture f;
    struct blocked_key key = {.key = 0};
    uint64_t messages, waiting = 0, letters = 0;
    unsigned keys = 0;
    begin_with(&f, ON_DEAD_BLOCK, "ABCAAB");
    gets(&f, "1 2 3");
    tick(&f, 5);
    dies(&f, 2);
    tick(&f, 5);
    dies(&f, 1);
    cr_assert_eq(store_begin(f.store, false, &f.l->txn), 0);
    for (; !order_blocked_next(f.l, g_of(&f), key.key, 100, &key); keys++) {
        cr_assert(key.seq == (key.waiting == 2 ? 1 : 2));
        cr_assert_eq(key.dead_seq, key.seq == 1 ? 2 : 1);
        waiting += key.waiting;
        letters += key.letters;
    }
    cr_assert(keys == 2 && waiting == 3 && letters == 2);
    cr_assert_eq(order_blocked_messages(f.l, g_of(&f), &messages), 0);
    cr_assert_eq(messages, 3);
    key.key = 0;
    cr_assert_eq(order_blocked_next(f.l, g_of(&f), 0, 1, &key), 0);
    cr_assert_eq(key.waiting, 1, "no more are counted than was asked for");
    store_abort(f.l->txn);
    f.l->txn = NULL;
    topic_update(&f, "t", settings(POLICY_on_dead, ON_DEAD_CONTINUE, -1));
    cr_assert_eq(store_begin(f.store, false, &f.l->txn), 0);
    cr_assert_eq(order_blocked_next(f.l, g_of(&f), 0, 100, &key), SHUNT_NOT_FOUND,
                 "none is blocked any more");
    cr_assert_eq(order_blocked_since(f.l, g_of(&f)), 0);
    store_abort(f.l->txn);
    f.l->txn = NULL;
    fixture_done(&f);
}

Test(ledger_order, no_more_of_what_is_blocked_is_counted_than_may_be_looked_at)
{
    struct fixture f;
    char keys[BLOCKED_ROWS_MAX / 10 + 1];
    uint64_t messages;
    memset(keys, 'A', sizeof keys - 1);
    keys[sizeof keys - 1] = '\0';
    begin_with(&f, ON_DEAD_BLOCK, "A");
    gets(&f, "1");
    for (unsigned i = 0; i < 11; i++) {
        publish_keys(&f, keys, 0, 0);
        gets(&f, "");
    }
    dies(&f, 1);
    cr_assert_eq(store_begin(f.store, false, &f.l->txn), 0);
    cr_assert_eq(order_blocked_messages(f.l, g_of(&f), &messages), 0);
    cr_assert_eq(messages, BLOCKED_ROWS_MAX);
    store_abort(f.l->txn);
    f.l->txn = NULL;
    fixture_done(&f);
}

Test(ledger_order, what_a_message_waits_for_is_the_first_that_must_go)
{
    struct fixture f;
    uint64_t first, key;
    begin_with(&f, ON_DEAD_BLOCK, "AAAB");
    gets(&f, "1 4");
    cr_assert_eq(store_begin(f.store, false, &f.l->txn), 0);
    cr_assert_eq(order_load_key(f.l, g_of(&f), 1, &key), 0);
    cr_assert(order_waits_for(f.l, g_of(&f), 3, key, &first) == 0 && first == 1, "it is out");
    store_abort(f.l->txn);
    f.l->txn = NULL;
    fail(&f, "t", "default", 1, ATTEMPT_NACKED);
    cr_assert_eq(store_begin(f.store, false, &f.l->txn), 0);
    cr_assert(order_waits_for(f.l, g_of(&f), 2, key, &first) == 0 && first == 1, "it waits for its back-off");
    store_abort(f.l->txn);
    f.l->txn = NULL;
    tick(&f, 100);
    gets(&f, "1");
    dies(&f, 1);
    cr_assert_eq(store_begin(f.store, false, &f.l->txn), 0);
    cr_assert(order_waits_for(f.l, g_of(&f), 2, key, &first) == 0 && first == 1, "it is dead");
    cr_assert(order_waits_for(f.l, g_of(&f), 1, key, &first) == 0 && first != 1, "none waits for itself");
    store_abort(f.l->txn);
    f.l->txn = NULL;
    fixture_done(&f);
}
