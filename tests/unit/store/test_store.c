/* What store.h promises of transactions and pairs, asked of both stores. */
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- pairs ---- */

EACH(pairs, put_then_get)
{
    struct store_txn *t = begin_write(f->store);
    put_text(t, TABLE_TOPIC, "a", "one");
    expect_text(t, TABLE_TOPIC, "a", "one");
    put_text(t, TABLE_TOPIC, "a", "another");
    commit(t);
    t = begin_read(f->store);
    expect_text(t, TABLE_TOPIC, "a", "another");
    expect_text(t, TABLE_TOPIC, "b", NULL);
    store_abort(t);
}

EACH(pairs, tables_are_apart)
{
    struct store_txn *t = begin_write(f->store);
    put_text(t, TABLE_TOPIC, "a", "topic");
    put_text(t, TABLE_GROUP, "a", "group");
    commit(t);
    t = begin_read(f->store);
    expect_text(t, TABLE_TOPIC, "a", "topic");
    expect_text(t, TABLE_GROUP, "a", "group");
    expect_text(t, TABLE_JOB, "a", NULL);
    store_abort(t);
}

/* What was handed out is sent from where it lies, while the ledger writes down that it was. */
EACH(pairs, bytes_stay_while_other_tables_are_written)
{
    enum { HELD = 60, OTHERS = 4000 };
    static char large[6000];
    struct slice held[HELD];
    char key[16];
    memset(large, 'm', sizeof large - 1);
    struct store_txn *t = begin_write(f->store);
    for (int i = 0; i < HELD; i++) {
        snprintf(key, sizeof key, "%05d", i);
        put_text(t, TABLE_MESSAGE, key, i % 3 ? key : large);
    }
    for (int i = 0; i < HELD; i++) {
        snprintf(key, sizeof key, "%05d", i);
        cr_assert_eq(store_get(t, TABLE_MESSAGE, slice_of(key), &held[i]), 0);
    }
    for (int i = 0; i < OTHERS; i++) { /* pages are split, merged and freed */
        snprintf(key, sizeof key, "%05d", i);
        put_text(t, TABLE_ATTEMPT, key, i % 100 ? key : large);
        put_text(t, TABLE_DUE, key, "");
    }
    for (int i = 0; i < OTHERS; i += 1 + i % 2) {
        snprintf(key, sizeof key, "%05d", i);
        cr_assert_eq(store_del(t, TABLE_ATTEMPT, slice_of(key), NULL), 0);
    }
    for (int i = 0; i < HELD; i++) {
        snprintf(key, sizeof key, "%05d", i);
        cr_assert(slice_equal(held[i], slice_of(i % 3 ? key : large)), "message %d", i);
    }
    store_abort(t);
}

EACH(pairs, new_store_holds_its_version_and_nothing_else)
{
    struct store_txn *t = begin_read(f->store);
    for (int i = 0; i < TABLE_COUNT; i++) {
        cr_assert_eq(walk(t, (enum store_table)i),
                     i == TABLE_META ? (f->kind >= FIXTURE_JOURNAL_MEMORY ? 2 : 1) : 0, "table %d", i);
    }
    struct slice v;
    cr_assert_eq(store_get(t, TABLE_META, slice_of("version"), &v), 0);
    cr_assert_eq(v.size, 4);
    cr_assert_eq(memcmp(v.data, "\0\0\0\6", 4), 0);
    store_abort(t);
}

EACH(pairs, reserved_bytes_are_the_callers_to_fill)
{
    struct store_txn *t = begin_write(f->store);
    void *to;
    cr_assert_eq(store_reserve(t, TABLE_MESSAGE, slice_of("b"), 5, true, &to), 0);
    memcpy(to, "hello", 5);
    cr_assert_eq(store_reserve(t, TABLE_MESSAGE, slice_of("c"), 0, true, &to), 0);
    commit(t);
    t = begin_read(f->store);
    cr_assert_str_eq(dump(t, TABLE_MESSAGE), "b=hello c=");
    store_abort(t);
}

