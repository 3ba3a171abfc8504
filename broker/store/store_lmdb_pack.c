/* The LMDB store's packing: rows of pages that deletes left thin go to fewer pages.
 *
 * LMDB merges a leaf page only when it is less than a quarter full (findings/lmdb-thin-pages.sh), so a table
 * of which rows were deleted here and there stays as large as it was. Rows put one by one, in order, behind
 * all others of their page fill pages to the brim, though. So a run of whole pages, of which no row lies to
 * the right, is deleted and put again; the next run begins with the last page written, which is rarely full.
 *
 * No row changes, so it is a transaction of the store's own, of which nobody above needs to know. Rows that
 * LMDB keeps on pages of their own are left where they are, and so are the others of their leaf page.
 */
#include "base/check.h"
#include "broker/store/store_lmdb_rows.h"

#include <stdlib.h>

/* A pass over all trees begins when so many rows were deleted since the last: a part of those there are. */
#define PASS_ROWS_MIN 1024
#define PASS_ROWS_OF  8 /* 1/8 */
/* A run is written when its rows take at most this part of its pages, in quarters: the rest of the pages that
 * a run leaves, and rows that do not fit, keep packed runs above it. */
#define FILL_QUARTERS_MAX 3

/* Its rows never have more bytes than the pages that they came from. */
struct run {
    struct lmdb_rows rows;
    uint64_t pages;
    bool end; /* of the tree: nothing lies behind it */
    size_t next_size;
    uint8_t next[STORE_KEY_BYTES_MAX]; /* else the first key that does */
};

/* ---- reading a run ---- */

/* On which page a row lies that the transaction has not written: those lie in the map. */
static uintptr_t page_of(const struct lmdb_store *s, const MDB_val *key)
{
    return (uintptr_t)key->mv_data / s->page_bytes;
}

/* The first row of the page where the pass goes on. */
static int find_page(struct lmdb_store *s, MDB_cursor *c, MDB_val *key, MDB_val *value)
{
    const struct lmdb_pack *pack = &s->pack;
    if (!pack->key_size)
        return mdb_cursor_get(c, key, value, MDB_FIRST);
    *key = (MDB_val){pack->key_size, (void *)(uintptr_t)pack->key};
    int rc = mdb_cursor_get(c, key, value, MDB_SET_RANGE);
    if (rc != 0)
        return rc;
    uintptr_t page = page_of(s, key);
    do
        rc = mdb_cursor_get(c, key, value, MDB_PREV);
    while (rc == 0 && page_of(s, key) == page);
    if (rc == MDB_NOTFOUND)
        return mdb_cursor_get(c, key, value, MDB_FIRST);
    return rc == 0 ? mdb_cursor_get(c, key, value, MDB_NEXT) : rc;
}

/* The next row on another page. */
static int leave_page(struct lmdb_store *s, MDB_cursor *c, MDB_val *key, MDB_val *value)
{
    uintptr_t page = page_of(s, key);
    int rc;
    do
        rc = mdb_cursor_get(c, key, value, MDB_NEXT);
    while (rc == 0 && page_of(s, key) == page);
    return rc;
}

/* Whole pages from there, up to one with a large value. */
static int run_collect(struct lmdb_store *s, MDB_cursor *c, uint64_t pages_max, struct run *run, MDB_val *key)
{
    MDB_val value;
    uintptr_t page = 0;
    size_t page_begin = 0;
    uint8_t *last_before = NULL;
    int rc = find_page(s, c, key, &value);
    for (; rc == 0; rc = mdb_cursor_get(c, key, &value, MDB_NEXT)) {
        if (page_of(s, key) != page) {
            if (run->pages == pages_max)
                return 0;
            page = page_of(s, key);
            page_begin = run->rows.size;
            last_before = run->rows.last;
            run->pages++;
        }
        if (key->mv_size > STORE_KEY_BYTES_MAX)
            return MDB_CORRUPTED;
        if (lmdb_row_is_large(s, key, &value)) {
            run->pages--;
            run->rows.size = page_begin;
            run->rows.last = last_before;
            return leave_page(s, c, key, &value);
        }
        if (run->rows.size + lmdb_row_bytes(key, &value) > run->rows.capacity)
            return MDB_CORRUPTED;
        lmdb_row_add(&run->rows, key, &value);
    }
    return rc;
}

static int run_read(struct lmdb_store *s, struct lmdb_txn *t, uint64_t pages_max, struct run *run)
{
    MDB_cursor *c;
    MDB_val key;
    int rc = mdb_cursor_open(t->mdb, s->trees[s->pack.tree], &c);
    if (rc != 0)
        return rc;
    rc = run_collect(s, c, pages_max, run, &key);
    run->end = rc == MDB_NOTFOUND;
    if (rc == 0 && key.mv_size > sizeof run->next) /* we wrote no such key */
        rc = MDB_CORRUPTED;
    if (rc == 0) {
        run->next_size = key.mv_size;
        memcpy(run->next, key.mv_data, key.mv_size);
    }
    mdb_cursor_close(c);
    return run->end ? 0 : rc;
}

