/* order_run: whose turn it is of a key, and runs: several of a key that are out with one consumer; see order.h.
 *
 * A run is what one hand-out has given of a key. Entries are only added to the key table while a hand-out is at work, so those of its
 * runs are the last ones there: nothing says to whom a message was given, and a store that is read anew decides the same.
 */
#include "broker/core/breaker.h"
#include "broker/core/due.h"
#include "broker/core/fair.h"
#include "broker/core/history.h"
#include "broker/core/order.h"

/* Rows at places of their own, of one that is taken back: attempt, due (old and new), history, expiry, its place in the index. */
#define COST_RECALL_BYTES (6 * (uint64_t)COST_PLACE_BYTES)

uint32_t order_run_max(const struct group *g)
{
    return group_is_ordered(g) ? (uint32_t)group_setting(g, POLICY_key_run) : 1;
}

/* The first of the key in the index that is not out. */
static int first_at_rest(struct ledger *l, const struct group *g, uint64_t key, uint64_t *ret_seq)
{
    int64_t hash = (int64_t)key;
    int err = 0;
    *ret_seq = 0;
    if (!g->r.indexed)
        return 0;
    for (uint64_t seq = 0;; seq++) {
        err = due_first(l, g, DUE_KEYED, &hash, &seq);
        if (err || (uint64_t)hash != key)
            return err == SHUNT_NOT_FOUND ? 0 : err;
        if (!key_table_find(g->keys, seq, NULL)) {
            *ret_seq = seq;
            return 0;
        }
    }
}

/* Of all that may hold its key: what is out, what waits before it, what is dead. */
int order_turn_of(struct ledger *l, const struct group *g, uint32_t mark, uint64_t key, uint64_t seq,
                  enum order_turn *ret)
{
    struct key_run run = {0};
    uint64_t first = 0;
    int err = 0;
    *ret = TURN_NOW;
    if (!key || !group_is_ordered(g))
        return 0;
    if (key_table_has(g->keys, key)) {
        uint32_t most = order_run_max(g);
        if (most > 1)
            key_table_run(g->keys, key, mark, &run);
        if (most <= 1 || run.older || run.count >= most || run.highest > seq) {
            *ret = TURN_WAITS;
            return 0;
        }
    }
    err = run.count      ? first_at_rest(l, g, key, &first)
          : g->r.indexed ? order_index_first(l, g, false, &key, &first)
                         : 0;
    if (first && first < seq)
        *ret = TURN_WAITS;
    else if (!err && g->r.blocking)
        err = order_behind_dead(l, g, key, seq, ret);
    if (run.count && *ret) /* what it would follow died before one that is out: that one is first */
        *ret = TURN_WAITS;
    return err;
}

int order_run_next(struct ledger *l, const struct group *g, uint64_t key, uint64_t seq, uint64_t *ret_seq)
{
    struct attempt_record row;
    int64_t hash = (int64_t)key;
    uint64_t next = seq + 1;
    *ret_seq = 0;
    if (!key || !g->r.parked)
        return 0;
    int err = due_first(l, g, DUE_KEYED, &hash, &next);
    if (err || (uint64_t)hash != key)
        return err == SHUNT_NOT_FOUND ? 0 : err;
    err = place_find_indexed(l, g, next, key, &row);
    if (!err && row.parked && !attempt_is_ahead(&row) && !row.suspect) /* a suspect goes alone */
        *ret_seq = next;
    return err;
}

/* ---- taken back ---- */

static int take_back(struct ledger *l, struct group *g, uint64_t seq)
{
    const struct history_record h = {.outcome = ATTEMPT_RECALLED};
    enum where where;
    struct attempt_record row;
    int err = place_find(l, g, seq, &where, &row);
    if (!err && where != WHERE_FLIGHT && (where != WHERE_TRACKED || row.state != ATTEMPT_HELD))
        err = SHUNT_CORRUPT;
    if (err)
        return err;
    if (g->watched)
        breaker_left(l, g, seq);
    struct result *result = result_add(l, RESULT_REVOKED);
    result->revoked.group = g->r.id;
    result->revoked.seq = seq;
    err = place_leave(l, g, seq, where, &row);
    if (!err && where == WHERE_FLIGHT)
        err = place_track(l, g, seq, where, &row);
    if (!err)
        err = history_add(l, g, seq, &row, &h);
    row.back_job = l->meta.job_next;
    return err ? err : place_wait(l, g, seq, &row, g->r.due_mark_ms);
}

/* Where keys take turns, those without one share a key, which has no order. */
static bool has_order(const struct group *g, uint64_t key)
{
    return group_is_ordered(g) && key != FAIR_NO_KEY;
}

/* Whether those behind it must not be done before it. */
static int comes_first(struct ledger *l, const struct group *g, uint64_t seq, bool *ret)
{
    enum where where;
    struct attempt_record row;
    int err = place_find(l, g, seq, &where, &row);
    *ret = !err && where == WHERE_TRACKED &&
           (row.state == ATTEMPT_WAITING || (row.state == ATTEMPT_DEAD && row.key != 0));
    return err;
}

int order_recall(struct ledger *l, struct group *g, uint64_t key, uint64_t seq)
{
    uint64_t behind;
    bool first;
    if (!has_order(g, key) || !key_table_behind(g->keys, key, seq, &behind))
        return 0;
    int err = comes_first(l, g, seq, &first);
    while (!err && first && key_table_behind(g->keys, key, seq, &behind))
        err = take_back(l, g, behind);
    return err;
}

uint64_t order_recall_cost(const struct group *g, uint64_t seq)
{
    uint64_t key;
    if (!key_table_find(g->keys, seq, &key) || !has_order(g, key))
        return 0;
    return (key_table_out(g->keys, key) - 1) * COST_RECALL_BYTES;
}
