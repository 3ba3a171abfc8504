/* key_table: see key_table.h. */
#include "broker/core/key_table.h"

#include "base/check.h"
#include "proto/errors.h"

#include <stdlib.h>
#include <string.h>

#define OUT_MOST 0x7fffffffu /* that the field has room for; there are never as many messages */

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
static uint32_t *bucket(uint32_t *heads, uint32_t buckets, uint64_t value)
{
    return &heads[(value * 0x9e3779b97f4a7c15ull >> 32) & (buckets - 1)];
}

/* ---- room ---- */

/* For one more. False without memory. */
static bool grow(void *elements, size_t each, uint32_t count, uint32_t *capacity)
{
    uint32_t more = *capacity ? *capacity + *capacity / 4 : KEY_TABLE_LEAST;
    void *old;
    if (count < *capacity)
        return true;
    memcpy(&old, elements, sizeof old);
    void *to = realloc(old, more * each);
    if (!to)
        return false;
    memcpy(elements, &to, sizeof to);
    *capacity = more;
    return true;
}

/* Without memory it stays as it is. */
static void shrink(void *elements, size_t each, uint32_t count, uint32_t *capacity)
{
    uint32_t less = *capacity - *capacity / 8;
    void *old;
    if (*capacity <= KEY_TABLE_LEAST || count >= *capacity - *capacity / 4)
        return;
    less = less > KEY_TABLE_LEAST ? less : KEY_TABLE_LEAST;
    memcpy(&old, elements, sizeof old);
    void *to = realloc(old, less * each);
    if (!to)
        return;
    memcpy(elements, &to, sizeof to);
    *capacity = less;
}

/* How many buckets so many elements are to have that have so many. */
static uint32_t buckets_for(uint32_t count, uint32_t buckets)
{
    if (!buckets)
        return KEY_TABLE_LEAST;
    if (count > 2 * buckets + buckets / 2)
        return 2 * buckets;
    return count < buckets && buckets > KEY_TABLE_LEAST ? buckets / 2 : buckets;
}

/* Others, which are empty: all elements are to be linked anew. */
static bool other_buckets(uint32_t **heads, uint32_t *buckets, uint32_t want)
{
    uint32_t *to = malloc(want * sizeof *to);
    if (!to)
        return false;
    memset(to, 0xff, want * sizeof *to);
    free(*heads);
    *heads = to;
    *buckets = want;
    return true;
}

/* ---- messages ---- */

static void link_message(struct key_table *t, uint32_t at)
{
    uint32_t *head = bucket(t->by_seq, t->seq_buckets, t->messages[at].seq);
    t->messages[at].next = *head;
    *head = at;
}

static void unlink_message(struct key_table *t, uint32_t at)
{
    uint32_t *from = bucket(t->by_seq, t->seq_buckets, t->messages[at].seq);
    while (*from != at)
        from = &t->messages[*from].next;
    *from = t->messages[at].next;
}

/* `count`: how many there are to be. */
static bool messages_buckets(struct key_table *t, uint32_t count)
{
    uint32_t want = buckets_for(count, t->seq_buckets);
    if (want == t->seq_buckets)
        return true;
    if (!other_buckets(&t->by_seq, &t->seq_buckets, want))
        return false;
    for (uint32_t i = 0; i < t->count; i++)
        link_message(t, i);
    return true;
}

static uint32_t find_message(const struct key_table *t, uint64_t seq)
{
    if (!t->count)
        return KEY_TABLE_END;
    uint32_t at = *bucket(t->by_seq, t->seq_buckets, seq);
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
    uint32_t *head = bucket(t->by_key, t->key_buckets, t->keys[at].key);
    t->keys[at].next = *head;
    *head = at;
}

static void unlink_key(struct key_table *t, uint32_t at)
{
    uint32_t *from = bucket(t->by_key, t->key_buckets, t->keys[at].key);
    while (*from != at)
        from = &t->keys[*from].next;
    *from = t->keys[at].next;
}

static bool keys_buckets(struct key_table *t, uint32_t count)
{
    uint32_t want = buckets_for(count, t->key_buckets);
    if (want == t->key_buckets)
        return true;
    if (!other_buckets(&t->by_key, &t->key_buckets, want))
        return false;
    for (uint32_t i = 0; i < t->keys_count; i++)
        link_key(t, i);
    return true;
}

static uint32_t find_key(const struct key_table *t, uint64_t key)
{
    if (!t->keys_count)
        return KEY_TABLE_END;
    uint32_t at = *bucket(t->by_key, t->key_buckets, key);
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
    k->out = out & OUT_MOST;
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
    shrink(&t->keys, sizeof *t->keys, t->keys_count, &t->keys_capacity);
    (void)keys_buckets(t, t->keys_count); /* without memory they stay as they are */
}

/* ---- both ---- */

int key_table_add(struct key_table *t, uint64_t key, uint64_t seq)
{
    check(find_message(t, seq) == KEY_TABLE_END);
    check(t->count < UINT32_MAX / 4);
    if (!grow(&t->messages, sizeof *t->messages, t->count, &t->capacity) ||
        !grow(&t->keys, sizeof *t->keys, t->keys_count, &t->keys_capacity) ||
        !messages_buckets(t, t->count + 1) || !keys_buckets(t, t->keys_count + 1))
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
    shrink(&t->messages, sizeof *t->messages, t->count, &t->capacity);
    (void)messages_buckets(t, t->count); /* without memory they stay as they are */
    leave_key(t, key);
    return true;
}
