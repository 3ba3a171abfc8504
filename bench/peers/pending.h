/* pending: promises in the order in which they were given, for servers that confirm in that order. */
#ifndef SHUNT_BENCH_PENDING_H
#define SHUNT_BENCH_PENDING_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct pending {
    void **ring;
    uint32_t room;
    uint32_t first;
    uint32_t count;
};

static inline bool pending_init(struct pending *p, uint32_t room)
{
    *p = (struct pending){.ring = calloc(room, sizeof(void *)), .room = room};
    return p->ring != NULL;
}

static inline void pending_done(struct pending *p)
{
    free(p->ring);
}

static inline bool pending_add(struct pending *p, void *promise)
{
    if (p->count == p->room)
        return false;
    p->ring[(p->first + p->count++) % p->room] = promise;
    return true;
}

/* The oldest; NULL if there is none. */
static inline void *pending_take(struct pending *p)
{
    if (p->count == 0)
        return NULL;
    void *promise = p->ring[p->first];
    p->first = (p->first + 1) % p->room;
    p->count--;
    return promise;
}

#endif
