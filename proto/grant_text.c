/* grant_text: see grant_text.h. */
#include "proto/grant_text.h"

#include <string.h>

static const char *const names[] = RIGHT_NAMES;

/* 0: there is none of that name. */
static uint32_t rights_of(struct slice word)
{
    if (slice_is(word, "all"))
        return RIGHTS_ALL;
    for (unsigned i = 0; i < RIGHTS; i++) {
        if (slice_is(word, names[i]))
            return 1u << i;
    }
    return 0;
}

bool grant_text_read(struct slice text, struct slice *ret_pattern, uint32_t *ret_rights)
{
    const char *begin = text.data, *end = begin + text.size;
    const char *colon = text.size ? memchr(begin, ':', text.size) : NULL;
    uint32_t all = 0;
    if (!colon)
        return false;
    for (const char *at = colon + 1;; at++) {
        const char *comma = at < end ? memchr(at, ',', (size_t)(end - at)) : NULL;
        const char *stop = comma ? comma : end;
        uint32_t one = rights_of((struct slice){at, (size_t)(stop - at)});
        if (!one)
            return false;
        all |= one;
        if (!comma)
            break;
        at = comma;
    }
    *ret_pattern = (struct slice){begin, (size_t)(colon - begin)};
    *ret_rights = all;
    return true;
}

size_t grant_text_write(char to[GRANT_TEXT_BYTES_MAX + 1], struct slice pattern, uint32_t rights)
{
    size_t size = pattern.size < NAME_BYTES_MAX ? pattern.size : NAME_BYTES_MAX;
    slice_copy(to, (struct slice){pattern.data, size});
    for (unsigned i = 0; i < RIGHTS && rights != RIGHTS_ALL; i++) {
        if (!(rights >> i & 1))
            continue;
        to[size] = rights & ((1u << i) - 1) ? ',' : ':';
        memcpy(to + size + 1, names[i], strlen(names[i]));
        size += 1 + strlen(names[i]);
    }
    if (rights == RIGHTS_ALL) {
        memcpy(to + size, ":all", 4);
        size += 4;
    }
    to[size] = 0;
    return size;
}
