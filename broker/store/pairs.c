/* pairs: see pairs.h. The list is Pugh's: each pair stands on level 0 and, with one chance in four each, on
 * the levels above; a search goes right until the next key would be too far, then one level down. `tail`
 * saves an append the search.
 */
#include "broker/store/pairs.h"

#include "base/big_endian.h"
#include "base/check.h"

#include <stdlib.h>
#include <string.h>

static unsigned draw_levels(struct pairs *m)
{
    uint64_t x = m->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    m->random = x;
    unsigned levels = 1;
    while (levels < PAIR_LEVELS_MAX && (x & 3) == 0) {
        levels++;
        x >>= 2;
    }
    return levels;
}

/* The first 16 bytes of a key: ordered as the keys are, unless they are equal. Most keys have 8 to 16: what their last word has of the first one is
 * shifted out. */
static inline void begin_of(struct slice key, uint64_t ret[2])
{
    const uint8_t *bytes = key.data;
    if (key.size > 8) {
        size_t second = key.size < 16 ? key.size - 8 : 8;
        ret[0] = get_be64(bytes);
        ret[1] = get_be64(bytes + second) << 8 * (8 - second);
        return;
    }
    uint8_t padded[8] = {0};
    if (key.size)
        memcpy(padded, bytes, key.size);
    ret[0] = get_be64(padded);
    ret[1] = 0;
}

/* Whether the pair's key is before `key`, which begins so. */
static bool is_before(const struct pair *p, struct slice key, const uint64_t begin[2])
{
    if (p->begins[0] != begin[0])
        return p->begins[0] < begin[0];
    if (p->begins[1] != begin[1])
        return p->begins[1] < begin[1];
    if (p->key_size != key.size || key.size > 24)
        return slice_compare(pair_key(p), key) < 0;
    if (key.size <= 16) /* that was all of it */
        return false;
    const uint8_t *mine = pair_key(p).data, *other = key.data;
    return get_be64(mine + key.size - 8) < get_be64(other + key.size - 8);
}

static struct pair *pair_alloc(unsigned levels, size_t key_size, size_t value_size)
{
    size_t fixed = sizeof(struct pair) + levels * sizeof(struct pair *) + key_size;
    if (value_size > SIZE_MAX - fixed)
        return NULL;
    struct pair *p = malloc(fixed + value_size);
    if (!p)
        return NULL;
    p->prev = NULL;
    p->value_size = value_size;
    p->key_size = (uint8_t)key_size;
    p->levels = (uint8_t)levels;
    for (unsigned i = 0; i < levels; i++)
        p->next[i] = NULL;
    return p;
}

bool pairs_init(struct pairs *m)
{
    *m = (struct pairs){.random = 0x9e3779b97f4a7c15u};
    m->head = pair_alloc(PAIR_LEVELS_MAX, 0, 0);
    for (unsigned i = 0; i < PAIR_LEVELS_MAX; i++)
        m->tail[i] = m->head;
    return m->head != NULL;
}

bool pairs_copy(const struct pairs *from, struct pairs *ret)
{
    if (!pairs_init(ret))
        return false;
    for (const struct pair *p = pairs_first(from); p; p = pairs_next(p)) {
        struct pair *copy = pair_new(ret, pair_key(p), p->value_size);
        if (!copy)
            return false;
        memcpy(pair_value_bytes(copy), pair_value(p).data, p->value_size);
        (void)pairs_link(ret, copy);
    }
    return true;
}

void pairs_done(struct pairs *m)
{
    for (struct pair *p = m->head; p;) {
        struct pair *next = p->next[0];
        free(p);
        p = next;
    }
    *m = (struct pairs){0};
}

struct pair *pair_new(struct pairs *m, struct slice key, size_t value_size)
{
    check(key.size <= UINT8_MAX);
    struct pair *p = pair_alloc(draw_levels(m), key.size, value_size);
    if (p) {
        memcpy(&p->next[p->levels], key.data, key.size);
        begin_of(key, p->begins);
    }
    return p;
}

