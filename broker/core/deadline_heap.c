/* deadline_heap: a heap of four children a node. It is half as deep as a binary one, and a node's children
 * are read together. */
#include "broker/core/deadline_heap.h"

#include "base/array.h"
#include "base/check.h"
#include "proto/errors.h"
#include <stdlib.h>

static uint32_t id_of(const struct deadline *e)
{
    return (uint32_t)(e->turn_id & DEADLINE_ID_MAX);
}

/* Without a branch: among the children of a node the answer is as good as random, and a wrong guess costs
 * more than this. */
static bool before(const struct deadline *a, const struct deadline *b)
{
    return (a->mono_ms < b->mono_ms) | ((a->mono_ms == b->mono_ms) & (a->turn_id < b->turn_id));
}

void deadline_heap_done(struct deadline_heap *h)
{
    free(h->entries);
    free(h->place);
    *h = (struct deadline_heap){0};
}

int deadline_heap_reserve(struct deadline_heap *h, uint32_t ids)
{
    check(ids <= DEADLINE_ID_MAX + 1u);
    size_t known = h->places;
    if (!array_room(&h->entries, &h->capacity, ids) || !array_room(&h->place, &h->places, ids))
        return SHUNT_NO_MEMORY;
    for (size_t id = known; id < h->places; id++)
        h->place[id] = DEADLINE_NONE;
    return 0;
}

void deadline_heap_shrink(struct deadline_heap *h, uint32_t ids)
{
    check(h->count == 0);
    if (h->capacity <= ids)
        return;
    /* Should realloc() fail to make it smaller, the old block is as good. */
    struct deadline *entries = realloc(h->entries, ids * sizeof *entries);
    uint32_t *place = realloc(h->place, ids * sizeof *place);
    h->entries = entries ? entries : h->entries;
    h->place = place ? place : h->place;
    h->capacity = h->places = ids;
}

static void put(struct deadline_heap *h, uint32_t at, const struct deadline *e)
{
    h->entries[at] = *e;
    h->place[id_of(e)] = at;
}

/* `e` belongs at `at` or nearer the root. */
static void rise(struct deadline_heap *h, uint32_t at, struct deadline e)
{
    while (at > 0) {
        uint32_t parent = (at - 1) / 4;
        if (!before(&e, &h->entries[parent]))
            break;
        put(h, at, &h->entries[parent]);
        at = parent;
    }
    put(h, at, &e);
}

static uint32_t first_child(const struct deadline_heap *h, uint32_t at)
{
    uint32_t child = at * 4 + 1, end = child + 4 < h->count ? child + 4 : h->count;
    uint32_t best = child;
    for (child++; child < end; child++)
        best = before(&h->entries[child], &h->entries[best]) ? child : best;
    return best;
}

/* `e` belongs at `at` or further from the root. */
static void sink(struct deadline_heap *h, uint32_t at, struct deadline e)
{
    while (at * 4 + 1 < h->count) {
        uint32_t child = first_child(h, at);
        if (!before(&h->entries[child], &e))
            break;
        put(h, at, &h->entries[child]);
        at = child;
    }
    put(h, at, &e);
}

static void settle(struct deadline_heap *h, uint32_t at, struct deadline e)
{
    if (at > 0 && before(&e, &h->entries[(at - 1) / 4]))
        rise(h, at, e);
    else
        sink(h, at, e);
}

void deadline_heap_set(struct deadline_heap *h, uint32_t id, int64_t mono_ms)
{
    check(id < h->places);
    struct deadline e = {mono_ms, h->turn++ << DEADLINE_ID_BITS | id};
    if (h->place[id] == DEADLINE_NONE) {
        check(h->count < h->capacity);
        rise(h, h->count++, e);
    } else {
        settle(h, h->place[id], e);
    }
}

void deadline_heap_remove(struct deadline_heap *h, uint32_t id)
{
    check(id < h->places);
    uint32_t at = h->place[id];
    check(at < h->count);
    h->place[id] = DEADLINE_NONE;
    struct deadline last = h->entries[--h->count];
    if (at < h->count)
        settle(h, at, last);
}

bool deadline_heap_first(const struct deadline_heap *h, uint32_t *ret_id, int64_t *ret_mono_ms)
{
    if (h->count == 0)
        return false;
    *ret_id = id_of(&h->entries[0]);
    *ret_mono_ms = h->entries[0].mono_ms;
    return true;
}

bool deadline_heap_has(const struct deadline_heap *h, uint32_t id)
{
    return id < h->places && h->place[id] != DEADLINE_NONE;
}

int64_t deadline_heap_of(const struct deadline_heap *h, uint32_t id)
{
    check(id < h->places);
    check(h->place[id] < h->count);
    return h->entries[h->place[id]].mono_ms;
}

void deadline_heap_check_slow(const struct deadline_heap *h)
{
    uint32_t placed = 0;
    for (uint32_t at = 0; at < h->count; at++) {
        check(h->place[id_of(&h->entries[at])] == at);
        check(at == 0 || before(&h->entries[(at - 1) / 4], &h->entries[at]));
    }
    for (uint32_t id = 0; id < h->places; id++)
        placed += h->place[id] != DEADLINE_NONE;
    check(placed == h->count);
}
