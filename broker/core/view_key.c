/* view_key: what waits for another message of its key, and for which; see order.h. */
#include "broker/core/due.h"
#include "broker/core/order.h"
#include "broker/core/view_put.h"

/* ---- keys that dead letters hold ---- */

/* How many behind the letter wait, as far as `most`. */
static int count_waiting(struct ledger *l, const struct group *g, uint64_t key, uint64_t letter,
                         uint64_t most, uint64_t *ret)
{
    struct store_cursor *cursor;
    struct key from = key_due(g->r.id, DUE_KEYED, (int64_t)key, letter + 1);
    struct slice row, value;
    uint32_t group;
    uint8_t place;
    int64_t hash;
    uint64_t seq;
    *ret = 0;
    int err = g->r.indexed && most ? store_cursor_open(l->txn, TABLE_DUE, &cursor) : SHUNT_NOT_FOUND;
    if (err)
        return err == SHUNT_NOT_FOUND ? 0 : err;
    for (err = store_cursor_seek(cursor, key_slice(&from), &row, &value);
         !err && *ret < most && key_read_due(row, &group, &place, &hash, &seq) && group == g->r.id &&
         place == DUE_KEYED && (uint64_t)hash == key;
         err = store_cursor_next(cursor, &row, &value)) {
        ledger_looked(l, 0);
        (*ret)++;
    }
    store_cursor_close(cursor);
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

int order_blocked_next(struct ledger *l, const struct group *g, uint64_t after, uint64_t most,
                       struct blocked_key *ret)
{
    int64_t key = (int64_t)(after + 1);
    uint64_t letters = 0, first = 0;
    struct attempt_record row;
    if (!g->r.blocking || !order_dead_hold(g) || after == UINT64_MAX)
        return SHUNT_NOT_FOUND;
    int err = due_first(l, g, DUE_BLOCKED_KEYS, &key, &letters);
    if (!err)
        err = order_dead_first(l, g, (uint64_t)key, &first);
    if (!err)
        err = place_find_indexed(l, g, first, (uint64_t)key, &row);
    ledger_looked(l, 0);
    if (err)
        return err;
    *ret = (struct blocked_key){.key = (uint64_t)key,
                                .letters = letters,
                                .seq = first,
                                .dead_seq = row.dead_seq,
                                .since_ms = row.due_ms};
    return count_waiting(l, g, (uint64_t)key, first, most, &ret->waiting);
}

int order_blocked_messages(struct ledger *l, const struct group *g, uint64_t *ret)
{
    struct blocked_key key = {.key = 0};
    uint64_t rows = 0;
    int err = 0;
    *ret = 0;
    while (!err && rows < BLOCKED_ROWS_MAX) {
        err = order_blocked_next(l, g, key.key, BLOCKED_ROWS_MAX - rows, &key);
        if (!err) {
            *ret += key.waiting;
            rows += 1 + key.waiting;
        }
    }
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

/* ---- what one message waits for ---- */

int order_waits_for(struct ledger *l, const struct group *g, uint64_t seq, uint64_t key, uint64_t *ret)
{
    uint64_t waits = 0, dead = 0;
    int err = 0;
    *ret = 0;
    if (!g->keys || !key || !group_is_ordered(g))
        return 0;
    if (key_table_first(g->keys, key, ret))
        return 0;
    if (g->r.indexed)
        err = order_index_first(l, g, false, &key, &waits);
    if (!err && order_dead_hold(g))
        err = order_dead_first(l, g, key, &dead);
    ledger_looked(l, 0);
    if (err)
        return err;
    uint64_t first = dead && (!waits || dead < waits) ? dead : waits;
    *ret = first < seq ? first : 0;
    return 0;
}
