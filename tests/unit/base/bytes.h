/* bytes: literal byte strings for tables of msgpack values. */
#ifndef SHUNT_TESTS_UNIT_BASE_BYTES_H
#define SHUNT_TESTS_UNIT_BASE_BYTES_H

#include "base/slice.h"
#include <stdlib.h>
#include <string.h>

/* {data, size} of a string literal that may hold zeros. */
#define BYTES(literal)                                                                                       \
    {                                                                                                        \
        literal, sizeof literal - 1                                                                          \
    }

#define COUNT_OF(array) (sizeof array / sizeof array[0])

/* A copy of exactly `size` bytes on the heap, so that AddressSanitizer sees one byte too far. */
static inline uint8_t *bytes_copy(const void *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (size)
        memcpy(copy, bytes, size);
    return copy;
}

/* A small generator: the same numbers on each run. */
static inline uint64_t bytes_random(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15ull;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

#endif
