/* key_sketch: which keys weigh most in a stream of them, in bounded memory, and lately: what is older weighs half as much with
 * every half-life.
 *
 * Space-Saving (Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements in Data Streams, ICDT 2005)
 * with weights: a fixed number of counters; a key that has none takes over the lightest, and its weight as a possible error.
 * With k counters and a total weight of W, no count is too small, none is too large by more than W/k, and each key that weighs
 * more than W/k has a counter. Weights that came later are scaled up instead of all others down (Cormode, Shkapenyuk, Srivastava,
 * Xu: Forward Decay, ICDE 2009), so that an addition costs one search and a walk in a heap.
 *
 * Keys are told apart by a hash of 64 bits. An estimate for people: no decision rests on it, so it may use floating point.
 */
#ifndef SHUNT_ENGINE_KEY_SKETCH_H
#define SHUNT_ENGINE_KEY_SKETCH_H

#include "base/slice.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct key_counter {
    uint64_t hash;
    double weight, error; /* scaled by what `scale` was when they came */
    char *key;
    uint32_t key_bytes;
    uint32_t next;  /* of its bucket */
    uint32_t place; /* in the heap */
};

struct key_sketch {
    uint32_t most; /* counters; 0: nothing is counted */
    double half_life_s;
    struct key_counter *counters;
    uint32_t *heap;    /* of counters, the lightest first */
    uint32_t *buckets; /* as many as `capacity`: a power of two */
    uint32_t count, capacity;
    double total;
    double scale; /* of a weight that comes now */
    int64_t scale_s;
    bool begun;       /* one has come, … */
    int64_t begun_ms; /* … the first of them then */
    size_t bytes;     /* of memory */
};

/* What is known of one key. */
struct key_weight {
    struct slice key; /* lent */
    uint64_t hash;
    double per_second; /* weight in a second, on average of the last half-life or so */
    double error;      /* it may be too large by that */
};

/* At most `most` counters. `half_life_ms`: some seconds at least, because time goes on in steps of one. */
void key_sketch_init(struct key_sketch *s, uint32_t most, int64_t half_life_ms);
void key_sketch_done(struct key_sketch *s);
/* A message of that key weighs so much. Without memory it is passed over. Times are of a clock that does not go back. */
void key_sketch_add(struct key_sketch *s, uint64_t hash, struct slice key, double weight, int64_t mono_ms);
/* Of all keys. */
double key_sketch_per_second(struct key_sketch *s, int64_t mono_ms);
/* How much of all the heaviest key weighs, at least: 0 to 1; 0 if nothing is known. */
double key_sketch_share(struct key_sketch *s, int64_t mono_ms);
/* False: it has no counter. */
bool key_sketch_find(struct key_sketch *s, uint64_t hash, int64_t mono_ms, struct key_weight *ret);
/* The heaviest `most` of them, the heaviest first and of the same weight by their bytes; returns how many. */
uint32_t key_sketch_top(struct key_sketch *s, int64_t mono_ms, uint32_t most, struct key_weight *ret);

#endif
