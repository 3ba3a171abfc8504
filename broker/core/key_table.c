/* key_table: see key_table.h. */
#include "broker/core/key_table.h"

#include "base/check.h"
#include "proto/errors.h"

#include <stdlib.h>
#include <string.h>

struct key_table *key_table_new(void)
{
    return calloc(1, sizeof(struct key_table));
}

static void free_entries(struct key_table *t)
{
    free(t->entries);
    free(t->by_key);
    free(t->by_seq);
}

void key_table_free(struct key_table *t)
{
    if (t)
        free_entries(t);
    free(t);
}

/* Numbers follow each other, and keys are hashes already; both are spread over the buckets. */
static uint32_t *bucket(const struct key_table *t, uint32_t *heads, uint64_t value)
{
    return &heads[(value * 0x9e3779b97f4a7c15ull >> 32) & (t->capacity - 1)];
}

static void link_entry(struct key_table *t, uint32_t at)
{
    struct key_entry *e = &t->entries[at];
    uint32_t *key = bucket(t, t->by_key, e->key), *seq = bucket(t, t->by_seq, e->seq);
    e->next_by_key = *key;
    *key = at;
    e->next_by_seq = *seq;
    *seq = at;
}

static void unlink_entry(struct key_table *t, uint32_t at)
{
    const struct key_entry *e = &t->entries[at];
    uint32_t *key = bucket(t, t->by_key, e->key), *seq = bucket(t, t->by_seq, e->seq);
    while (*key != at)
        key = &t->entries[*key].next_by_key;
    *key = e->next_by_key;
    while (*seq != at)
        seq = &t->entries[*seq].next_by_seq;
    *seq = e->next_by_seq;
}

static bool resize(struct key_table *t, uint32_t capacity)
{
    struct key_entry *entries = malloc(capacity * sizeof *entries);
    uint32_t *by_key = malloc(capacity * sizeof *by_key), *by_seq = malloc(capacity * sizeof *by_seq);
    if (!entries || !by_key || !by_seq) {
        free(entries);
        free(by_key);
        free(by_seq);
        return false;
    }
    if (t->count)
        memcpy(entries, t->entries, t->count * sizeof *entries);
    uint32_t count = t->count;
    free_entries(t);
    *t = (struct key_table){entries, by_key, by_seq, count, capacity};
    memset(by_key, 0xff, capacity * sizeof *by_key);
    memset(by_seq, 0xff, capacity * sizeof *by_seq);
    for (uint32_t i = 0; i < count; i++)
        link_entry(t, i);
    return true;
}

int key_table_add(struct key_table *t, uint64_t key, uint64_t seq)
{
    check(!key_table_find(t, seq, NULL));
    check(t->count < UINT32_MAX / 4);
    if (t->count == t->capacity && !resize(t, t->capacity ? 2 * t->capacity : KEY_TABLE_LEAST))
        return SHUNT_NO_MEMORY;
    t->entries[t->count] = (struct key_entry){.key = key, .seq = seq};
    link_entry(t, t->count++);
    return 0;
}

static uint32_t place_of(const struct key_table *t, uint64_t seq)
{
    if (!t->count)
        return KEY_TABLE_END;
    uint32_t at = *bucket(t, t->by_seq, seq);
    while (at != KEY_TABLE_END && t->entries[at].seq != seq)
        at = t->entries[at].next_by_seq;
    return at;
}

bool key_table_find(const struct key_table *t, uint64_t seq, uint64_t *ret_key)
{
    uint32_t at = place_of(t, seq);
    if (at == KEY_TABLE_END)
        return false;
    if (ret_key)
        *ret_key = t->entries[at].key;
    return true;
}

bool key_table_remove(struct key_table *t, uint64_t seq, uint64_t *ret_key)
{
    uint32_t at = place_of(t, seq), last = t->count - 1;
    if (at == KEY_TABLE_END)
        return false;
    if (ret_key)
        *ret_key = t->entries[at].key;
    unlink_entry(t, at);
    if (at != last) { /* the last one takes its place */
        unlink_entry(t, last);
        t->entries[at] = t->entries[last];
        link_entry(t, at);
    }
    t->count--;
    if (t->capacity > KEY_TABLE_LEAST && t->count < t->capacity / 4)
        (void)resize(t, t->capacity / 2); /* without memory it stays as it is */
    return true;
}

bool key_table_has(const struct key_table *t, uint64_t key)
{
    if (!t->count)
        return false;
    uint32_t at = *bucket(t, t->by_key, key);
    while (at != KEY_TABLE_END && t->entries[at].key != key)
        at = t->entries[at].next_by_key;
    return at != KEY_TABLE_END;
}

bool key_table_first(const struct key_table *t, uint64_t key, uint64_t *ret_seq)
{
    bool found = false;
    uint32_t at = t->count ? *bucket(t, t->by_key, key) : KEY_TABLE_END;
    for (; at != KEY_TABLE_END; at = t->entries[at].next_by_key) {
        const struct key_entry *e = &t->entries[at];
        if (e->key != key || (found && e->seq > *ret_seq))
            continue;
        *ret_seq = e->seq;
        found = true;
    }
    return found;
}

size_t key_table_bytes(const struct key_table *t)
{
    return t->capacity * (sizeof *t->entries + sizeof *t->by_key + sizeof *t->by_seq);
}
