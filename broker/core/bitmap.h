/* bitmap: which sequence numbers of a group need no more attention from its cursor: they are done, or have a
 * row in attempt.
 *
 * A sparse list of chunks in memory, each backed by a row of the done table. Bits below `floor` (kept by the
 * group) are all set and have no chunk.
 */
#ifndef SHUNT_CORE_BITMAP_H
#define SHUNT_CORE_BITMAP_H

#include "broker/core/schema.h"

struct bitmap_chunk {
    uint64_t number; /* of the chunk: first bit is number * CHUNK_BITS */
    bool dirty;      /* differs from its row, and is in the bitmap's list of those */
    bool stored;     /* has a row */
    struct bitmap_chunk *dirty_next;
    uint64_t words[CHUNK_BYTES / 8];
};

struct bitmap {
    struct bitmap_chunk **chunks; /* in order of number */
    size_t count, capacity;
    uint64_t high;              /* no bit at or above it is set */
    struct bitmap_chunk *dirty; /* in any order */
};

void bitmap_done(struct bitmap *b); /* frees the contents */
bool bitmap_get(const struct bitmap *b, uint64_t seq);
/* Set one bit, or all of [from, to). fails: NO_MEMORY */
int bitmap_set(struct bitmap *b, uint64_t seq);
int bitmap_set_range(struct bitmap *b, uint64_t from, uint64_t to);
/* The first clear bit at or after `seq`. */
uint64_t bitmap_next_clear(const struct bitmap *b, uint64_t seq);
/* Forget chunks that lie wholly below `floor`, and their rows; write the dirty ones among the others. Costs
 * nothing for those that stay as they are. */
int bitmap_flush(struct bitmap *b, struct store_txn *txn, uint32_t group, uint64_t floor);
/* Read a group's chunks. fails: CORRUPT, NO_MEMORY, IO */
int bitmap_load(struct bitmap *b, struct store_txn *txn, uint32_t group);

#endif
