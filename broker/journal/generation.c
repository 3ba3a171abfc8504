/* generation: see generation.h. */
#include "broker/journal/generation.h"
#include "base/array.h"
#include "base/check.h"
#include "base/slice.h"
#include "broker/journal/stub.h"
#include "broker/store/page.h"

#include <stdlib.h>
#include <sys/mman.h>

/* Records that take so many times the bytes of their bodies are mostly what fills their last blocks. */
#define PADDED_TIMES 2

struct generation *generation_new(size_t room, size_t keep)
{
    struct generation *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    void *bytes =
        mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bytes == MAP_FAILED) {
        free(g);
        return NULL;
    }
    g->bytes = bytes;
    g->room = room;
    g->keep = keep;
    g->run = malloc(sizeof *g->run);
    if (!g->run) {
        generation_free(g);
        return NULL;
    }
    generation_reset(g);
    return g;
}

void generation_free(struct generation *g)
{
    if (!g)
        return;
    arena_done(&g->nodes);
    (void)munmap(g->bytes, g->room);
    free(g->records);
    free(g->run);
    free(g);
}

void generation_reset(struct generation *g)
{
    arena_reset(&g->nodes);
    for (unsigned i = 0; i < TABLE_COUNT; i++) {
        index_init(&g->tables[i], &g->nodes);
        g->more[i] = 0;
    }
    g->used = 0;
    (void)madvise(g->bytes + g->keep, g->room - g->keep, MADV_DONTNEED);
    g->charged_bytes = 0;
    g->next = (struct journal_place){0};
    g->records_count = 0;
    g->file_bytes = g->kept_bytes = 0;
    g->whole = false;
}

/* ---- rows ---- */

/* How many rows more there are because of it. */
static int64_t weight(const struct row *r)
{
    return r ? (int64_t)!row_deleted(r) - (int64_t)row_below(r) : 0;
}

/* No key lies between the two: they differ in a number at their end, by one. */
static bool follows(const struct row *before, const struct row *r)
{
    if (before->key_size != r->key_size)
        return false;
    unsigned i = r->key_size;
    while (i-- > 0 && r->bytes[i] == 0) {
        if (before->bytes[i] != 0xff)
            return false;
    }
    return i < r->key_size && (uint8_t)(before->bytes[i] + 1) == r->bytes[i] &&
           memcmp(before->bytes, r->bytes, i) == 0;
}

static void charge(struct generation *g, const struct row *r, const struct row *old)
{
    size_t bytes = r->key_size + row_value_size(r);
    struct index_at at;
    if (old) {
        size_t before = old->key_size + row_value_size(old);
        g->charged_bytes += bytes > before ? cost_next(bytes) : 0;
        return;
    }
    const struct row *neighbour = index_seek_before(&g->tables[row_table(r)], row_key(r), &at);
    g->charged_bytes += neighbour && follows(neighbour, r) ? cost_next(bytes) : cost_row(bytes);
}

int generation_set(struct generation *g, struct row *row, struct row **ret_old)
{
    enum store_table table = row_table(row);
    int err = 0;
    if (row_deleted(row) && !row_below(row))
        *ret_old = index_remove(&g->tables[table], row_key(row));
    else
        err = index_set(&g->tables[table], row, ret_old);
    if (err)
        return err;
    g->more[table] += (row_deleted(row) && !row_below(row) ? 0 : weight(row)) - weight(*ret_old);
    if (!row_deleted(row) || row_below(row))
        charge(g, row, *ret_old);
    return 0;
}

int generation_unset(struct generation *g, const struct row *row, struct row *old)
{
    enum store_table table = row_table(row);
    struct row *out = NULL;
    int err = 0;
    if (old)
        err = index_set(&g->tables[table], old, &out);
    else
        out = index_remove(&g->tables[table], row_key(row));
    if (!err)
        g->more[table] += weight(old) - weight(out);
    return err;
}

/* ---- into the store behind ---- */

int generation_record_room(struct generation *g)
{
    return array_room(&g->records, &g->records_capacity, g->records_count + 1) ? 0 : SHUNT_NO_MEMORY;
}

