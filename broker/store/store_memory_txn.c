/* The store in memory, its transactions and pairs: one ordered map a table, and an undo log for the one write
 * transaction.
 *
 * A write changes the maps at once and notes in the log what it linked and unlinked. Commit frees what was
 * unlinked; abort and crash walk the log backwards. If readers are open when a write begins, they keep the maps
 * and the store goes on with copies. None begins beside a write, which is checked. One thread only.
 */
#include "base/array.h"
#include "base/check.h"
#include "broker/store/store_memory.h"

#include <stdlib.h>
#include <string.h>

/* What a pair counts for beside its bytes. */
#define PAIR_OVERHEAD_BYTES 32

static uint64_t pair_cost(const struct pair *p)
{
    return PAIR_OVERHEAD_BYTES + p->key_size + p->value_size;
}

static int fault_due(struct memory_store *s)
{
    if (s->fault_times == 0)
        return 0;
    if (s->fault_skip > 0) {
        s->fault_skip--;
        return 0;
    }
    s->fault_times--;
    return s->fault_err;
}

/* ---- transactions ---- */

static void snapshot_done(struct memory_snapshot *snapshot)
{
    for (int i = 0; i < TABLE_COUNT; i++)
        pairs_done(&snapshot->tables[i]);
    free(snapshot);
}

/* The readers that have the store's tables keep them, and the bytes that they were given. */
static int leave_tables(struct memory_store *s)
{
    struct memory_snapshot *old = malloc(sizeof *old), *copy = calloc(1, sizeof *copy);
    bool whole = old && copy;
    for (int i = 0; whole && i < TABLE_COUNT; i++)
        whole = pairs_copy(&s->tables[i], &copy->tables[i]);
    if (!whole) {
        free(old);
        if (copy)
            snapshot_done(copy);
        return SHUNT_NO_MEMORY;
    }
    old->readers = 0;
    memcpy(old->tables, s->tables, sizeof old->tables);
    memcpy(s->tables, copy->tables, sizeof s->tables);
    free(copy);
    for (struct memory_txn *t = s->txns; t; t = t->next) {
        if (t->snapshot)
            continue;
        t->snapshot = old;
        t->tables = old->tables;
        old->readers++;
    }
    return 0;
}

static bool are_read(const struct memory_store *s)
{
    const struct memory_txn *t = s->txns;
    while (t && t->snapshot)
        t = t->next;
    return t != NULL;
}

int memory_begin(struct store *base, bool write, struct store_txn **ret)
{
    struct memory_store *s = store_of(base);
    int err = fault_due(s);
    check(!s->txns || !s->txns->write);
    if (!err && write && are_read(s))
        err = leave_tables(s);
    if (err)
        return err;
    struct memory_txn *t = malloc(sizeof *t);
    if (!t)
        return SHUNT_NO_MEMORY;
    *t = (struct memory_txn){.base = {base}, .next = s->txns, .tables = s->tables, .write = write};
    s->txns = t;
    *ret = &t->base;
    return 0;
}

static void txn_free(struct memory_store *s, struct memory_txn *t)
{
    for (struct memory_cursor *c = s->cursors; c; c = c->next)
        check(c->txn != t); /* cursors are closed first */
    struct memory_txn **link = &s->txns;
    while (*link != t)
        link = &(*link)->next;
    *link = t->next;
    if (t->snapshot && --t->snapshot->readers == 0)
        snapshot_done(t->snapshot);
    free(t);
}

static void log_undo(struct memory_store *s)
{
    while (s->log_count > 0) {
        struct undo *u = &s->log[--s->log_count];
        struct pairs *m = &s->tables[u->table];
        if (u->linked) {
            struct pair *p = pairs_unlink(m, pair_key(u->pair));
            check(p == u->pair);
            s->used_bytes -= pair_cost(p);
            free(p);
        } else {
            struct pair *replaced = pairs_link(m, u->pair);
            check(!replaced);
            s->used_bytes += pair_cost(u->pair);
        }
    }
}