/* ---- writing it ---- */

/* How many pages its rows take when they are put one by one: where one does not fit, LMDB moves the one
 * before it to the new page, too. */
static uint64_t run_pages(const struct lmdb_store *s, const struct run *run)
{
    size_t page_room = s->page_bytes - PAGE_HEAD_BYTES, filled = page_room, before = 0;
    uint64_t pages = 0;
    MDB_val key, value;
    for (uint8_t *at = run->rows.bytes; at < run->rows.bytes + run->rows.size;) {
        at = lmdb_row_read(at, &key, &value);
        size_t bytes = lmdb_row_bytes(&key, &value);
        filled += bytes;
        if (filled > page_room) {
            pages++;
            filled = before + bytes;
        }
        before = bytes;
    }
    return pages;
}

static int run_write(struct lmdb_store *s, struct lmdb_txn *t, const struct run *run)
{
    MDB_dbi dbi = s->trees[s->pack.tree];
    MDB_val key, value;
    int rc = 0;
    for (uint8_t *at = run->rows.bytes; rc == 0 && at < run->rows.bytes + run->rows.size;) {
        at = lmdb_row_read(at, &key, &value);
        rc = mdb_del(t->mdb, dbi, &key, NULL);
    }
    for (uint8_t *at = run->rows.bytes; rc == 0 && at < run->rows.bytes + run->rows.size;) {
        at = lmdb_row_read(at, &key, &value);
        rc = mdb_put(t->mdb, dbi, &key, &value, 0);
    }
    return rc;
}

/* ---- passes ---- */

static void go_on_at(struct lmdb_pack *pack, const void *key, size_t size)
{
    memcpy(pack->key, key, size);
    pack->key_size = (uint8_t)size;
}

static void next_tree(struct lmdb_pack *pack)
{
    pack->key_size = 0;
    pack->tree = pack->tree + 1 < TREE_COUNT ? pack->tree + 1 : 0;
}

/* Whether a pass is under way; begin one if it is due. */
static int pass_begin(struct lmdb_store *s, struct lmdb_txn *t, bool *ret)
{
    struct lmdb_pack *pack = &s->pack;
    uint64_t rows = 0;
    for (int i = TREE_STATE + 1; !pack->tree && i < TREE_COUNT; i++) {
        MDB_stat stat;
        int rc = mdb_stat(t->mdb, s->trees[i], &stat);
        if (rc != 0)
            return rc;
        rows += stat.ms_entries;
    }
    if (!pack->tree && pack->deleted_rows >= rows / PASS_ROWS_OF) {
        pack->tree = TREE_STATE + 1;
        pack->key_size = 0;
        pack->deleted_rows = 0;
    }
    *ret = pack->tree;
    return 0;
}

/* Returns with *ret_write whether there is something to commit. */
static int step(struct lmdb_store *s, struct lmdb_txn *t, uint64_t pages_max, struct run *run,
                bool *ret_write)
{
    struct lmdb_pack *pack = &s->pack;
    bool on;
    int rc = pass_begin(s, t, &on);
    if (rc != 0 || !on)
        return rc;
    rc = run_read(s, t, pages_max, run);
    if (rc != 0)
        return rc;
    *ret_write = run_pages(s, run) * 4 <= run->pages * FILL_QUARTERS_MAX && run->pages > 1;
    if (*ret_write)
        rc = run_write(s, t, run);
    if (run->end) {
        next_tree(pack);
    } else if (*ret_write) {
        MDB_val key, value;
        (void)lmdb_row_read(run->rows.last, &key, &value);
        go_on_at(pack, key.mv_data, key.mv_size);
    } else {
        go_on_at(pack, run->next, run->next_size);
    }
    return rc;
}

int lmdb_pack(struct store *base, uint64_t most_bytes, bool *ret_more)
{
    struct lmdb_store *s = lmdb_store_of(base);
    struct store_txn *txn;
    bool write = false;
    *ret_more = false;
    check(!s->writing && most_bytes > s->page_bytes);
    if (s->read_only || (!s->pack.tree && s->pack.deleted_rows < PASS_ROWS_MIN))
        return 0;
    struct run run = {.rows = {.bytes = malloc(most_bytes), .capacity = most_bytes}};
    if (!run.rows.bytes)
        return SHUNT_NO_MEMORY;
    int err = lmdb_begin(base, true, &txn);
    if (!err) {
        struct lmdb_txn *t = (struct lmdb_txn *)txn;
        err = lmdb_txn_error(t, step(s, t, most_bytes / s->page_bytes, &run, &write));
        if (write && !err)
            err = lmdb_commit(txn);
        else
            lmdb_abort(txn);
    }
    free(run.rows.bytes);
    if (err == SHUNT_NO_SPACE) { /* it was not to be: all is as it was */
        s->pack.tree = 0;
        err = 0;
    }
    *ret_more = !err && s->pack.tree;
    return err;
}
