/* handout: give ready messages to a consumer. First what waits in front (released, due, redriven), then the
 * cursor.
 *
 * A first hand-out only moves the cursor. A message that no frame can carry is dead-lettered as `rejected`,
 * one that has failed as often as its group allows by now as `max_attempts`; an expired one goes by the
 * group's policy. The consumer sees none of them.
 *
 * Each message is verified on its way out, and a damaged one is not sent. But no state depends on that, because a
 * store elsewhere that applies the same batch has it whole: here as there it is in flight, and a result
 * says that it is damaged. The engine then says so in a command, CORRUPT, by which it dies.
 */
#include "broker/core/handout.h"
#include "base/check.h"
#include "broker/core/due.h"
#include "broker/core/edit.h"
#include "broker/core/handing.h"
#include "broker/core/history.h"
#include "broker/core/order.h"
#include "broker/core/view.h"

/* Rows that are stepped over one by one; what lies behind more is sought. */
#define STEPPED_MAX 16

bool handing_over(const struct ledger *l, struct handing *h)
{
    h->out_of_room = !ledger_has_room(l, COST_MOVE_BYTES);
    return h->full || h->count >= h->c->messages || h->removed >= REMOVED_MAX || h->out_of_room;
}

/* Whether a message of that size may still be added; if not, the handing is over. */
static bool fits(struct handing *h, size_t bytes)
{
    bool first = h->count == 0 && h->c->oversize_first;
    bool enough = h->count && h->c->enough_bytes && h->bytes >= h->c->enough_bytes;
    if (enough || (h->bytes + bytes > h->c->bytes && !first))
        h->full = true;
    return !h->full;
}

int handout_damaged(struct ledger *l, const struct group *g, uint64_t seq, uint64_t token)
{
    struct attempt_record row;
    int err = place_track(l, g, seq, WHERE_FLIGHT, &row);
    if (err)
        return err;
    const struct corrupt_command found = {g->r.id, seq, token, row.expires_ms, row.has_expiry};
    result_add(l, RESULT_DAMAGED)->damaged = found;
    return 0;
}

/* Stands for the row of one that is handed out for the first time. */
static const struct attempt_record first_flight = {.deliveries = 1, .deliveries_total = 1};

static int give(struct ledger *l, struct handing *h, uint64_t seq, const struct attempt_record *row,
                const struct loaded_message *m)
{
    int64_t deadline_ms = row == &first_flight ? m->head.deadline_ms : row->deadline_ms;
    h->count++;
    h->bytes += m->bytes;
    h->g->r.counts.deliveries++;
    if (m->corrupt) {
        /* It is about to die: nothing is given behind it as of its run. */
        h->damaged |= h->g->keys && order_run_max(h->g) > 1;
        h->full |= h->damaged;
        return handout_damaged(l, h->g, seq, row->deliveries_total);
    }
    l->results.handed_out++;
    result_add(l, RESULT_HANDED_OUT)->handed_out =
        (struct handout){.seq = seq,
                         .token = row->deliveries_total,
                         .attempts = row->attempts,
                         .deliveries = row->deliveries,
                         .generation = row->generation,
                         .published_ms = m->head.published_ms,
                         .lease_ms = group_setting(h->g, POLICY_lease_ms),
                         .remaining_ms = deadline_ms ? deadline_ms - l->now_ms : 0,
                         .message = m->message,
                         .dead = m->is_dead ? result_copy(l, m, sizeof *m) : NULL};
    return 0;
}

/* Published before the size of a message had its limit: its attempt ledger says why nobody got it. */
static int note_too_large(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row)
{
    struct history_record h = {
        .outcome = ATTEMPT_REJECTED,
        .error_type = slice_of("TOO_LARGE"),
        .error_message =
            slice_of("the broker cannot deliver it: what the message has beside its body makes it "
                     "larger than a frame; purge it, and publish it again with less")};
    return history_add(l, g, seq, row, &h);
}

int handout_set_aside(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row,
                      enum dead_reason reason)
{
    if (g->origin)
        return place_wait(l, g, seq, row, l->now_ms + group_setting(g, POLICY_backoff_max_ms));
    return dead_divert(l, g, seq, row, reason, NULL);
}

