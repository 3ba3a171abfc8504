/* The LMDB store's packing: what it wins, what it leaves alone, and that no row changes. */
#include "broker/store/store_lmdb.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB        (1ull << 20)
#define STEP_BYTES (32u * 4096)
#define ROWS       20000u

DIR_SUITE(store_pack);

static struct store *open_store(uint64_t map_bytes_max)
{
    struct store *s;
    int err = fixture_open_lmdb(dir, map_bytes_max, &s, why);
    cr_assert_eq(err, 0, "%s: %s", err_name(err), why);
    return s;
}

static void start_over(void)
{
    fixture_remove_dir(dir);
    fixture_make_dir(dir, sizeof dir);
}

static uint64_t used(struct store *s)
{
    struct store_usage u;
    store_usage(s, &u);
    return u.used_bytes;
}

static uint64_t commits(struct store *s)
{
    MDB_envinfo info;
    cr_assert_eq(mdb_env_info(((struct lmdb_store *)s)->env, &info), 0);
    return info.me_last_txnid;
}

/* Rows i from `from` on; what stands in one shows which it is. */
static int put_rows(struct store *s, enum store_table table, uint32_t from, uint32_t count, size_t bytes)
{
    static uint8_t value[65536];
    struct store_txn *t = begin_write(s);
    int err = 0;
    for (uint32_t i = from; i < from + count && !err; i++) {
        uint32_t key = __builtin_bswap32(i);
        memcpy(value, &i, sizeof i);
        err = store_put(t, table, (struct slice){&key, 4}, (struct slice){value, bytes});
    }
    if (!err)
        return store_commit(t);
    store_abort(t);
    return err;
}

static void keep_one_in(struct store *s, enum store_table table, uint32_t count, uint32_t keep)
{
    struct store_txn *t = begin_write(s);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t key = __builtin_bswap32(i);
        if (i % keep)
            cr_assert_eq(store_del(t, table, (struct slice){&key, 4}, NULL), 0);
    }
    commit(t);
}

static void expect_rows(struct store *s, enum store_table table, uint32_t count, uint32_t keep, size_t bytes)
{
    struct store_txn *t = begin_read(s);
    struct store_cursor *c;
    struct slice key, value;
    cr_assert_eq(store_cursor_open(t, table, &c), 0);
    for (uint32_t i = 0; i < count; i += keep) {
        uint32_t want = __builtin_bswap32(i);
        cr_assert_eq(store_cursor_next(c, &key, &value), 0, "row %u", i);
        cr_assert(key.size == 4 && memcmp(key.data, &want, 4) == 0, "row %u", i);
        cr_assert(value.size == bytes && memcmp(value.data, &i, 4) == 0, "row %u", i);
    }
    cr_assert_eq(store_cursor_next(c, &key, &value), SHUNT_NOT_FOUND);
    store_cursor_close(c);
    store_abort(t);
}

/* Steps until the pass is over. */
static unsigned pack(struct store *s)
{
    bool more = true;
    unsigned steps = 0;
    for (; more; steps++) {
        cr_assert_lt(steps, 10000, "it ends");
        cr_assert_eq(store_pack(s, STEP_BYTES, &more), 0);
    }
    return steps;
}

Test(store_pack, what_thin_pages_hold_goes_to_half_of_them)
{
    static const enum store_table tables[] = {TABLE_MESSAGE, TABLE_ATTEMPT, TABLE_HISTORY,
                                              TABLE_DUE,     TABLE_EXPIRY,  TABLE_DEAD};
    for (uint32_t keep = 3; keep <= 4; keep++) {
        struct store *s = open_store(1024 * MIB);
        uint64_t empty = used(s);
        for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
            cr_assert_eq(put_rows(s, tables[i], 0, ROWS, 100), 0);
            keep_one_in(s, tables[i], ROWS, keep);
        }
        uint64_t before = used(s) - empty;
        cr_assert_gt(pack(s), 6);
        uint64_t after = used(s) - empty;
        cr_assert_leq(after * 2, before, "%llu of %llu bytes", (unsigned long long)after,
                      (unsigned long long)before);
        for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
            expect_rows(s, tables[i], ROWS, keep, 100);
        store_close(s);
        s = open_store(1024 * MIB);
        cr_assert_eq(used(s) - empty, after, "it is durable");
        uint64_t committed = commits(s);
        pack(s);
        cr_assert_leq(commits(s), committed + TREE_COUNT - 1,
                      "packed runs are left alone, except the first of each tree");
        store_close(s);
        start_over();
    }
}

