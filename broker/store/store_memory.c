/* The store in memory: open, crash, close; and the table by which it is called. */
#include "broker/store/store_memory.h"
#include "base/check.h"
#include "broker/store/store_version.h"

#include <stdlib.h>

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
    *ret = t->tables[table].count;
    return 0;
}

static int memory_maintain(struct store *base)
{
    check(!store_of(base)->txns);
    return 0;
}

static int memory_set_aside(struct store *base, uint64_t bytes)
{
    (void)base;
    (void)bytes;
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
    .any_thread = true,
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
    .set_aside = memory_set_aside,
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