void generation_recorded(struct generation *g, size_t begin, struct journal_place place)
{
    check(g->records_count < g->records_capacity);
    g->records[g->records_count++] = (struct generation_record){begin, place};
    if (!place.number)
        return;
    for (struct slice left = {g->bytes + begin, g->used - begin}; left.size;) {
        const struct row *r = row_take(&left);
        check(r != NULL);
        g->kept_bytes += stub_kept_bytes(r);
    }
    g->file_bytes += journal_record_bytes(g->used - begin);
}

bool generation_is_padded(const struct generation *g)
{
    return g->file_bytes >= PADDED_TIMES * g->used;
}

void generation_take_whole(struct generation *g)
{
    g->whole = true;
    g->kept_bytes = 0;
}

/* The record that a row is in. */
static const struct generation_record *record_of(const struct generation *g, const struct row *r)
{
    size_t at = (size_t)((const char *)r - g->bytes), low = 0, high = g->records_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (g->records[middle].begin <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &g->records[low - 1] : NULL;
}

/* Where its value lies in the file. False: nowhere, or it is too short for that to be worth anything. */
static bool find_stub(const struct generation *g, const struct row *r, struct stub *ret)
{
    const struct generation_record *record = !g->whole && stub_kept_bytes(r) ? record_of(g, r) : NULL;
    if (!record || !record->place.number)
        return false;
    size_t in_record = (size_t)((const char *)row_value(r).data - g->bytes) - record->begin;
    *ret = (struct stub){record->place.number, record->place.at + JOURNAL_HEAD_BYTES + in_record,
                         row_value_size(r)};
    return true;
}

bool generation_leaves(const struct generation *g, const struct row *r)
{
    struct stub ignored;
    return find_stub(g, r, &ignored);
}

/* Messages come in runs of a topic, whose pages are to be full; rows of other tables go to places of their own. */
static int put_value(const struct generation *g, struct store_txn *txn, const struct row *r)
{
    void *to;
    struct slice value = row_value(r);
    if (row_table(r) == STUB_TABLE)
        return row_run_put(g->run, txn, row_key(r), value);
    if (row_below(r))
        return store_put(txn, row_table(r), row_key(r), value);
    int err = store_reserve(txn, row_table(r), row_key(r), value.size, true, &to);
    if (!err && value.size)
        memcpy(to, value.data, value.size);
    return err;
}

static int put(const struct generation *g, struct store_txn *txn, const struct journal_meta *meta,
               const struct row *r, uint64_t *stubs)
{
    struct stub stub;
    if (row_deleted(r))
        return store_del(txn, row_table(r), row_key(r), NULL);
    if (!find_stub(g, r, &stub))
        return put_value(g, txn, r);
    ++*stubs;
    return row_run_put_stub(g->run, txn, meta->id, row_key(r), &stub);
}

int generation_merge(const struct generation *g, struct store *store, struct journal_meta *meta,
                     uint64_t *ret_stubs)
{
    struct store_txn *txn;
    int err = store_begin(store, true, &txn);
    *ret_stubs = 0;
    if (err)
        return err;
    g->run->count = 0;
    for (unsigned i = 0; !err && i < TABLE_COUNT; i++) {
        struct index_at at;
        const struct row *r = index_first(&g->tables[i], &at);
        for (; !err && r; r = index_next(&at))
            err = put(g, txn, meta, r, ret_stubs);
    }
    if (!err)
        err = row_run_end(g->run, txn);
    /* Nothing is left of it in the journal, nor of what was before it. */
    if (!*ret_stubs && g->records_count && g->records[0].place.number == meta->oldest.number) {
        meta->oldest = meta->from;
        meta->kept_bytes = 0;
    }
    if (!err)
        err = journal_meta_write(txn, meta);
    if (!err)
        return store_commit(txn);
    store_abort(txn);
    return err == SHUNT_NOT_FOUND ? SHUNT_CORRUPT : err; /* a row that was there is not */
}