EACH(pairs, fresh_keys_come_in_any_order)
{
    struct store_txn *t = begin_write(f->store);
    static const char *const keys[] = {"m", "z", "a", "zz", "n"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        void *to;
        cr_assert_eq(store_reserve(t, TABLE_MESSAGE, slice_of(keys[i]), 1, true, &to), 0);
        *(char *)to = (char)('0' + i);
    }
    cr_assert_str_eq(dump(t, TABLE_MESSAGE), "a=2 m=0 n=4 z=1 zz=3");
    commit(t);
}

EACH(pairs, delete_tells_the_size)
{
    struct store_txn *t = begin_write(f->store);
    put_text(t, TABLE_MESSAGE, "a", "12345");
    put_text(t, TABLE_MESSAGE, "b", "");
    size_t size = 99;
    cr_assert_eq(store_del(t, TABLE_MESSAGE, slice_of("a"), &size), 0);
    cr_assert_eq(size, 5);
    cr_assert_eq(store_del(t, TABLE_MESSAGE, slice_of("a"), &size), SHUNT_NOT_FOUND);
    cr_assert_eq(size, 5, "a failure leaves the result alone");
    cr_assert_eq(store_del(t, TABLE_MESSAGE, slice_of("b"), NULL), 0);
    cr_assert_eq(store_del(t, TABLE_MESSAGE, slice_of("b"), NULL), SHUNT_NOT_FOUND);
    commit(t); /* NOT_FOUND is an answer: the transaction is whole */
}

EACH(pairs, keys_are_ordered_by_bytes_and_shorter_first)
{
    static const char *const keys[] = {"b", "ab", "a", "\xff", "aa", "\x01", "\x80", "abc"};
    struct store_txn *t = begin_write(f->store);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        put_text(t, TABLE_DUE, keys[i], "");
    cr_assert_str_eq(dump(t, TABLE_DUE), "\x01= a= aa= ab= abc= b= \x80= \xff=");
    commit(t);
}

EACH(pairs, key_sizes_are_held_to_the_limit)
{
    char key[STORE_KEY_BYTES_MAX + 1];
    memset(key, 'k', sizeof key);
    struct store_txn *t = begin_write(f->store);
    struct slice v;
    void *to;
    static const size_t wrong[] = {0, STORE_KEY_BYTES_MAX + 1};
    for (size_t i = 0; i < 2; i++) {
        struct slice k = {key, wrong[i]};
        cr_assert_eq(store_put(t, TABLE_TOPIC, k, slice_of("v")), SHUNT_BAD_ARGUMENT);
        cr_assert_eq(store_reserve(t, TABLE_TOPIC, k, 1, false, &to), SHUNT_BAD_ARGUMENT);
        cr_assert_eq(store_get(t, TABLE_TOPIC, k, &v), SHUNT_BAD_ARGUMENT);
        cr_assert_eq(store_del(t, TABLE_TOPIC, k, NULL), SHUNT_BAD_ARGUMENT);
    }
    static const size_t right[] = {1, STORE_KEY_BYTES_MAX - 1, STORE_KEY_BYTES_MAX};
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(store_put(t, TABLE_TOPIC, (struct slice){key, right[i]}, slice_of("v")), 0);
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(store_get(t, TABLE_TOPIC, (struct slice){key, right[i]}, &v), 0);
    commit(t);
}

