/* store_lmdb: what the parts of the LMDB store share. Private to the store_lmdb_*.c files, which alone know
 * lmdb.h; the first needs none of the others, the last all:
 *
 *     store_lmdb_txn.c      transactions and pairs
 *     store_lmdb_cursor.c   cursors
 *     store_lmdb_space.c    how full it is; growing the map, allocating the file ahead
 *     store_lmdb_run.c      putting many rows that are next to each other
 *     store_lmdb_pack.c     putting rows closer together
 *     store_lmdb_open.c     open, create, check, close
 */
#ifndef SHUNT_STORE_STORE_LMDB_H
#define SHUNT_STORE_STORE_LMDB_H

#include "broker/store/store.h"

#include <lmdb.h>
#include <string.h>

/* A tree is one of LMDB's databases. Each page that a commit changes is written whole, so the small tables
 * that nearly every batch changes share one tree, and as a rule one page: the one in which LMDB lists the
 * named trees and which it would write anyway. There a table's number is the first byte of its keys, which is
 * smaller than any letter that a name begins with. What grows with the messages has a named tree for each
 * table. */
enum lmdb_tree {
    TREE_STATE, /* all tables that lmdb_tree_of() gives no other */
    TREE_MESSAGE,
    TREE_ATTEMPT,
    TREE_HISTORY,
    TREE_DUE,
    TREE_EXPIRY,
    TREE_DEAD,
    TREE_AUDIT,
    TREE_EDIT,
    TREE_COUNT
};

/* Instead of a tree's handle: the store is of an older version, which had no such tree, and is only read. The tree is
 * empty. */
#define TREE_ABSENT ((MDB_dbi)-1)

/* Rows up to the key were put behind a run by lmdb_put_run(), and a page begins behind them. */
struct lmdb_fence {
    enum lmdb_tree tree;
    uint8_t key_size; /* 0: there is none */
    uint8_t key[STORE_KEY_BYTES_MAX];
};

struct lmdb_txn {
    struct store_txn base;
    MDB_txn *mdb;
    bool write;
    int failed;                  /* the first error: all that is left then is to abort */
    uint64_t stamps[TREE_COUNT]; /* each grows with every write to its tree: tells cursors that they must
                                    search again */
    struct lmdb_fence fence;
};

/* How far packing is. */
struct lmdb_pack {
    uint64_t deleted_rows; /* since the last pass began */
    int tree;              /* 0: no pass is under way */
    uint8_t key_size;      /* 0: at the tree's beginning; else on the page of this key */
    uint8_t key[STORE_KEY_BYTES_MAX];
};

/* Pages that are free and yet must stay as they are, because a reader in another process began before they were freed. */
struct lmdb_pinned {
    size_t oldest;  /* that reader's transaction; 0: there is none */
    size_t counted; /* pages freed from `oldest` up to this transaction are in `pages` */
    uint64_t pages;
};

struct lmdb_store {
    struct store base;
    MDB_env *env;
    MDB_dbi trees[TREE_COUNT];
    int lock_fd;
    bool read_only, beside, cut;
    bool broken; /* the map is gone: nothing but closing works */

    struct lmdb_txn writer; /* the one write transaction */
    bool writing;

    unsigned readers; /* read transactions that are open: the map is not moved under one */

    struct lmdb_pinned pinned;
    uint64_t page_bytes;
    uint64_t map_bytes;
    uint64_t map_bytes_max;
    uint64_t allocated_to; /* bytes of the file from its beginning that are known to be set aside on disk */
    uint64_t ahead_bytes;  /* lmdb_set_aside() asked for so many */
    bool disk_full;        /* the last attempt to set more aside failed */
    struct store_usage usage_last;
    struct lmdb_pack pack;

    char dir[]; /* for messages */
};

static inline struct lmdb_store *lmdb_store_of(struct store *s)
{
    return (struct lmdb_store *)s;
}

/* LMDB takes `void *` for what it only reads. */
static inline MDB_val lmdb_val(struct slice s)
{
    return (MDB_val){s.size, (void *)(uintptr_t)s.data};
}

