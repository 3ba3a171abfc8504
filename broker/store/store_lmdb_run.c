/* The LMDB store's runs: rows that are next to each other fill pages also where others stand behind them.
 *
 * LMDB splits a full page in half, but for a row that comes behind all others of the page: then the page stays full, and the row begins
 * the next one. At the end of a tree each row that comes is such a one. Elsewhere it is not, because the first rows of what lies behind share its
 * page; so the pages of every topic but the last would stay half empty. Those few rows are taken out, the run is put, and then they
 * are put again:
 *
 *     | a1 a2 a3 b1 b2 | b3 …        a4 to a11 are to come
 *     | a1 a2 a3 |                   b1 and b2 are out
 *     | a1 a2 a3 a4 a5 | a6 a7 a8 a9 a10 | a11 b1 b2 | b3 …
 *
 * A row that is written over is taken out first, too: a longer one in its place would split the page. So are rows that stand between those of the run.
 * A short run is not worth that, and is put row by row.
 */
#include "base/array.h"
#include "base/slice.h"
#include "broker/store/store_lmdb_rows.h"

#include <stdlib.h>

/* Of pages, what a run has at least. What is taken out for it is a page behind it, so it writes half as much again at most. */
#define RUN_BYTES_MIN (4u * 4096u)
/* Between two rows of a run which is still shorter lie no more bytes of others. */
#define GAP_BYTES_MAX 512u
/* With all that lies between its rows. */
#define PART_OF_RUN 2

struct run {
    const struct store_row *rows;
    size_t count;           /* of them, that are one run */
    size_t bytes;           /* of pages, that they take */
    size_t out;             /* rows that stand in the tree from its first one on, and are taken out */
    struct lmdb_rows moved; /* of those, the ones that are put again */
    size_t moved_bytes;     /* as `bytes` */
    uintptr_t page;         /* of the first of those that stand side by side */
    bool at_end;            /* nothing stands behind those */
    const struct lmdb_fence *fence;
};

static void run_take(const struct lmdb_store *s, struct run *run)
{
    const struct store_row *row = &run->rows[run->count++];
    MDB_val key = lmdb_val(row->key), value = lmdb_val(row->value);
    if (lmdb_row_is_large(s, &key, &value))
        value.mv_size = sizeof(size_t); /* the number of its first page */
    run->bytes += lmdb_row_bytes(&key, &value);
}

static bool fence_has(const struct run *run, const MDB_val *key)
{
    struct slice fence = {run->fence->key, run->fence->key_size};
    return slice_compare((struct slice){key->mv_data, key->mv_size}, fence) <= 0;
}

static void fence_set(struct lmdb_fence *fence, enum lmdb_tree tree, const struct run *run)
{
    MDB_val key = {0}, value;
    if (run->moved.size)
        (void)lmdb_row_read(run->moved.last, &key, &value);
    fence->tree = tree;
    fence->key_size = (uint8_t)key.mv_size;
    if (key.mv_size)
        memcpy(fence->key, key.mv_data, key.mv_size);
}

/* Whether a row that stands in the tree is taken out and put again; `gap`: bytes of such rows since the last one of the run. Behind a run it is
 * the rest of a page, and no part of the next one: LMDB would fill that up again with the last row of this one. Where a page lies that the transaction has
 * written says nothing; but what was put behind a run before is known. */
static bool run_moves(const struct lmdb_store *s, struct run *run, size_t gap, const MDB_val *key,
                      const MDB_val *value)
{
    uintptr_t page = (uintptr_t)key->mv_data / s->page_bytes;
    size_t bytes = lmdb_row_bytes(key, value);
    if (!gap)
        run->page = page;
    return !lmdb_row_is_large(s, key, value) && key->mv_size <= STORE_KEY_BYTES_MAX &&
           (run->bytes < RUN_BYTES_MIN ? gap + bytes <= GAP_BYTES_MAX
                                       : page == run->page || fence_has(run, key)) &&
           run->moved_bytes + bytes <= run->bytes / PART_OF_RUN + s->page_bytes;
}

/* Which rows are the run that begins with the first one, and which are taken out for it. Nothing changes. */
static int run_read(const struct lmdb_store *s, MDB_cursor *c, size_t count, struct run *run)
{
    MDB_val key = lmdb_val(run->rows[0].key), value;
    size_t gap = 0;
    int rc = mdb_cursor_get(c, &key, &value, MDB_SET_RANGE);
    while (rc == 0) {
        struct slice found = {key.mv_data, key.mv_size};
        int order = run->count < count ? slice_compare(found, run->rows[run->count].key) : -1;
        if (order >= 0) {
            run_take(s, run);
            gap = 0;
        }
        if (order > 0)
            continue;
        if (order < 0) {
            if (!run_moves(s, run, gap, &key, &value))
                return 0;
            size_t bytes = lmdb_row_bytes(&key, &value);
            if (!array_room(&run->moved.bytes, &run->moved.capacity, run->moved.size + bytes)) {
                run->bytes = 0; /* it is put row by row */
                return 0;
            }
            lmdb_row_add(&run->moved, &key, &value);
            run->moved_bytes += bytes;
            gap += bytes;
        }
        run->out++;
        rc = mdb_cursor_get(c, &key, &value, MDB_NEXT);
    }
    if (rc != MDB_NOTFOUND)
        return rc;
    run->at_end = true;
    while (run->count < count)
        run_take(s, run);
    return 0;
}

