/* port_stub: chunks and links without an engine, counting those alive. */
#include "tests/unit/net/port_stub.h"

#include <stdlib.h>

int chunks_alive, links_alive;

struct chunk *chunk_new(uint32_t capacity)
{
    struct chunk *c = malloc(sizeof *c + capacity);
    if (!c)
        return NULL;
    atomic_init(&c->refs, 1);
    c->capacity = capacity;
    chunks_alive++;
    return c;
}

void chunk_ref(struct chunk *c)
{
    atomic_fetch_add(&c->refs, 1);
}

void chunk_unref(struct chunk *c)
{
    if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    chunks_alive--;
    free(c);
}

struct link *link_new(uint64_t id, struct flow_totals *totals)
{
    struct link *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->id = id;
    l->account.totals = totals;
    atomic_init(&l->refs, 1);
    links_alive++;
    return l;
}

void link_ref(struct link *l)
{
    atomic_fetch_add(&l->refs, 1);
}

void link_unref(struct link *l)
{
    if (!l || atomic_fetch_sub(&l->refs, 1) != 1)
        return;
    links_alive--;
    free(l->names);
    free(l);
}
