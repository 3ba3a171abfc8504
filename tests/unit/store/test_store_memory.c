/* What the memory store has of its own: crash, faults, and a million records in a moment. */
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <string.h>

Test(memory_store, crash_forgets_what_was_not_committed)
{
    struct store *s = store_memory_open(1 << 20);
    struct store_txn *t = begin_write(s);
    put_text(t, TABLE_TOPIC, "a", "kept");
    commit(t);
    t = begin_write(s);
    put_text(t, TABLE_TOPIC, "a", "lost");
    put_text(t, TABLE_TOPIC, "b", "lost");
    struct store_cursor *c;
    cr_assert_eq(store_cursor_open(t, TABLE_TOPIC, &c), 0);
    store_memory_crash(s);
    t = begin_read(s);
    cr_assert_str_eq(dump(t, TABLE_TOPIC), "a=kept");
    store_memory_crash(s); /* with a reader open */
    t = begin_write(s);
    put_text(t, TABLE_TOPIC, "c", "after");
    commit(t);
    store_memory_crash(s); /* with nothing open */
    t = begin_read(s);
    cr_assert_str_eq(dump(t, TABLE_TOPIC), "a=kept c=after");
    store_abort(t);
    store_close(s);
}

/* One transaction of five calls that count; returns the first error. */
static int five_calls(struct store *s)
{
    struct store_txn *t;
    void *to;
    int err = store_begin(s, true, &t);
    if (err)
        return err;
    err = store_put(t, TABLE_TOPIC, slice_of("a"), slice_of("new"));
    if (!err)
        err = store_reserve(t, TABLE_TOPIC, slice_of("b"), 0, false, &to);
    if (!err)
        err = store_del(t, TABLE_TOPIC, slice_of("a"), NULL);
    if (!err)
        return store_commit(t);
    cr_assert_eq(store_put(t, TABLE_TOPIC, slice_of("c"), slice_of("v")), err,
                 "the transaction has failed for good");
    store_abort(t);
    return err;
}

Test(memory_store, a_fault_at_any_call_changes_nothing)
{
    struct store *s = store_memory_open(1 << 20);
    struct store_txn *t = begin_write(s);
    put_text(t, TABLE_TOPIC, "a", "old");
    commit(t);
    unsigned n = 0;
    for (;; n++) {
        store_memory_fault(s, n, 1, SHUNT_IO);
        if (five_calls(s) == 0)
            break;
        store_memory_fault(s, 0, 0, 0);
        t = begin_read(s);
        cr_assert_str_eq(dump(t, TABLE_TOPIC), "a=old", "fault at call %u", n);
        store_abort(t);
    }
    cr_assert_eq(n, 5);
    store_memory_fault(s, 0, 0, 0);
    t = begin_read(s);
    cr_assert_str_eq(dump(t, TABLE_TOPIC), "b=");
    store_abort(t);
    store_close(s);
}

Test(memory_store, a_fault_lasts_as_often_as_told)
{
    struct store *s = store_memory_open(1 << 20);
    struct store_txn *t;
    store_memory_fault(s, 1, 2, SHUNT_NO_MEMORY);
    t = begin_write(s);
    cr_assert_eq(store_commit(t), SHUNT_NO_MEMORY);
    cr_assert_eq(store_begin(s, true, &t), SHUNT_NO_MEMORY);
    t = begin_write(s);
    commit(t);
    store_close(s);
}

Test(memory_store, space_is_given_back)
{
    struct store *s = store_memory_open(1 << 20);
    static const uint8_t value[1000];
    struct store_usage before;
    struct store_usage after;
    store_usage(s, &before);
    for (uint32_t round = 0; round < 5000; round++) {
        struct store_txn *t = begin_write(s);
        cr_assert_eq(
            store_put(t, TABLE_MESSAGE, slice_of("k"), (struct slice){value, sizeof value - round % 7}), 0);
        if (round % 3 == 0)
            cr_assert_eq(store_del(t, TABLE_MESSAGE, slice_of("k"), NULL), 0);
        if (round % 2 == 0)
            store_abort(t);
        else
            commit(t);
    }
    struct store_txn *t = begin_write(s);
    (void)store_del(t, TABLE_MESSAGE, slice_of("k"), NULL); /* there or not */
    commit(t);
    store_usage(s, &after);
    cr_assert_eq(after.used_bytes, before.used_bytes);
    store_close(s);
}

Test(memory_store, a_million_records)
{
    struct store *s = store_memory_open(1ull << 32);
    struct store_txn *t = begin_write(s);
    for (uint64_t i = 0; i < 1000000; i++) {
        uint64_t key = __builtin_bswap64(i);
        void *to;
        cr_assert_eq(store_reserve(t, TABLE_MESSAGE, (struct slice){&key, 8}, 16, true, &to), 0);
        memset(to, 1, 16);
    }
    commit(t);
    t = begin_write(s);
    for (uint64_t i = 0; i < 1000000; i++) {
        uint64_t key = __builtin_bswap64(i);
        size_t size = 0;
        cr_assert_eq(store_del(t, TABLE_MESSAGE, (struct slice){&key, 8}, &size), 0);
        cr_assert_eq(size, 16);
    }
    commit(t);
    store_close(s);
}
