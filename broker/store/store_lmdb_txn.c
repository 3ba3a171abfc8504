/* The store on disk, in LMDB: transactions and pairs.
 *
 * A commit is one fdatasync, or two with the meta page; LMDB's default, which survives a power cut, is left
 * as it is: no NOSYNC, NOMETASYNC or WRITEMAP. After the first error within a write transaction LMDB's own
 * state of it is not worth knowing, so the first error stands for every later call until the transaction is
 * aborted.
 */
#include "broker/store/store_lmdb.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int lmdb_error(int rc)
{
    switch (rc) {
    case 0:
        return 0;
    case MDB_NOTFOUND:
        return SHUNT_NOT_FOUND;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return SHUNT_NO_SPACE;
    case ENOMEM:
        return SHUNT_NO_MEMORY;
    case MDB_READERS_FULL:
        return SHUNT_TOO_MANY;
    case MDB_BAD_VALSIZE:
        return SHUNT_BAD_ARGUMENT;
    case MDB_VERSION_MISMATCH:
        return SHUNT_STORE_VERSION;
    case EROFS:
    case EACCES:
    case EPERM:
        return SHUNT_STORE_READ_ONLY;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_PAGE_FULL:
    case MDB_CURSOR_FULL:
    case MDB_INVALID:
    case MDB_INCOMPATIBLE:
        return SHUNT_CORRUPT;
    default:
        return SHUNT_IO;
    }
}

int lmdb_txn_error(struct lmdb_txn *t, int rc)
{
    int err = lmdb_error(rc);
    if (err != 0 && err != SHUNT_NOT_FOUND && err != SHUNT_BAD_ARGUMENT && !t->failed)
        t->failed = err;
    return err;
}

/* ---- transactions ---- */

static int begin_write(struct lmdb_store *s, struct store_txn **ret)
{
    check(!s->writing);
    if (s->read_only)
        return SHUNT_STORE_READ_ONLY;
    struct lmdb_txn *t = &s->writer;
    *t = (struct lmdb_txn){.base = {&s->base}, .write = true};
    int rc = mdb_txn_begin(s->env, NULL, 0, &t->mdb);
    if (rc != 0)
        return lmdb_error(rc);
    s->writing = true;
    *ret = &t->base;
    return 0;
}

static int begin_read(struct lmdb_store *s, struct store_txn **ret)
{
    struct lmdb_txn *t = malloc(sizeof *t);
    if (!t)
        return SHUNT_NO_MEMORY;
    *t = (struct lmdb_txn){.base = {&s->base}};
    int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &t->mdb);
    if (rc != 0) {
        free(t);
        return lmdb_error(rc);
    }
    s->readers++;
    *ret = &t->base;
    return 0;
}

int lmdb_begin(struct store *base, bool write, struct store_txn **ret)
{
    struct lmdb_store *s = lmdb_store_of(base);
    if (s->broken)
        return SHUNT_IO;
    return write ? begin_write(s, ret) : begin_read(s, ret);
}

static void end_read(struct lmdb_store *s, struct lmdb_txn *t)
{
    mdb_txn_abort(t->mdb); /* for a read there is no other end */
    s->readers--;
    free(t);
}

void lmdb_abort(struct store_txn *base)
{
    struct lmdb_store *s = lmdb_store_of(base->store);
    struct lmdb_txn *t = (struct lmdb_txn *)base;
    if (!t->write) {
        end_read(s, t);
        return;
    }
    mdb_txn_abort(t->mdb);
    s->writing = false;
}

int lmdb_commit(struct store_txn *base)
{
    struct lmdb_store *s = lmdb_store_of(base->store);
    struct lmdb_txn *t = (struct lmdb_txn *)base;
    int failed = t->failed;
    if (!t->write || failed) {
        lmdb_abort(base);
        return failed;
    }
    int rc = mdb_txn_commit(t->mdb); /* frees it even when it fails */
    s->writing = false;
    return lmdb_error(rc);
}

/* ---- pairs ---- */

int lmdb_get(struct store_txn *base, enum store_table table, struct slice key, struct slice *ret)
{
    struct lmdb_txn *t = (struct lmdb_txn *)base;
    if (t->failed)
        return t->failed;
    if (!lmdb_key_is_valid(key))
        return SHUNT_BAD_ARGUMENT;
    struct lmdb_key k;
    lmdb_key_make(table, key, &k);
    MDB_val v;
    MDB_dbi dbi = lmdb_dbi_of(t, table);
    int rc = dbi == TREE_ABSENT ? MDB_NOTFOUND : mdb_get(t->mdb, dbi, &k.val, &v);
    if (rc != 0)
        return lmdb_txn_error(t, rc);
    *ret = (struct slice){v.mv_data, v.mv_size};
    return 0;
}

