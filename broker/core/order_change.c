/* order_change: what a change of the setting `on-dead` asks of dead letters that hold their keys; see order.h. */
#include "broker/core/due.h"
#include "broker/core/order.h"

static int undo_one(struct ledger *l, struct group *g)
{
    int64_t key = 0;
    uint64_t seq = 0;
    struct attempt_record row;
    int err = due_first(l, g, DUE_BLOCKED, &key, &seq);
    if (!err)
        err = place_find_indexed(l, g, seq, (uint64_t)key, &row);
    if (!err)
        err = row.state == ATTEMPT_DEAD ? order_dead_leaves(l, g, seq, &row) : SHUNT_CORRUPT;
    if (err)
        return err == SHUNT_NOT_FOUND ? SHUNT_CORRUPT : err;
    row.key = 0;
    row.due_ms = 0;
    err = place_write(l, g, seq, &row);
    return err ? err : place_let_go(l, g, (uint64_t)key);
}

int order_dead_undo(struct ledger *l, struct group *g)
{
    int err = 0;
    for (unsigned rows = 0;
         !err && g->r.blocking && rows < ORDER_UNDO_ROWS_MAX && ledger_has_room(l, COST_MOVE_BYTES); rows++)
        err = undo_one(l, g);
    if (!err && g->r.blocking)
        ledger_tell_ready(l, g);
    return err;
}

void order_dead_settings(struct ledger *l, struct group *g)
{
    bool follows = order_dead_hold(g) && group_setting(g, POLICY_on_dead) == ON_DEAD_FOLLOW;
    g->r.followed = follows && g->r.blocking;
    ledger_dirty_group(l, g);
}

int order_dead_follow(struct ledger *l, struct group *g)
{
    int err = 0;
    for (unsigned rows = 0;
         !err && g->r.followed && rows < ORDER_UNDO_ROWS_MAX && ledger_has_room(l, COST_MOVE_BYTES); rows++) {
        int64_t key = (int64_t)g->r.followed;
        uint64_t count = 0;
        err = due_first(l, g, DUE_BLOCKED_KEYS, &key, &count);
        if (!err)
            err = place_let_go(l, g, (uint64_t)key);
        g->r.followed = err ? 0 : (uint64_t)key + 1;
        ledger_dirty_group(l, g);
    }
    if (!err && g->r.followed)
        ledger_tell_ready(l, g);
    return err == SHUNT_NOT_FOUND ? 0 : err;
}
