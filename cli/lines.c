/* lines: see lines.h. */
#include "cli/lines.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

void lines_done(struct lines *l)
{
    free(l->bytes);
    *l = (struct lines){0};
}

bool lines_takes(const struct lines *l)
{
    return !l->too_long && !l->failed && !l->ended;
}

void lines_add(struct lines *l, const char *bytes, size_t count)
{
    if (l->begin) {
        memmove(l->bytes, l->bytes + l->begin, l->count - l->begin);
        l->count -= l->begin;
        l->seen -= l->begin;
        l->begin = 0;
    }
    if (!array_room(&l->bytes, &l->capacity, l->count + count)) {
        l->failed = true;
        return;
    }
    memcpy(l->bytes + l->count, bytes, count);
    l->count += count;
}

void lines_end(struct lines *l)
{
    l->ended = true;
}

bool lines_next(struct lines *l, const char **ret, size_t *ret_count)
{
    const char *newline = l->count > l->seen ? memchr(l->bytes + l->seen, '\n', l->count - l->seen) : NULL;
    size_t length = newline ? (size_t)(newline - l->bytes) - l->begin : l->count - l->begin;
    if (length > LINE_BYTES_MAX) {
        l->too_long = true;
        return false;
    }
    l->seen = newline ? l->begin + length + 1 : l->count;
    if (!newline)
        return false;
    *ret = l->bytes + l->begin;
    *ret_count = length;
    l->begin = l->seen;
    return true;
}
