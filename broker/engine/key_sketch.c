/* key_sketch: see key_sketch.h. */
#include "broker/engine/key_sketch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NOBODY         UINT32_MAX
#define CAPACITY_LEAST 8u

#define LN2          0.69314718055994530942
#define SCALE_MAX    1e12 /* then all are scaled down */
#define FORGET_LIVES 40   /* half-lives: nothing is left of what is older */

static size_t key_room(size_t key_bytes)
{
    return key_bytes ? key_bytes : 1;
}

static void free_key(struct key_sketch *s, struct key_counter *c)
{
    s->bytes -= key_room(c->key_bytes);
    free(c->key);
}

static void forget(struct key_sketch *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        free_key(s, &s->counters[i]);
    s->count = 0;
    s->total = 0;
    for (uint32_t i = 0; i < s->capacity; i++)
        s->buckets[i] = NOBODY;
}

void key_sketch_init(struct key_sketch *s, uint32_t most, int64_t half_life_ms)
{
    *s = (struct key_sketch){.most = most, .half_life_s = (double)half_life_ms / 1000};
}

void key_sketch_done(struct key_sketch *s)
{
    forget(s);
    free(s->counters);
    free(s->heap);
    free(s->buckets);
    *s = (struct key_sketch){0};
}

/* ---- time ---- */

static void scale_down(struct key_sketch *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        s->counters[i].weight /= s->scale;
        s->counters[i].error /= s->scale;
    }
    s->total /= s->scale;
    s->scale = 1;
}

static void advance(struct key_sketch *s, int64_t mono_ms)
{
    int64_t now_s = mono_ms / 1000;
    double lives = (double)(now_s - s->scale_s) / s->half_life_s;
    if (!s->begun || lives > FORGET_LIVES) {
        forget(s);
        s->scale = 1;
        s->scale_s = now_s;
        s->begun = true;
        s->begun_ms = mono_ms;
    } else if (now_s > s->scale_s) {
        s->scale *= exp2(lives);
        s->scale_s = now_s;
        if (s->scale > SCALE_MAX)
            scale_down(s);
    }
}

/* What turns a weight into a rate. A steady rate r has, after a long time, a weight of r * half-life / ln 2; after a shorter one,
 * of the part of that which cannot have faded yet. */
static double rate_of_weight(const struct key_sketch *s, int64_t mono_ms)
{
    double age_s = (double)(mono_ms - s->begun_ms) / 1000;
    double part = 1 - exp2(-(age_s < 1 ? 1 : age_s) / s->half_life_s);
    return LN2 / s->half_life_s / part / s->scale;
}

/* ---- the heap ---- */

static bool lighter(const struct key_sketch *s, uint32_t a, uint32_t b)
{
    return s->counters[s->heap[a]].weight < s->counters[s->heap[b]].weight;
}

static void swap(struct key_sketch *s, uint32_t a, uint32_t b)
{
    uint32_t at_a = s->heap[a], at_b = s->heap[b];
    s->heap[a] = at_b;
    s->heap[b] = at_a;
    s->counters[at_b].place = a;
    s->counters[at_a].place = b;
}

static void grown(struct key_sketch *s, uint32_t place)
{
    for (;;) {
        uint32_t least = place, child = 2 * place + 1;
        for (uint32_t i = child; i < child + 2 && i < s->count; i++)
            least = lighter(s, i, least) ? i : least;
        if (least == place)
            return;
        swap(s, place, least);
        place = least;
    }
}

static void risen(struct key_sketch *s, uint32_t place)
{
    for (; place && lighter(s, place, (place - 1) / 2); place = (place - 1) / 2)
        swap(s, place, (place - 1) / 2);
}

/* ---- counters ---- */

static uint32_t *bucket(const struct key_sketch *s, uint64_t hash)
{
    return &s->buckets[hash & (s->capacity - 1)];
}

static uint32_t find(const struct key_sketch *s, uint64_t hash)
{
    uint32_t at = s->capacity ? *bucket(s, hash) : NOBODY;
    while (at != NOBODY && s->counters[at].hash != hash)
        at = s->counters[at].next;
    return at;
}

static void link_counter(struct key_sketch *s, uint32_t at)
{
    uint32_t *head = bucket(s, s->counters[at].hash);
    s->counters[at].next = *head;
    *head = at;
}

static void unlink_counter(struct key_sketch *s, uint32_t at)
{
    uint32_t *to = bucket(s, s->counters[at].hash);
    while (*to != at)
        to = &s->counters[*to].next;
    *to = s->counters[at].next;
}

