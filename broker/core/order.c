/* order: see order.h. */
#include "broker/core/order.h"
#include "broker/core/due.h"
#include "broker/core/fair.h"

#include <xxhash.h>

/* The groups of a dead-letter queue are not ordered: its letters are references, in the order of their deaths. */
bool group_is_ordered(const struct group *g)
{
    return !g->origin && group_setting(g, POLICY_order) == ORDER_KEY;
}

uint64_t order_key(struct slice message)
{
    struct mpack_reader r;
    mpack_read_init(&r, message.data, message.data ? message.size : 0);
    if (mpack_read_array(&r) < 3)
        return 0;
    (void)mpack_read_any(&r);
    (void)mpack_read_any(&r);
    if (mpack_peek(&r) == MPACK_NIL)
        return 0;
    struct slice key = mpack_read_text_or_bin(&r);
    if (r.failed || !key.size)
        return 0;
    uint64_t hash = XXH3_64bits(key.data, key.size);
    return hash ? hash : 1;
}

int order_load_key(struct ledger *l, const struct group *g, uint64_t seq, uint64_t *ret)
{
    struct loaded_message m;
    int err = message_load(l, g->topic, seq, true, &m);
    *ret = err ? 0 : order_key(m.message);
    return err;
}

int order_find_key(struct ledger *l, const struct group *g, uint64_t seq, uint64_t *ret)
{
    if (key_table_find(g->keys, seq, ret) && *ret != FAIR_NO_KEY)
        return 0;
    return order_load_key(l, g, seq, ret);
}

/* ---- the index ---- */

int order_index_put(struct ledger *l, struct group *g, uint64_t seq, uint64_t key)
{
    struct key row = key_due(g->r.id, DUE_KEYED, (int64_t)key, seq);
    g->r.indexed++;
    if (g->keys)
        key_gaps_forget(&g->keys->gaps, key);
    return ledger_put(l, TABLE_DUE, key_slice(&row), (struct slice){"", 0});
}

int order_index_delete(struct ledger *l, struct group *g, uint64_t seq, uint64_t key)
{
    struct key row = key_due(g->r.id, DUE_KEYED, (int64_t)key, seq);
    g->r.indexed--;
    ledger_dirty_group(l, g);
    int err = ledger_del(l, TABLE_DUE, key_slice(&row), NULL);
    return err == SHUNT_NOT_FOUND ? SHUNT_CORRUPT : err;
}

int order_index_first(struct ledger *l, const struct group *g, bool any, uint64_t *key, uint64_t *ret_seq)
{
    int64_t hash = (int64_t)*key;
    *ret_seq = 0;
    if (!any && g->keys && key_gaps_has(&g->keys->gaps, *key))
        return 0;
    int err = due_first(l, g, DUE_KEYED, &hash, ret_seq);
    if (g->keys && (!err || err == SHUNT_NOT_FOUND) && (err || (uint64_t)hash > *key))
        key_gaps_learn(&g->keys->gaps, *key, err ? UINT64_MAX : (uint64_t)hash - 1);
    if (err || (!any && (uint64_t)hash != *key))
        *ret_seq = 0;
    else
        *key = (uint64_t)hash;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

/* ---- how one moves ---- */

int order_join(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row)
{
    uint64_t key;
    if (row->key || !group_is_ordered(g))
        return 0;
    int err = order_find_key(l, g, seq, &key);
    if (err || !key)
        return err;
    row->key = key;
    return order_index_put(l, g, seq, key);
}

int order_out(struct ledger *l, struct group *g, uint64_t seq, uint64_t key)
{
    if (g->keys->no_key)
        key = fair_key(key);
    int err = key ? key_table_add(g->keys, key, seq) : 0;
    return err || !key ? err : fair_out(l, g, key);
}

int order_held(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row)
{
    uint64_t key = row->key ? row->key : row->turn;
    if (key_table_find(g->keys, seq, NULL))
        return 0; /* it was out before */
    int err = key ? 0 : order_load_key(l, g, seq, &key);
    return err ? err : order_out(l, g, seq, key);
}

uint64_t order_left(struct group *g, uint64_t seq, uint64_t key)
{
    uint64_t out = 0;
    (void)key_table_remove(g->keys, seq, &out);
    key = key ? key : out;
    if (!group_is_ordered(g) && !g->r.indexed)
        return 0;
    return key && !key_table_has(g->keys, key) ? key : 0;
}