/* LMDB's next row, where one was deleted, is the one that came after it. */
static int run_take_out(MDB_cursor *c, const struct run *run)
{
    MDB_val key = lmdb_val(run->rows[0].key), value;
    int rc = run->out ? mdb_cursor_get(c, &key, &value, MDB_SET_RANGE) : 0;
    for (size_t i = 0; rc == 0 && i < run->out; i++) {
        if (i)
            rc = mdb_cursor_get(c, &key, &value, MDB_NEXT);
        if (rc == 0)
            rc = mdb_cursor_del(c, 0);
    }
    return rc;
}

/* The run's rows and those that were moved for it, in order. The cursor finds the next one's place beside the last. */
static int run_write(MDB_cursor *c, const struct run *run)
{
    const unsigned flags = run->at_end ? MDB_APPEND : 0;
    uint8_t *at = run->moved.bytes, *end = at + run->moved.size;
    int rc = 0;
    for (size_t i = 0; rc == 0 && (i < run->count || at < end);) {
        MDB_val key, value;
        uint8_t *next = at < end ? lmdb_row_read(at, &key, &value) : at;
        if (at == end || (i < run->count &&
                          slice_compare((struct slice){key.mv_data, key.mv_size}, run->rows[i].key) > 0)) {
            key = lmdb_val(run->rows[i].key);
            value = lmdb_val(run->rows[i++].value);
        } else {
            at = next;
        }
        rc = mdb_cursor_put(c, &key, &value, flags);
    }
    return rc;
}

/* The rows of a run that is not worth it. */
static int put_each(MDB_txn *txn, MDB_dbi dbi, const struct run *run)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < run->count; i++) {
        MDB_val key = lmdb_val(run->rows[i].key), value = lmdb_val(run->rows[i].value);
        rc = mdb_put(txn, dbi, &key, &value, 0);
    }
    return rc;
}

static bool run_is_worth_it(const struct run *run)
{
    return run->bytes >= RUN_BYTES_MIN || (run->at_end && !run->out);
}

/* One run off the front of the rows. Returns 0 or what an LMDB call returned. */
static int put_one_run(struct lmdb_txn *t, enum lmdb_tree tree, size_t count, struct run *run)
{
    MDB_dbi dbi = lmdb_store_of(t->base.store)->trees[tree];
    MDB_cursor *c;
    int rc = mdb_cursor_open(t->mdb, dbi, &c);
    if (rc != 0)
        return rc;
    rc = run_read(lmdb_store_of(t->base.store), c, count, run);
    bool worth = rc == 0 && run_is_worth_it(run);
    if (worth)
        rc = run_take_out(c, run);
    if (worth && rc == 0) {
        fence_set(&t->fence, tree, run);
        rc = run_write(c, run);
    }
    mdb_cursor_close(c);
    return rc || worth ? rc : put_each(t->mdb, dbi, run);
}

int lmdb_put_run(struct store_txn *base, enum store_table table, const struct store_row *rows, size_t count)
{
    struct lmdb_txn *t = (struct lmdb_txn *)base;
    enum lmdb_tree tree = lmdb_tree_of(table);
    struct run run = {0};
    int err = t->failed;
    for (size_t i = 0; !err && i < count; i++) {
        if (!lmdb_key_is_valid(rows[i].key) || rows[i].value.size > UINT32_MAX)
            return SHUNT_BAD_ARGUMENT;
    }
    if (tree == TREE_STATE) { /* keys of several tables; no run is long */
        for (size_t i = 0; !err && i < count; i++)
            err = lmdb_put(base, table, rows[i].key, rows[i].value);
        return err;
    }
    t->stamps[tree]++;
    if (t->fence.tree != tree)
        t->fence.key_size = 0;
    while (!err && count) {
        run = (struct run){.rows = rows,
                           .moved = {.bytes = run.moved.bytes, .capacity = run.moved.capacity},
                           .fence = &t->fence};
        err = lmdb_txn_error(t, put_one_run(t, tree, count, &run));
        rows += run.count;
        count -= run.count;
    }
    free(run.moved.bytes);
    return err;
}
