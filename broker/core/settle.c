/* settle: the end of a message for a group, and what follows from it: its rows go, its body goes when no
 * group needs it any more, and the end of a dead letter is the end, or the return, of the message it stands
 * for. */
#include "base/check.h"
#include "broker/core/breaker.h"
#include "broker/core/cause.h"
#include "broker/core/edit.h"
#include "broker/core/history.h"
#include "broker/core/job.h"
#include "broker/core/order.h"
#include "broker/core/past.h"
#include "broker/core/rule.h"

static int release(struct ledger *l, struct group *g, uint64_t seq, enum done_how how);

static void count_done(struct group_counts *n, enum done_how how)
{
    switch (how) {
    case DONE_ACKED:
        n->acked++;
        break;
    case DONE_EXPIRED:
        n->expired++;
        break;
    case DONE_DISCARDED:
        n->discarded++;
        break;
    case DONE_PURGED:
        n->purged++;
        break;
    case DONE_REDRIVEN:
    case DONE_MOVED:
        n->moved_away++;
        break;
    case DONE_HOWS:
        break;
    }
}

static int delete_rows(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row,
                       enum done_how how, const struct ended_record *known)
{
    struct key key = key_id_seq(g->r.id, seq);
    check(row->on_file);
    g->r.counts.tracked--;
    int err = ledger_del(l, TABLE_ATTEMPT, key_slice(&key), NULL);
    if (!err && past_keeps(l, g, row))
        err = past_keep(l, g, seq, row, how, known);
    else if (!err && row->rows)
        err = history_delete(l, g, seq);
    if (!err && row->edit)
        err = edit_forget(l, g, seq);
    if (!err && row->has_expiry)
        err = expiry_delete(l, g, seq, row->expires_ms);
    return err;
}

/* A message that never had a row may still have one in expiry, whose key only its head knows. */
static int delete_first_expiry(struct ledger *l, struct group *g, uint64_t seq)
{
    struct loaded_message m;
    int err = message_load(l, g->topic, seq, false, &m);
    if (err || !m.head.expires_ms)
        return err;
    return expiry_delete(l, g, seq, m.head.expires_ms);
}

int place_done(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row,
               enum done_how how, const struct ended_record *known)
{
    int err = 0;
    if (row)
        err = delete_rows(l, g, seq, row, how, known);
    else if (g->r.counts.expiries)
        err = delete_first_expiry(l, g, seq);
    if (!err && row)
        err = redrive_ended(l, g, seq, row, how == DONE_ACKED);
    if (err)
        return err;
    count_done(&g->r.counts, how);
    ledger_dirty_group(l, g);
    if (g->watched)
        breaker_parted(l, g);
    if (g->keys || (row && row->key))
        err = place_out_of_order(l, g, seq, row);
    return err ? err : release(l, g, seq, how);
}

int place_forget(struct ledger *l, struct group *g, uint64_t seq, enum done_how how)
{
    enum where where;
    struct attempt_record row;
    int err = place_find(l, g, seq, &where, &row);
    if (err || where == WHERE_GONE)
        return err;
    bool tracked = where == WHERE_TRACKED;
    if (where == WHERE_FLIGHT || (tracked && row.state == ATTEMPT_HELD)) {
        struct result *result = result_add(l, RESULT_REVOKED);
        result->revoked.group = g->r.id;
        result->revoked.seq = seq;
    }
    if (g->watched)
        breaker_left(l, g, seq);
    err = place_leave(l, g, seq, where, &row);
    return err ? err : place_done(l, g, seq, tracked ? &row : NULL, how, NULL);
}

/* ---- what follows ---- */

/* An operator who brings a message back has decided that it is to be done although its deadline may have passed. One that is to be kept
 * may end it again. */
static void revive_deadline(const struct ledger *l, struct attempt_record *row)
{
    row->ttl_ends_ms = row->expires_ms;
    if (!l->redriving || !l->redriving->r.keep_deadline)
        row->deadline_ms = row->ttl_ends_ms = 0;
    else if (!row->expires_ms || row->deadline_ms < row->expires_ms)
        row->expires_ms = row->deadline_ms;
}

/* A new generation: attempts from 0, what was left of the time to live; totals and history stay, and so does
 * suspicion. */