struct slice pair_key(const struct pair *p)
{
    return (struct slice){&p->next[p->levels], p->key_size};
}

struct slice pair_value(const struct pair *p)
{
    return (struct slice){(const uint8_t *)&p->next[p->levels] + p->key_size, p->value_size};
}

void *pair_value_bytes(struct pair *p)
{
    return (uint8_t *)&p->next[p->levels] + p->key_size;
}

/* Fill ret_path (may be NULL) with the last pair before `key`, which begins so, on each level that is used. Returns the first one not before
 * it. */
static struct pair *search_from(const struct pairs *m, struct slice key, const uint64_t begin[2],
                                struct pair **ret_path)
{
    if (m->count > 0 && is_before(m->tail[0], key, begin)) {
        if (ret_path)
            memcpy(ret_path, m->tail, sizeof m->tail);
        return NULL;
    }
    struct pair *at = m->head;
    struct pair *beyond = NULL; /* known not to be before `key`: not compared twice */
    for (unsigned i = m->levels; i-- > 0;) {
        struct pair *next = at->next[i];
        while (next && next != beyond && is_before(next, key, begin)) {
            at = next;
            next = at->next[i];
        }
        beyond = next;
        if (ret_path)
            ret_path[i] = at;
    }
    return beyond;
}

static struct pair *search(const struct pairs *m, struct slice key, struct pair **ret_path)
{
    uint64_t begin[2];
    begin_of(key, begin);
    return search_from(m, key, begin, ret_path);
}

static void unlink_at(struct pairs *m, struct pair *p, struct pair **path)
{
    for (unsigned i = 0; i < p->levels; i++) {
        path[i]->next[i] = p->next[i];
        if (m->tail[i] == p)
            m->tail[i] = path[i];
    }
    if (p->next[0])
        p->next[0]->prev = p->prev;
    m->count--;
    m->stamp++;
}

struct pair *pairs_link(struct pairs *m, struct pair *p)
{
    struct pair *path[PAIR_LEVELS_MAX];
    struct pair *old = search_from(m, pair_key(p), p->begins, path);
    if (old && slice_compare(pair_key(old), pair_key(p)) == 0)
        unlink_at(m, old, path);
    else
        old = NULL;
    for (; m->levels < p->levels; m->levels++)
        path[m->levels] = m->head;
    for (unsigned i = 0; i < p->levels; i++) {
        p->next[i] = path[i]->next[i];
        path[i]->next[i] = p;
        if (!p->next[i])
            m->tail[i] = p;
    }
    p->prev = path[0];
    if (p->next[0])
        p->next[0]->prev = p;
    m->count++;
    m->stamp++;
    return old;
}

struct pair *pairs_unlink(struct pairs *m, struct slice key)
{
    struct pair *path[PAIR_LEVELS_MAX];
    struct pair *p = search(m, key, path);
    if (!p || slice_compare(pair_key(p), key) != 0)
        return NULL;
    unlink_at(m, p, path);
    return p;
}

struct pair *pairs_at_least(const struct pairs *m, struct slice key)
{
    return search(m, key, NULL);
}

struct pair *pairs_find(const struct pairs *m, struct slice key)
{
    struct pair *p = search(m, key, NULL);
    return p && slice_compare(pair_key(p), key) == 0 ? p : NULL;
}

struct pair *pairs_first(const struct pairs *m)
{
    return m->head->next[0];
}

struct pair *pairs_last(const struct pairs *m)
{
    return m->count > 0 ? m->tail[0] : NULL;
}

struct pair *pairs_next(const struct pair *p)
{
    return p->next[0];
}

struct pair *pairs_prev(const struct pairs *m, const struct pair *p)
{
    return p->prev == m->head ? NULL : p->prev;
}
