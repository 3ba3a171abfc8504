/* The store in memory: one ordered map a table, and an undo log for the one write transaction.
 *
 * A write changes the maps at once and notes in the log what it linked and unlinked. Commit frees what was
 * unlinked; abort and crash walk the log backwards. There are no snapshots: a read transaction shows what is
 * committed because none may be open beside a write, which is checked. One thread only.
 */
#include "broker/store/store_memory.h"
#include "base/array.h"
#include "base/check.h"
#include "broker/store/store_version.h"

#include <stdlib.h>
#include <string.h>

/* What a pair counts for beside its bytes. */
#define PAIR_OVERHEAD_BYTES 32

static struct memory_store *store_of_txn(struct store_txn *t)
{
    return store_of(t->store);
}

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

static int memory_begin(struct store *base, bool write, struct store_txn **ret)
{
    struct memory_store *s = store_of(base);
    int err = fault_due(s);
    if (err)
        return err;
    check(!write || !s->txns); /* no snapshots: a writer is alone */
    check(!s->txns || !s->txns->write);
    struct memory_txn *t = malloc(sizeof *t);
    if (!t)
        return SHUNT_NO_MEMORY;
    *t = (struct memory_txn){.base = {base}, .next = s->txns, .write = write};
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

static void memory_abort(struct store_txn *base)
{
    struct memory_store *s = store_of_txn(base);
    struct memory_txn *t = (struct memory_txn *)base;
    if (t->write)
        log_undo(s);
    txn_free(s, t);
}

static int memory_commit(struct store_txn *base)
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

static int memory_get(struct store_txn *base, enum store_table table, struct slice key, struct slice *ret)
{
    struct memory_txn *t = (struct memory_txn *)base;
    if (t->failed)
        return t->failed;
    if (!key_is_valid(key))
        return SHUNT_BAD_ARGUMENT;
    struct pair *p = pairs_find(&store_of_txn(base)->tables[table], key);
    if (!p)
        return SHUNT_NOT_FOUND;
    *ret = pair_value(p);
    return 0;
}

static int memory_reserve(struct store_txn *base, enum store_table table, struct slice key, size_t size,
                          bool append, void **ret)
{
    (void)append; /* pairs_link() finds out by itself */
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

static int memory_put(struct store_txn *base, enum store_table table, struct slice key, struct slice value)
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

/* ---- the store ---- */

static uint64_t memory_disk_free(struct store *base)
{
    (void)base;
    return UINT64_MAX;
}

static void memory_usage(struct store *base, struct store_usage *ret)
{
    struct memory_store *s = store_of(base);
    uint64_t free_bytes = s->used_bytes < s->map_bytes_max ? s->map_bytes_max - s->used_bytes : 0;
    *ret = (struct store_usage){.map_bytes = s->map_bytes_max,
                                .map_bytes_max = s->map_bytes_max,
                                .used_bytes = s->used_bytes,
                                .free_bytes = free_bytes,
                                .usable_bytes = free_bytes,
                                .allocated_bytes = s->used_bytes};
}

static int memory_count(struct store_txn *base, enum store_table table, uint64_t *ret_tables, uint64_t *ret)
{
    struct memory_txn *t = (struct memory_txn *)base;
    if (t->failed)
        return t->failed;
    *ret_tables = 1ull << table;
    *ret = store_of_txn(base)->tables[table].count;
    return 0;
}

static int memory_maintain(struct store *base)
{
    check(!store_of(base)->txns);
    return 0;
}

static int memory_pack(struct store *base, uint64_t most_bytes, bool *ret_more)
{
    check(!store_of(base)->txns);
    (void)most_bytes;
    *ret_more = false; /* each pair has its own memory */
    return 0;
}

void store_memory_crash(struct store *base)
{
    struct memory_store *s = store_of(base);
    while (s->cursors)
        memory_cursor_close(&s->cursors->base);
    while (s->txns)
        memory_abort(&s->txns->base);
}

void store_memory_fault(struct store *base, unsigned skip, unsigned times, int err)
{
    struct memory_store *s = store_of(base);
    s->fault_skip = skip;
    s->fault_times = times;
    s->fault_err = err;
}

static void memory_close(struct store *base)
{
    struct memory_store *s = store_of(base);
    store_memory_crash(base);
    for (int i = 0; i < TABLE_COUNT; i++)
        pairs_done(&s->tables[i]);
    free(s->log);
    free(s);
}

static const struct store_ops memory_ops = {
    .begin = memory_begin,
    .commit = memory_commit,
    .abort = memory_abort,
    .get = memory_get,
    .put = memory_put,
    .reserve = memory_reserve,
    .del = memory_del,
    .cursor_open = memory_cursor_open,
    .cursor_close = memory_cursor_close,
    .cursor_seek = memory_cursor_seek,
    .cursor_next = memory_cursor_next,
    .cursor_prev = memory_cursor_prev,
    .cursor_del = memory_cursor_del,
    .usage = memory_usage,
    .disk_free = memory_disk_free,
    .count = memory_count,
    .maintain = memory_maintain,
    .pack = memory_pack,
    .close = memory_close,
};

struct store *store_memory_open(uint64_t map_bytes_max)
{
    struct memory_store *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->base.ops = &memory_ops;
    s->map_bytes_max = map_bytes_max;
    bool whole = true;
    for (int i = 0; i < TABLE_COUNT; i++)
        whole = pairs_init(&s->tables[i]) && whole;
    struct store_txn *t;
    if (!whole || memory_begin(&s->base, true, &t) != 0)
        goto failed;
    int err = store_version_write(t);
    if (memory_commit(t) != 0 || err)
        goto failed;
    return &s->base;
failed:
    memory_close(&s->base);
    return NULL;
}