/* Room for one more counter. */
static bool grow(struct key_sketch *s)
{
    uint32_t old = s->capacity, capacity = old ? 2 * old : CAPACITY_LEAST;
    struct key_counter *counters = realloc(s->counters, capacity * sizeof *counters);
    if (counters)
        s->counters = counters;
    uint32_t *heap = counters ? realloc(s->heap, capacity * sizeof *heap) : NULL;
    if (heap)
        s->heap = heap;
    uint32_t *buckets = heap ? realloc(s->buckets, capacity * sizeof *buckets) : NULL;
    if (!buckets)
        return false;
    s->buckets = buckets;
    s->capacity = capacity;
    s->bytes += (capacity - old) * (sizeof *counters + sizeof *heap + sizeof *buckets);
    for (uint32_t i = 0; i < capacity; i++)
        buckets[i] = NOBODY;
    for (uint32_t i = 0; i < s->count; i++)
        link_counter(s, i);
    return true;
}

static void take_counter(struct key_sketch *s, uint64_t hash, char *key, size_t key_bytes, double weight)
{
    uint32_t at = s->count++;
    s->counters[at] = (struct key_counter){
        .hash = hash, .weight = weight, .key = key, .key_bytes = (uint32_t)key_bytes, .place = at};
    s->heap[at] = at;
    link_counter(s, at);
    risen(s, at);
}

/* The lightest one counts for this key from now on. */
static void take_over(struct key_sketch *s, uint64_t hash, char *key, size_t key_bytes, double weight)
{
    uint32_t at = s->heap[0];
    struct key_counter *c = &s->counters[at];
    unlink_counter(s, at);
    free_key(s, c);
    c->hash = hash;
    c->key = key;
    c->key_bytes = (uint32_t)key_bytes;
    c->error = c->weight;
    c->weight += weight;
    link_counter(s, at);
    grown(s, 0);
}

void key_sketch_add(struct key_sketch *s, uint64_t hash, struct slice key, double weight, int64_t mono_ms)
{
    if (!s->most)
        return;
    advance(s, mono_ms);
    uint32_t at = find(s, hash);
    weight *= s->scale;
    if (at != NOBODY) {
        s->total += weight;
        s->counters[at].weight += weight;
        grown(s, s->counters[at].place);
        return;
    }
    char *copy = malloc(key_room(key.size));
    bool is_new = s->count < s->most;
    if (!copy || (is_new && s->count == s->capacity && !grow(s))) {
        free(copy);
        return;
    }
    s->total += weight;
    s->bytes += key_room(key.size);
    if (key.size)
        memcpy(copy, key.data, key.size);
    if (is_new)
        take_counter(s, hash, copy, key.size, weight);
    else
        take_over(s, hash, copy, key.size, weight);
}

/* ---- looking ---- */

double key_sketch_per_second(struct key_sketch *s, int64_t mono_ms)
{
    if (!s->begun)
        return 0;
    advance(s, mono_ms);
    return s->total * rate_of_weight(s, mono_ms);
}

double key_sketch_share(struct key_sketch *s, int64_t mono_ms)
{
    double most = 0;
    if (!s->begun)
        return 0;
    advance(s, mono_ms);
    for (uint32_t i = 0; i < s->count; i++) {
        double sure = s->counters[i].weight - s->counters[i].error;
        most = sure > most ? sure : most;
    }
    return s->total > most ? most / s->total : most > 0;
}

static struct key_weight weight_of(const struct key_sketch *s, uint32_t at, double rate)
{
    const struct key_counter *c = &s->counters[at];
    return (struct key_weight){.key = {c->key, c->key_bytes},
                               .hash = c->hash,
                               .per_second = c->weight * rate,
                               .error = c->error * rate};
}

bool key_sketch_find(struct key_sketch *s, uint64_t hash, int64_t mono_ms, struct key_weight *ret)
{
    if (!s->begun)
        return false;
    advance(s, mono_ms);
    uint32_t at = find(s, hash);
    if (at != NOBODY)
        *ret = weight_of(s, at, rate_of_weight(s, mono_ms));
    return at != NOBODY;
}

/* Heaviest first; of the same weight by the bytes of the key, so that a look tells the same twice. */
static int by_weight(const void *a, const void *b)
{
    const struct key_weight *x = a, *y = b;
    if (x->per_second > y->per_second || x->per_second < y->per_second)
        return x->per_second > y->per_second ? -1 : 1;
    return slice_compare(x->key, y->key);
}

uint32_t key_sketch_top(struct key_sketch *s, int64_t mono_ms, uint32_t most, struct key_weight *ret)
{
    if (!s->begun)
        return 0;
    advance(s, mono_ms);
    struct key_weight *all = malloc((s->count + 1) * sizeof *all);
    if (!all)
        return 0;
    double rate = rate_of_weight(s, mono_ms);
    for (uint32_t i = 0; i < s->count; i++)
        all[i] = weight_of(s, i, rate);
    uint32_t count = s->count < most ? s->count : most;
    if (s->count)
        qsort(all, s->count, sizeof *all, by_weight);
    if (count)
        memcpy(ret, all, count * sizeof *all);
    free(all);
    return count;
}
