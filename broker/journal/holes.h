/* holes: ranges of a table's keys in which no row is left, as walks have found them. The rows of a queue's worked-off front are hidden one by
 * one and stay in the store behind until the next merge: without this, every look at the front would walk over all of them. */
#ifndef SHUNT_JOURNAL_HOLES_H
#define SHUNT_JOURNAL_HOLES_H

#include "broker/store/store.h"

#define HOLES_MAX 8
#define HOLE_ROWS 16 /* a walk over fewer hidden rows is not worth noting */

/* No row's key is >= from and < to; without bytes, `to` is behind every key. */
struct hole {
    uint8_t from_size, to_size;
    uint8_t from[STORE_KEY_BYTES_MAX], to[STORE_KEY_BYTES_MAX];
};

struct holes {
    unsigned count, next; /* the one that the next takes the place of */
    struct hole *holes;
};

void holes_done(struct holes *h);
static inline void holes_forget(struct holes *h)
{
    h->count = 0;
}
/* Note one; without memory it is not. */
void holes_add(struct holes *h, struct slice from, struct slice to);
/* A row comes: it lies in none. */
void holes_fill(struct holes *h, struct slice key);
/* Where a search for `key` may begin: the same, or the end of the hole that it is in, whose bytes live until
 * the next change; no bytes: nothing is left from there on. */
struct slice holes_skip(const struct holes *h, struct slice key);

#endif
