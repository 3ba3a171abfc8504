/* order_park: what waits for another one of its key, and the tables of groups as their setting changes; see order.h. */
#include "broker/core/due.h"
#include "broker/core/fair.h"
#include "broker/core/order.h"

#define AHEAD_MS 1 /* says in the row of one that is parked that it is ahead */

int order_park(struct ledger *l, struct group *g, uint64_t seq, enum where where, struct attempt_record *row,
               uint64_t key)
{
    int err = place_leave(l, g, seq, where, row);
    if (!err && where != WHERE_TRACKED)
        err = place_track(l, g, seq, where, row);
    if (!err && !row->key)
        err = order_index_put(l, g, seq, key);
    if (!err && row->expires_ms && !row->has_expiry) {
        row->has_expiry = true;
        err = expiry_put(l, g, seq, row->expires_ms);
    }
    if (err)
        return err;
    row->key = key;
    row->state = ATTEMPT_WAITING;
    row->parked = true;
    row->turn = 0;
    row->due_ms = seq >= g->r.next && where == WHERE_TRACKED ? AHEAD_MS : 0;
    g->r.counts.ready++;
    if (attempt_is_ahead(row)) {
        struct key due = attempt_due_key(g->r.id, seq, row);
        err = ledger_put(l, TABLE_DUE, key_slice(&due), (struct slice){"", 0});
    } else {
        g->r.parked++;
    }
    return err ? err : place_write(l, g, seq, row);
}

/* The first one that waits for the cursor and lies before it; 0: there is none. */
static int first_passed(struct ledger *l, const struct group *g, uint64_t *ret_seq)
{
    int64_t due_ms = 0;
    *ret_seq = 0;
    int err = due_first(l, g, DUE_AHEAD, &due_ms, ret_seq);
    if (err || *ret_seq >= g->r.next)
        *ret_seq = 0;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

int order_catch_up(struct ledger *l, struct group *g, bool *ret_any)
{
    uint64_t seq = 1;
    int err = 0;
    while (!err && g->r.indexed && ledger_has_room(l, COST_MOVE_BYTES)) {
        struct attempt_record row;
        enum where where;
        err = first_passed(l, g, &seq);
        if (err || !seq)
            break;
        err = place_find(l, g, seq, &where, &row);
        if (!err && (where != WHERE_TRACKED || !attempt_is_ahead(&row)))
            err = SHUNT_CORRUPT;
        if (!err)
            err = place_leave(l, g, seq, where, &row);
        *ret_any = true;
        if (!err) /* its turn is found out as any other's */
            err = place_wait(l, g, seq, &row, g->r.due_mark_ms);
    }
    return err;
}

/* ---- the table comes and goes ---- */

static int load_first_flights(struct ledger *l, struct group *g)
{
    int err = 0;
    for (uint64_t seq = g->r.floor; !err && (seq = bitmap_next_clear(&g->bits, seq)) < g->r.next; seq++) {
        uint64_t key;
        err = order_load_key(l, g, seq, &key);
        if (!err)
            err = order_out(l, g, seq, key);
    }
    return err;
}

static int load_held(struct ledger *l, struct group *g, uint64_t seq)
{
    enum where where;
    struct attempt_record row;
    int err = place_find(l, g, seq, &where, &row);
    if (!err && (where != WHERE_TRACKED || row.state != ATTEMPT_HELD))
        err = SHUNT_CORRUPT;
    return err ? err : order_held(l, g, seq, &row);
}

static int load_all_held(struct ledger *l, struct group *g)
{
    int64_t due_ms = 0;
    int err = 0;
    for (uint64_t seq = 0; !err; seq++) {
        err = due_first(l, g, DUE_HELD, &due_ms, &seq);
        if (!err)
            err = load_held(l, g, seq);
    }
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

int order_settings(struct ledger *l, struct group *g)
{
    bool fair = group_is_fair(g);
    bool wanted = group_is_ordered(g) || g->r.indexed || g->r.blocking || fair || g->r.fair.listed;
    if (wanted == (bool)g->keys && (!wanted || g->keys->no_key == fair))
        return 0;
    int err = fair ? 0 : fair_run(l, g, 0);
    if (err)
        return err;
    key_table_free(g->keys); /* one that has others in it, as well */
    g->keys = NULL;
    if (!wanted)
        return 0;
    g->keys = key_table_new();
    if (!g->keys)
        return SHUNT_NO_MEMORY;
    g->keys->no_key = fair;
    if (!g->r.counts.in_flight)
        return 0;
    err = load_first_flights(l, g);
    return err ? err : load_all_held(l, g);
}

int orders_load(struct ledger *l, char *ret_why, size_t why_bytes)
{
    int err = 0;
    for (size_t i = 0; !err && i < l->groups_count; i++)
        err = l->groups[i]->r.dropped ? 0 : order_settings(l, l->groups[i]);
    if (err == SHUNT_CORRUPT) {
        ledger_say(ret_why, why_bytes,
                   "a row of a message that is in flight in a group ordered by key cannot be read");
    }
    return err;
}

int orders_anew(struct ledger *l)
{
    int err = 0;
    for (size_t i = 0; !err && i < l->groups_count; i++) {
        struct group *g = l->groups[i];
        if (g->r.dropped || !g->keys)
            continue;
        key_table_free(g->keys);
        g->keys = NULL;
        err = order_settings(l, g);
    }
    return err;
}

static int undo_one(struct ledger *l, struct group *g, uint64_t key, uint64_t seq)
{
    struct attempt_record row;
    int err = place_find_indexed(l, g, seq, key, &row);
    if (!err)
        err = order_index_delete(l, g, seq, key);
    if (err)
        return err;
    row.key = 0;
    if (!row.parked) {
        err = place_write(l, g, seq, &row);
        return err ? err : place_let_go(l, g, key); /* it may have been what the others waited for */
    }
    err = place_leave(l, g, seq, WHERE_TRACKED, &row);
    return err ? err : place_wait(l, g, seq, &row, g->r.due_mark_ms);
}

int order_undo(struct ledger *l, struct group *g)
{
    uint64_t key = 0, seq;
    int err = 0;
    for (unsigned rows = 0;
         !err && g->r.indexed && rows < ORDER_UNDO_ROWS_MAX && ledger_has_room(l, COST_MOVE_BYTES); rows++) {
        err = order_index_first(l, g, true, &key, &seq);
        if (!err && !seq)
            err = SHUNT_CORRUPT;
        if (!err)
            err = undo_one(l, g, key, seq);
    }
    if (err)
        return err;
    if (!g->r.indexed)
        return order_settings(l, g);
    ledger_tell_ready(l, g);
    return 0;
}
