/* attempts: every message with a row of its own is in that one state, and has the rows that go with it. */
#include "broker/check/checker.h"
#include "broker/core/history.h"
#include "broker/core/schema_edit.h"

#include <inttypes.h>

/* The group of a row that begins with its id. NULL if there is no more to say. */
static struct checked_group *owner(struct checker *c, const char *table, uint32_t id, uint64_t seq)
{
    struct checked_group *g = group_of(c, id);
    if (!g)
        problem(c, PROBLEM_ORPHAN, "%s %" PRIu32 "/%" PRIu64 ": its group is not there", table, id, seq);
    return g;
}

static void count_row(struct checked_group *g, const struct attempt_record *row)
{
    g->tally.indexed += row->key && row->state != ATTEMPT_DEAD;
    switch (row->state) {
    case ATTEMPT_WAITING:
        if (row->due_ms > g->r.due_mark_ms && !row->parked) {
            g->tally.delayed++;
        } else {
            g->tally.ready++;
            g->tally.suspects += row->suspect && !row->parked;
            g->tally.parked += row->parked && !attempt_is_ahead(row);
            g->tally.listed += row->turn != 0;
        }
        break;
    case ATTEMPT_HELD:
        g->tally.held++;
        break;
    case ATTEMPT_DEAD:
        g->tally.dead++;
        g->tally.blocking += row->key != 0;
        break;
    }
}

/* It must be nowhere else: its bit is set, so that the cursor passes it by; and its message must be stored.
 */
static int check_place(struct checker *c, struct checked_group *g, uint64_t seq)
{
    struct name name = group_name(g);
    bool done = true, stored = false;
    if (seq < g->r.start || seq >= g->topic->r.head) {
        problem(c, PROBLEM_STATE, "%s: message %" PRIu64 " has a row, and is not the group's business",
                name.text, seq);
    }
    int err = g->blind ? 0 : bit_of(c, g, seq, &done);
    if (err)
        return err;
    if (!done) {
        problem(c, PROBLEM_STATE, "%s: message %" PRIu64 " is in two states: it has a row, and is %s",
                name.text, seq,
                seq < g->r.next ? "in flight for the first time" : "ready for the first time");
    }
    enum store_table table = group_reads_dlq(g) ? TABLE_DEAD : TABLE_MESSAGE;
    err = look_up(c, table, key_id_seq(g->r.topic, seq), &stored, NULL);
    if (!err && !stored)
        problem(c, PROBLEM_MISSING, "%s: message %" PRIu64 " is not stored", name.text, seq);
    return err;
}

static int check_due(struct checker *c, const struct checked_group *g, uint64_t seq,
                     const struct attempt_record *row)
{
    bool found;
    int err = look_up(c, TABLE_DUE, attempt_due_key(g->r.id, seq, row), &found, NULL);
    if (!err && !found)
        problem(c, PROBLEM_MISSING, "%s: message %" PRIu64 " has no due row", group_name(g).text, seq);
    return err;
}

/* It is in the index by key. One that is parked has that row and no other, and another one of its key comes before it or is out, which
 * only the server's memory knows. */
static int check_key(struct checker *c, const struct checked_group *g, uint64_t seq,
                     const struct attempt_record *row)
{
    bool found;
    int err = look_up(c, TABLE_DUE, key_due(g->r.id, DUE_KEYED, (int64_t)row->key, seq), &found, NULL);
    if (!err && !found) {
        problem(c, PROBLEM_MISSING, "%s: message %" PRIu64 " is not in the index by key", group_name(g).text,
                seq);
    }
    return err;
}

/* It is dead and holds its key: by that, and by when it died. */
static int check_blocking(struct checker *c, const struct checked_group *g, uint64_t seq,
                          const struct attempt_record *row)
{
    bool found;
    int err = look_up(c, TABLE_DUE, key_due(g->r.id, DUE_BLOCKED_SINCE, row->due_ms, seq), &found, NULL);
    if (!err && !found) {
        problem(c, PROBLEM_MISSING, "%s: dead message %" PRIu64 " holds its key, and has no row by its death",
                group_name(g).text, seq);
    }
    return err ? err : check_due(c, g, seq, row);
}

