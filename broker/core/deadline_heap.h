/* deadline_heap: which of many numbered things is due first. A heap whose entries know their own place (as
 * beanstalkd's do), so that any of them can be moved or leave in O(log n).
 *
 * What is due at the same millisecond comes in the order in which the deadlines were set.
 */
#ifndef SHUNT_CORE_DEADLINE_HEAP_H
#define SHUNT_CORE_DEADLINE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ids are smaller than this: an entry packs one beside its turn. */
#define DEADLINE_ID_BITS 26
#define DEADLINE_ID_MAX  ((1u << DEADLINE_ID_BITS) - 1)

struct deadline {
    int64_t mono_ms;
    uint64_t turn_id; /* when it was set, counted; below that the id */
};

struct deadline_heap {
    struct deadline *entries; /* four children each: a node's children share a cache line or two */
    uint32_t *place;          /* by id: where it stands in `entries`; DEADLINE_NONE if nowhere */
    uint32_t count;
    size_t capacity, places; /* of entries, of place */
    uint64_t turn;
};
#define DEADLINE_NONE UINT32_MAX

/* A heap of zeroes is empty and ready for use. */
void deadline_heap_done(struct deadline_heap *h);
/* Make room for ids below `ids`, all of them due at once. fails: NO_MEMORY (the heap is as it was). */
int deadline_heap_reserve(struct deadline_heap *h, uint32_t ids);
/* Give back room beyond `ids`. in: the heap is empty. */
void deadline_heap_shrink(struct deadline_heap *h, uint32_t ids);
/* The thing is due at mono_ms, whether it was in the heap or not. in: room for it was reserved. */
void deadline_heap_set(struct deadline_heap *h, uint32_t id, int64_t mono_ms);
/* in: it is in the heap. */
void deadline_heap_remove(struct deadline_heap *h, uint32_t id);
/* False when the heap is empty. */
bool deadline_heap_first(const struct deadline_heap *h, uint32_t *ret_id, int64_t *ret_mono_ms);
/* The time of the first, or `never` when the heap is empty. Here, because each turn asks it of several. */
static inline int64_t deadline_heap_when(const struct deadline_heap *h, int64_t never)
{
    return h->count ? h->entries[0].mono_ms : never;
}
bool deadline_heap_has(const struct deadline_heap *h, uint32_t id);
int64_t deadline_heap_of(const struct deadline_heap *h, uint32_t id); /* in: it is in the heap */
void deadline_heap_check_slow(const struct deadline_heap *h);

#endif
