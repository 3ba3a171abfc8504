/* bitmap: a group's done bits, in chunks. */
#include "broker/core/bitmap.h"

#include "base/array.h"
#include "base/search.h"
#include <stdlib.h>
#include <string.h>

#define WORDS (CHUNK_BYTES / 8)

void bitmap_done(struct bitmap *b)
{
    for (size_t i = 0; i < b->count; i++)
        free(b->chunks[i]);
    free(b->chunks);
    *b = (struct bitmap){0};
}

static int chunk_order(const void *element, const void *key)
{
    uint64_t have = (*(struct bitmap_chunk *const *)element)->number, want = *(const uint64_t *)key;
    return have < want ? -1 : have > want;
}

/* Index of the first chunk whose number is >= `number`. */
static size_t position(const struct bitmap *b, uint64_t number)
{
    /* Nearly always it is the last one, or behind it. */
    if (b->count && b->chunks[b->count - 1]->number <= number)
        return b->count - (b->chunks[b->count - 1]->number == number);
    return search_first(b->chunks, b->count, sizeof *b->chunks, &number, chunk_order);
}

static struct bitmap_chunk *find(const struct bitmap *b, uint64_t number)
{
    size_t at = position(b, number);
    return at < b->count && b->chunks[at]->number == number ? b->chunks[at] : NULL;
}

static struct bitmap_chunk *find_or_add(struct bitmap *b, uint64_t number)
{
    size_t at = position(b, number);
    if (at < b->count && b->chunks[at]->number == number)
        return b->chunks[at];
    if (!array_room(&b->chunks, &b->capacity, b->count + 1))
        return NULL;
    struct bitmap_chunk *chunk = calloc(1, sizeof *chunk);
    if (!chunk)
        return NULL;
    chunk->number = number;
    array_insert(b->chunks, &b->count, at);
    b->chunks[at] = chunk;
    return chunk;
}

static void be_dirty(struct bitmap *b, struct bitmap_chunk *chunk)
{
    if (chunk->dirty)
        return;
    chunk->dirty = true;
    chunk->dirty_next = b->dirty;
    b->dirty = chunk;
}

bool bitmap_get(const struct bitmap *b, uint64_t seq)
{
    if (seq >= b->high)
        return false;
    const struct bitmap_chunk *chunk = find(b, seq / CHUNK_BITS);
    return chunk && chunk->words[seq % CHUNK_BITS / 64] >> (seq % 64) & 1;
}

int bitmap_set(struct bitmap *b, uint64_t seq)
{
    struct bitmap_chunk *chunk = find_or_add(b, seq / CHUNK_BITS);
    if (!chunk)
        return SHUNT_NO_MEMORY;
    chunk->words[seq % CHUNK_BITS / 64] |= 1ull << (seq % 64);
    be_dirty(b, chunk);
    if (seq >= b->high)
        b->high = seq + 1;
    return 0;
}

/* Bits [first, last) of a chunk; true if one of them was clear. */
static bool set_bits(struct bitmap_chunk *chunk, uint64_t first, uint64_t last)
{
    uint64_t changed = 0;
    while (first < last) {
        uint64_t count = 64 - first % 64 < last - first ? 64 - first % 64 : last - first;
        uint64_t mask = (count == 64 ? UINT64_MAX : (1ull << count) - 1) << (first % 64);
        uint64_t *word = &chunk->words[first / 64];
        changed |= mask & ~*word;
        *word |= mask;
        first += count;
    }
    return changed != 0;
}

int bitmap_set_range(struct bitmap *b, uint64_t from, uint64_t to)
{
    while (from < to) {
        struct bitmap_chunk *chunk = find_or_add(b, from / CHUNK_BITS);
        if (!chunk)
            return SHUNT_NO_MEMORY;
        uint64_t first = from % CHUNK_BITS;
        uint64_t count = CHUNK_BITS - first < to - from ? CHUNK_BITS - first : to - from;
        if (set_bits(chunk, first, first + count))
            be_dirty(b, chunk);
        from += count;
    }
    if (to > b->high)
        b->high = to;
    return 0;
}

uint64_t bitmap_next_clear(const struct bitmap *b, uint64_t seq)
{
    for (size_t at = position(b, seq / CHUNK_BITS); seq < b->high; at++) {
        if (at >= b->count || b->chunks[at]->number != seq / CHUNK_BITS)
            return seq;
        const struct bitmap_chunk *chunk = b->chunks[at];
        for (size_t word = seq % CHUNK_BITS / 64; word < WORDS; word++) {
            uint64_t clear = ~chunk->words[word] & (UINT64_MAX << (seq % 64));
            if (clear)
                return chunk->number * CHUNK_BITS + word * 64 + (uint64_t)__builtin_ctzll(clear);
            seq = chunk->number * CHUNK_BITS + (word + 1) * 64;
        }
    }
    return seq;
}

static int trim(struct bitmap *b, struct store_txn *txn, uint32_t group, uint64_t floor)
{
    size_t gone = 0;
    while (gone < b->count && (b->chunks[gone]->number + 1) * CHUNK_BITS <= floor) {
        if (b->chunks[gone]->stored) {
            struct key key = key_id_seq(group, b->chunks[gone]->number);
            int err = store_del(txn, TABLE_DONE, key_slice(&key), NULL);
            if (err && err != SHUNT_NOT_FOUND)
                return err;
        }
        free(b->chunks[gone]);
        gone++;
    }
    if (gone) {
        b->count -= gone;
        memmove(b->chunks, b->chunks + gone, b->count * sizeof *b->chunks);
    }
    return 0;
}

static int write_chunk(struct store_txn *txn, uint32_t group, struct bitmap_chunk *chunk)
{
    uint8_t bytes[CHUNK_BYTES + 64];
    struct key key = key_id_seq(group, chunk->number);
    size_t size = chunk_encode(bytes, key_slice(&key), chunk->words);
    chunk->stored = true;
    return store_put(txn, TABLE_DONE, key_slice(&key), (struct slice){bytes, size});
}

int bitmap_flush(struct bitmap *b, struct store_txn *txn, uint32_t group, uint64_t floor)
{
    int err = 0;
    for (; !err && b->dirty; b->dirty = b->dirty->dirty_next) {
        b->dirty->dirty = false;
        if ((b->dirty->number + 1) * CHUNK_BITS > floor)
            err = write_chunk(txn, group, b->dirty);
    }
    return err ? err : trim(b, txn, group, floor);
}

static int load_chunk(struct bitmap *b, struct slice key, struct slice value, uint64_t number)
{
    struct bitmap_chunk *chunk = find_or_add(b, number);
    if (!chunk)
        return SHUNT_NO_MEMORY;
    int err = chunk_decode(key, value, chunk->words);
    if (err)
        return err;
    chunk->stored = true;
    for (size_t word = WORDS; word-- > 0;) {
        if (chunk->words[word]) {
            uint64_t top =
                number * CHUNK_BITS + word * 64 + 64 - (uint64_t)__builtin_clzll(chunk->words[word]);
            b->high = top > b->high ? top : b->high;
            break;
        }
    }
    return 0;
}

int bitmap_load(struct bitmap *b, struct store_txn *txn, uint32_t group)
{
    struct store_cursor *cursor;
    struct key from = key_id_seq(group, 0);
    struct slice key, value;
    uint32_t id;
    uint64_t number;
    int err = store_cursor_open(txn, TABLE_DONE, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    while (!err && key_read_id_seq(key, &id, &number) && id == group) {
        err = load_chunk(b, key, value, number);
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    return err == SHUNT_NOT_FOUND ? 0 : err;
}
