/* attempts: every message with a row of its own is in that one state, and has the rows that go with it. */
#include "broker/check/checker.h"

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
    switch (row->state) {
    case ATTEMPT_WAITING:
        if (row->due_ms > g->r.due_mark_ms) {
            g->tally.delayed++;
        } else {
            g->tally.ready++;
            g->tally.suspects += row->suspect;
        }
        break;
    case ATTEMPT_HELD:
        g->tally.held++;
        break;
    case ATTEMPT_DEAD:
        g->tally.dead++;
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
    } else if (dead_decode(key_slice(&key), value, &dead) == 0 &&
               (dead.origin_group != g->r.id || dead.origin_seq != seq)) {
        problem(c, PROBLEM_STATE, "%s: message %" PRIu64 " is dead, and letter %" PRIu64 " is another's",
                name.text, seq, row->dead_seq);
    }
    return 0;
}

static int check_history(struct checker *c, const struct checked_group *g, uint64_t seq,
                         const struct attempt_record *row)
{
    struct name name = group_name(g);
    struct store_cursor *cursor;
    struct key from = key_history(g->r.id, seq, 0);
    struct slice key, value;
    uint32_t group, number, rows = 0;
    uint64_t of;
    int err = store_cursor_open(c->txn, TABLE_HISTORY, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    while (!err && key_read_history(key, &group, &of, &number) && group == g->r.id && of == seq) {
        if (number == 0 || number >= row->row_next) {
            problem(c, PROBLEM_STATE, "%s: message %" PRIu64 ": history row %" PRIu32 " was never written",
                    name.text, seq, number);
        }
        rows++;
        err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    if (err && err != SHUNT_NOT_FOUND)
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
    if (!err && row->has_expiry)
        err = look_up(c, TABLE_EXPIRY, key_expiry(row->expires_ms, g->r.id, seq), &found, NULL);
    if (!err && !found)
        problem(c, PROBLEM_MISSING, "%s: message %" PRIu64 " has no expiry row", name.text, seq);
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

static int history_row(struct checker *c, struct slice key, struct slice value)
{
    struct history_record h;
    struct attempt_record row;
    enum found found;
    uint32_t id, number;
    uint64_t seq;
    if (!key_read_history(key, &id, &seq, &number)) {
        problem(c, PROBLEM_ORPHAN, "history: a row with a key of %zu bytes", key.size);
        return 0;
    }
    const struct checked_group *g = owner(c, "history", id, seq);
    if (!g)
        return 0;
    if (history_decode(key, value, &h) != 0) {
        problem(c, PROBLEM_CHECKSUM, "%s: message %" PRIu64 ": its history row %" PRIu32, group_name(g).text,
                seq, number);
    }
    if (!group_judged(g))
        return 0;
    int err = look_up_attempt(c, id, seq, &found, &row);
    if (!err && found == ABSENT) {
        problem(c, PROBLEM_ORPHAN,
                "%s: history row %" PRIu32 " of message %" PRIu64 ", which has no attempt row",
                group_name(g).text, number, seq);
    }
    return err;
}

int check_attempts(struct checker *c)
{
    int err = scan(c, TABLE_ATTEMPT, attempt_row);
    return err ? err : scan(c, TABLE_HISTORY, history_row);
}
