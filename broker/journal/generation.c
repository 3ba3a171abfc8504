/* generation: see generation.h. */
#include "broker/journal/generation.h"
#include "base/big_endian.h"
#include "base/slice.h"
#include "broker/store/page.h"

#include <stdlib.h>
#include <sys/mman.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define META_BYTES (JOURNAL_ID_BYTES + 24) /* the place, and a checksum over what is before it */

struct generation *generation_new(size_t room)
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
    generation_reset(g);
    return g;
}

void generation_free(struct generation *g)
{
    if (!g)
        return;
    arena_done(&g->nodes);
    (void)munmap(g->bytes, g->room);
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
    g->charged_bytes = 0;
    g->next = (struct journal_place){0};
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

int journal_meta_read(struct store_txn *txn, uint8_t ret_id[JOURNAL_ID_BYTES], struct journal_place *ret)
{
    struct slice value;
    int err = store_get(txn, TABLE_META, slice_of(STORE_JOURNAL_KEY), &value);
    if (err)
        return err;
    const uint8_t *bytes = value.data;
    if (value.size != META_BYTES || get_be64(bytes + META_BYTES - 8) != XXH3_64bits(bytes, META_BYTES - 8))
        return SHUNT_CORRUPT;
    memcpy(ret_id, bytes, JOURNAL_ID_BYTES);
    *ret = (struct journal_place){.number = get_be64(bytes + JOURNAL_ID_BYTES),
                                  .at = get_be64(bytes + JOURNAL_ID_BYTES + 8)};
    return 0;
}

int journal_meta_write(struct store_txn *txn, const uint8_t id[JOURNAL_ID_BYTES], struct journal_place place)
{
    uint8_t bytes[META_BYTES];
    memcpy(bytes, id, JOURNAL_ID_BYTES);
    put_be64(bytes + JOURNAL_ID_BYTES, place.number);
    put_be64(bytes + JOURNAL_ID_BYTES + 8, place.at);
    put_be64(bytes + META_BYTES - 8, XXH3_64bits(bytes, META_BYTES - 8));
    return store_put(txn, TABLE_META, slice_of(STORE_JOURNAL_KEY), (struct slice){bytes, sizeof bytes});
}

int journal_meta_delete(struct store_txn *txn)
{
    return store_del(txn, TABLE_META, slice_of(STORE_JOURNAL_KEY), NULL);
}

static int put(struct store_txn *txn, const struct row *r)
{
    struct slice value = row_value(r);
    void *to;
    if (row_deleted(r))
        return store_del(txn, row_table(r), row_key(r), NULL);
    if (row_below(r))
        return store_put(txn, row_table(r), row_key(r), value);
    int err = store_reserve(txn, row_table(r), row_key(r), value.size, true, &to);
    if (!err && value.size)
        memcpy(to, value.data, value.size);
    return err;
}

int generation_merge(const struct generation *g, struct store *store, const uint8_t id[JOURNAL_ID_BYTES])
{
    struct store_txn *txn;
    int err = store_begin(store, true, &txn);
    if (err)
        return err;
    for (unsigned i = 0; !err && i < TABLE_COUNT; i++) {
        struct index_at at;
        const struct row *r = index_first(&g->tables[i], &at);
        for (; !err && r; r = index_next(&at))
            err = put(txn, r);
    }
    if (!err)
        err = journal_meta_write(txn, id, g->next);
    if (!err)
        return store_commit(txn);
    store_abort(txn);
    return err == SHUNT_NOT_FOUND ? SHUNT_CORRUPT : err; /* a row that was there is not */
}