Test(store_pack, a_step_writes_no_more_pages_than_it_may)
{
    struct store *s = open_store(1024 * MIB);
    cr_assert_eq(put_rows(s, TABLE_MESSAGE, 0, ROWS, 100), 0);
    keep_one_in(s, TABLE_MESSAGE, ROWS, 4);
    bool more = true;
    while (more) {
        uint64_t committed = commits(s);
        cr_assert_eq(store_pack(s, STEP_BYTES, &more), 0);
        struct store_txn *t = begin_read(s);
        MDB_txn *txn = ((struct lmdb_txn *)t)->mdb;
        size_t id = mdb_txn_id(txn), freed = 0;
        MDB_val key = {sizeof id, &id}, list;
        if (commits(s) != committed && mdb_get(txn, 0, &key, &list) == 0)
            memcpy(&freed, list.mv_data, sizeof freed);
        cr_assert_leq(freed, 2 * STEP_BYTES / 4096, "each page that it writes or gives up was one before");
        store_abort(t);
    }
    store_close(s);
}

Test(store_pack, dense_pages_are_only_read)
{
    struct store *s = open_store(1024 * MIB);
    cr_assert_eq(put_rows(s, TABLE_MESSAGE, 0, ROWS, 100), 0);
    cr_assert_eq(put_rows(s, TABLE_DEAD, 0, ROWS, 1500),
                 0); /* two to a page, and a quarter of it left over */
    uint64_t before = used(s), committed = commits(s);
    cr_assert_gt(pack(s), 2000 / 32, "it looks at all");
    cr_assert_eq(used(s), before);
    cr_assert_eq(commits(s), committed);
    store_close(s);
}

Test(store_pack, what_lies_on_pages_of_its_own_is_left_there)
{
    struct store *s = open_store(1024 * MIB);
    cr_assert_eq(put_rows(s, TABLE_MESSAGE, 0, 4000, 3000), 0);
    keep_one_in(s, TABLE_MESSAGE, 4000, 3);
    uint64_t committed = commits(s);
    pack(s);
    cr_assert_eq(commits(s), committed);
    expect_rows(s, TABLE_MESSAGE, 4000, 3, 3000);
    store_close(s);
}

/* 2026 bytes with a key of 4 are the last that LMDB puts on the leaf page itself. */
Test(store_pack, the_largest_row_of_a_page_is_packed_and_the_next_is_not)
{
    for (size_t bytes = 2026; bytes <= 2027; bytes++) {
        struct store *s = open_store(1024 * MIB);
        MDB_stat stat;
        cr_assert_eq(put_rows(s, TABLE_MESSAGE, 0, 2000, bytes), 0);
        struct store_txn *t = begin_write(s);
        cr_assert_eq(
            mdb_stat(((struct lmdb_txn *)t)->mdb, ((struct lmdb_store *)s)->trees[TREE_MESSAGE], &stat), 0);
        cr_assert_eq(stat.ms_overflow_pages, bytes == 2026 ? 0 : 2000);
        store_abort(t);
        keep_one_in(s, TABLE_MESSAGE, 2000, 4);
        uint64_t committed = commits(s);
        pack(s);
        cr_assert(bytes == 2026 || commits(s) == committed);
        expect_rows(s, TABLE_MESSAGE, 2000, 4, bytes);
        store_close(s);
        start_over();
    }
}

Test(store_pack, a_pass_begins_when_enough_was_deleted)
{
    struct store *s = open_store(1024 * MIB);
    cr_assert_eq(put_rows(s, TABLE_MESSAGE, 0, ROWS, 100), 0);
    cr_assert_gt(pack(s), 1, "after it was opened nobody knows");
    cr_assert_eq(pack(s), 1, "nothing is due");
    struct store_txn *t = begin_write(s);
    for (uint32_t i = 0; i < ROWS / 9 + 1; i++) { /* an eighth of the rest */
        uint32_t key = __builtin_bswap32(i);
        cr_assert_eq(store_del(t, TABLE_MESSAGE, (struct slice){&key, 4}, NULL), 0);
        if (i == ROWS / 9 - 2) {
            commit(t);
            cr_assert_eq(pack(s), 1, "nothing is due");
            t = begin_write(s);
        }
    }
    commit(t);
    cr_assert_gt(pack(s), 1);
    store_close(s);
}

/* ---- against a list ---- */

#define KEYS 4096u

static uint64_t random_state;

static uint32_t dice(uint32_t bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % bound;
}

