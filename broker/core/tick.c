/* tick: what the passing of time alone brings about: messages fall due, times to live and retentions run out,
 * jobs go on, old producers are forgotten. Each part does a bounded amount; what is left is due again at
 * once. */
#include "broker/core/breaker.h"
#include "broker/core/cause.h"
#include "broker/core/group_queue.h"
#include "broker/core/identity_keep.h"
#include "broker/core/job.h"
#include "broker/core/past.h"
#include "broker/core/rule.h"

#define DUE_ROWS_MAX       65536 /* looked at for one group in one tick */
#define EXPIRED_ROWS_MAX   1024
#define RETENTION_ROWS_MAX 256

/* ---- due ---- */

struct due_scan {
    uint64_t rows;    /* that become ready */
    int64_t limit_ms; /* rows up to it are counted */
    int64_t next_ms;  /* of the first row after it */
};

static int scan_place(struct ledger *l, const struct group *g, enum due_place place, struct due_scan *scan)
{
    struct store_cursor *cursor;
    struct key from = key_due(g->r.id, place, g->r.due_mark_ms + 1, 0);
    struct slice key, value;
    uint32_t group;
    uint8_t in;
    int64_t due_ms, last_ms = g->r.due_mark_ms;
    uint64_t seq, rows = 0;
    scan->next_ms = NEVER;
    int err = store_cursor_open(l->txn, TABLE_DUE, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    while (!err && key_read_due(key, &group, &in, &due_ms, &seq) && group == g->r.id && in == place) {
        if (rows >= DUE_ROWS_MAX && due_ms != last_ms && last_ms < scan->limit_ms)
            scan->limit_ms = last_ms; /* enough for one tick; stop between two times */
        if (due_ms > scan->limit_ms) {
            scan->next_ms = due_ms;
            break;
        }
        last_ms = due_ms;
        rows++;
        err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    scan->rows = rows;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

/* Count all lanes up to the same time: one that stops earlier makes those before it be counted again. */
static int scan_lanes(struct ledger *l, const struct group *g, struct due_scan scans[LANES])
{
    int64_t limit_ms = l->now_ms;
    int err = 0;
    for (enum lane lane = 0; !err && lane < LANES; lane++) {
        scans[lane].limit_ms = limit_ms;
        err = scan_place(l, g, due_place_of(lane), &scans[lane]);
        limit_ms = scans[lane].limit_ms;
    }
    for (enum lane lane = 0; !err && lane < LANES; lane++) {
        if (scans[lane].limit_ms == limit_ms)
            continue;
        scans[lane].limit_ms = limit_ms;
        err = scan_place(l, g, due_place_of(lane), &scans[lane]);
    }
    return err;
}

static int due_group(struct ledger *l, struct group *g)
{
    struct due_scan scans[LANES];
    uint64_t rows = 0;
    int64_t next_ms = NEVER;
    int err = scan_lanes(l, g, scans);
    if (err)
        return err;
    for (enum lane lane = 0; lane < LANES; lane++) {
        rows += scans[lane].rows;
        next_ms = scans[lane].next_ms < next_ms ? scans[lane].next_ms : next_ms;
    }
    ledger_due_at(l, g, next_ms);
    if (!rows)
        return 0;
    g->r.due_mark_ms = scans[LANE_NORMAL].limit_ms;
    g->r.counts.delayed -= rows;
    g->r.counts.ready += rows;
    g->r.counts.suspects += scans[LANE_SUSPECT].rows;
    ledger_dirty_group(l, g);
    ledger_tell_ready(l, g);
    return 0;
}

static int tick_due(struct ledger *l)
{
    size_t count = group_queue_take(l, QUEUE_DUE, l->now_ms);
    int err = 0;
    for (size_t i = 0; !err && i < count; i++)
        err = due_group(l, l->taken[i]);
    return err;
}

/* ---- time to live ---- */

/* It is being worked on: its time to live matters again when it comes back. From now on its row says that. */
static int postpone_expiry(struct ledger *l, struct group *g, uint64_t seq, enum where where,
                           struct attempt_record *row)
{
    int err = place_leave(l, g, seq, where, row);
    if (!err && where == WHERE_FLIGHT)
        err = place_track(l, g, seq, where, row);
    if (!err)
        err = expiry_delete(l, g, seq, row->expires_ms);
    row->has_expiry = false;
    return err ? err : place_hold(l, g, seq, row);
}

static int expire_row(struct ledger *l, int64_t expires_ms, uint32_t group, uint64_t seq)
{
    struct group *g = catalog_group_by_id(l, group);
    enum where where = WHERE_GONE;
    struct attempt_record row;
    if (!g) { /* removed meanwhile */
        l->changed = true;
        struct key key = key_expiry(expires_ms, group, seq);
        return ledger_del(l, TABLE_EXPIRY, key_slice(&key), NULL);
    }
    int err = g->r.dropped ? 0 : place_find(l, g, seq, &where, &row);
    if (err)
        return err;
    bool tracked = where == WHERE_TRACKED;
    if (where == WHERE_GONE || (tracked && (!row.has_expiry || row.expires_ms != expires_ms)))
        return expiry_delete(l, g, seq, expires_ms); /* left behind */
    if (where == WHERE_FLIGHT || (tracked && row.state == ATTEMPT_HELD))
        return postpone_expiry(l, g, seq, where, &row);
    return expire_message(l, g, seq, where, &row);
}

static int first_expiry(struct ledger *l, int64_t *ret_expires_ms, uint32_t *ret_group, uint64_t *ret_seq)
{
    struct store_cursor *cursor;
    struct slice key, value;
    int err = store_cursor_open(l->txn, TABLE_EXPIRY, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, (struct slice){"", 1}, &key, &value);
    if (!err && !key_read_expiry(key, ret_expires_ms, ret_group, ret_seq))
        err = SHUNT_CORRUPT;
    store_cursor_close(cursor);
    return err;
}

#define HELD_LOOK_ROWS_MAX 4096 /* looked at in one tick for such as make room */
#define HELD_RETRY_MS      1000

/* In a store without room: only what its group's policy discards, which makes some. The rest stays where it
 * is, expired all the same: nothing is handed out, and a hand-out looks at the time. */
static int discard_expired(struct ledger *l)
{
    struct store_cursor *cursor;
    struct slice key, value;
    int64_t expires_ms;
    uint32_t id;
    uint64_t seq;
    unsigned gone = 0;
    int err = store_cursor_open(l->txn, TABLE_EXPIRY, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, (struct slice){"", 1}, &key, &value);
    for (unsigned rows = 0; !err && rows < HELD_LOOK_ROWS_MAX && gone < EXPIRED_ROWS_MAX; rows++) {
        if (!key_read_expiry(key, &expires_ms, &id, &seq))
            err = SHUNT_CORRUPT;
        if (err || expires_ms > l->now_ms || !ledger_has_half_room(l, COST_MOVE_BYTES))
            break;
        const struct group *g = catalog_group_by_id(l, id);
        if (!g || g->r.dropped || group_setting(g, POLICY_expired) == 1) {
            err = expire_row(l, expires_ms, id, seq);
            gone++;
        }
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    l->expiry_retry_ms = gone ? 0 : l->now_ms + HELD_RETRY_MS;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

static int tick_expiry(struct ledger *l)
{
    if (l->room.fullness >= STORE_HELD)
        return discard_expired(l);
    for (unsigned rows = 0;; rows++) {
        int64_t expires_ms;
        uint32_t group;
        uint64_t seq;
        int err = first_expiry(l, &expires_ms, &group, &seq);
        if (err == SHUNT_NOT_FOUND)
            expires_ms = NEVER;
        else if (err)
            return err;
        l->expiry_at_ms = expires_ms;
        if (expires_ms > l->now_ms || rows == EXPIRED_ROWS_MAX || !ledger_has_half_room(l, COST_MOVE_BYTES))
            return 0;
        err = expire_row(l, expires_ms, group, seq);
        if (err)
            return err;
    }
}

/* ---- retention of dead letters ---- */

static int oldest_dead(struct ledger *l, const struct group *g, uint64_t *ret_seq, int64_t *ret_died_ms)
{
    struct store_cursor *cursor;
    struct key from = key_id_seq(g->dlq->r.id, 0);
    struct slice key, value;
    struct dead_record dead;
    uint32_t id;
    int err = store_cursor_open(l->txn, TABLE_DEAD, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    if (!err && (!key_read_id_seq(key, &id, ret_seq) || id != g->dlq->r.id))
        err = SHUNT_NOT_FOUND;
    if (!err)
        err = dead_decode(key, value, &dead);
    if (!err)
        *ret_died_ms = dead.died_ms;
    store_cursor_close(cursor);
    return err;
}

/* Discard what has been kept long enough; *ret_next_ms is when the oldest one left goes. */
static int retain(struct ledger *l, struct group *g, unsigned *rows, int64_t *ret_next_ms)
{
    for (;; (*rows)++) {
        uint64_t seq;
        int64_t died_ms;
        bool found;
        *ret_next_ms = NEVER;
        int err = oldest_dead(l, g, &seq, &died_ms);
        if (err)
            return err == SHUNT_NOT_FOUND ? 0 : err;
        *ret_next_ms = dead_leaves_at(g, died_ms);
        if (*ret_next_ms > l->now_ms || *rows == RETENTION_ROWS_MAX ||
            !ledger_has_half_room(l, ledger_remove_cost(g->dlq)))
            return 0;
        err = dead_remove(l, g->dlq, seq, DONE_EXPIRED, &found);
        if (err)
            return err;
    }
}

static int tick_retention(struct ledger *l)
{
    size_t count = group_queue_take(l, QUEUE_RETENTION, l->now_ms);
    unsigned rows = 0;
    int err = 0;
    for (size_t i = 0; !err && i < count; i++) {
        struct group *g = l->taken[i];
        int64_t next_ms = NEVER;
        if (group_retains(g))
            err = retain(l, g, &rows, &next_ms);
        group_queue_at(l, QUEUE_RETENTION, g, next_ms);
    }
    return err;
}

/* ---- all ---- */

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t ledger_tick_at(const struct ledger *l)
{
    int64_t at_ms = group_queue_first(l, QUEUE_DUE), retention_ms = group_queue_first(l, QUEUE_RETENTION);
    int64_t expiry_ms = later(l->expiry_at_ms, l->expiry_retry_ms);
    at_ms = expiry_ms < at_ms ? expiry_ms : at_ms;
    at_ms = retention_ms < at_ms ? retention_ms : at_ms;
    int64_t breaker_ms = group_queue_first(l, QUEUE_BREAKER);
    at_ms = breaker_ms < at_ms ? breaker_ms : at_ms;
    int64_t past_ms = past_at(l), ruled_ms = later(group_queue_first(l, QUEUE_RULED), l->ruled_retry_ms);
    at_ms = past_ms < at_ms ? past_ms : at_ms;
    at_ms = ruled_ms < at_ms ? ruled_ms : at_ms;
    int64_t jobs_ms = jobs_at(l), triage_ms = group_queue_first(l, QUEUE_TRIAGE), audit_ms = audit_at(l);
    at_ms = triage_ms < at_ms ? triage_ms : at_ms;
    at_ms = audit_ms < at_ms ? audit_ms : at_ms;
    at_ms = jobs_ms < at_ms ? jobs_ms : at_ms;
    at_ms = tokens_at(l) < at_ms ? tokens_at(l) : at_ms;
    if (job_of_causes_begins(l))
        return l->now_ms;
    int64_t sweep_ms = dedup_sweep_at(l);
    return sweep_ms < at_ms ? sweep_ms : at_ms;
}

int apply_tick(struct ledger *l)
{
    uint64_t rows = l->rows;
    int err = 0;
    if (group_queue_first(l, QUEUE_DUE) <= l->now_ms)
        err = tick_due(l);
    if (!err && group_queue_first(l, QUEUE_BREAKER) <= l->now_ms)
        err = breakers_tick(l);
    if (!err && l->expiry_at_ms <= l->now_ms)
        err = tick_expiry(l);
    if (!err && group_queue_first(l, QUEUE_RETENTION) <= l->now_ms)
        err = tick_retention(l);
    if (!err && group_queue_first(l, QUEUE_RULED) <= l->now_ms)
        err = rules_tick(l);
    if (!err && group_queue_first(l, QUEUE_TRIAGE) <= l->now_ms)
        err = unattended_tick(l);
    if (!err && past_at(l) <= l->now_ms)
        err = past_tick(l);
    if (!err && tokens_at(l) <= l->now_ms)
        err = tokens_tick(l);
    if (!err && audit_at(l) <= l->now_ms)
        err = audit_tick(l);
    if (!err && job_of_causes_begins(l))
        err = job_begin_causes(l);
    if (!err && jobs_at(l) <= l->now_ms)
        err = jobs_step(l);
    if (!err && dedup_sweep_at(l) <= l->now_ms) {
        l->changed = true; /* the sweep's place is kept */
        err = dedup_sweep(l);
    }
    l->rows = rows; /* nobody asked for these */
    return err;
}