int lmdb_reserve(struct store_txn *base, enum store_table table, struct slice key, size_t size, bool fresh,
                 void **ret)
{
    struct lmdb_txn *t = (struct lmdb_txn *)base;
    if (t->failed)
        return t->failed;
    if (!lmdb_key_is_valid(key) || size > UINT32_MAX)
        return SHUNT_BAD_ARGUMENT;
    MDB_dbi dbi = lmdb_dbi_of(t, table);
    struct lmdb_key k;
    lmdb_key_make(table, key, &k);
    MDB_val v = {size, NULL};
    t->stamps[lmdb_tree_of(table)]++;
    /* Appending fills pages to the brim instead of splitting them in half. A key that is not the greatest is
     * refused before anything is touched, and goes in the ordinary way. */
    int rc = mdb_put(t->mdb, dbi, &k.val, &v, fresh ? MDB_RESERVE | MDB_APPEND : MDB_RESERVE);
    if (rc == MDB_KEYEXIST) {
        v = (MDB_val){size, NULL};
        rc = mdb_put(t->mdb, dbi, &k.val, &v, MDB_RESERVE);
    }
    if (rc != 0)
        return lmdb_txn_error(t, rc);
    *ret = v.mv_data;
    return 0;
}

int lmdb_put(struct store_txn *base, enum store_table table, struct slice key, struct slice value)
{
    struct lmdb_txn *t = (struct lmdb_txn *)base;
    if (t->failed)
        return t->failed;
    if (!lmdb_key_is_valid(key) || value.size > UINT32_MAX)
        return SHUNT_BAD_ARGUMENT;
    struct lmdb_key k;
    lmdb_key_make(table, key, &k);
    MDB_val v = lmdb_val(value);
    t->stamps[lmdb_tree_of(table)]++;
    return lmdb_txn_error(t, mdb_put(t->mdb, lmdb_dbi_of(t, table), &k.val, &v, 0));
}

/* The size costs a search of its own, over pages that the delete needs anyway. A cursor kept for the purpose
 * would save it, but then correctness would rest on LMDB adjusting that cursor over every other write. */
int lmdb_del(struct store_txn *base, enum store_table table, struct slice key, size_t *ret_size)
{
    struct lmdb_txn *t = (struct lmdb_txn *)base;
    if (t->failed)
        return t->failed;
    if (!lmdb_key_is_valid(key))
        return SHUNT_BAD_ARGUMENT;
    MDB_dbi dbi = lmdb_dbi_of(t, table);
    struct lmdb_key k;
    lmdb_key_make(table, key, &k);
    MDB_val v = {0, NULL};
    int rc = ret_size ? mdb_get(t->mdb, dbi, &k.val, &v) : 0;
    if (rc == 0) {
        t->stamps[lmdb_tree_of(table)]++;
        lmdb_store_of(base->store)->pack.deleted_rows++;
        rc = mdb_del(t->mdb, dbi, &k.val, NULL);
    }
    if (rc != 0)
        return lmdb_txn_error(t, rc);
    if (ret_size)
        *ret_size = v.mv_size;
    return 0;
}

int lmdb_count(struct store_txn *base, enum store_table table, uint64_t *ret_tables, uint64_t *ret)
{
    struct lmdb_txn *t = (struct lmdb_txn *)base;
    if (t->failed)
        return t->failed;
    MDB_stat stat;
    MDB_dbi dbi = lmdb_dbi_of(t, table);
    stat.ms_entries = 0;
    int rc = dbi == TREE_ABSENT ? 0 : mdb_stat(t->mdb, dbi, &stat);
    if (rc != 0)
        return lmdb_txn_error(t, rc);
    *ret_tables = 0;
    for (unsigned other = 0; other < TABLE_COUNT; other++) {
        if (lmdb_tree_of((enum store_table)other) == lmdb_tree_of(table))
            *ret_tables |= 1ull << other;
    }
    *ret = stat.ms_entries;
    for (int i = TREE_STATE + 1; lmdb_tree_of(table) == TREE_STATE && i < TREE_COUNT; i++)
        *ret -= lmdb_store_of(base->store)->trees[i] != TREE_ABSENT; /* the named trees' entries */
    return 0;
}