/* Not fit for delivery. */
static int quarantine(struct ledger *l, struct group *g, uint64_t seq, enum where where,
                      struct attempt_record *row, enum dead_reason reason)
{
    int err = place_leave(l, g, seq, where, row);
    if (!err && where != WHERE_TRACKED)
        err = place_track(l, g, seq, where, row);
    if (!err && reason == DEAD_REJECTED && !g->origin)
        err = note_too_large(l, g, seq, row);
    return err ? err : handout_set_aside(l, g, seq, row, reason);
}

/* One of its key before it is dead, and it follows it. It did not fail: no attempt of its own says what it died of. */
static int follow(struct ledger *l, struct group *g, uint64_t seq, enum where where,
                  struct attempt_record *row)
{
    static const struct history_record none = {0};
    int err = place_leave(l, g, seq, where, row);
    if (!err && where != WHERE_TRACKED)
        err = place_track(l, g, seq, where, row);
    return err ? err : dead_divert(l, g, seq, row, DEAD_PREDECESSOR_DEAD, &none);
}

/* Whether a message of that group must not be handed out, and as what it dies. */
static bool is_unfit(const struct group *g, const struct attempt_record *row, const struct loaded_message *m,
                     enum dead_reason *ret)
{
    *ret = m->bytes > MESSAGE_BYTES_MAX ? DEAD_REJECTED : DEAD_MAX_ATTEMPTS;
    return *ret != DEAD_MAX_ATTEMPTS ||
           (row && !g->origin && row->attempts >= (uint64_t)group_setting(g, POLICY_max_attempts));
}

/* ---- what waits in front ---- */

int handing_first_waiting(struct ledger *l, const struct handing *h, uint64_t *ret_seq)
{
    int64_t due_ms = 0;
    *ret_seq = 0;
    int err = due_first(l, h->g, due_place_of(h->c->lane), &due_ms, ret_seq);
    return !err && due_ms > h->g->r.due_mark_ms ? SHUNT_NOT_FOUND : err;
}

/* After a restart the time to live is lengthened for the one who held it; if that one came back and gave it up, nobody else is to get it
 * past its deadline. */
static bool is_past_deadline(const struct ledger *l, const struct group *g, const struct attempt_record *row)
{
    return !g->origin && row->deadline_ms && row->deadline_ms <= l->now_ms;
}

/* `*ret_key`: of what was handed out in a group that is ordered; 0: it has none, or was not. */
static int hand_one(struct ledger *l, struct handing *h, uint64_t seq, uint64_t *ret_key)
{
    enum where where;
    struct attempt_record row;
    struct loaded_message m;
    int err = place_find(l, h->g, seq, &where, &row);
    if (!err && (where != WHERE_TRACKED || row.state != ATTEMPT_WAITING))
        err = SHUNT_CORRUPT;
    if (!err)
        err = message_load_for(l, h->g, seq, &row, true, &m);
    if (err)
        return err;
    enum dead_reason reason;
    *ret_key = 0;
    bool unfit = is_unfit(h->g, &row, &m, &reason);
    bool expired = (row.expires_ms && row.expires_ms <= l->now_ms) || is_past_deadline(l, h->g, &row);
    if (unfit || expired) {
        h->removed++;
        return expired ? expire_message(l, h->g, seq, where, &row)
                       : quarantine(l, h->g, seq, where, &row, reason);
    }
    uint64_t of = row.key || !h->g->keys ? row.key : order_key(m.message);
    enum order_turn turn = TURN_NOW;
    if (h->g->keys)
        err = order_turn_of(l, h->g, h->mark, of, seq, &turn);
    if (!err && (turn || (of && seq >= h->g->r.next && group_is_ordered(h->g)))) {
        h->removed++;
        return turn == TURN_FOLLOWS ? follow(l, h->g, seq, where, &row)
                                    : order_park(l, h->g, seq, where, &row, of);
    }
    if (err || !fits(h, m.bytes))
        return err;
    struct attempt_record before = row;
    row.deliveries++;
    row.deliveries_total++;
    *ret_key = of;
    err = give(l, h, seq, &row, &m);
    if (!err)
        err = place_leave(l, h->g, seq, where, &before);
    return err ? err : place_hold(l, h->g, seq, &row);
}

