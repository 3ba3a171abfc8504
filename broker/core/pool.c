/* pool: the groups that have members, found by id. */
#include "broker/core/dispatcher_state.h"

#include "base/check.h"
#include <stdlib.h>

static struct pool **bucket_of(struct pool **buckets, uint32_t count, uint32_t group)
{
    return &buckets[group * 0x9e3779b1u & (count - 1)];
}

struct pool *pool_find(const struct dispatcher *d, uint32_t group)
{
    if (!d->buckets)
        return NULL;
    struct pool *p = *bucket_of(d->buckets, d->bucket_count, group);
    while (p && p->group != group)
        p = p->hash_next;
    return p;
}

static bool buckets_grow(struct dispatcher *d)
{
    uint32_t count = d->bucket_count ? d->bucket_count * 2 : 64;
    struct pool **buckets = calloc(count, sizeof(struct pool *));
    if (!buckets)
        return false;
    for (uint32_t i = 0; i < d->bucket_count; i++) {
        for (struct pool *p = d->buckets[i], *next; p; p = next) {
            struct pool **to = bucket_of(buckets, count, p->group);
            next = p->hash_next;
            p->hash_next = *to;
            *to = p;
        }
    }
    free(d->buckets);
    d->buckets = buckets;
    d->bucket_count = count;
    return true;
}

struct pool *pool_find_or_add(struct dispatcher *d, uint32_t group)
{
    struct pool *p = pool_find(d, group);
    if (p)
        return p;
    if (d->pool_count >= d->bucket_count && !buckets_grow(d))
        return NULL;
    p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->group = group;
    ring_init(&p->runnable);
    ring_init(&p->members);
    ring_init(&p->takers);
    struct pool **bucket = bucket_of(d->buckets, d->bucket_count, group);
    p->hash_next = *bucket;
    *bucket = p;
    d->pool_count++;
    return p;
}

void pool_free(struct dispatcher *d, struct pool *p)
{
    check(ring_empty(&p->members));
    check(!p->lone);
    check(p->reserved == 0);
    struct pool **link = bucket_of(d->buckets, d->bucket_count, p->group);
    while (*link != p)
        link = &(*link)->hash_next;
    *link = p->hash_next;
    d->pool_count--;
    ring_remove(&p->runnable);
    free(p);
}

void pool_wake(struct dispatcher *d, struct pool *p)
{
    if (!ring_linked(&p->runnable) && (!ring_empty(&p->takers) || pool_draining(p)))
        ring_append(&d->runnable, &p->runnable);
}

void pool_ready(const struct dispatcher *d, struct pool *p, struct group_ready *ret)
{
    *ret = (struct group_ready){0};
    d->ready(d->context, p->group, ret);
    for (enum lane lane = 0; lane < LANES; lane++) {
        p->seen[lane] = ret->lane[lane];
        if (ret->paused || ret->lane[lane] == p->refused[lane])
            ret->lane[lane] = 0;
    }
    uint64_t *normal = &ret->lane[LANE_NORMAL];
    *normal -= *normal < p->reserved ? *normal : p->reserved;
}
