/* The LMDB store's cursors. A cursor is a key, there or not, and its moves are relative to that key.
 *
 * LMDB's own cursor beneath it is only trusted as long as nothing else wrote to the table: 0.9 keeps open
 * cursors right over other writes in most cases, but not where a new pair lands where a deleted one was. So
 * after a write from elsewhere it is thrown away and the key searched for again. Deleting through the cursor
 * itself and going on is the case LMDB is made for.
 */
#include "broker/store/store_lmdb.h"

#include <stdlib.h>
#include <string.h>

/* Where LMDB's cursor stands, provided that the stamp is the table's. */
enum native { NATIVE_NOWHERE, NATIVE_AT_KEY, NATIVE_DELETED };

struct lmdb_cursor {
    struct store_cursor base;
    struct lmdb_txn *txn;
    MDB_cursor *mdb;
    enum store_table table;
    enum native native;
    uint64_t stamp;
    bool placed;
    uint8_t key_size;
    uint8_t key[STORE_KEY_BYTES_MAX];
};

int lmdb_cursor_open(struct store_txn *base, enum store_table table, struct store_cursor **ret)
{
    struct lmdb_txn *t = (struct lmdb_txn *)base;
    if (t->failed)
        return t->failed;
    struct lmdb_cursor *c = malloc(sizeof *c);
    if (!c)
        return SHUNT_NO_MEMORY;
    *c = (struct lmdb_cursor){
        .base = {base->store}, .txn = t, .table = table, .stamp = t->stamps[lmdb_tree_of(table)]};
    MDB_dbi dbi = lmdb_dbi_of(t, table);
    int rc = dbi == TREE_ABSENT ? 0 : mdb_cursor_open(t->mdb, dbi, &c->mdb);
    if (rc != 0) {
        free(c);
        return lmdb_txn_error(t, rc);
    }
    *ret = &c->base;
    return 0;
}

void lmdb_cursor_close(struct store_cursor *base)
{
    struct lmdb_cursor *c = (struct lmdb_cursor *)base;
    if (c->mdb)
        mdb_cursor_close(c->mdb);
    free(c);
}

/* Make sure of an LMDB cursor that no write has touched, and say where it stands. */
static int native_ready(struct lmdb_cursor *c, enum native *ret)
{
    MDB_dbi dbi = lmdb_dbi_of(c->txn, c->table);
    if (c->txn->failed)
        return c->txn->failed;
    if (dbi == TREE_ABSENT)
        return SHUNT_NOT_FOUND;
    uint64_t stamp = c->txn->stamps[lmdb_tree_of(c->table)];
    *ret = NATIVE_NOWHERE;
    if (c->stamp != stamp) {
        c->native = NATIVE_NOWHERE;
        if (c->mdb)
            mdb_cursor_close(c->mdb);
        c->mdb = NULL;
    }
    if (!c->mdb) {
        int rc = mdb_cursor_open(c->txn->mdb, dbi, &c->mdb);
        if (rc != 0) {
            c->mdb = NULL;
            return lmdb_txn_error(c->txn, rc);
        }
    }
    c->stamp = stamp;
    *ret = c->native;
    return 0;
}

static void cursor_place(struct lmdb_cursor *c, struct slice key)
{
    memmove(c->key, key.data, key.size);
    c->key_size = (uint8_t)key.size;
    c->placed = true;
}

/* The end of every move. One that finds nothing leaves the cursor where it was. */
static int cursor_answer(struct lmdb_cursor *c, int rc, MDB_val *k, MDB_val *v, struct slice *ret_key,
                         struct slice *ret_value)
{
    if (rc != 0) {
        c->native = NATIVE_NOWHERE;
        return lmdb_txn_error(c->txn, rc);
    }
    c->native = NATIVE_AT_KEY;
    if (!lmdb_key_read(c->table, k, ret_key)) { /* the next table of the tree */
        c->native = NATIVE_NOWHERE;
        return SHUNT_NOT_FOUND;
    }
    *ret_value = (struct slice){v->mv_data, v->mv_size};
    if (ret_key->size > STORE_KEY_BYTES_MAX) /* we wrote no such key */
        return c->txn->failed = SHUNT_CORRUPT;
    cursor_place(c, *ret_key);
    return 0;
}

/* Search for a key: its pair or the first one beyond it. LMDB does not compare the first key of a page to which it
 * goes on from the page before, and that one is too low if the key that divides the two is damaged. */
static int native_search(struct lmdb_cursor *c, struct slice wanted, MDB_val *k, MDB_val *v, bool *ret_same)
{
    struct lmdb_key key;
    lmdb_key_make(c->table, wanted, &key);
    *k = key.val;
    int rc = mdb_cursor_get(c->mdb, k, v, MDB_SET_RANGE);
    int order = rc == 0 ? mdb_cmp(c->txn->mdb, mdb_cursor_dbi(c->mdb), k, &key.val) : 1;
    *ret_same = order == 0;
    return order < 0 ? MDB_CORRUPTED : rc;
}

