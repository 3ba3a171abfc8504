/* past: what is kept of a message that failed, until `history-after` has passed since it was done, so that its story
 * can be told: its attempts stay where they are, and a row before them says how it ended. A row in the due table,
 * at a place of its own, has the time of the end; so the oldest is found first, and a group whose setting changes
 * forgets by the new one at once.
 *
 * What never failed leaves nothing, so that its ack costs nothing. Readers of a DLQ keep nothing either: the story of
 * a dead letter is that of the message.
 */
#include "broker/core/past.h"
#include "broker/core/group_queue.h"
#include "broker/core/history.h"
#include "broker/core/job.h"

#define PAST_STEP_MS      1000 /* at whole seconds, so that one tick takes many */
#define PAST_MESSAGES_MAX 256  /* that one tick forgets */

int64_t past_leaves_at(const struct group *g, int64_t ended_ms)
{
    int64_t leaves_ms = ended_ms + group_setting(g, POLICY_history_after_ms);
    return (leaves_ms + PAST_STEP_MS - 1) / PAST_STEP_MS * PAST_STEP_MS;
}

bool past_keeps(const struct ledger *l, const struct group *g, const struct attempt_record *row)
{
    bool failed = row->attempts_total || row->generation || row->suspect || row->state == ATTEMPT_DEAD;
    return failed && !g->origin && g->r.past < PAST_MAX && l->room.fullness < STORE_FULL &&
           group_setting(g, POLICY_history_after_ms);
}

int past_keep(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row,
              enum done_how how, const struct ended_record *known)
{
    struct ended_record e = known ? *known : (struct ended_record){0};
    struct loaded_message m;
    int err = message_load(l, g->topic, seq, false, &m);
    if (err)
        return err;
    e.how = how;
    e.ended_ms = l->now_ms;
    e.published_ms = m.head.published_ms;
    e.generation = row->generation;
    e.attempts = row->attempts;
    e.attempts_total = row->attempts_total;
    e.deliveries = row->deliveries;
    e.deliveries_total = row->deliveries_total;
    e.job = row->job;
    e.outcome = row->job ? redrive_outcome_at_end(row, how == DONE_ACKED) : REDRIVE_PENDING;

    struct key key = key_history(g->r.id, seq, HISTORY_ROW_END);
    size_t size = ended_encode(l->record, key_slice(&key), &e);
    err = ledger_put(l, TABLE_HISTORY, key_slice(&key), (struct slice){l->record, size});
    key = key_due(g->r.id, DUE_PAST, e.ended_ms, seq);
    if (!err)
        err = ledger_put(l, TABLE_DUE, key_slice(&key), (struct slice){"", 0});
    g->r.past++;
    ledger_dirty_group(l, g);
    group_queue_at(l, QUEUE_PAST, g, g->r.past > PAST_LOW ? l->now_ms : past_leaves_at(g, e.ended_ms));
    return err;
}

/* ---- forgetting ---- */

static int oldest(struct ledger *l, const struct group *g, uint64_t *ret_seq, int64_t *ret_ended_ms)
{
    struct store_cursor *cursor;
    struct key from = key_due(g->r.id, DUE_PAST, 0, 0);
    struct slice key, value;
    uint32_t group;
    uint8_t place;
    int err = store_cursor_open(l->txn, TABLE_DUE, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    if (!err &&
        (!key_read_due(key, &group, &place, ret_ended_ms, ret_seq) || group != g->r.id || place != DUE_PAST))
        err = SHUNT_NOT_FOUND;
    store_cursor_close(cursor);
    return err;
}

static int forget(struct ledger *l, struct group *g, uint64_t seq, int64_t ended_ms)
{
    struct key key = key_due(g->r.id, DUE_PAST, ended_ms, seq);
    g->r.past--;
    ledger_dirty_group(l, g);
    int err = ledger_del(l, TABLE_DUE, key_slice(&key), NULL);
    return err ? err : history_delete(l, g, seq);
}

/* *ret_next_ms is when the oldest one left goes. */
static int forget_old(struct ledger *l, struct group *g, unsigned *messages, int64_t *ret_next_ms)
{
    for (;; (*messages)++) {
        uint64_t seq;
        int64_t ended_ms;
        *ret_next_ms = NEVER;
        int err = oldest(l, g, &seq, &ended_ms);
        if (err)
            return err == SHUNT_NOT_FOUND ? 0 : err;
        bool crowded = g->r.past > PAST_LOW || ledger_is_full(l);
        *ret_next_ms = crowded ? l->now_ms : past_leaves_at(g, ended_ms);
        if (*ret_next_ms > l->now_ms || *messages == PAST_MESSAGES_MAX ||
            !ledger_has_half_room(l, COST_END_BYTES))
            return 0;
        err = forget(l, g, seq, ended_ms);
        if (err)
            return err;
    }
}

int64_t past_at(const struct ledger *l)
{
    int64_t first_ms = group_queue_first(l, QUEUE_PAST);
    return first_ms != NEVER && ledger_is_full(l) ? l->now_ms : first_ms;
}

int past_tick(struct ledger *l)
{
    size_t count = group_queue_take(l, QUEUE_PAST, ledger_is_full(l) ? NEVER : l->now_ms);
    unsigned messages = 0;
    int err = 0;
    for (size_t i = 0; !err && i < count; i++) {
        int64_t next_ms;
        err = forget_old(l, l->taken[i], &messages, &next_ms);
        group_queue_at(l, QUEUE_PAST, l->taken[i], next_ms);
    }
    return err;
}
