/* key_turns: see key_turns.h. */
#include "broker/core/key_turns.h"

#include "base/array.h"
#include "base/check.h"
#include "base/search.h"
#include "proto/errors.h"
#include <stdlib.h>

void key_turns_done(struct key_turns *t)
{
    free(t->items);
    *t = (struct key_turns){0};
}

static int turn_order(const void *element, const void *key)
{
    const struct key_turn *have = element, *want = key;
    if (have->out != want->out)
        return have->out < want->out ? -1 : 1;
    return have->key < want->key ? -1 : have->key > want->key;
}

/* Where the first is that is not before it. */
static size_t position(const struct key_turns *t, uint64_t key, uint64_t out)
{
    const struct key_turn want = {key, out};
    return search_first(t->items, t->count, sizeof *t->items, &want, turn_order);
}

int key_turns_put(struct key_turns *t, uint64_t key, uint64_t out)
{
    if (!array_room(&t->items, &t->capacity, t->count + 1))
        return SHUNT_NO_MEMORY;
    size_t at = position(t, key, out);
    array_insert(t->items, &t->count, at);
    t->items[at] = (struct key_turn){key, out};
    return 0;
}

void key_turns_remove(struct key_turns *t, uint64_t key, uint64_t out)
{
    size_t at = position(t, key, out);
    check(at < t->count);
    check(t->items[at].key == key);
    array_remove(t->items, &t->count, at);
}

bool key_turns_next(const struct key_turns *t, uint64_t last, uint64_t *ret_key)
{
    if (!t->count)
        return false;
    uint64_t fewest = t->items[0].out;
    size_t at = last < UINT64_MAX ? position(t, last + 1, fewest) : t->count;
    if (at == t->count || t->items[at].out != fewest)
        at = 0;
    *ret_key = t->items[at].key;
    return true;
}
