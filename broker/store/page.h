/* page: what a row takes of a store on disk, in bytes of pages: an upper bound, made from sizes and places alone. */
#ifndef SHUNT_STORE_PAGE_H
#define SHUNT_STORE_PAGE_H

#include <stddef.h>
#include <stdint.h>

#define COST_PAGE_BYTES 4096u
/* A place: the leaf, one branch above it, and a neighbour (split or merge). */
#define COST_PLACE_BYTES (3u * COST_PAGE_BYTES)
/* A row of so many bytes (key and value) that follows the row written before it in its table: pages are at
 * worst a quarter full, for emptier ones are merged; what is longer than half a page has pages of its own. */
static inline uint64_t cost_next(size_t bytes)
{
    if (bytes < 1000)
        return 4 * ((uint64_t)bytes + 12);
    return COST_PAGE_BYTES +
           (bytes < 2000 ? 0 : ((uint64_t)bytes + COST_PAGE_BYTES + 15) / COST_PAGE_BYTES * COST_PAGE_BYTES);
}

/* A row anywhere. */
static inline uint64_t cost_row(size_t bytes)
{
    return COST_PLACE_BYTES + cost_next(bytes);
}

#endif
