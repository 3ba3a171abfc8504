/* unattended: the dead letters that nobody has looked at: how many there are, which is the oldest, and which of them
 * are overdue.
 *
 * A letter is attended when somebody has looked at it or at its cause, or the cause is muted; once it is, it stays so.
 * Per group there are two marks, which a tick moves. All letters below the first are attended, so that the oldest one
 * that nobody has looked at is found with one look. All below the second were held against dlq-slo when they were as
 * old as that, so that each is counted at most once, whatever is set or restarted meanwhile. Both move as soon as they
 * can, and by what is stored alone: what lets one move puts the group in the queue.
 */
#include "broker/core/cause.h"
#include "broker/core/group_queue.h"

#define TICK_ROWS_MAX 4096 /* that the marks of all groups pass in one tick */

/* ---- a walk over a group's letters ---- */

struct letters {
    struct store_cursor *cursor;
    uint32_t dlq;
    uint64_t seq;
    struct dead_record dead;
};

static int take(struct letters *w, int err, struct slice key, struct slice value)
{
    uint32_t id;
    if (err)
        return err;
    if (!key_read_id_seq(key, &id, &w->seq) || id != w->dlq)
        return SHUNT_NOT_FOUND;
    return dead_decode(key, value, &w->dead);
}

/* The first from number `from` on. NOT_FOUND: there is none, here and below. To be closed whatever it returns. */
static int letters_open(struct letters *w, struct store_txn *txn, const struct group *g, uint64_t from)
{
    struct key start = key_id_seq(g->dlq->r.id, from);
    struct slice key = {0}, value = {0};
    *w = (struct letters){.dlq = g->dlq->r.id};
    int err = store_cursor_open(txn, TABLE_DEAD, &w->cursor);
    if (!err)
        err = store_cursor_seek(w->cursor, key_slice(&start), &key, &value);
    return take(w, err, key, value);
}

static int letters_next(struct letters *w)
{
    struct slice key, value;
    int err = store_cursor_next(w->cursor, &key, &value);
    return take(w, err, key, value);
}