/* Sizes that no value has; nothing is read or set aside. */
EACH(pairs, value_sizes_are_held_to_the_limit)
{
    struct store_txn *t = begin_write(f->store);
    struct store_cursor *c;
    struct slice key, value;
    void *to;
    cr_assert_eq(store_reserve(t, TABLE_TOPIC, slice_of("k"), (size_t)UINT32_MAX + 1, false, &to),
                 SHUNT_BAD_ARGUMENT);
    cr_assert_eq(store_put(t, TABLE_TOPIC, slice_of("k"), (struct slice){"", (size_t)UINT32_MAX + 1}),
                 SHUNT_BAD_ARGUMENT);
    cr_assert_eq(store_cursor_open(t, TABLE_TOPIC, &c), 0);
    cr_assert_eq(store_cursor_seek(c, (struct slice){"", 0}, &key, &value), SHUNT_BAD_ARGUMENT);
    store_cursor_close(c);
    put_text(t, TABLE_TOPIC, "k", "v");
    commit(t);
}

EACH(pairs, values_of_16_mib)
{
    enum { BYTES = 16 << 20 };
    uint8_t *bytes = malloc(BYTES);
    cr_assert_not_null(bytes);
    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 24);
    for (int round = 0; round < 3; round++) { /* the second and third meet what the one before has freed */
        struct store_txn *t = begin_write(f->store);
        void *to;
        cr_assert_eq(store_reserve(t, TABLE_MESSAGE, slice_of("big"), BYTES, true, &to), 0);
        memcpy(to, bytes, BYTES);
        cr_assert_eq(store_put(t, TABLE_MESSAGE, slice_of("big2"), (struct slice){bytes, BYTES}), 0);
        commit(t);
        t = begin_write(f->store);
        static const char *const keys[] = {"big", "big2"};
        for (int i = 0; i < 2; i++) {
            struct slice v;
            size_t size;
            cr_assert_eq(store_get(t, TABLE_MESSAGE, slice_of(keys[i]), &v), 0);
            cr_assert_eq(v.size, BYTES);
            cr_assert_eq(memcmp(v.data, bytes, BYTES), 0);
            cr_assert_eq(store_del(t, TABLE_MESSAGE, slice_of(keys[i]), &size), 0);
            cr_assert_eq(size, BYTES);
        }
        commit(t);
    }
    free(bytes);
}

EACH(pairs, count_follows)
{
    struct store_txn *t = begin_write(f->store);
    uint64_t n, tables;
    for (char c = 'a'; c <= 'j'; c++)
        cr_assert_eq(store_put(t, TABLE_DEAD, (struct slice){&c, 1}, slice_of("v")), 0);
    put_text(t, TABLE_DEAD, "c", "again");
    cr_assert_eq(store_del(t, TABLE_DEAD, slice_of("a"), NULL), 0);
    cr_assert_eq(store_count(t, TABLE_DEAD, &tables, &n), 0);
    cr_assert_eq(n, 9);
    store_abort(t);
    t = begin_read(f->store);
    cr_assert_eq(store_count(t, TABLE_DEAD, &tables, &n), 0);
    cr_assert_eq(n, 0);
    store_abort(t);
}

/* ---- transactions ---- */

EACH(txn, abort_forgets)
{
    struct store_txn *t = begin_write(f->store);
    put_text(t, TABLE_GROUP, "a", "1");
    put_text(t, TABLE_GROUP, "b", "2");
    commit(t);
    t = begin_write(f->store);
    put_text(t, TABLE_GROUP, "a", "changed");
    put_text(t, TABLE_GROUP, "a", "changed twice");
    put_text(t, TABLE_GROUP, "c", "new");
    cr_assert_eq(store_del(t, TABLE_GROUP, slice_of("b"), NULL), 0);
    put_text(t, TABLE_GROUP, "b", "back");
    cr_assert_eq(store_del(t, TABLE_GROUP, slice_of("b"), NULL), 0);
    cr_assert_str_eq(dump(t, TABLE_GROUP), "a=changed twice c=new");
    store_abort(t);
    t = begin_read(f->store);
    cr_assert_str_eq(dump(t, TABLE_GROUP), "a=1 b=2");
    store_abort(t);
}

