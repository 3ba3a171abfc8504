/* requests: a ring indexed by id, for ids are given out in order and mostly answered in order. */
#include "client/wire/requests.h"

#include "base/check.h"
#include <stdlib.h>

#define CAPACITY_FIRST 64

void requests_done(struct requests *t)
{
    free(t->ring);
    *t = (struct requests){0};
}

static struct waiter *slot(const struct requests *t, uint64_t id)
{
    return &t->ring[id & (t->capacity - 1)];
}

static bool grow(struct requests *t)
{
    struct requests bigger = *t;
    bigger.capacity = t->capacity == 0 ? CAPACITY_FIRST : t->capacity * 2;
    bigger.ring = calloc(bigger.capacity, sizeof *bigger.ring);
    if (!bigger.ring)
        return false;
    for (uint64_t id = t->first; id < t->next; id++)
        *slot(&bigger, id) = *slot(t, id);
    free(t->ring);
    *t = bigger;
    return true;
}

uint64_t requests_add(struct requests *t, enum waiter_kind kind, void *who)
{
    check(kind != WAITER_NONE);
    if (t->next == 0)
        t->first = t->next = 1;
    if (t->next - t->first == t->capacity && !grow(t))
        return 0;
    *slot(t, t->next) = (struct waiter){.kind = kind, .who = who};
    return t->next++;
}

struct waiter requests_take(struct requests *t, uint64_t id)
{
    struct waiter none = {.kind = WAITER_NONE};
    if (id < t->first || id >= t->next)
        return none;
    struct waiter taken = *slot(t, id);
    *slot(t, id) = none;
    while (t->first < t->next && slot(t, t->first)->kind == WAITER_NONE)
        t->first++;
    return taken;
}

void requests_change(struct requests *t, uint64_t id, enum waiter_kind kind, void *who)
{
    check(id >= t->first && id < t->next && slot(t, id)->kind != WAITER_NONE);
    *slot(t, id) = (struct waiter){.kind = kind, .who = who};
}

uint64_t requests_from(const struct requests *t, uint64_t id, struct waiter *ret)
{
    for (id = id < t->first ? t->first : id; id < t->next; id++) {
        if (slot(t, id)->kind != WAITER_NONE) {
            *ret = *slot(t, id);
            return id;
        }
    }
    return 0;
}
