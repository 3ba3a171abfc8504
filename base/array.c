/* array: see array.h. */
#include "base/array.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 256 /* of a new array, and room for at least so many elements: */
#define FIRST_COUNT 4

bool array_grow(void *items, size_t each, size_t *capacity, size_t count)
{
    size_t grown = *capacity;
    if (grown == 0)
        grown = each * FIRST_COUNT < FIRST_BYTES ? FIRST_BYTES / each : FIRST_COUNT;
    while (grown < count && grown <= SIZE_MAX / 2)
        grown *= 2;
    if (grown < count || grown > SIZE_MAX / each)
        return false;
    void *at; /* a pointer to the elements, whatever they are */
    memcpy(&at, items, sizeof at);
    at = realloc(at, grown * each);
    if (!at)
        return false;
    memcpy(items, &at, sizeof at);
    *capacity = grown;
    return true;
}
