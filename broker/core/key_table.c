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

void key_table_free(struct key_table *t)
{
    if (!t)
        return;
    free(t->messages);
    free(t->by_seq);
    free(t->keys);
    free(t->by_key);
    key_turns_done(&t->turns);
    free(t);
}

/* Numbers follow each other, and keys are hashes already; both are spread over the buckets. */
static uint32_t *bucket(uint32_t *heads, uint32_t capacity, uint64_t value)
{
    return &heads[(value * 0x9e3779b97f4a7c15ull >> 32) & (capacity - 1)];
}

/* Other memory for `count` elements of `each` bytes with `capacity` buckets, which are empty. */
static bool move(void *elements, size_t each, uint32_t **heads, uint32_t count, uint32_t capacity)
{
    void *old, *to = malloc(capacity * each);
    uint32_t *to_heads = malloc(capacity * sizeof *to_heads);
    if (!to || !to_heads) {
        free(to);
        free(to_heads);
        return false;
    }
    memcpy(&old, elements, sizeof old);
    if (count)
        memcpy(to, old, count * each);
    free(old);
    free(*heads);
    memset(to_heads, 0xff, capacity * sizeof *to_heads);
    memcpy(elements, &to, sizeof to);
    *heads = to_heads;
    return true;
}

/* ---- messages ---- */

static void link_message(struct key_table *t, uint32_t at)
{
    uint32_t *head = bucket(t->by_seq, t->capacity, t->messages[at].seq);
    t->messages[at].next = *head;
    *head = at;
}

static void unlink_message(struct key_table *t, uint32_t at)
{
    uint32_t *from = bucket(t->by_seq, t->capacity, t->messages[at].seq);
    while (*from != at)
        from = &t->messages[*from].next;
    *from = t->messages[at].next;
}

static bool resize_messages(struct key_table *t, uint32_t capacity)
{
    if (!move(&t->messages, sizeof *t->messages, &t->by_seq, t->count, capacity))
        return false;
    t->capacity = capacity;
    for (uint32_t i = 0; i < t->count; i++)
        link_message(t, i);
    return true;
}

static uint32_t find_message(const struct key_table *t, uint64_t seq)
{
    if (!t->count)
        return KEY_TABLE_END;
    uint32_t at = *bucket(t->by_seq, t->capacity, seq);
    while (at != KEY_TABLE_END && t->messages[at].seq != seq)
        at = t->messages[at].next;
    return at;
}

bool key_table_find(const struct key_table *t, uint64_t seq, uint64_t *ret_key)
{
    uint32_t at = find_message(t, seq);
    if (at == KEY_TABLE_END)
        return false;
    if (ret_key)
        *ret_key = t->messages[at].key;
    return true;
}

/* ---- keys ---- */

static void link_key(struct key_table *t, uint32_t at)
{
    uint32_t *head = bucket(t->by_key, t->keys_capacity, t->keys[at].key);
    t->keys[at].next = *head;
    *head = at;
}

static void unlink_key(struct key_table *t, uint32_t at)
{
    uint32_t *from = bucket(t->by_key, t->keys_capacity, t->keys[at].key);
    while (*from != at)
        from = &t->keys[*from].next;
    *from = t->keys[at].next;
}

static bool resize_keys(struct key_table *t, uint32_t capacity)
{
    if (!move(&t->keys, sizeof *t->keys, &t->by_key, t->keys_count, capacity))
        return false;
    t->keys_capacity = capacity;
    for (uint32_t i = 0; i < t->keys_count; i++)
        link_key(t, i);
    return true;
}

static uint32_t find_key(const struct key_table *t, uint64_t key)
{
    if (!t->keys_count)
        return KEY_TABLE_END;
    uint32_t at = *bucket(t->by_key, t->keys_capacity, key);
    while (at != KEY_TABLE_END && t->keys[at].key != key)
        at = t->keys[at].next;
    return at;
}

uint32_t key_table_out(const struct key_table *t, uint64_t key)
{
    uint32_t at = find_key(t, key);
    return at == KEY_TABLE_END ? 0 : t->keys[at].out;
}

bool key_table_has(const struct key_table *t, uint64_t key)
{
    return find_key(t, key) != KEY_TABLE_END;
}

void key_table_run(const struct key_table *t, uint64_t key, uint32_t mark, struct key_run *ret)
{
    *ret = (struct key_run){.count = key_table_out(t, key)};
    uint32_t since = 0;
    for (uint32_t i = mark; i < t->count; i++) {
        if (t->messages[i].key != key)
            continue;
        since++;
        if (t->messages[i].seq > ret->highest)
            ret->highest = t->messages[i].seq;
    }
    ret->older = since < ret->count;
}