static int revive(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row, uint64_t cause)
{
    int64_t due_ms = l->ruling ? 0 : redrive_moves(l, row, cause);
    if (l->ruling)
        rule_moves(l, row, cause);
    row->generation++;
    row->attempts = 0;
    row->deliveries = 0;
    row->dead_seq = 0;
    row->since_ms = l->now_ms;
    row->back_job = l->meta.job_next;
    if (row->expires_ms) {
        int64_t left_ms = row->ttl_left_ms;
        if (!left_ms) { /* it had run out: begin the whole of it anew, or it would die at once */
            struct loaded_message m;
            int err = message_load(l, g->topic, seq, false, &m);
            if (err)
                return err;
            left_ms = m.corrupt ? 1 : message_ttl_ms(&m.head);
        }
        row->expires_ms = l->now_ms + left_ms;
        row->ttl_left_ms = 0;
    }
    if (row->deadline_ms)
        revive_deadline(l, row);
    g->r.counts.redriven++;
    int err = row->key ? order_index_put(l, g, seq, row->key) : 0; /* it has held its key until now */
    return err ? err : place_wait(l, g, seq, row, due_ms > g->r.due_mark_ms ? due_ms : g->r.due_mark_ms);
}

static enum unattended_end end_of(const struct ledger *l, enum done_how how)
{
    if (how == DONE_EXPIRED)
        return END_EXPIRED;
    return l->ruling ? END_RULED : END_LOOKED;
}

int dead_settle(struct ledger *l, struct topic *dlq, uint64_t dead_seq, enum done_how how)
{
    struct key key = key_id_seq(dlq->r.id, dead_seq);
    struct slice value;
    struct dead_record dead;
    int err = store_get(l->txn, TABLE_DEAD, key_slice(&key), &value);
    if (!err)
        err = dead_decode(key_slice(&key), value, &dead);
    if (err)
        return err == SHUNT_NOT_FOUND ? SHUNT_CORRUPT : err;
    dlq->r.stored--;
    dlq->r.stored_bytes -= value.size;
    ledger_dirty_topic(l, dlq);
    err = ledger_del(l, TABLE_DEAD, key_slice(&key), NULL);
    if (err)
        return err;

    struct group *g = catalog_group_by_id(l, dead.origin_group);
    enum where where = WHERE_GONE;
    struct attempt_record row;
    if (g)
        err = place_find(l, g, dead.origin_seq, &where, &row);
    if (!err && (where != WHERE_TRACKED || row.state != ATTEMPT_DEAD))
        err = SHUNT_CORRUPT;
    uint64_t bytes = 0;
    if (!err)
        err = message_bytes(l, g->topic, dead.origin_seq, &bytes);
    if (!err)
        err = place_leave(l, g, dead.origin_seq, where, &row);
    if (err)
        return err;
    if (dead.rule)
        err = rule_left(l, g, &dead, dead_seq);
    if (err)
        return err;
    bool unattended = cause_letter_left(l, g, &dead, dead_seq);
    if (unattended)
        unattended_end(l, g, &dead, dead_seq, end_of(l, how));
    if (dead_seq == g->r.attended_below)
        unattended_look_again(l, g);
    g->r.dead_bytes -= bytes < g->r.dead_bytes ? bytes : g->r.dead_bytes; /* a damaged store may differ */
    if (how == DONE_REDRIVEN)
        return revive(l, g, dead.origin_seq, &row, dead.cause);
    const struct ended_record death = {.died_ms = dead.died_ms,
                                       .reason = dead.reason,
                                       .cause = dead.cause,
                                       .dead_seq = dead_seq,
                                       .attended = !unattended,
                                       .rule = l->ruling ? l->ruling->number : 0,
                                       .moved_to = l->moved_to};
    return place_done(l, g, dead.origin_seq, &row, how, &death);
}

static int release(struct ledger *l, struct group *g, uint64_t seq, enum done_how how)
{
    struct topic *t = g->topic;
    for (size_t i = 0; i < t->groups_count; i++) {
        bool needed = false;
        int err = t->groups[i] == g ? 0 : place_needs(l, t->groups[i], seq, &needed);
        if (err || needed)
            return err;
    }
    return t->r.origin_group ? dead_settle(l, t, seq, how) : message_delete(l, t, seq);
}
