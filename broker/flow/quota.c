/* quota: a table with lists, and a list of those that wait for their buckets to be full. */
#include "broker/flow/quota.h"

#include "base/check.h"

#include <stdlib.h>
#include <xxhash.h>

#define PLACES 16384 /* a power of two */

void quota_table_init(struct quota_table *t, uint64_t seed)
{
    *t = (struct quota_table){.seed = seed};
    ring_init(&t->idle);
}

void quota_table_done(struct quota_table *t)
{
    for (size_t i = 0; t->places && i < PLACES; i++) {
        while (t->places[i]) {
            struct quota *q = t->places[i];
            t->places[i] = q->next;
            free(q);
        }
    }
    free(t->places);
    quota_table_init(t, t->seed);
}

static struct quota **place_of(const struct quota_table *t, uint64_t hash)
{
    return &t->places[hash & (PLACES - 1)];
}

static void wake(struct quota_table *t, struct quota *q)
{
    if (!ring_linked(&q->idle))
        return;
    ring_remove(&q->idle);
    t->idle_count--;
}

static void forget(struct quota_table *t, struct quota *q)
{
    struct quota **at = place_of(t, q->hash);
    check(!q->connections);
    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
    wake(t, q);
    t->count--;
    free(q);
}

/* To forget it changes nothing. */
static bool is_as_new(const struct quota *q, int64_t now_ms)
{
    for (int i = 0; i < QUOTA_RATES; i++) {
        if (q->buckets[i].full_ns > now_ms * NS_A_MS)
            return false;
    }
    return true;
}

/* Two at most, so that the list shrinks and nobody waits for all of it. */
static void tidy(struct quota_table *t, int64_t now_ms)
{
    for (int i = 0; i < 2 && !ring_empty(&t->idle); i++) {
        struct quota *first = ring_of(t->idle.next, struct quota, idle);
        if (t->idle_count <= QUOTA_IDLE_MAX && !is_as_new(first, now_ms))
            return;
        forget(t, first);
    }
}

struct quota *quota_hold(struct quota_table *t, struct slice key, int64_t now_ms)
{
    check(key.size <= QUOTA_KEY_BYTES);
    uint64_t hash = XXH3_64bits_withSeed(key.data, key.size, t->seed);
    struct quota *q = t->places ? *place_of(t, hash) : NULL;
    while (q && !(q->hash == hash && slice_equal(key, (struct slice){q->key, q->size})))
        q = q->next;
    if (q) {
        wake(t, q);
        q->connections++;
        tidy(t, now_ms);
        return q;
    }
    if (!t->places)
        t->places = calloc(PLACES, sizeof(struct quota *));
    q = t->places ? calloc(1, sizeof *q) : NULL;
    if (!q)
        return NULL;
    q->hash = hash;
    q->connections = 1;
    q->size = (uint32_t)key.size;
    slice_copy(q->key, key);
    ring_init(&q->idle);
    struct quota **at = place_of(t, hash);
    q->next = *at;
    *at = q;
    t->count++;
    tidy(t, now_ms);
    return q;
}

void quota_drop(struct quota_table *t, struct quota *q, int64_t now_ms)
{
    if (!q)
        return;
    check(q->connections > 0);
    if (--q->connections)
        return;
    if (is_as_new(q, now_ms)) {
        forget(t, q);
        return;
    }
    ring_append(&t->idle, &q->idle);
    t->idle_count++;
    tidy(t, now_ms);
}
