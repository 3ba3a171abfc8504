/* place: where a message is for a group, and its moves. Every counter of a group changes here and in publish
 * and handout. */
#include "base/check.h"
#include "broker/core/fair.h"
#include "broker/core/order.h"

int place_find(struct ledger *l, const struct group *g, uint64_t seq, enum where *ret,
               struct attempt_record *ret_row)
{
    *ret = WHERE_GONE;
    if (seq < g->r.start || seq >= g->topic->r.head)
        return 0;
    if (seq >= g->r.floor && !bitmap_get(&g->bits, seq)) {
        *ret = seq >= g->r.next ? WHERE_FRESH : WHERE_FLIGHT;
        return 0;
    }
    if (!g->r.counts.tracked)
        return 0;
    struct key key = key_id_seq(g->r.id, seq);
    struct slice value;
    int err = store_get(l->txn, TABLE_ATTEMPT, key_slice(&key), &value);
    if (err)
        return err == SHUNT_NOT_FOUND ? 0 : err;
    err = attempt_decode(key_slice(&key), value, ret_row);
    if (err)
        return err;
    ret_row->on_file = true;
    *ret = WHERE_TRACKED;
    return 0;
}

int place_needs(struct ledger *l, const struct group *g, uint64_t seq, bool *ret)
{
    enum where where;
    struct attempt_record row;
    int err = place_find(l, g, seq, &where, &row);
    *ret = where != WHERE_GONE;
    return err;
}