/* The table's first pair. */
static int native_first(struct lmdb_cursor *c, MDB_val *k, MDB_val *v)
{
    uint8_t number = (uint8_t)c->table;
    if (lmdb_tree_of(c->table) != TREE_STATE)
        return mdb_cursor_get(c->mdb, k, v, MDB_FIRST);
    *k = (MDB_val){1, &number};
    return mdb_cursor_get(c->mdb, k, v, MDB_SET_RANGE);
}

/* The table's last pair: the one before the next table's first. */
static int native_last(struct lmdb_cursor *c, MDB_val *k, MDB_val *v)
{
    uint8_t number = (uint8_t)(c->table + 1);
    if (lmdb_tree_of(c->table) != TREE_STATE)
        return mdb_cursor_get(c->mdb, k, v, MDB_LAST);
    *k = (MDB_val){1, &number};
    int rc = mdb_cursor_get(c->mdb, k, v, MDB_SET_RANGE);
    return mdb_cursor_get(c->mdb, k, v, rc == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
}

int lmdb_cursor_seek(struct store_cursor *base, struct slice key, struct slice *ret_key,
                     struct slice *ret_value)
{
    struct lmdb_cursor *c = (struct lmdb_cursor *)base;
    enum native at;
    int err = native_ready(c, &at);
    if (err)
        return err;
    if (!lmdb_key_is_valid(key))
        return SHUNT_BAD_ARGUMENT;
    MDB_val k;
    MDB_val v;
    bool same;
    int rc = native_search(c, key, &k, &v, &same);
    err = cursor_answer(c, rc, &k, &v, ret_key, ret_value);
    if (err == SHUNT_NOT_FOUND)
        cursor_place(c, key);
    return err;
}

int lmdb_cursor_next(struct store_cursor *base, struct slice *ret_key, struct slice *ret_value)
{
    struct lmdb_cursor *c = (struct lmdb_cursor *)base;
    enum native at;
    int err = native_ready(c, &at);
    if (err)
        return err;
    MDB_val k;
    MDB_val v;
    int rc;
    if (!c->placed) {
        rc = native_first(c, &k, &v);
    } else if (at !=
               NATIVE_NOWHERE) { /* where a pair was deleted, LMDB's next is the one that came after it */
        rc = mdb_cursor_get(c->mdb, &k, &v, MDB_NEXT);
    } else {
        bool same;
        rc = native_search(c, (struct slice){c->key, c->key_size}, &k, &v, &same);
        if (same)
            rc = mdb_cursor_get(c->mdb, &k, &v, MDB_NEXT);
    }
    return cursor_answer(c, rc, &k, &v, ret_key, ret_value);
}

int lmdb_cursor_prev(struct store_cursor *base, struct slice *ret_key, struct slice *ret_value)
{
    struct lmdb_cursor *c = (struct lmdb_cursor *)base;
    enum native at;
    int err = native_ready(c, &at);
    if (err)
        return err;
    MDB_val k;
    MDB_val v;
    int rc = 0;
    bool beyond_all = !c->placed;
    if (c->placed && at != NATIVE_AT_KEY) {
        bool same;
        rc = native_search(c, (struct slice){c->key, c->key_size}, &k, &v, &same);
        beyond_all = rc == MDB_NOTFOUND;
    }
    if (beyond_all)
        rc = native_last(c, &k, &v);
    else if (rc == 0)
        rc = mdb_cursor_get(c->mdb, &k, &v, MDB_PREV);
    return cursor_answer(c, rc, &k, &v, ret_key, ret_value);
}

int lmdb_cursor_del(struct store_cursor *base)
{
    struct lmdb_cursor *c = (struct lmdb_cursor *)base;
    struct lmdb_txn *t = c->txn;
    enum native at;
    if (t->failed)
        return t->failed;
    if (!c->placed)
        return SHUNT_NOT_FOUND;
    int err = native_ready(c, &at);
    if (err)
        return err;
    if (at == NATIVE_DELETED)
        return SHUNT_NOT_FOUND;
    if (at == NATIVE_NOWHERE)
        return lmdb_del(&t->base, c->table, (struct slice){c->key, c->key_size}, NULL);
    lmdb_store_of(t->base.store)->pack.deleted_rows++;
    int rc = mdb_cursor_del(c->mdb, 0);
    c->stamp = ++t->stamps[lmdb_tree_of(c->table)];
    c->native = NATIVE_DELETED;
    return lmdb_txn_error(t, rc);
}
