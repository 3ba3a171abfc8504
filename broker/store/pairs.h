/* pairs: an ordered map from bytes to bytes, the memory store's table: a skip list whose pairs never change.
 *
 * A pair is made once and then linked, unlinked and linked again as transactions end one way or the other; to
 * overwrite is to link another pair in its place. So an undo log needs only two kinds of entry, and bytes
 * handed out stay where they are for as long as the pair does. Appending costs O(1), all else O(log n).
 */
#ifndef SHUNT_STORE_PAIRS_H
#define SHUNT_STORE_PAIRS_H

#include "proto/mpack.h"

#define PAIR_LEVELS_MAX 12

/* The key's bytes and then the value's follow next[levels]. */
struct pair {
    struct pair *prev; /* on the lowest level; the table's head for the first */
    uint64_t begins
        [2]; /* the key's first 16 bytes as numbers, with zeros behind a shorter one: most comparisons end there */
    size_t value_size;
    uint8_t key_size;
    uint8_t levels;
    struct pair *next[];
};

struct pairs {
    struct pair *head;                  /* has all levels, no key and no value */
    struct pair *tail[PAIR_LEVELS_MAX]; /* the last pair on each level; the head on an empty one */
    unsigned levels;                    /* those from here on have been empty since it was made */
    uint64_t count;
    uint64_t stamp;  /* grows with every link and unlink: an unchanged stamp means unchanged neighbours */
    uint64_t random; /* state of the generator that draws levels; fixed seed, so that runs repeat */
};

/* fails: false without memory; the map is then empty and pairs_done() still right. */
bool pairs_init(struct pairs *m);
/* The same pairs again. fails: as pairs_init(), and there may be some */
bool pairs_copy(const struct pairs *from, struct pairs *ret);
/* Free every pair that is linked; takes one that is all zeros. */
void pairs_done(struct pairs *m);

/* A pair that is not linked yet, with its value's bytes not set. NULL without memory. Freed with free(). */
struct pair *pair_new(struct pairs *m, struct slice key, size_t value_size);
struct slice pair_key(const struct pair *p);
struct slice pair_value(const struct pair *p);
void *pair_value_bytes(struct pair *p);

/* Link a pair. Returns the pair with the same key that it took the place of, now unlinked and the caller's;
 * or NULL. */
struct pair *pairs_link(struct pairs *m, struct pair *p);
/* Unlink the pair with this key; it is the caller's then. NULL if there is none. */
struct pair *pairs_unlink(struct pairs *m, struct slice key);

/* The first pair whose key is >= `key`; NULL at the end. */
struct pair *pairs_at_least(const struct pairs *m, struct slice key);
/* The pair with this very key, or NULL. */
struct pair *pairs_find(const struct pairs *m, struct slice key);
/* The neighbours of a linked pair, and the ends; NULL where there is none. */
struct pair *pairs_first(const struct pairs *m);
struct pair *pairs_last(const struct pairs *m);
struct pair *pairs_next(const struct pair *p);
struct pair *pairs_prev(const struct pairs *m, const struct pair *p);

#endif
