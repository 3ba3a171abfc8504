/* source: fuzz bytes, taken one after the other; past the end everything is 0. */
#ifndef SHUNT_TESTS_FUZZ_SOURCE_H
#define SHUNT_TESTS_FUZZ_SOURCE_H

#include "proto/mpack.h"

struct source {
    const uint8_t *at, *end;
};

static inline size_t source_left(const struct source *s)
{
    return (size_t)(s->end - s->at);
}

static inline uint8_t source_u8(struct source *s)
{
    return s->at < s->end ? *s->at++ : 0;
}

/* At most `size` bytes. */
static inline struct slice source_bytes(struct source *s, size_t size)
{
    size_t some = size < source_left(s) ? size : source_left(s);
    struct slice bytes = {s->at, some};
    s->at += some;
    return bytes;
}

/* Mostly small; now and then any 64 bits. */
static inline uint64_t source_number(struct source *s)
{
    uint8_t first = source_u8(s);
    uint64_t number = first;
    if (first < 240)
        return number;
    for (unsigned i = 240; i <= first && i < 248; i++)
        number = number << 8 | source_u8(s);
    return number;
}

#endif
