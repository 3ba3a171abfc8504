/* view_blocked: the keys that dead letters hold, and how many messages wait behind each. Reads only. */
#include "base/array.h"
#include "broker/core/order.h"
#include "broker/core/view_put.h"

#include <stdlib.h>

struct blocked_list {
    struct blocked_key *keys;
    size_t count, capacity;
    bool more; /* not all were looked at */
};

/* Those first behind which most wait; of as many, those that have for longest. */
static int by_waiting(const void *a, const void *b)
{
    const struct blocked_key *x = a, *y = b;
    if (x->waiting != y->waiting)
        return x->waiting > y->waiting ? -1 : 1;
    if (x->since_ms != y->since_ms)
        return x->since_ms < y->since_ms ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static int gather(struct ledger *l, const struct group *g, struct blocked_list *ret)
{
    struct blocked_key key = {.key = 0};
    uint64_t rows = 0;
    for (;;) {
        uint64_t left = BLOCKED_ROWS_MAX - rows;
        int err = order_blocked_next(l, g, key.key, left, &key);
        if (err)
            return err == SHUNT_NOT_FOUND ? 0 : err;
        if (!array_room(&ret->keys, &ret->capacity, ret->count + 1))
            return SHUNT_NO_MEMORY;
        ret->keys[ret->count++] = key;
        rows += 1 + key.waiting;
        if (rows >= BLOCKED_ROWS_MAX) {
            ret->more = true;
            return 0;
        }
    }
}

/* The key itself is known from the letter's message alone. */
static int put_blocked(struct ledger *l, const struct group *g, const struct blocked_key *key,
                       struct mpack_buffer *to)
{
    struct loaded_message m;
    int err = message_load(l, g->topic, key->seq, false, &m);
    ledger_looked(l, err ? 0 : m.bytes);
    if (err && err != SHUNT_NOT_FOUND)
        return err;
    struct slice text = err ? (struct slice){0} : view_parse(m.message).key;
    mpack_write_map(to, 6);
    put_key(to, "key");
    if (text.size)
        mpack_write_bin(to, text.data, text.size);
    else
        mpack_write_nil(to);
    put_uint(to, "waiting", key->waiting);
    put_uint(to, "letters", key->letters);
    put_name(to, "message", g->topic->r.name, key->seq);
    put_name(to, "letter", g->dlq->r.name, key->dead_seq);
    put_time(l, to, "since", key->since_ms);
    return 0;
}

int view_blocked_keys(const struct view *v, struct group *g, uint32_t limit, struct mpack_buffer *to)
{
    struct ledger *l = v->ledger;
    struct blocked_list list = {0};
    l->txn = v->txn;
    int err = g->dlq ? gather(l, g, &list) : 0; /* a DLQ's own group has none */
    if (list.count > 1)
        qsort(list.keys, list.count, sizeof *list.keys, by_waiting);
    size_t count = list.count < limit ? list.count : limit;
    mpack_write_map(to, 3);
    put_key(to, "by");
    mpack_write_cstr(to, "blocked");
    put_key(to, "more");
    mpack_write_bool(to, list.more);
    put_key(to, "keys");
    mpack_write_array(to, (uint32_t)count);
    for (size_t i = 0; i < count && !err; i++)
        err = put_blocked(l, g, &list.keys[i], to);
    free(list.keys);
    return !err && to->failed ? SHUNT_NO_MEMORY : err;
}
