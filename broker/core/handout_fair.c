/* handout_fair: hand-outs of a group whose keys take turns; see fair.h.
 *
 * A hand-out first looks: what is ready in the lane goes into the turn index, and the look goes on from where the last one ended, over
 * what lies behind the cursor. A message of the run's key stays as it is; one of another key is listed. If the run has one message
 * alone, that one is listed instead, and a run of the other key begins: so the key with the longest stretch costs nothing. Then
 * messages are handed out one by one, each of the key whose turn it is; or many at once, while the run's key is the only one.
 */
#include "base/check.h"
#include "broker/core/due.h"
#include "broker/core/fair.h"
#include "broker/core/handing.h"

/* ---- what is listed ---- */

static int list_fresh(struct ledger *l, struct group *g, uint64_t seq, uint64_t key)
{
    struct attempt_record row;
    int err = place_leave(l, g, seq, WHERE_FRESH, NULL);
    if (!err)
        err = place_track(l, g, seq, WHERE_FRESH, &row);
    return err ? err : place_turn(l, g, seq, &row, key);
}

static int find_waiting(struct ledger *l, const struct group *g, uint64_t seq, struct attempt_record *ret)
{
    enum where where;
    int err = place_find(l, g, seq, &where, ret);
    if (!err && (where != WHERE_TRACKED || ret->state != ATTEMPT_WAITING))
        err = SHUNT_CORRUPT;
    return err;
}

