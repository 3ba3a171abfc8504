/* array: elements in a row that grow by doubling. The pointer, the count and the capacity are their owner's
 * members. */
#ifndef SHUNT_BASE_ARRAY_H
#define SHUNT_BASE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Room for `count` elements in all, in the array that `*items` points at (NULL: none yet), which may move.
 * `*capacity` is a size_t, how many it has room for. False without memory, or if no memory could hold them:
 * then all is as it was. */
#define array_room(items, capacity, count)                                                                   \
    ((count) <= *(capacity) || array_grow((items), sizeof **(items), (capacity), (count)))

/* A place for one more element at `at`: those from there on move back, and `*count` grows. Room was made before. */
#define array_insert(items, count, at)                                                                       \
    ((void)memmove((items) + (at) + 1, (items) + (at), (*(count) - (at)) * sizeof *(items)), (void)++*(count))

/* The element at `at` leaves: those behind it move up, and `*count` falls. */
#define array_remove(items, count, at)                                                                       \
    ((void)--*(count), (void)memmove((items) + (at), (items) + (at) + 1, (*(count) - (at)) * sizeof *(items)))

bool array_grow(void *items, size_t each, size_t *capacity, size_t count);

#endif
