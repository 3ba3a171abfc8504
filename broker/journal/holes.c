/* holes: see holes.h. */
#include "broker/journal/holes.h"
#include "base/slice.h"

#include <stdlib.h>
#include <string.h>

static struct slice from_of(const struct hole *h)
{
    return (struct slice){h->from, h->from_size};
}

static struct slice to_of(const struct hole *h)
{
    return (struct slice){h->to, h->to_size};
}

static bool has(const struct hole *h, struct slice key)
{
    return slice_compare(from_of(h), key) <= 0 && (!h->to_size || slice_compare(key, to_of(h)) < 0);
}

void holes_done(struct holes *h)
{
    free(h->holes);
    *h = (struct holes){0};
}

void holes_add(struct holes *h, struct slice from, struct slice to)
{
    if (!h->holes)
        h->holes = malloc(HOLES_MAX * sizeof *h->holes);
    if (!h->holes)
        return;
    unsigned at = 0;
    while (at < h->count && !has(&h->holes[at], from) && slice_compare(to_of(&h->holes[at]), from) != 0)
        at++;
    if (at < h->count) { /* it begins where that one ends, or in it: one grows */
        struct hole *grown = &h->holes[at];
        if (!grown->to_size || (to.size && slice_compare(to, to_of(grown)) <= 0))
            return;
        slice_copy(grown->to, to);
        grown->to_size = (uint8_t)to.size;
        return;
    }
    if (h->count == HOLES_MAX)
        at = h->next++ % HOLES_MAX;
    else
        h->count++;
    struct hole *made = &h->holes[at];
    made->from_size = (uint8_t)from.size;
    made->to_size = (uint8_t)to.size;
    slice_copy(made->from, from);
    slice_copy(made->to, to);
}

void holes_fill(struct holes *h, struct slice key)
{
    for (unsigned i = h->count; i-- > 0;) {
        if (has(&h->holes[i], key))
            h->holes[i] = h->holes[--h->count];
    }
}

struct slice holes_skip(const struct holes *h, struct slice key)
{
    for (unsigned i = 0; key.size && i < h->count; i++) {
        if (has(&h->holes[i], key)) {
            key = to_of(&h->holes[i]);
            i = UINT32_MAX; /* it may end in another */
        }
    }
    return key;
}
