/* slice: bytes that lie somewhere else. A slice owns nothing: it is good as long as what it points into. */
#ifndef SHUNT_BASE_SLICE_H
#define SHUNT_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const void *data;
    size_t size;
};

/* The bytes of `text` without its terminator; NULL is empty. */
static inline struct slice slice_of(const char *text)
{
    return (struct slice){text, text ? strlen(text) : 0};
}

/* Copy its bytes to where there is room for them; none is no pointer to copy from. */
static inline void slice_copy(void *to, struct slice s)
{
    if (s.size)
        memcpy(to, s.data, s.size);
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool slice_is(struct slice s, const char *text)
{
    return slice_equal(s, slice_of(text));
}

/* Less than, equal to or greater than 0, as `a` stands to `b` in the order of bytes; what is a beginning
 * comes first. */
static inline int slice_compare(struct slice a, struct slice b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size ? memcmp(a.data, b.data, size) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

#endif