static void log_forget(struct memory_store *s)
{
    for (size_t i = 0; i < s->log_count; i++) {
        if (!s->log[i].linked)
            free(s->log[i].pair);
    }
    s->log_count = 0;
}

/* Room for the two steps that one write may take, so that none is half noted. */
static bool log_room(struct memory_store *s)
{
    return array_room(&s->log, &s->log_capacity, s->log_count + 2);
}

static void log_add(struct memory_store *s, struct pair *p, enum store_table table, bool linked)
{
    s->log[s->log_count++] = (struct undo){p, table, linked};
}

void memory_abort(struct store_txn *base)
{
    struct memory_store *s = store_of_txn(base);
    struct memory_txn *t = (struct memory_txn *)base;
    if (t->write)
        log_undo(s);
    txn_free(s, t);
}

int memory_commit(struct store_txn *base)
{
    struct memory_store *s = store_of_txn(base);
    struct memory_txn *t = (struct memory_txn *)base;
    int err = fault_due(s);
    if (!err)
        err = t->failed;
    if (err) {
        memory_abort(base);
        return err;
    }
    if (t->write)
        log_forget(s);
    txn_free(s, t);
    return 0;
}

/* ---- pairs ---- */

/* What comes before every write: is the transaction one, is it whole, is a fault due? */
static int write_check(struct memory_txn *t)
{
    struct memory_store *s = store_of(t->base.store);
    check(t->write);
    if (!t->failed)
        t->failed = fault_due(s);
    if (!t->failed && !log_room(s))
        t->failed = SHUNT_NO_MEMORY;
    return t->failed;
}

int memory_get(struct store_txn *base, enum store_table table, struct slice key, struct slice *ret)
{
    struct memory_txn *t = (struct memory_txn *)base;
    if (t->failed)
        return t->failed;
    if (!key_is_valid(key))
        return SHUNT_BAD_ARGUMENT;
    struct pair *p = pairs_find(&t->tables[table], key);
    if (!p)
        return SHUNT_NOT_FOUND;
    *ret = pair_value(p);
    return 0;
}

int memory_reserve(struct store_txn *base, enum store_table table, struct slice key, size_t size, bool fresh,
                   void **ret)
{
    struct memory_store *s = store_of_txn(base);
    struct memory_txn *t = (struct memory_txn *)base;
    if (!key_is_valid(key) || size > UINT32_MAX)
        return SHUNT_BAD_ARGUMENT;
    int err = write_check(t);
    if (err)
        return err;
    struct pairs *m = &s->tables[table];
    struct pair *p = pair_new(m, key, size);
    if (!p)
        return t->failed = SHUNT_NO_MEMORY;
    struct pair *old = pairs_link(m, p);
    check(!old || !fresh); /* on disk nobody would notice */
    s->used_bytes += pair_cost(p);
    if (old) {
        s->used_bytes -= pair_cost(old);
        log_add(s, old, table, false);
    }
    log_add(s, p, table, true);
    if (s->used_bytes > s->map_bytes_max)
        return t->failed = SHUNT_NO_SPACE;
    *ret = pair_value_bytes(p);
    return 0;
}

int memory_put(struct store_txn *base, enum store_table table, struct slice key, struct slice value)
{
    void *to;
    int err = memory_reserve(base, table, key, value.size, false, &to);
    if (err)
        return err;
    if (value.size > 0)
        memcpy(to, value.data, value.size);
    return 0;
}

int memory_del(struct store_txn *base, enum store_table table, struct slice key, size_t *ret_size)
{
    struct memory_store *s = store_of_txn(base);
    struct memory_txn *t = (struct memory_txn *)base;
    if (!key_is_valid(key))
        return SHUNT_BAD_ARGUMENT;
    int err = write_check(t);
    if (err)
        return err;
    struct pair *p = pairs_unlink(&s->tables[table], key);
    if (!p)
        return SHUNT_NOT_FOUND;
    s->used_bytes -= pair_cost(p);
    log_add(s, p, table, false);
    if (ret_size)
        *ret_size = p->value_size;
    return 0;
}
