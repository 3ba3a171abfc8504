/* array: elements in a row that grow by doubling. The pointer, the count and the capacity are their owner's
 * members. */
#ifndef SHUNT_BASE_ARRAY_H
#define SHUNT_BASE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

/* Room for `count` elements in all, in the array that `*items` points at (NULL: none yet), which may move.
 * `*capacity` is a size_t, how many it has room for. False without memory, or if no memory could hold them:
 * then all is as it was. */
#define array_room(items, capacity, count)                                                                   \
    ((count) <= *(capacity) || array_grow((items), sizeof **(items), (capacity), (count)))

bool array_grow(void *items, size_t each, size_t *capacity, size_t count);

#endif
