/* lease_table: slabs of leases, chained into a hash by (group, seq). Slabs are given back when the last lease
 * is closed. */
#include "broker/core/lease_table.h"

#include "base/array.h"
#include "base/check.h"
#include "proto/errors.h"
#include <stdlib.h>
#include <string.h>

#define BUCKET_BITS_MIN 8
#define SLABS_KEPT      16 /* when the table is empty */

void lease_table_init(struct lease_table *t)
{
    *t = (struct lease_table){.free_first = LEASE_NONE};
    lease_list_init(&t->unsettled);
}

void lease_table_done(struct lease_table *t)
{
    for (uint32_t i = 0; i < t->slab_count; i++)
        free(t->slabs[i]);
    free(t->slabs);
    free(t->buckets);
    deadline_heap_done(&t->deadlines);
    lease_table_init(t);
}

void lease_list_init(struct lease_list *list)
{
    list->first = list->last = LEASE_NONE;
}

/* Called for every message, with a `kind` that is known. */
#define INLINE static inline __attribute__((always_inline))

INLINE void list_append(struct lease_table *t, struct lease_list *list, enum lease_list_kind kind,
                        uint32_t id)
{
    struct lease *l = lease_at(t, id);
    l->in[kind].next = LEASE_NONE;
    l->in[kind].prev = list->last;
    if (list->last == LEASE_NONE)
        list->first = id;
    else
        lease_at(t, list->last)->in[kind].next = id;
    list->last = id;
}

INLINE void list_remove(struct lease_table *t, struct lease_list *list, enum lease_list_kind kind,
                        uint32_t id)
{
    uint32_t next = lease_at(t, id)->in[kind].next, prev = lease_at(t, id)->in[kind].prev;
    if (prev == LEASE_NONE)
        list->first = next;
    else
        lease_at(t, prev)->in[kind].next = next;
    if (next == LEASE_NONE)
        list->last = prev;
    else
        lease_at(t, next)->in[kind].prev = prev;
}

/* Fibonacci hashing: runs of sequence numbers, and every nth of them, spread over all buckets. */
static uint32_t *bucket_of(const struct lease_table *t, uint32_t group, uint64_t seq)
{
    uint64_t mixed = (seq ^ (uint64_t)group << 40 ^ group) * UINT64_C(0x9e3779b97f4a7c15);
    return &t->buckets[mixed >> (64 - t->bucket_bits)];
}

/* Double the buckets. fails: NO_MEMORY (they are as they were). */
static int buckets_grow(struct lease_table *t)
{
    uint32_t bits = t->buckets ? t->bucket_bits + 1 : BUCKET_BITS_MIN;
    uint32_t *buckets = malloc(sizeof *buckets << bits);
    if (!buckets)
        return SHUNT_NO_MEMORY;
    memset(buckets, 0xff, sizeof *buckets << bits);

    uint32_t *old = t->buckets;
    uint32_t old_count = old ? 1u << t->bucket_bits : 0;
    t->buckets = buckets;
    t->bucket_bits = bits;
    for (uint32_t i = 0; i < old_count; i++) {
        for (uint32_t id = old[i]; id != LEASE_NONE;) {
            struct lease *l = lease_at(t, id);
            uint32_t next = l->hash_next, *to = bucket_of(t, l->group, l->seq);
            l->hash_next = *to;
            *to = id;
            id = next;
        }
    }
    free(old);
    return 0;
}

/* The free leases of a slab are handed out in order of their numbers. */
static void slab_chain(struct lease_table *t, uint32_t slab)
{
    for (uint32_t i = LEASE_SLAB; i-- > 0;) {
        t->slabs[slab][i].hash_next = t->free_first;
        t->free_first = slab * LEASE_SLAB + i;
    }
}

static int slab_add(struct lease_table *t)
{
    uint32_t leases = (t->slab_count + 1) * LEASE_SLAB;
    if (leases > DEADLINE_ID_MAX || deadline_heap_reserve(&t->deadlines, leases) != 0)
        return SHUNT_NO_MEMORY;
    if (!array_room(&t->slabs, &t->slab_room, t->slab_count + 1))
        return SHUNT_NO_MEMORY;
    struct lease *slab = malloc(LEASE_SLAB * sizeof *slab);
    if (!slab)
        return SHUNT_NO_MEMORY;
    t->slabs[t->slab_count] = slab;
    slab_chain(t, t->slab_count++);
    return 0;
}

int lease_table_reserve(struct lease_table *t)
{
    if ((!t->buckets || t->count >= 1u << t->bucket_bits) && buckets_grow(t) != 0)
        return SHUNT_NO_MEMORY;
    return t->free_first == LEASE_NONE ? slab_add(t) : 0;
}

uint32_t lease_table_add(struct lease_table *t, const struct lease *l, int64_t deadline_mono_ms,
                         struct lease_list *member, struct lease_list *holder)
{
    uint32_t id = t->free_first;
    check(id != LEASE_NONE);
    check(lease_table_find(t, l->group, l->seq) == LEASE_NONE);
    struct lease *to = lease_at(t, id);
    t->free_first = to->hash_next;
    *to = *l;
    uint32_t *bucket = bucket_of(t, l->group, l->seq);
    to->hash_next = *bucket;
    *bucket = id;
    list_append(t, member, BY_MEMBER, id);
    list_append(t, holder, BY_HOLDER, id);
    to->deadline_ms = deadline_mono_ms;
    to->clock = LEASE_UNSETTLED;
    list_append(t, &t->unsettled, BY_CLOCK, id);
    t->count++;
    return id;
}

