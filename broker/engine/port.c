/* port: read buffers and connections shared by two threads. */
#include "broker/engine/port.h"
#include "base/check.h"

#include <stdlib.h>

struct chunk *chunk_new(uint32_t capacity)
{
    struct chunk *c = malloc(sizeof *c + capacity);
    if (!c)
        return NULL;
    atomic_init(&c->refs, 1);
    c->capacity = capacity;
    return c;
}

void chunk_ref(struct chunk *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
}

void chunk_unref(struct chunk *c)
{
    if (!c)
        return;
    uint32_t refs = atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel);
    check(refs > 0);
    if (refs == 1)
        free(c);
}

struct link *link_new(uint64_t id, struct flow_totals *totals)
{
    check(totals);
    struct link *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->id = id;
    l->account.totals = totals;
    atomic_init(&l->refs, 1);
    return l;
}

void link_ref(struct link *l)
{
    atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
}

void link_unref(struct link *l)
{
    if (!l)
        return;
    uint32_t refs = atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel);
    check(refs > 0);
    if (refs == 1) {
        free(l->names);
        free(l);
    }
}