static int check_dead(struct checker *c, const struct checked_group *g, uint64_t seq,
                      const struct attempt_record *row)
{
    struct name name = group_name(g);
    struct key key = key_id_seq(g->r.dlq, row->dead_seq);
    struct dead_record dead;
    struct slice value;
    bool found;
    if (group_reads_dlq(g)) {
        problem(c, PROBLEM_STATE, "%s: message %" PRIu64 " is dead in a DLQ", name.text, seq);
        return 0;
    }
    int err = look_up(c, TABLE_DEAD, key, &found, &value);
    if (err)
        return err;
    if (!found) {
        problem(c, PROBLEM_MISSING, "%s: message %" PRIu64 " is dead, and its DLQ has no letter %" PRIu64,
                name.text, seq, row->dead_seq);
    } else if (dead_decode(key_slice(&key), value, &dead) != 0) {
        return 0;
    } else if (dead.origin_group != g->r.id || dead.origin_seq != seq) {
        problem(c, PROBLEM_STATE, "%s: message %" PRIu64 " is dead, and letter %" PRIu64 " is another's",
                name.text, seq, row->dead_seq);
    } else if (dead.edit != row->edit) {
        problem(c, PROBLEM_STATE,
                "%s: message %" PRIu64 " has edit %" PRIu64 ", and its letter edit %" PRIu64, name.text, seq,
                row->edit, dead.edit);
    }
    return 0;
}

/* What it was edited to is there, and who did. */
static int check_edited(struct checker *c, const struct checked_group *g, uint64_t seq)
{
    bool note = false, message = false;
    int err = look_up(c, TABLE_EDIT, key_history(g->r.id, seq, EDIT_ROW_NOTE), &note, NULL);
    if (!err)
        err = look_up(c, TABLE_EDIT, key_history(g->r.id, seq, EDIT_ROW_MESSAGE), &message, NULL);
    if (!err && !(note && message)) {
        problem(c, PROBLEM_MISSING, "%s: message %" PRIu64 " was edited, and %s is not there",
                group_name(g).text, seq, message ? "who did" : "what it became");
    }
    return err;
}

static int check_history(struct checker *c, const struct checked_group *g, uint64_t seq,
                         const struct attempt_record *row)
{
    struct name name = group_name(g);
    struct history_rows h;
    uint32_t rows = 0;
    int err = history_rows_open(c->txn, g->r.id, seq, HISTORY_ROW_FIRST, &h);
    for (; !err; err = history_rows_next(&h)) {
        if (h.row >= row->row_next) {
            problem(c, PROBLEM_STATE, "%s: message %" PRIu64 ": history row %" PRIu32 " was never written",
                    name.text, seq, h.row);
        }
        rows++;
    }
    err = history_rows_close(&h, err);
    if (err)
        return err;
    if (rows < row->rows) {
        problem(c, PROBLEM_MISSING, "%s: message %" PRIu64 " has %" PRIu32 " history rows, not %" PRIu32,
                name.text, seq, rows, row->rows);
    } else if (rows > row->rows || rows > HISTORY_ROWS_MAX) {
        problem(c, PROBLEM_COUNTER, "%s: message %" PRIu64 " has %" PRIu32 " history rows, not %" PRIu32,
                name.text, seq, rows, row->rows);
    }
    return 0;
}

static int check_row(struct checker *c, struct checked_group *g, uint64_t seq,
                     const struct attempt_record *row)
{
    struct name name = group_name(g);
    bool found = true;
    if (row->attempts > row->attempts_total || row->deliveries > row->deliveries_total) {
        problem(c, PROBLEM_COUNTER,
                "%s: message %" PRIu64 " was tried more often in this generation than ever", name.text, seq);
    }
    if (row->state == ATTEMPT_DEAD && row->has_expiry) {
        problem(c, PROBLEM_STATE, "%s: message %" PRIu64 " is dead, and its time to live runs on", name.text,
                seq);
    }
    int err = row->state == ATTEMPT_DEAD ? check_dead(c, g, seq, row) : check_due(c, g, seq, row);
    if (!err && row->key)
        err = row->state == ATTEMPT_DEAD ? check_blocking(c, g, seq, row) : check_key(c, g, seq, row);
    if (!err && row->has_expiry)
        err = look_up(c, TABLE_EXPIRY, key_expiry(row->expires_ms, g->r.id, seq), &found, NULL);
    if (!err && !found)
        problem(c, PROBLEM_MISSING, "%s: message %" PRIu64 " has no expiry row", name.text, seq);
    if (!err && row->edit)
        err = check_edited(c, g, seq);
    return err ? err : check_history(c, g, seq, row);
}

