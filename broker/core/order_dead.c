/* order_dead: dead letters that hold their keys, where the setting `on-dead` is not `continue`; see order.h.
 *
 * Such a letter has left the index. It has a row of `due` in the place DUE_BLOCKED under (group, hash of its key, number), and one in
 * DUE_BLOCKED_SINCE by the time of its death. Each key that is held has one row in DUE_BLOCKED_KEYS, which counts its letters in the
 * place of the number. So memory has nothing of it, and a start reads nothing.
 */
#include "broker/core/due.h"
#include "broker/core/order.h"

bool order_dead_hold(const struct group *g)
{
    return group_is_ordered(g) && group_setting(g, POLICY_on_dead) != ON_DEAD_CONTINUE;
}

bool order_dead_undone(const struct group *g)
{
    return !g->r.blocking || order_dead_hold(g);
}

/* ---- rows ---- */

static int put_row(struct ledger *l, const struct group *g, enum due_place place, int64_t due,
                   uint64_t number)
{
    struct key row = key_due(g->r.id, place, due, number);
    return ledger_put(l, TABLE_DUE, key_slice(&row), (struct slice){"", 0});
}

static int delete_row(struct ledger *l, const struct group *g, enum due_place place, int64_t due,
                      uint64_t number)
{
    struct key row = key_due(g->r.id, place, due, number);
    int err = ledger_del(l, TABLE_DUE, key_slice(&row), NULL);
    return err == SHUNT_NOT_FOUND ? SHUNT_CORRUPT : err;
}

/* How many letters hold the key. */
static int count_of(struct ledger *l, const struct group *g, uint64_t key, uint64_t *ret)
{
    int64_t found = (int64_t)key;
    *ret = 0;
    int err = due_first(l, g, DUE_BLOCKED_KEYS, &found, ret);
    if (err == SHUNT_NOT_FOUND || (!err && (uint64_t)found != key))
        *ret = 0;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

static int change_count(struct ledger *l, struct group *g, uint64_t key, bool more)
{
    uint64_t count = 0;
    int err = count_of(l, g, key, &count);
    if (!err && !more && !count)
        err = SHUNT_CORRUPT;
    if (!err && count)
        err = delete_row(l, g, DUE_BLOCKED_KEYS, (int64_t)key, count);
    if (err)
        return err;
    g->r.blocked -= count > 0;
    count = more ? count + 1 : count - 1;
    g->r.blocked += count > 0;
    g->r.blocking = more ? g->r.blocking + 1 : g->r.blocking - 1;
    if (!g->r.blocking)
        g->r.followed = 0;
    ledger_dirty_group(l, g);
    return count ? put_row(l, g, DUE_BLOCKED_KEYS, (int64_t)key, count) : 0;
}

/* ---- in and out ---- */

int order_dead_joins(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row)
{
    uint64_t key = row->key;
    int err = 0;
    if (key)
        err = order_index_delete(l, g, seq, key);
    else
        err = order_find_key(l, g, seq, &key);
    if (err || !key)
        return err;
    row->key = key;
    row->due_ms = l->now_ms;
    err = put_row(l, g, DUE_BLOCKED, (int64_t)key, seq);
    if (!err)
        err = put_row(l, g, DUE_BLOCKED_SINCE, row->due_ms, seq);
    return err ? err : change_count(l, g, key, true);
}

int order_dead_leaves(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row)
{
    int err = delete_row(l, g, DUE_BLOCKED, (int64_t)row->key, seq);
    if (!err)
        err = delete_row(l, g, DUE_BLOCKED_SINCE, row->due_ms, seq);
    return err ? err : change_count(l, g, row->key, false);
}

int order_dead_first(struct ledger *l, const struct group *g, uint64_t key, uint64_t *ret_seq)
{
    int64_t found = (int64_t)key;
    *ret_seq = 0;
    if (!g->r.blocking)
        return 0;
    int err = due_first(l, g, DUE_BLOCKED, &found, ret_seq);
    if (err == SHUNT_NOT_FOUND || (!err && (uint64_t)found != key))
        *ret_seq = 0;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

int order_behind_dead(struct ledger *l, const struct group *g, uint64_t key, uint64_t seq,
                      enum order_turn *ret)
{
    uint64_t first, count;
    *ret = TURN_NOW;
    if (!order_dead_hold(g))
        return 0;
    int err = order_dead_first(l, g, key, &first);
    if (err || !first || first >= seq)
        return err;
    *ret = TURN_WAITS;
    if (group_setting(g, POLICY_on_dead) != ON_DEAD_FOLLOW)
        return 0;
    err = count_of(l, g, key, &count);
    if (count <= (uint64_t)group_setting(g, POLICY_follow_max)) /* the one that they follow counts as well */
        *ret = TURN_FOLLOWS;
    return err;
}

int64_t order_blocked_since(struct ledger *l, const struct group *g)
{
    int64_t died_ms = 0;
    uint64_t seq = 0;
    if (!g->r.blocking || !order_dead_hold(g))
        return 0;
    return due_first(l, g, DUE_BLOCKED_SINCE, &died_ms, &seq) ? 0 : died_ms;
}