static int expiry_find(struct ledger *l, const struct group *g, uint64_t seq, int64_t expires_ms, bool *ret)
{
    struct key key = key_expiry(expires_ms, g->r.id, seq);
    struct slice value;
    int err = store_get(l->txn, TABLE_EXPIRY, key_slice(&key), &value);
    *ret = !err;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

int place_track(struct ledger *l, const struct group *g, uint64_t seq, enum where where,
                struct attempt_record *ret)
{
    struct loaded_message m;
    bool has_expiry = false;
    check(where == WHERE_FRESH || where == WHERE_FLIGHT);
    int err = message_load(l, g->topic, seq, false, &m);
    if (!err && m.head.expires_ms)
        err = expiry_find(l, g, seq, m.head.expires_ms, &has_expiry);
    if (err)
        return err;
    uint32_t handed_out = where == WHERE_FLIGHT;
    *ret = (struct attempt_record){.deliveries = handed_out,
                                   .deliveries_total = handed_out,
                                   .row_next = 1,
                                   .expires_ms = m.head.expires_ms,
                                   .deadline_ms = m.head.deadline_ms,
                                   .ttl_ends_ms = m.head.ttl_ends_ms,
                                   .has_expiry = has_expiry};
    return 0;
}

/* Move `floor` up over set bits. */
static void advance_floor(struct ledger *l, struct group *g)
{
    uint64_t clear = bitmap_next_clear(&g->bits, g->r.floor), before = g->r.floor / CHUNK_BITS;
    g->r.floor = clear < g->r.next ? clear : g->r.next;
    l->meter.bytes += (g->r.floor / CHUNK_BITS - before) * cost_next(CHUNK_BYTES); /* chunks that go */
}

static int due_delete(struct ledger *l, const struct group *g, uint64_t seq, const struct attempt_record *row)
{
    struct key key = attempt_due_key(g->r.id, seq, row);
    int err = ledger_del(l, TABLE_DUE, key_slice(&key), NULL);
    return err == SHUNT_NOT_FOUND ? SHUNT_CORRUPT : err;
}

static int leave_tracked(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row)
{
    struct group_counts *n = &g->r.counts;
    switch (row->state) {
    case ATTEMPT_DEAD:
        n->dead--;
        return row->key ? order_dead_leaves(l, g, seq, row) : 0;
    case ATTEMPT_HELD:
        n->in_flight--;
        break;
    case ATTEMPT_WAITING:
        if (row->due_ms > g->r.due_mark_ms && !row->parked) {
            n->delayed--;
        } else {
            n->ready--;
            n->suspects -= row->suspect && !row->parked;
        }
        if (row->parked && !attempt_is_ahead(row)) { /* its place in the index stays */
            g->r.parked--;
            return 0;
        }
        if (row->turn) {
            int err = due_delete(l, g, seq, row);
            return err ? err : fair_unlisted(l, g, row->turn);
        }
        break;
    }
    return due_delete(l, g, seq, row);
}

int place_leave(struct ledger *l, struct group *g, uint64_t seq, enum where where,
                const struct attempt_record *row)
{
    ledger_dirty_group(l, g);
    check(where != WHERE_GONE);
    if (where == WHERE_TRACKED)
        return leave_tracked(l, g, seq, row);
    if (where == WHERE_FRESH)
        g->r.counts.ready--;
    else
        g->r.counts.in_flight--;
    if (seq / CHUNK_BITS != g->charged_chunk) {
        g->charged_chunk = seq / CHUNK_BITS;
        l->meter.bytes += cost_row(CHUNK_BYTES);
    }
    int err = bitmap_set(&g->bits, seq);
    if (!err && seq == g->r.floor)
        advance_floor(l, g);
    return err;
}

int place_write(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row)
{
    uint8_t bytes[256];
    struct key key = key_id_seq(g->r.id, seq);
    size_t size = attempt_encode(bytes, key_slice(&key), row);
    if (!row->on_file)
        g->r.counts.tracked++;
    row->on_file = true;
    ledger_dirty_group(l, g);
    return ledger_put(l, TABLE_ATTEMPT, key_slice(&key), (struct slice){bytes, size});
}

static int due_put(struct ledger *l, const struct group *g, uint64_t seq, const struct attempt_record *row)
{
    struct key key = attempt_due_key(g->r.id, seq, row);
    return ledger_put(l, TABLE_DUE, key_slice(&key), (struct slice){"", 0});
}

/* ---- order by key ---- */

int place_find_indexed(struct ledger *l, const struct group *g, uint64_t seq, uint64_t key,
                       struct attempt_record *ret)
{
    enum where where;
    int err = place_find(l, g, seq, &where, ret);
    if (!err && (where != WHERE_TRACKED || ret->key != key))
        err = SHUNT_CORRUPT;
    return err;
}

/* None of the key is out: let the first one go that is parked, unless a dead letter holds it. The cursor may have stopped at one of the
 * key that comes before it. */
static int let_next_go(struct ledger *l, struct group *g, uint64_t key)
{
    struct attempt_record row;
    uint64_t first;
    int err = order_index_first(l, g, false, &key, &first);
    if (!err && (!first || first >= g->r.next))
        ledger_tell_ready(l, g);
    if (err || !first || first >= g->r.next)
        return err;
    enum order_turn turn = TURN_NOW;
    err = place_find_indexed(l, g, first, key, &row);
    if (!err && row.parked && g->r.blocking)
        err = order_behind_dead(l, g, key, first, &turn);
    if (err || !row.parked || turn == TURN_WAITS)
        return err;
    err = place_leave(l, g, first, WHERE_TRACKED, &row);
    /* Behind those that were ready again before it, of other keys. */
    return err ? err : place_wait(l, g, first, &row, g->r.due_mark_ms);
}

/* It is not out any more. */
static int let_go(struct ledger *l, struct group *g, uint64_t seq, uint64_t key)
{
    key = order_left(g, seq, key);
    return key ? let_next_go(l, g, key) : 0;
}

int place_let_go(struct ledger *l, struct group *g, uint64_t key)
{
    return key_table_has(g->keys, key) ? 0 : let_next_go(l, g, key);
}

int place_out_of_order(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row)
{
    uint64_t key = row ? row->key : 0;
    int err = key && row->state != ATTEMPT_DEAD ? order_index_delete(l, g, seq, key) : 0;
    return err || !g->keys ? err : let_go(l, g, seq, key);
}

/* ---- where it waits, is held, or lies dead ---- */

int place_wait(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row, int64_t due_ms)
{
    struct group_counts *n = &g->r.counts;
    int err = 0;
    row->state = ATTEMPT_WAITING;
    row->parked = false;
    row->turn = 0;
    row->due_ms = due_ms;
    if (due_ms > g->r.due_mark_ms)
        row->since_ms = due_ms;
    if (row->expires_ms && !row->has_expiry) {
        row->has_expiry = true;
        err = expiry_put(l, g, seq, row->expires_ms);
    }
    if (!err)
        err = due_put(l, g, seq, row);
    if (!err && g->keys)
        err = order_join(l, g, seq, row);
    if (err)
        return err;
    if (due_ms > g->r.due_mark_ms) {
        n->delayed++;
        ledger_due_at(l, g, due_ms);
    } else {
        n->ready++;
        n->suspects += row->suspect;
        ledger_tell_ready(l, g);
    }
    err = place_write(l, g, seq, row);
    return err || !g->keys ? err : let_go(l, g, seq, row->key);
}

int place_turn(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row, uint64_t key)
{
    int err = 0;
    row->state = ATTEMPT_WAITING;
    row->parked = false;
    row->turn = key;
    if (row->expires_ms && !row->has_expiry) {
        row->has_expiry = true;
        err = expiry_put(l, g, seq, row->expires_ms);
    }
    if (!err)
        err = fair_listed(l, g, key);
    if (!err)
        err = due_put(l, g, seq, row);
    if (!err)
        err = order_join(l, g, seq, row);
    g->r.counts.ready++;
    return err ? err : place_write(l, g, seq, row);
}

int place_hold(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row)
{
    row->state = ATTEMPT_HELD;
    row->parked = false;
    row->due_ms = 0;
    g->r.counts.in_flight++;
    int err = due_put(l, g, seq, row);
    if (!err && g->keys)
        err = order_join(l, g, seq, row);
    if (!err && g->keys)
        err = order_held(l, g, seq, row);
    row->turn = 0;
    return err ? err : place_write(l, g, seq, row);
}

int place_dead(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row, uint64_t dead_seq)
{
    uint64_t key = row->key;
    int err = 0;
    row->state = ATTEMPT_DEAD;
    row->parked = false;
    row->turn = 0;
    row->due_ms = 0;
    row->dead_seq = dead_seq;
    g->r.counts.dead++;
    if (g->keys && order_dead_hold(g)) {
        err = order_dead_joins(l, g, seq, row);
        key = row->key;
    } else if (key) {
        err = order_index_delete(l, g, seq, key);
        row->key = 0;
    }
    if (!err)
        err = place_write(l, g, seq, row);
    return err || !g->keys ? err : let_go(l, g, seq, key);
}

/* ---- expiry rows ----
 *
 * Every group has one for each message with a time to live that was published to it. Of what was there before
 * the group, only messages with a row in attempt have one: the hand-out looks at the time too. And a message
 * whose head was damaged names the wrong one. So a missing row is no failure; one left behind is deleted
 * when its time comes. */

int expiry_put(struct ledger *l, struct group *g, uint64_t seq, int64_t expires_ms)
{
    struct key key = key_expiry(expires_ms, g->r.id, seq);
    g->r.counts.expiries++;
    if (expires_ms < l->expiry_at_ms)
        l->expiry_at_ms = expires_ms;
    return ledger_put(l, TABLE_EXPIRY, key_slice(&key), (struct slice){"", 0});
}

int expiry_delete(struct ledger *l, struct group *g, uint64_t seq, int64_t expires_ms)
{
    struct key key = key_expiry(expires_ms, g->r.id, seq);
    int err = ledger_del(l, TABLE_EXPIRY, key_slice(&key), NULL);
    if (err)
        return err == SHUNT_NOT_FOUND ? 0 : err;
    g->r.counts.expiries--;
    ledger_dirty_group(l, g);
    return 0;
}