/* Those behind it that wait for their key alone, as far as a run goes. */
static int hand_rest_of_run(struct ledger *l, struct handing *h, uint64_t key, uint64_t seq)
{
    int err = 0;
    uint64_t given = key;
    while (!err && given && !handing_over(l, h)) {
        enum order_turn turn = TURN_WAITS;
        err = order_run_next(l, h->g, key, seq, &seq);
        if (!err && seq)
            err = order_turn_of(l, h->g, h->mark, key, seq, &turn);
        if (err || turn)
            return err;
        err = hand_one(l, h, seq, &given);
    }
    return err;
}

int hand_waiting(struct ledger *l, struct handing *h, uint64_t seq)
{
    uint64_t key;
    int err = hand_one(l, h, seq, &key);
    return err || h->run < 2 || !key ? err : hand_rest_of_run(l, h, key, seq);
}

int hand_lane(struct ledger *l, struct handing *h)
{
    uint64_t seq;
    int err = 0;
    while (!err && !handing_over(l, h)) {
        err = handing_first_waiting(l, h, &seq);
        if (!err)
            err = hand_waiting(l, h, seq);
    }
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

/* ---- the cursor ---- */

int handing_skip(struct ledger *l, struct group *g, uint64_t seq)
{
    if (seq <= g->r.next)
        return 0;
    ledger_dirty_group(l, g);
    if (g->r.floor != g->r.next) {
        l->meter.bytes += (seq / CHUNK_BITS - g->r.next / CHUNK_BITS + 1) * cost_row(CHUNK_BYTES);
        int err = bitmap_set_range(&g->bits, g->r.next, seq);
        g->r.next = seq;
        return err;
    }
    g->r.next = g->r.floor = seq;
    return 0;
}

static int decode_fresh(struct ledger *l, struct topic *t, uint64_t seq, struct slice key, struct slice value,
                        struct loaded_message *ret)
{
    if (t->r.origin_group)
        return message_load(l, t, seq, true, ret);
    ret->is_dead = false;
    return message_verify(l, key, value, ret);
}

bool handing_key_holds(struct store_cursor *cursor, const struct topic *t, uint64_t next, uint64_t seq)
{
    struct slice key, value;
    uint32_t id;
    uint64_t after;
    if (seq == next)
        return true;
    if (store_cursor_next(cursor, &key, &value) || !key_read_id_seq(key, &id, &after))
        return true;
    return id != t->r.id || after > seq;
}

int handing_next_row(const struct group *g, struct store_cursor *cursor, uint64_t seq, struct slice *ret_key,
                     struct slice *ret_value)
{
    uint64_t clear = seq + 1 < g->bits.high ? bitmap_next_clear(&g->bits, seq + 1) : seq + 1;
    if (clear - seq < STEPPED_MAX)
        return store_cursor_next(cursor, ret_key, ret_value);
    struct key key = key_id_seq(g->topic->r.id, clear);
    return store_cursor_seek(cursor, key_slice(&key), ret_key, ret_value);
}

int handing_pass_over(struct ledger *l, struct handing *h, uint64_t seq, uint64_t key, enum order_turn turn,
                      enum fresh *ret)
{
    struct attempt_record row;
    if (ledger_is_full(l)) {
        h->full = true;
        *ret = FRESH_OVER;
        return 0;
    }
    return turn == TURN_FOLLOWS ? follow(l, h->g, seq, WHERE_FRESH, &row)
                                : order_park(l, h->g, seq, WHERE_FRESH, &row, key);
}

static int hand_fresh(struct ledger *l, struct handing *h, uint64_t seq, const struct loaded_message *m,
                      enum fresh *ret)
{
    struct group *g = h->g;
    struct attempt_record row;
    enum dead_reason reason;
    *ret = FRESH_REMOVED;
    if (is_unfit(g, NULL, m, &reason))
        return quarantine(l, g, seq, WHERE_FRESH, &row, reason);
    if (m->head.expires_ms && m->head.expires_ms <= l->now_ms)
        return expire_message(l, g, seq, WHERE_FRESH, &row);
    if (m->head.due_ms > l->now_ms) { /* scheduled before this group was made */
        int err = place_leave(l, g, seq, WHERE_FRESH, NULL);
        if (!err)
            err = place_track(l, g, seq, WHERE_FRESH, &row);
        return err ? err : place_wait(l, g, seq, &row, m->head.due_ms);
    }
    uint64_t of = g->keys ? order_key(m->message) : 0;
    enum order_turn turn = TURN_NOW;
    int err = of ? order_turn_of(l, g, h->mark, of, seq, &turn) : 0;
    if (!err && turn)
        return handing_pass_over(l, h, seq, of, turn, ret);
    *ret = FRESH_OVER;
    if (err || !fits(h, m->bytes))
        return err;
    *ret = FRESH_GIVEN;
    if (g->keys)
        err = order_out(l, g, seq, of);
    if (err)
        return err;
    g->r.counts.ready--;
    g->r.counts.in_flight++;
    g->r.next = seq + 1;
    return give(l, h, seq, &first_flight, m);
}

/* Hand out from the cursor until credit or messages end, or something was written, or a damaged message was
 * looked at closely (then *ret_again: the cursor is stale). */
static int hand_run(struct ledger *l, struct handing *h, struct store_cursor *cursor, bool *ret_again)
{
    struct group *g = h->g;
    struct topic *t = g->topic;
    struct slice key, value;
    uint32_t id;
    uint64_t seq;
    int err = handing_skip(l, g, bitmap_next_clear(&g->bits, g->r.next));
    struct key from = key_id_seq(t->r.id, g->r.next);
    if (!err)
        err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    while (!err && !handing_over(l, h)) {
        if (!key_read_id_seq(key, &id, &seq) || id != t->r.id)
            return SHUNT_NOT_FOUND;
        if (seq >= h->until)
            return seq >= t->r.head ? SHUNT_CORRUPT : SHUNT_NOT_FOUND;
        if (!bitmap_get(&g->bits, seq)) {
            struct loaded_message m;
            enum fresh fresh = FRESH_OVER;
            err = decode_fresh(l, t, seq, key, value, &m);
            if (!err && m.corrupt && !handing_key_holds(cursor, t, g->r.next, seq))
                return SHUNT_CORRUPT;
            if (!err)
                err = handing_skip(l, g, seq);
            if (!err)
                err = hand_fresh(l, h, seq, &m, &fresh);
            if (err || fresh != FRESH_GIVEN || m.corrupt) {
                *ret_again = !err && fresh != FRESH_OVER;
                h->removed += fresh == FRESH_REMOVED;
                return err;
            }
        }
        err = handing_next_row(g, cursor, seq, &key, &value);
    }
    return err;
}

int hand_cursor(struct ledger *l, struct handing *h)
{
    bool again = true;
    int err = 0;
    while (!err && again && h->g->r.next < h->until && !handing_over(l, h)) {
        struct store_cursor *cursor;
        again = false;
        err = store_cursor_open(l->txn, h->g->topic->r.origin_group ? TABLE_DEAD : TABLE_MESSAGE, &cursor);
        if (err)
            break;
        err = hand_run(l, h, cursor, &again);
        store_cursor_close(cursor);
    }
    if (err == SHUNT_NOT_FOUND) /* no rows left: whatever lies before the head is gone */
        err = handing_skip(l, h->g, h->until);
    return err;
}

int hand_first_time(struct ledger *l, struct handing *h)
{
    int err = window_shorten(l, h->g, h->c->messages);
    if (!err)
        err = hand_cursor(l, h);
    if (!err && h->g->keys)
        err = order_catch_up(l, h->g, &h->caught_up);
    return err || !h->caught_up ? err : hand_lane(l, h);
}
