/* The table of what is out, and whose turn it is among keys that have something out. */
#include "broker/core/key_table.h"

#include <criterion/criterion.h>

Test(key_table, a_key_counts_its_messages_until_the_last_has_left)
{
    struct key_table *t = key_table_new();
    uint64_t key = 0;
    for (uint64_t seq = 1; seq <= 1000; seq++)
        cr_assert_eq(key_table_add(t, seq % 3 + 7, seq), 0);
    cr_assert_eq(key_table_out(t, 7), 333);
    cr_assert_eq(t->keys_count, 3);
    for (uint64_t seq = 1; seq <= 1000; seq++) {
        cr_assert(key_table_remove(t, seq, &key));
        cr_assert_eq(key, seq % 3 + 7);
        cr_assert(!key_table_find(t, seq, NULL));
    }
    cr_assert(!key_table_has(t, 7));
    cr_assert_eq(t->count, 0);
    cr_assert(!key_table_remove(t, 5, &key));
    key_table_free(t);
}

Test(key_table, many_keys_come_and_go_in_any_order)
{
    struct key_table *t = key_table_new();
    for (uint64_t seq = 0; seq < 5000; seq++)
        cr_assert_eq(key_table_add(t, seq * 1000003 % 4999 + 1, seq), 0);
    for (uint64_t i = 0; i < 5000; i++) {
        uint64_t seq = i * 7919 % 5000, key = 0;
        cr_assert(key_table_remove(t, seq, &key));
        cr_assert_eq(key, seq * 1000003 % 4999 + 1);
    }
    cr_assert_eq(t->keys_count, 0);
    cr_assert_leq(t->capacity + t->keys_capacity, 4 * KEY_TABLE_LEAST, "it is small again");
    key_table_free(t);
}

/* Each of a key of its own, which takes most. */
Test(key_table, a_message_that_is_out_takes_at_most_64_bytes)
{
    enum { MOST = 100000 };
    struct key_table *t = key_table_new();
    for (uint64_t i = 1; i <= 2 * (uint64_t)MOST; i++) {
        if (i <= MOST)
            cr_assert_eq(key_table_add(t, i * 0x9e3779b97f4a7c15ull, i), 0);
        else
            cr_assert(key_table_remove(t, i - MOST, NULL));
        size_t bytes = t->capacity * sizeof *t->messages + t->keys_capacity * sizeof *t->keys +
                       (t->seq_buckets + t->key_buckets) * sizeof(uint32_t);
        size_t least = KEY_TABLE_LEAST * (sizeof *t->messages + sizeof *t->keys + 2 * sizeof(uint32_t));
        cr_assert_leq(bytes, 64 * (size_t)t->count + least, "%u: %zu", t->count, bytes);
    }
    key_table_free(t);
}

static uint64_t next_after(const struct key_table *t, uint64_t last)
{
    uint64_t key = 0;
    return key_turns_next(&t->turns, last, &key) ? key : 0;
}

Test(key_table, the_turn_is_of_the_fewest_out_and_goes_round_among_equals)
{
    struct key_table *t = key_table_new();
    for (uint64_t seq = 1; seq <= 4; seq++)
        cr_assert_eq(key_table_add(t, seq * 10, seq), 0);
    cr_assert_eq(next_after(t, 0), 0, "nothing waits");
    for (uint64_t key = 10; key <= 40; key += 10)
        cr_assert_eq(key_table_waits(t, key, true), 0);
    cr_assert_eq(key_table_waits(t, 50, true), 0); /* has nothing out */
    cr_assert_eq(t->turns.count, 4);
    cr_assert_eq(next_after(t, 10), 20);
    cr_assert_eq(next_after(t, 40), 10);
    cr_assert_eq(next_after(t, UINT64_MAX), 10);
    cr_assert_eq(key_table_add(t, 20, 9), 0);
    cr_assert_eq(next_after(t, 10), 30);
    cr_assert_eq(key_table_waits(t, 30, false), 0);
    cr_assert_eq(next_after(t, 10), 40);
    cr_assert(key_table_remove(t, 4, NULL) && key_table_remove(t, 1, NULL));
    cr_assert_eq(next_after(t, 0), 20, "those without anything out are not in the table");
    key_table_free(t);
}
