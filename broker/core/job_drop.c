/* job_drop: the job that clears away what belonged to a topic or a group that was deleted. */
#include "base/check.h"
#include "broker/core/job.h"

#include <string.h>

/* Delete up to a page of the rows of `table` whose key begins with the id. *ret_left is what remains of the
 * page. */
static int clear_rows(struct ledger *l, enum store_table table, uint32_t id, unsigned *left)
{
    struct store_cursor *cursor;
    struct key prefix = key_id(id);
    struct slice key, value;
    int err = store_cursor_open(l->txn, table, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, key_slice(&prefix), &key, &value);
    while (!err && *left && key.size >= 4 && !memcmp(key.data, prefix.bytes, 4)) {
        if (!l->meter.off && !ledger_has_room(l, cost_row(value.size))) {
            *left = 0;
            break;
        }
        (*left)--;
        l->rows += CHANGED_ROW;
        err = ledger_cursor_del(l, cursor, table, key, value.size);
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

/* Rows that are written when the transaction is sealed: how many there are depends on where that was, which no batch says,
 * and two ledgers must come equally far. So all of them go at once (a group has at most some hundred) and take the same of
 * the page and of the room, however many there are. */
static int clear_sealed_rows(struct ledger *l, enum store_table table, uint32_t id)
{
    unsigned all = UINT32_MAX;
    l->meter.bytes += COST_GROUP_BYTES;
    l->meter.off = true;
    int err = clear_rows(l, table, id, &all);
    l->meter.off = false;
    return err;
}

static int clear_group_rows(struct ledger *l, uint32_t id, unsigned *left)
{
    static const enum store_table tables[] = {TABLE_HISTORY, TABLE_EDIT, TABLE_ATTEMPT, TABLE_DUE};
    int err = 0;
    if (l->results.handed_out) /* which may lie in the edit table */
        results_keep(l);
    for (size_t i = 0; !err && *left && i < sizeof tables / sizeof *tables; i++)
        err = clear_rows(l, tables[i], id, left);
    if (!err && *left)
        err = clear_sealed_rows(l, TABLE_DONE, id);
    if (!err && *left)
        err = clear_sealed_rows(l, TABLE_CAUSE, id);
    if (!err && *left)
        err = clear_sealed_rows(l, TABLE_RULE, id);
    if (!err && *left)
        err = clear_sealed_rows(l, TABLE_BREAKER, id);
    return err;
}

/* A message or dead letter that only the dropped group needed. Its expiry rows go with it. */
static int clear_message(struct ledger *l, struct job_record *r, struct topic *t, uint64_t seq,
                         unsigned *left)
{
    struct loaded_message m;
    int err = message_load(l, t, seq, false, &m);
    for (struct group *g = t->dropped; !err && m.head.expires_ms && g; g = g->dropped_next) {
        struct key key = key_expiry(m.head.expires_ms, g->r.id, seq);
        if (r->group && g->r.id != r->group)
            continue;
        job_spend(left, 1);
        err = ledger_del(l, TABLE_EXPIRY, key_slice(&key), NULL);
        err = err == SHUNT_NOT_FOUND ? 0 : err;
    }
    r->done += r->done < r->total; /* roughly how far it has come; the end makes it exact */
    bool needed = false;
    for (size_t i = 0; !err && !needed && i < t->groups_count; i++)
        err = place_needs(l, t->groups[i], seq, &needed);
    if (err || needed)
        return err;
    /* All who still read the queue are through with a dead letter, as if this group had never been. */
    return t->r.origin_group ? dead_settle(l, t, seq, DONE_ACKED) : message_delete(l, t, seq);
}

static int clear_messages(struct ledger *l, struct job_record *r, struct topic *t, unsigned *left)
{
    while (*left) {
        uint64_t seq;
        int err = job_next_row(l, t->r.origin_group ? TABLE_DEAD : TABLE_MESSAGE, t->r.id, r, &seq);
        if (err)
            return err == SHUNT_NOT_FOUND ? 0 : err;
        if (!ledger_has_room(l, ledger_remove_cost(t))) {
            *left = 0;
            return 0;
        }
        job_spend(left, job_row_cost(l, t));
        r->cursor = seq;
        err = clear_message(l, r, t, seq, left);
        if (err)
            return err;
    }
    return 0;
}

/* The rows of a dropped group that reads a DLQ, and itself. */
static int clear_reader(struct ledger *l, struct group *g, unsigned *left)
{
    int err = clear_group_rows(l, g->r.id, left);
    if (err || !*left)
        return err;
    job_spend(left, 1);
    return catalog_remove_group(l, g);
}

/* The rows of one dropped group and of its DLQ; the group itself goes last. */
static int clear_group(struct ledger *l, struct group *g, unsigned *left)
{
    struct topic *dlq = g->dlq;
    if (g->origin)
        return clear_reader(l, g, left);
    check(dlq);
    int err = clear_group_rows(l, g->r.id, left);
    if (!err && *left)
        err = clear_rows(l, TABLE_DEAD, dlq->r.id, left);
    while (!err && *left && dlq->dropped) /* all who read it were dropped with it */
        err = clear_reader(l, dlq->dropped, left);
    if (err || !*left)
        return err;
    job_spend(left, 2);
    err = catalog_remove_topic(l, dlq);
    return err ? err : catalog_remove_group(l, g);
}

/* A group that the job clears away. NULL: there is none left. */
static struct group *to_clear(const struct ledger *l, const struct job_record *r, const struct topic *t)
{
    if (!r->group)
        return t->dropped;
    struct group *g = catalog_group_by_id(l, r->group);
    return g && g->r.dropped ? g : NULL;
}

int job_drop_step(struct ledger *l, struct job *j, unsigned left, bool *ret_over)
{
    struct job_record *r = &j->r;
    struct group *g;
    struct topic *t = catalog_topic_by_id(l, r->topic);
    /* A later job on the whole topic, or on the group whose DLQ it is, clears this one's part too. */
    if (t && t->r.dropped && t->r.origin_group)
        t = NULL;
    *ret_over = !t;
    int err = t ? clear_messages(l, r, t, &left) : 0;
    while (!err && t && left && (g = to_clear(l, r, t)))
        err = clear_group(l, g, &left);
    if (!err && t && left) {
        *ret_over = true;
        r->done = r->total;
        if (!r->group)
            err = catalog_remove_topic(l, t);
    }
    return err;
}