static int attempt_row(struct checker *c, struct slice key, struct slice value)
{
    struct attempt_record row;
    uint32_t id;
    uint64_t seq;
    if (!key_read_id_seq(key, &id, &seq)) {
        problem(c, PROBLEM_ORPHAN, "attempt: a row with a key of %zu bytes", key.size);
        return 0;
    }
    struct checked_group *g = owner(c, "attempt", id, seq);
    if (!g)
        return 0;
    bool readable = attempt_decode(key, value, &row) == 0;
    if (!readable)
        problem(c, PROBLEM_CHECKSUM, "%s: message %" PRIu64 ": its attempt row", group_name(g).text, seq);
    if (!group_judged(g))
        return 0;
    g->tally.tracked++;
    int err = check_place(c, g, seq);
    if (err || !readable)
        return err;
    count_row(g, &row);
    return check_row(c, g, seq, &row);
}

/* How a message ended: it must be done, and be found by the time of its end when it is to be forgotten. */
static int check_ended(struct checker *c, struct checked_group *g, uint64_t seq, const struct ended_record *e)
{
    struct name name = group_name(g);
    bool done = true, found = true;
    int err = g->blind ? 0 : bit_of(c, g, seq, &done);
    if (!err && (!done || seq < g->r.start || seq >= g->topic->r.head)) {
        problem(c, PROBLEM_STATE, "%s: message %" PRIu64 " is said to have ended, and is %s", name.text, seq,
                done ? "not the group's business" : "ready or in flight for the first time");
    }
    if (!err && e)
        err = look_up(c, TABLE_DUE, key_due(g->r.id, DUE_PAST, e->ended_ms, seq), &found, NULL);
    if (!err && !found)
        problem(c, PROBLEM_MISSING, "%s: message %" PRIu64 " has ended, and has no due row", name.text, seq);
    return err;
}

static int ended_row(struct checker *c, struct checked_group *g, uint64_t seq, struct slice key,
                     struct slice value)
{
    struct ended_record e;
    struct attempt_record row;
    enum found found;
    bool readable = ended_decode(key, value, &e) == 0;
    if (!readable)
        problem(c, PROBLEM_CHECKSUM, "%s: how message %" PRIu64 " ended", group_name(g).text, seq);
    if (!group_judged(g))
        return 0;
    g->tally.past++;
    int err = look_up_attempt(c, g->r.id, seq, &found, &row);
    if (err || found == UNREADABLE)
        return err;
    if (found == FOUND) {
        problem(c, PROBLEM_STATE, "%s: message %" PRIu64 " has ended, and has an attempt row",
                group_name(g).text, seq);
        return 0;
    }
    return check_ended(c, g, seq, readable ? &e : NULL);
}

static int history_row(struct checker *c, struct slice key, struct slice value)
{
    struct history_record h;
    struct attempt_record row;
    enum found found;
    uint32_t id, number;
    uint64_t seq;
    bool ended;
    if (!key_read_history(key, &id, &seq, &number)) {
        problem(c, PROBLEM_ORPHAN, "history: a row with a key of %zu bytes", key.size);
        return 0;
    }
    struct checked_group *g = owner(c, "history", id, seq);
    if (!g)
        return 0;
    if (number == HISTORY_ROW_END)
        return ended_row(c, g, seq, key, value);
    if (history_decode(key, value, &h) != 0) {
        problem(c, PROBLEM_CHECKSUM, "%s: message %" PRIu64 ": its history row %" PRIu32, group_name(g).text,
                seq, number);
    }
    if (!group_judged(g))
        return 0;
    int err = look_up_attempt(c, id, seq, &found, &row);
    if (err || found != ABSENT)
        return err;
    err = look_up(c, TABLE_HISTORY, key_history(id, seq, HISTORY_ROW_END), &ended, NULL);
    if (!err && !ended) {
        problem(c, PROBLEM_ORPHAN,
                "%s: history row %" PRIu32 " of message %" PRIu64
                ", which has no attempt row and has not ended",
                group_name(g).text, number, seq);
    }
    return err;
}

int check_attempts(struct checker *c)
{
    int err = scan(c, TABLE_ATTEMPT, attempt_row);
    return err ? err : scan(c, TABLE_HISTORY, history_row);
}