BOTH(txn, full_map_is_an_error_and_abort_makes_the_store_usable)
{
    store_close(f->store);
    char why[WHY_BYTES];
    if (f->kind == FIXTURE_MEMORY)
        f->store = store_memory_open(1 << 20);
    else
        cr_assert_eq(fixture_open_lmdb(f->dir, 1 << 20, &f->store, why), 0);
    static const uint8_t value[4000];
    for (int round = 0; round < 3; round++) {
        struct store_txn *t = begin_write(f->store);
        put_text(t, TABLE_TOPIC, "small", "kept");
        commit(t);
        t = begin_write(f->store);
        put_text(t, TABLE_TOPIC, "small", "lost");
        int err = 0;
        uint32_t n = 0;
        for (; !err && n < 1000; n++) {
            err = store_put(t, TABLE_MESSAGE, (struct slice){&n, sizeof n},
                            (struct slice){value, sizeof value});
        }
        cr_assert_eq(err, SHUNT_NO_SPACE, "%s after %u", err_name(err), n);
        cr_assert(n > 50);
        struct slice v;
        cr_assert_eq(store_get(t, TABLE_TOPIC, slice_of("small"), &v), SHUNT_NO_SPACE, "only abort is left");
        cr_assert_eq(store_del(t, TABLE_TOPIC, slice_of("small"), NULL), SHUNT_NO_SPACE);
        if (round == 1)
            cr_assert_eq(store_commit(t), SHUNT_NO_SPACE);
        else
            store_abort(t);
    }
    struct store_txn *t = begin_read(f->store);
    cr_assert_str_eq(dump(t, TABLE_TOPIC), "small=kept");
    cr_assert_str_eq(dump(t, TABLE_MESSAGE), "");
    store_abort(t);
    struct store_usage u;
    store_usage(f->store, &u);
    cr_assert_eq(u.map_bytes_max, 1 << 20);
    cr_assert(u.free_bytes > u.map_bytes / 2);
}

BOTH(txn, usage_follows_what_is_put_and_deleted)
{
    struct store_usage before;
    struct store_usage full;
    struct store_usage after;
    static const uint8_t value[1 << 20];
    store_usage(f->store, &before);
    struct store_txn *t = begin_write(f->store);
    cr_assert_eq(store_put(t, TABLE_MESSAGE, slice_of("m"), (struct slice){value, sizeof value}), 0);
    commit(t);
    store_usage(f->store, &full);
    cr_assert_geq(full.used_bytes, before.used_bytes + sizeof value);
    cr_assert_eq(full.used_bytes + full.free_bytes, full.map_bytes);
    t = begin_write(f->store);
    cr_assert_eq(store_del(t, TABLE_MESSAGE, slice_of("m"), NULL), 0);
    store_usage(f->store, &after); /* inside the transaction too */
    cr_assert_lt(after.used_bytes, full.used_bytes - sizeof value / 2);
    commit(t);
    store_usage(f->store, &after);
    cr_assert_lt(after.used_bytes, before.used_bytes + 65536);
    cr_assert_eq(store_maintain(f->store), 0);
}

/* A reader has nothing to make durable, and nothing to fail. */
EACH(txn, a_read_that_is_committed_just_ends)
{
    struct store_txn *t = begin_write(f->store);
    put_text(t, TABLE_TOPIC, "k", "v");
    commit(t);
    t = begin_read(f->store);
    expect_text(t, TABLE_TOPIC, "k", "v");
    commit(t);
    t = begin_write(f->store);
    expect_text(t, TABLE_TOPIC, "k", "v");
    commit(t);
}

/* Readers may leave in any order. */
EACH(txn, readers_end_in_any_order)
{
    struct store_txn *first = begin_read(f->store), *second = begin_read(f->store),
                     *third = begin_read(f->store);
    struct store_cursor *c;
    cr_assert_eq(store_cursor_open(third, TABLE_TOPIC, &c), 0);
    store_abort(second);
    store_abort(first);
    store_cursor_close(c);
    store_abort(third);
    struct store_txn *t = begin_write(f->store);
    commit(t);
}