/* What row i holds: bytes of its size, or none. */
static void change(struct store_txn *t, int32_t *sizes, uint32_t i, int32_t size)
{
    static uint8_t value[8192];
    char key[64];
    snprintf(key, sizeof key, "%04x%.*s", i, (int)(i % 40), "........................................");
    memset(value, (int)(i + (uint32_t)size), sizeof value);
    if (size >= 0)
        cr_assert_eq(store_put(t, TABLE_HISTORY, slice_of(key), (struct slice){value, (size_t)size}), 0);
    else
        cr_assert_eq(store_del(t, TABLE_HISTORY, slice_of(key), NULL), sizes[i] < 0 ? SHUNT_NOT_FOUND : 0);
    sizes[i] = size;
}

static void compare(struct store *s, const int32_t *sizes)
{
    struct store_txn *t = begin_read(s);
    struct store_cursor *c;
    struct slice key, value;
    cr_assert_eq(store_cursor_open(t, TABLE_HISTORY, &c), 0);
    for (uint32_t i = 0; i < KEYS; i++) {
        if (sizes[i] < 0)
            continue;
        char want[8];
        snprintf(want, sizeof want, "%04x", i);
        cr_assert_eq(store_cursor_next(c, &key, &value), 0);
        cr_assert(key.size == 4 + i % 40 && memcmp(key.data, want, 4) == 0, "row %u", i);
        cr_assert_eq(value.size, (size_t)sizes[i], "row %u", i);
        for (size_t at = 0; at < value.size; at++)
            cr_assert_eq(((const uint8_t *)value.data)[at], (uint8_t)(i + (uint32_t)sizes[i]));
    }
    cr_assert_eq(store_cursor_next(c, &key, &value), SHUNT_NOT_FOUND);
    store_cursor_close(c);
    store_abort(t);
}

/* Rows of all sizes come and go between the steps. */
Test(store_pack, no_row_changes_whatever_happens_between_the_steps)
{
    static int32_t sizes[KEYS];
    static const uint32_t most[] = {40, 400, 3000};
    for (unsigned round = 0; round < 9; round++) {
        struct store *s = open_store(1024 * MIB);
        random_state = round;
        memset(sizes, -1, sizeof sizes);
        for (unsigned step = 0; step < 150; step++) {
            struct store_txn *t = begin_write(s);
            bool fill = step % 30 < 5, more;
            for (unsigned n = fill ? 1000 : 80; n; n--)
                change(t, sizes, dice(KEYS), fill || dice(4) == 0 ? (int32_t)dice(most[round % 3]) : -1);
            commit(t);
            ((struct lmdb_store *)s)->pack.deleted_rows += ROWS; /* a pass is always due */
            cr_assert_eq(store_pack(s, (2 + dice(20)) * 4096, &more), 0);
            if (step % 10 == 9)
                compare(s, sizes);
        }
        pack(s);
        compare(s, sizes);
        store_close(s);
        start_over();
    }
}

/* ---- where it cannot ---- */

Test(store_pack, without_room_nothing_happens)
{
    struct store *s = open_store(4 * MIB);
    cr_assert_eq(put_rows(s, TABLE_MESSAGE, 0, 8000, 100), 0);
    keep_one_in(s, TABLE_MESSAGE, 8000, 4);
    for (uint32_t i = 0, failed = 0; failed < 4;
         i++) /* what one commit frees is there for the next but one */
        failed = put_rows(s, TABLE_DEAD, i, 1, 1000) == 0 ? 0 : failed + 1;
    uint64_t before = used(s), committed = commits(s);
    struct store_txn *reader = begin_read(s);
    uint64_t there = walk(reader, TABLE_MESSAGE);
    store_abort(reader);
    bool more = true;
    cr_assert_eq(store_pack(s, STEP_BYTES, &more), 0);
    cr_assert(!more, "the pass is over");
    cr_assert_eq(commits(s), committed);
    cr_assert_eq(used(s), before);
    reader = begin_read(s);
    cr_assert_eq(walk(reader, TABLE_MESSAGE), there);
    store_abort(reader);
    store_close(s);
}

Test(store_pack, not_where_it_only_reads)
{
    struct store *s = open_store(64 * MIB);
    cr_assert_eq(put_rows(s, TABLE_MESSAGE, 0, ROWS, 100), 0);
    keep_one_in(s, TABLE_MESSAGE, ROWS, 4);
    store_close(s);
    cr_assert_eq(fixture_open_as(dir, false, true, &s, why), 0, "%s", why);
    bool more = true;
    cr_assert_eq(store_pack(s, STEP_BYTES, &more), 0);
    cr_assert(!more);
    store_close(s);
}