uint32_t lease_table_find(const struct lease_table *t, uint32_t group, uint64_t seq)
{
    if (!t->buckets)
        return LEASE_NONE;
    for (uint32_t id = *bucket_of(t, group, seq); id != LEASE_NONE;) {
        const struct lease *l = lease_at(t, id);
        if (l->seq == seq && l->group == group)
            return id;
        id = l->hash_next;
    }
    return LEASE_NONE;
}

/* A burst that is over keeps no memory. */
static void shrink(struct lease_table *t)
{
    if (t->slab_count <= SLABS_KEPT)
        return;
    struct lease **slabs = t->slabs;
    for (uint32_t i = SLABS_KEPT; i < t->slab_count; i++)
        free(slabs[i]);
    t->slab_count = SLABS_KEPT;
    t->free_first = LEASE_NONE;
    for (uint32_t i = SLABS_KEPT; i-- > 0;)
        slab_chain(t, i);
    free(t->buckets);
    t->buckets = NULL;
    deadline_heap_shrink(&t->deadlines, SLABS_KEPT * LEASE_SLAB);
}

/* ---- clocks ---- */

static void stop_clock(struct lease_table *t, uint32_t id, struct lease_list *overdue)
{
    switch (lease_at(t, id)->clock) {
    case LEASE_TICKING:
        deadline_heap_remove(&t->deadlines, id);
        break;
    case LEASE_UNSETTLED:
        list_remove(t, &t->unsettled, BY_CLOCK, id);
        break;
    case LEASE_OVERDUE:
        list_remove(t, overdue, BY_CLOCK, id);
        t->overdue_count--;
        break;
    }
}

void lease_table_set_deadline(struct lease_table *t, uint32_t id, int64_t mono_ms, bool settled,
                              struct lease_list *overdue)
{
    struct lease *l = lease_at(t, id);
    bool moves = !settled || l->clock != LEASE_TICKING;
    if (moves)
        stop_clock(t, id, overdue);
    l->deadline_ms = mono_ms;
    l->clock = settled ? LEASE_TICKING : LEASE_UNSETTLED;
    if (settled)
        deadline_heap_set(&t->deadlines, id, mono_ms);
    else
        list_append(t, &t->unsettled, BY_CLOCK, id);
}

void lease_table_settle(struct lease_table *t, int64_t passed_ms)
{
    for (uint32_t id = t->unsettled.first, next; id != LEASE_NONE; id = next) {
        struct lease *l = lease_at(t, id);
        next = l->in[BY_CLOCK].next;
        l->clock = LEASE_TICKING;
        l->deadline_ms += passed_ms;
        deadline_heap_set(&t->deadlines, id, l->deadline_ms);
    }
    lease_list_init(&t->unsettled);
}

void lease_table_put_overdue(struct lease_table *t, uint32_t id, struct lease_list *overdue)
{
    struct lease *l = lease_at(t, id);
    check(l->clock == LEASE_TICKING);
    deadline_heap_remove(&t->deadlines, id);
    l->clock = LEASE_OVERDUE;
    list_append(t, overdue, BY_CLOCK, id);
    t->overdue_count++;
}

/* ---- the end of a lease ---- */

void lease_table_remove(struct lease_table *t, uint32_t id, struct lease_list *member,
                        struct lease_list *holder, struct lease_list *overdue)
{
    struct lease *l = lease_at(t, id);
    uint32_t *link = bucket_of(t, l->group, l->seq);
    while (*link != id) {
        check(*link != LEASE_NONE);
        link = &lease_at(t, *link)->hash_next;
    }
    *link = l->hash_next;
    list_remove(t, member, BY_MEMBER, id);
    list_remove(t, holder, BY_HOLDER, id);
    stop_clock(t, id, overdue);
    l->member = NULL;
    l->hash_next = t->free_first;
    t->free_first = id;
    if (--t->count == 0)
        shrink(t);
}

void lease_table_check_slow(const struct lease_table *t)
{
    uint32_t hashed = 0, unused = 0, aside = 0, unsettled = 0;
    for (uint32_t i = 0; t->buckets && i < 1u << t->bucket_bits; i++) {
        for (uint32_t id = t->buckets[i]; id != LEASE_NONE; id = lease_at(t, id)->hash_next) {
            const struct lease *l = lease_at(t, id);
            check(l->member != NULL);
            check(bucket_of(t, l->group, l->seq) == &t->buckets[i]);
            check(lease_table_find(t, l->group, l->seq) == id);
            check((t->deadlines.place[id] != DEADLINE_NONE) == (l->clock == LEASE_TICKING));
            check(l->clock != LEASE_TICKING || deadline_heap_of(&t->deadlines, id) == l->deadline_ms);
            aside += l->clock != LEASE_TICKING;
            hashed++;
        }
    }
    for (uint32_t id = t->free_first; id != LEASE_NONE; id = lease_at(t, id)->hash_next) {
        check(t->deadlines.place[id] == DEADLINE_NONE);
        unused++;
    }
    check(hashed == t->count);
    check(t->deadlines.count + aside == t->count);
    for (uint32_t id = t->unsettled.first; id != LEASE_NONE; id = lease_at(t, id)->in[BY_CLOCK].next)
        unsettled++;
    check(unsettled + t->overdue_count == aside);
    check(hashed + unused == t->slab_count * LEASE_SLAB);
    deadline_heap_check_slow(&t->deadlines);
}