static int letters_close(struct letters *w, int err)
{
    if (w->cursor)
        store_cursor_close(w->cursor);
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

/* ---- counting ---- */

static int64_t overdue_at(const struct group *g, int64_t died_ms)
{
    int64_t slo_ms = group_setting(g, POLICY_dlq_slo_ms);
    return slo_ms ? whole_second(died_ms + slo_ms) : NEVER;
}

void unattended_add(struct ledger *l, struct group *g, int64_t died_ms)
{
    g->r.counts.unattended++;
    group_queue_at(l, QUEUE_TRIAGE, g, overdue_at(g, died_ms));
}

void unattended_pass(struct ledger *l, struct group *g, uint64_t dead_seq, int64_t died_ms)
{
    if (dead_seq == g->r.attended_below)
        g->r.attended_below++;
    else
        group_queue_at(l, QUEUE_TRIAGE, g, overdue_at(g, died_ms));
}

static void subtract(struct ledger *l, struct group *g, uint64_t letters)
{
    uint64_t *n = &g->r.counts.unattended;
    *n -= letters < *n ? letters : *n; /* a damaged store may differ */
    ledger_dirty_group(l, g);
}

void unattended_end(struct ledger *l, struct group *g, const struct dead_record *dead, uint64_t dead_seq,
                    enum unattended_end how)
{
    subtract(l, g, 1);
    /* The tick that would have counted it has not come to it yet. */
    g->r.counts.slo_breaches += dead_seq >= g->r.slo_below && overdue_at(g, dead->died_ms) <= l->now_ms;
    g->r.counts.expired_unattended += how == END_EXPIRED;
    if (how == END_LOOKED)
        result_add(l, RESULT_ATTENDED)->attended_ms = l->now_ms - dead->died_ms;
}

void unattended_end_all(struct ledger *l, struct cause *c)
{
    if (!c->r.unattended)
        return;
    subtract(l, c->group, c->r.unattended);
    c->r.unattended = 0;
    cause_dirty(l, c);
    result_add(l, RESULT_ATTENDED)->attended_ms = l->now_ms - c->r.waiting_ms;
}

static int count_old(struct ledger *l, struct group *g)
{
    struct letters w;
    g->r.counts.unattended = 0;
    for (size_t i = 0; i < g->causes_count; i++)
        g->causes[i]->r.unattended = 0;
    int err = letters_open(&w, l->txn, g, 0);
    for (; !err; err = letters_next(&w)) {
        struct cause *c = cause_find(g, w.dead.cause);
        if (cause_attended(g, &w.dead, w.seq))
            continue;
        g->r.counts.unattended++;
        if (c)
            c->r.unattended++;
    }
    err = letters_close(&w, err);
    return err == SHUNT_CORRUPT ? 0 : err; /* what is damaged is told of elsewhere */
}

int unattended_count_old(struct ledger *l)
{
    int err = 0;
    for (size_t i = 0; !err && i < l->groups_count; i++) {
        struct group *g = l->groups[i];
        if (g->r.unattended_old && g->dlq && !g->r.dropped)
            err = count_old(l, g);
    }
    return err;
}

/* ---- the marks ---- */

/* Up to the first letter that nobody has looked at. */
static int move_attended(struct ledger *l, struct group *g, unsigned *rows)
{
    struct letters w;
    uint64_t mark = g->dlq->r.head;
    int err = 0;
    if (g->r.counts.unattended) {
        err = letters_open(&w, l->txn, g, g->r.attended_below);
        while (!err && *rows < TICK_ROWS_MAX && cause_attended(g, &w.dead, w.seq)) {
            ++*rows;
            err = letters_next(&w);
        }
        if (!err)
            mark = w.seq;
        err = letters_close(&w, err);
    }
    if (err || mark == g->r.attended_below)
        return err;
    g->r.attended_below = mark;
    ledger_dirty_group(l, g);
    return 0;
}

static void tell_overdue(struct ledger *l, struct group *g, uint64_t count, const struct dead_record *first)
{
    struct result *r = result_add(l, RESULT_OVERDUE);
    r->overdue.group = g->r.id;
    r->overdue.count = count;
    r->overdue.seq = first->origin_seq;
    r->overdue.died_ms = first->died_ms;
    g->r.counts.slo_breaches += count;
}

/* Past the letters that are as old as dlq-slo; *ret_next_ms is when the next one is. One that somebody looked at too
 * late was counted by unattended_end(). Only if a cause is looked at as a whole, while a tick still has overdue
 * letters of it to pass, those are not counted. */
static int move_slo(struct ledger *l, struct group *g, unsigned *rows, int64_t *ret_next_ms)
{
    struct letters w;
    uint64_t from = g->r.slo_below > g->r.attended_below ? g->r.slo_below : g->r.attended_below, mark = from;
    struct dead_record first = {0};
    uint64_t overdue = 0;
    *ret_next_ms = NEVER;
    if (!g->r.counts.unattended || overdue_at(g, 0) == NEVER)
        return 0;
    int err = letters_open(&w, l->txn, g, from);
    for (; !err; err = letters_next(&w), ++*rows) {
        *ret_next_ms = overdue_at(g, w.dead.died_ms);
        if (*ret_next_ms > l->now_ms || *rows >= TICK_ROWS_MAX)
            break;
        *ret_next_ms = NEVER;
        if (!cause_attended(g, &w.dead, w.seq)) {
            if (!overdue++)
                first = w.dead;
        }
        mark = w.seq + 1;
    }
    if (overdue)
        tell_overdue(l, g, overdue, &first);
    err = letters_close(&w, err);
    if (err || mark == from)
        return err;
    g->r.slo_below = mark;
    ledger_dirty_group(l, g);
    return 0;
}

int unattended_tick(struct ledger *l)
{
    size_t count = group_queue_take(l, QUEUE_TRIAGE, l->now_ms);
    unsigned rows = 0;
    int err = 0;
    for (size_t i = 0; !err && i < count; i++) {
        struct group *g = l->taken[i];
        int64_t next_ms = l->now_ms;
        if (!g->dlq)
            continue;
        if (rows < TICK_ROWS_MAX)
            err = move_attended(l, g, &rows);
        if (!err && rows < TICK_ROWS_MAX)
            err = move_slo(l, g, &rows, &next_ms);
        rows++;
        group_queue_at(l, QUEUE_TRIAGE, g, next_ms);
    }
    return err;
}

int unattended_oldest(struct ledger *l, struct store_txn *txn, const struct group *g, int64_t *ret_died_ms)
{
    struct letters w;
    *ret_died_ms = 0;
    if (!g->dlq || !g->r.counts.unattended)
        return 0;
    ledger_looked(l, 0);
    int err = letters_open(&w, txn, g, g->r.attended_below);
    /* Between the mark and the letter there is something only until the next tick. */
    for (unsigned rows = 0; !err && rows < TICK_ROWS_MAX && cause_attended(g, &w.dead, w.seq); rows++) {
        ledger_looked(l, 0);
        err = letters_next(&w);
    }
    if (!err)
        *ret_died_ms = w.dead.died_ms;
    return letters_close(&w, err);
}