/* What is ready in the lane. */
static int list_lane(struct ledger *l, struct handing *h)
{
    struct group *g = h->g;
    int err = 0;
    while (!err && h->looked < FAIR_LOOK_MAX && ledger_has_room(l, COST_MOVE_BYTES)) {
        struct attempt_record row;
        uint64_t seq;
        err = handing_first_waiting(l, h, &seq);
        if (!err)
            err = find_waiting(l, g, seq, &row);
        if (err)
            break;
        uint64_t key = row.key;
        h->looked++;
        if (!key)
            err = order_load_key(l, g, seq, &key);
        if (!err)
            err = place_leave(l, g, seq, WHERE_TRACKED, &row);
        if (!err)
            err = place_turn(l, g, seq, &row, fair_key(key));
    }
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

/* ---- the look ahead of the cursor ---- */

/* Where it goes on. */
static uint64_t looked_upto(const struct group *g)
{
    return g->r.fair.upto > g->r.next ? g->r.fair.upto : g->r.next;
}

static int run_goes_on(struct ledger *l, struct group *g, uint64_t seq, uint64_t key)
{
    int err = fair_run(l, g, key);
    ledger_dirty_group(l, g);
    g->r.fair.upto = seq + 1;
    return err;
}

static int run_begins(struct ledger *l, struct group *g, uint64_t seq, uint64_t key)
{
    int err = handing_skip(l, g, seq);
    return err ? err : run_goes_on(l, g, seq, key);
}

/* One of another key than the run's. */
static int look_at_other(struct ledger *l, struct group *g, uint64_t seq, uint64_t key)
{
    uint64_t first = bitmap_next_clear(&g->bits, g->r.next);
    if (bitmap_next_clear(&g->bits, first + 1) < g->r.fair.upto) {
        int err = list_fresh(l, g, seq, key);
        g->r.fair.upto = seq + 1;
        return err;
    }
    int err = list_fresh(l, g, first, g->r.fair.run);
    return err ? err : run_begins(l, g, seq, key);
}

/* In a group that is ordered by key: it may have to wait for another one of its key, which is not for its turn. */
static int look_at_ordered(struct ledger *l, struct handing *h, uint64_t seq, uint64_t key)
{
    enum order_turn turn = TURN_NOW;
    enum fresh fresh;
    int err = handing_skip(l, h->g, seq);
    if (!err)
        err = order_turn_of(l, h->g, h->mark, key, seq, &turn);
    if (!err && turn)
        err = handing_pass_over(l, h, seq, key, turn, &fresh);
    else if (!err)
        err = list_fresh(l, h->g, seq, fair_key(key));
    return err ? err : handing_skip(l, h->g, seq + 1);
}

/* It was scheduled before this group was made, unless what says so is damaged. */
static int look_at_scheduled(struct ledger *l, struct group *g, uint64_t seq, int64_t due_ms)
{
    struct attempt_record row;
    int err = place_leave(l, g, seq, WHERE_FRESH, NULL);
    if (!err)
        err = place_track(l, g, seq, WHERE_FRESH, &row);
    return err ? err : place_wait(l, g, seq, &row, due_ms);
}

/* Of the key alone is known, and of what tells when it is due, whether they are damaged: the rest is verified on its way out. */
static int look_at(struct ledger *l, struct handing *h, uint64_t seq, const struct loaded_message *m,
                   bool *ret_wrote)
{
    struct group *g = h->g;
    uint64_t key = order_key(m->message), of = fair_key(key);
    *ret_wrote = true;
    h->looked++;
    if (m->head.due_ms > l->now_ms)
        return look_at_scheduled(l, g, seq, m->head.due_ms);
    if (group_is_ordered(g))
        return look_at_ordered(l, h, seq, key);
    if (g->r.fair.run && of != g->r.fair.run)
        return look_at_other(l, g, seq, of);
    *ret_wrote = false;
    return g->r.fair.run ? run_goes_on(l, g, seq, of) : run_begins(l, g, seq, of);
}

/* The row under the cursor. Its bytes are read only as far as they are needed. */
static int take_row(struct ledger *l, struct store_cursor *cursor, const struct topic *t, uint64_t expected,
                    uint64_t seq, struct slice key, struct slice value, struct loaded_message *ret)
{
    int err = 0;
    message_take(key, value, false, ret);
    if (ret->corrupt || seq != expected || ret->head.due_ms > l->now_ms)
        err = message_verify(l, key, value, ret);
    if (err)
        return err;
    return ret->corrupt && !handing_key_holds(cursor, t, expected, seq) ? SHUNT_CORRUPT : 0;
}

static bool may_look(const struct ledger *l, const struct handing *h)
{
    return h->looked < FAIR_LOOK_MAX && ledger_has_room(l, COST_MOVE_BYTES);
}

/* Look on until enough was looked at, or something was written (then *ret_again: the cursor is stale). */
static int look_on(struct ledger *l, struct handing *h, struct store_cursor *cursor, bool *ret_again)
{
    struct group *g = h->g;
    const struct topic *t = g->topic;
    struct slice key, value;
    uint32_t id;
    uint64_t seq, expected = bitmap_next_clear(&g->bits, looked_upto(g));
    struct key from = key_id_seq(t->r.id, expected);
    int err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    while (!err && may_look(l, h)) {
        if (!key_read_id_seq(key, &id, &seq) || id != t->r.id)
            return SHUNT_NOT_FOUND;
        if (seq >= t->r.head)
            return SHUNT_CORRUPT;
        if (!bitmap_get(&g->bits, seq)) {
            struct loaded_message m;
            err = take_row(l, cursor, t, expected, seq, key, value, &m);
            if (!err)
                err = look_at(l, h, seq, &m, ret_again);
            if (err || *ret_again || m.corrupt) {
                *ret_again = !err;
                return err;
            }
        }
        expected = seq + 1;
        err = handing_next_row(g, cursor, seq, &key, &value);
    }
    return err;
}

/* A full store has no room for rows: there what lies behind the run waits until it is over. */
static int look_ahead(struct ledger *l, struct handing *h)
{
    struct group *g = h->g;
    bool again = true;
    int err = 0;
    if (g->r.fair.run && bitmap_next_clear(&g->bits, g->r.next) >= g->r.fair.upto)
        err = fair_run(l, g, 0);
    while (!err && again && looked_upto(g) < g->topic->r.head && may_look(l, h) && !ledger_is_full(l)) {
        struct store_cursor *cursor;
        again = false;
        err = store_cursor_open(l->txn, TABLE_MESSAGE, &cursor);
        if (err)
            break;
        err = look_on(l, h, cursor, &again);
        store_cursor_close(cursor);
    }
    if (err != SHUNT_NOT_FOUND)
        return err;
    /* No rows left. */
    return g->r.fair.run ? run_goes_on(l, g, g->topic->r.head - 1, g->r.fair.run)
                         : handing_skip(l, g, g->topic->r.head);
}

static int look(struct ledger *l, struct handing *h)
{
    bool any = false;
    int err = list_lane(l, h);
    if (!err)
        err = look_ahead(l, h);
    if (!err)
        err = order_catch_up(l, h->g, &any);
    return err || !any ? err : list_lane(l, h);
}

/* ---- whose turn it is ---- */

/* One of the run, or as many as there is credit for if no other key waits. */
static int hand_from_run(struct ledger *l, struct handing *h)
{
    const struct assign_command *asked = h->c;
    struct assign_command limited = *asked;
    if (h->g->r.fair.keys > 1)
        limited.messages = h->count + 1;
    h->c = &limited;
    h->until = h->g->r.fair.upto;
    int err = hand_cursor(l, h);
    h->c = asked;
    h->until = h->g->topic->r.head;
    if (!err && bitmap_next_clear(&h->g->bits, h->g->r.next) >= h->g->r.fair.upto)
        err = fair_run(l, h->g, 0);
    return err;
}

static int hand_key(struct ledger *l, struct handing *h, uint64_t key)
{
    struct group *g = h->g;
    uint64_t seq = 0;
    uint32_t before = h->count;
    int err = g->r.fair.listed ? fair_first(l, g, key, &seq) : 0;
    if (!err && !seq && key != g->r.fair.run)
        err = SHUNT_CORRUPT;
    if (!err)
        err = seq ? hand_waiting(l, h, seq) : hand_from_run(l, h);
    if (err || h->count == before)
        return err;
    ledger_dirty_group(l, g);
    g->r.fair.last = g->r.fair.keys ? key : 0;
    return 0;
}

/* There seems to be credit for all that is ready. */
static bool nothing_to_choose(const struct handing *h)
{
    const struct group_counts *n = &h->g->r.counts;
    const struct topic_record *t = &h->g->topic->r;
    uint64_t ready = n->ready - n->suspects - (group_is_ordered(h->g) ? h->g->r.parked : 0);
    uint64_t each = t->stored ? t->stored_bytes / t->stored : 0;
    return !h->g->r.fair.keys && ready <= h->c->messages && ready * each <= h->c->bytes;
}

int hand_fairly(struct ledger *l, struct handing *h)
{
    struct group *g = h->g;
    if (group_is_ordered(g) && g->r.fair.run) {
        int err = fair_run(l, g, 0);
        if (err)
            return err;
    }
    if (nothing_to_choose(h))
        return 0;
    int err = window_shorten(l, g, h->c->messages);
    if (!err)
        err = look(l, h);
    while (!err && !handing_over(l, h)) {
        uint64_t key;
        if (!g->r.fair.run && h->looked < FAIR_LOOK_MAX && g->r.next < g->topic->r.head)
            err = look_ahead(l, h);
        if (!err)
            err = fair_choose(l, g, &key);
        if (err || !key)
            break;
        err = hand_key(l, h, key);
    }
    h->caught_up |= h->looked >= FAIR_LOOK_MAX; /* there may be more */
    h->full |= !ledger_is_full(l);              /* there the rest comes as it lies */
    return err;
}

int hand_unfair(struct ledger *l, struct handing *h)
{
    struct group *g = h->g;
    int err = 0;
    for (unsigned rows = 0;
         !err && g->r.fair.listed && rows < FAIR_LOOK_MAX && ledger_has_room(l, COST_MOVE_BYTES); rows++) {
        struct attempt_record row;
        int64_t key = 0;
        uint64_t seq = 0;
        err = due_first(l, g, DUE_FAIR, &key, &seq);
        if (!err)
            err = find_waiting(l, g, seq, &row);
        if (!err)
            err = place_leave(l, g, seq, WHERE_TRACKED, &row);
        if (!err)
            err = place_wait(l, g, seq, &row, g->r.due_mark_ms);
    }
    if (err)
        return err == SHUNT_NOT_FOUND ? SHUNT_CORRUPT : err;
    if (!g->r.fair.listed)
        return order_settings(l, g);
    ledger_tell_ready(l, g);
    return 0;
}