bool key_table_behind(const struct key_table *t, uint64_t key, uint64_t seq, uint64_t *ret_seq)
{
    uint64_t first = UINT64_MAX;
    if (!key_table_has(t, key))
        return false;
    for (uint32_t i = 0; i < t->count; i++) {
        const struct message_out *m = &t->messages[i];
        if (m->key == key && m->seq > seq && m->seq < first)
            first = m->seq;
    }
    if (first == UINT64_MAX)
        return false;
    *ret_seq = first;
    return true;
}

bool key_table_first(const struct key_table *t, uint64_t key, uint64_t *ret_seq)
{
    return key_table_behind(t, key, 0, ret_seq); /* numbers are from 1 */
}

int key_table_waits(struct key_table *t, uint64_t key, bool waits)
{
    uint32_t at = find_key(t, key);
    if (at == KEY_TABLE_END || t->keys[at].waits == waits)
        return 0;
    int err = waits ? key_turns_put(&t->turns, key, t->keys[at].out) : 0;
    if (err)
        return err;
    if (!waits)
        key_turns_remove(&t->turns, key, t->keys[at].out);
    t->keys[at].waits = waits;
    return 0;
}

bool key_table_is_waiting(const struct key_table *t, uint64_t key)
{
    uint32_t at = find_key(t, key);
    return at != KEY_TABLE_END && t->keys[at].waits;
}

/* Its place among the turns. There is room for it, because it was there. */
static void count_out(struct key_table *t, struct key_out *k, uint32_t out)
{
    if (k->waits) {
        key_turns_remove(&t->turns, k->key, k->out);
        check(!key_turns_put(&t->turns, k->key, out));
    }
    k->out = out;
}

static void leave_key(struct key_table *t, uint64_t key)
{
    uint32_t at = find_key(t, key), last = t->keys_count - 1;
    check(at != KEY_TABLE_END);
    if (t->keys[at].out > 1) {
        count_out(t, &t->keys[at], t->keys[at].out - 1);
        return;
    }
    if (t->keys[at].waits)
        key_turns_remove(&t->turns, key, 1);
    unlink_key(t, at);
    if (at != last) { /* the last one takes its place */
        unlink_key(t, last);
        t->keys[at] = t->keys[last];
        link_key(t, at);
    }
    t->keys_count--;
    if (t->keys_capacity > KEY_TABLE_LEAST && t->keys_count < t->keys_capacity / 4)
        (void)resize_keys(t, t->keys_capacity / 2); /* without memory it stays as it is */
}

/* ---- both ---- */

int key_table_add(struct key_table *t, uint64_t key, uint64_t seq)
{
    check(find_message(t, seq) == KEY_TABLE_END);
    check(t->count < UINT32_MAX / 4);
    if (t->count == t->capacity && !resize_messages(t, t->capacity ? 2 * t->capacity : KEY_TABLE_LEAST))
        return SHUNT_NO_MEMORY;
    if (t->keys_count == t->keys_capacity &&
        !resize_keys(t, t->keys_capacity ? 2 * t->keys_capacity : KEY_TABLE_LEAST))
        return SHUNT_NO_MEMORY;
    t->messages[t->count] = (struct message_out){.seq = seq, .key = key};
    link_message(t, t->count++);
    uint32_t at = find_key(t, key);
    if (at != KEY_TABLE_END) {
        count_out(t, &t->keys[at], t->keys[at].out + 1);
    } else {
        t->keys[t->keys_count] = (struct key_out){.key = key, .out = 1};
        link_key(t, t->keys_count++);
    }
    return 0;
}

bool key_table_remove(struct key_table *t, uint64_t seq, uint64_t *ret_key)
{
    uint32_t at = find_message(t, seq), last = t->count - 1;
    if (at == KEY_TABLE_END)
        return false;
    uint64_t key = t->messages[at].key;
    if (ret_key)
        *ret_key = key;
    unlink_message(t, at);
    if (at != last) { /* the last one takes its place */
        unlink_message(t, last);
        t->messages[at] = t->messages[last];
        link_message(t, at);
    }
    t->count--;
    if (t->capacity > KEY_TABLE_LEAST && t->count < t->capacity / 4)
        (void)resize_messages(t, t->capacity / 2); /* without memory it stays as it is */
    leave_key(t, key);
    return true;
}