static inline bool lmdb_key_is_valid(struct slice key)
{
    return key.size >= 1 && key.size <= STORE_KEY_BYTES_MAX;
}

static inline enum lmdb_tree lmdb_tree_of(enum store_table table)
{
    static const uint8_t trees[TABLE_COUNT] = {
        [TABLE_MESSAGE] = TREE_MESSAGE, [TABLE_ATTEMPT] = TREE_ATTEMPT, [TABLE_HISTORY] = TREE_HISTORY,
        [TABLE_DUE] = TREE_DUE,         [TABLE_EXPIRY] = TREE_EXPIRY,   [TABLE_DEAD] = TREE_DEAD,
        [TABLE_AUDIT] = TREE_AUDIT,     [TABLE_EDIT] = TREE_EDIT,
    };
    return (enum lmdb_tree)trees[table];
}

/* The tree's handle, or TREE_ABSENT. */
static inline MDB_dbi lmdb_dbi_of(const struct lmdb_txn *t, enum store_table table)
{
    return lmdb_store_of(t->base.store)->trees[lmdb_tree_of(table)];
}

/* A key as it stands in its tree. */
struct lmdb_key {
    MDB_val val;
    uint8_t bytes[STORE_KEY_BYTES_MAX + 1];
};

/* `ret` must stay where it is as long as its `val` is used. */
static inline void lmdb_key_make(enum store_table table, struct slice key, struct lmdb_key *ret)
{
    if (lmdb_tree_of(table) != TREE_STATE) {
        ret->val = lmdb_val(key);
        return;
    }
    ret->bytes[0] = (uint8_t)table;
    memcpy(ret->bytes + 1, key.data, key.size);
    ret->val = (MDB_val){key.size + 1, ret->bytes};
}

/* The other way: whether a key found in the table's tree is the table's own, and what it is there. */
static inline bool lmdb_key_read(enum store_table table, const MDB_val *val, struct slice *ret)
{
    const uint8_t *bytes = val->mv_data;
    bool shared = lmdb_tree_of(table) == TREE_STATE;
    if (shared && (val->mv_size < 2 || bytes[0] != table))
        return false;
    *ret = (struct slice){bytes + shared, val->mv_size - shared};
    return true;
}

/* The code for what an LMDB call returned. */
int lmdb_error(int rc);
/* The same within a transaction, which has failed for good unless it is an answer (NOT_FOUND) or the caller's
 * mistake. */
int lmdb_txn_error(struct lmdb_txn *t, int rc);

int lmdb_begin(struct store *base, bool write, struct store_txn **ret);
int lmdb_commit(struct store_txn *base);
void lmdb_abort(struct store_txn *base);
int lmdb_get(struct store_txn *base, enum store_table table, struct slice key, struct slice *ret);
int lmdb_put(struct store_txn *base, enum store_table table, struct slice key, struct slice value);
int lmdb_reserve(struct store_txn *base, enum store_table table, struct slice key, size_t size, bool fresh,
                 void **ret);
int lmdb_put_run(struct store_txn *base, enum store_table table, const struct store_row *rows, size_t count);
int lmdb_del(struct store_txn *base, enum store_table table, struct slice key, size_t *ret_size);
int lmdb_count(struct store_txn *base, enum store_table table, uint64_t *ret_tables, uint64_t *ret);

int lmdb_cursor_open(struct store_txn *base, enum store_table table, struct store_cursor **ret);
void lmdb_cursor_close(struct store_cursor *base);
int lmdb_cursor_seek(struct store_cursor *base, struct slice key, struct slice *ret_key,
                     struct slice *ret_value);
int lmdb_cursor_next(struct store_cursor *base, struct slice *ret_key, struct slice *ret_value);
int lmdb_cursor_prev(struct store_cursor *base, struct slice *ret_key, struct slice *ret_value);
int lmdb_cursor_del(struct store_cursor *base);

void lmdb_usage(struct store *base, struct store_usage *ret);
uint64_t lmdb_disk_free(struct store *base);
int lmdb_maintain(struct store *base);
int lmdb_set_aside(struct store *base, uint64_t bytes);
int lmdb_pack(struct store *base, uint64_t most_bytes, bool *ret_more);

#endif
