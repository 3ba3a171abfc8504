/* indexes: bits, due rows and expiry rows, each of which must point at something that knows of it. */
#include "broker/check/checker.h"

#include <inttypes.h>
#include <string.h>

/* ---- done ---- */

static void count_bits(struct checker *c, struct checked_group *g, uint64_t number, const uint64_t *words)
{
    uint64_t beyond = 0;
    for (uint64_t i = 0; i < CHUNK_BITS; i++) {
        uint64_t seq = number * CHUNK_BITS + i;
        if (!(words[i / 64] >> (i % 64) & 1))
            continue;
        g->tally.set_bits += seq >= g->r.floor && seq < g->r.next;
        beyond += seq >= g->topic->r.head;
    }
    if (beyond) {
        problem(c, PROBLEM_STATE,
                "%s: %" PRIu64 " messages at or after the topic's head %" PRIu64 " are done",
                group_name(g).text, beyond, g->topic->r.head);
    }
}

static int done_row(struct checker *c, struct slice key, struct slice value)
{
    uint64_t number, words[CHUNK_BYTES / 8];
    uint32_t id;
    if (!key_read_id_seq(key, &id, &number) || number > UINT64_MAX / CHUNK_BITS - 1) {
        problem(c, PROBLEM_ORPHAN, "done: a row with a malformed key of %zu bytes", key.size);
        return 0;
    }
    struct checked_group *g = group_of(c, id);
    if (!g) {
        problem(c, PROBLEM_ORPHAN, "done %" PRIu32 "/%" PRIu64 ": its group is not there", id, number);
        return 0;
    }
    if (chunk_decode(key, value, words) != 0) {
        problem(c, PROBLEM_CHECKSUM, "%s: the bits from message %" PRIu64 " on", group_name(g).text,
                number * CHUNK_BITS);
        g->blind = true;
        return 0;
    }
    if (!group_judged(g))
        return 0;
    if ((number + 1) * CHUNK_BITS <= g->r.floor) {
        problem(c, PROBLEM_ORPHAN, "%s: the bits from message %" PRIu64 " on lie below the floor %" PRIu64,
                group_name(g).text, number * CHUNK_BITS, g->r.floor);
    }
    count_bits(c, g, number, words);
    return 0;
}

int check_bits(struct checker *c)
{
    return scan(c, TABLE_DONE, done_row);
}

/* ---- due ---- */

/* Whether it stands where the attempt row says: under its key, where it waits, or, dead, where it holds its key. */
static bool is_due(const struct attempt_record *row, uint32_t id, uint8_t place, uint64_t seq,
                   struct slice key)
{
    bool dead = row->state == ATTEMPT_DEAD;
    struct key own = place == DUE_KEYED && row->key && !dead ? key_due(id, DUE_KEYED, (int64_t)row->key, seq)
                     : place == DUE_BLOCKED_SINCE && dead    ? key_due(id, place, row->due_ms, seq)
                                                             : attempt_due_key(id, seq, row);
    return (!dead || row->key) && own.size == key.size && memcmp(own.bytes, key.data, key.size) == 0;
}

/* Of a message that has ended: it must say so, and when. */
static int past_row(struct checker *c, const struct checked_group *g, uint64_t seq, int64_t ended_ms)
{
    struct ended_record e;
    struct slice value;
    struct key key = key_history(g->r.id, seq, HISTORY_ROW_END);
    bool found;
    int err = look_up(c, TABLE_HISTORY, key, &found, &value);
    if (err || (found && (ended_decode(key_slice(&key), value, &e) != 0 || e.ended_ms == ended_ms)))
        return err;
    problem(c, PROBLEM_ORPHAN,
            "%s: a due row of message %" PRIu64 " that has ended at %" PRId64 " ms, which %s",
            group_name(g).text, seq, ended_ms, found ? "ended at another time" : "nothing else says");
    return 0;
}

/* Of a letter that a rule will act on: it must say so, and when. */
static int ruled_row(struct checker *c, const struct checked_group *g, uint64_t dead_seq, int64_t due_ms)
{
    struct dead_record dead = {0};
    struct slice value;
    struct key key = key_id_seq(g->r.dlq, dead_seq);
    bool found;
    int err = look_up(c, TABLE_DEAD, key, &found, &value);
    if (err ||
        (found && (dead_decode(key_slice(&key), value, &dead) != 0 || (dead.rule && dead.due_ms == due_ms))))
        return err;
    problem(c, PROBLEM_ORPHAN,
            "%s: a due row of dead letter %" PRIu64 " that a rule acts on at %" PRId64 " ms, which %s",
            group_name(g).text, dead_seq, due_ms, found ? "does not say so" : "is not there");
    return 0;
}

static int due_row(struct checker *c, struct slice key, struct slice value)
{
    struct attempt_record row;
    enum found found;
    uint32_t id;
    uint64_t seq;
    int64_t due_ms;
    uint8_t lane;
    if (value.size)
        problem(c, PROBLEM_CHECKSUM, "due: a row that is not empty, of %zu bytes", value.size);
    if (!key_read_due(key, &id, &lane, &due_ms, &seq)) {
        problem(c, PROBLEM_ORPHAN, "due: a row with a key of %zu bytes", key.size);
        return 0;
    }
    struct checked_group *g = group_of(c, id);
    if (!g) {
        problem(c, PROBLEM_ORPHAN, "due %" PRIu32 "/%" PRIu64 ": its group is not there", id, seq);
        return 0;
    }
    if (!group_judged(g))
        return 0;
    if (lane == DUE_PAST)
        return past_row(c, g, seq, due_ms);
    if (lane == DUE_RULED)
        return ruled_row(c, g, seq, due_ms);
    if (lane == DUE_BLOCKED_KEYS) {
        g->tally.blocked++;
        g->tally.blocked_by += seq;
        return 0;
    }
    int err = look_up_attempt(c, id, seq, &found, &row);
    if (!err && (found == ABSENT || (found == FOUND && !is_due(&row, id, lane, seq, key)))) {
        problem(c, PROBLEM_ORPHAN, "%s: a due row of message %" PRIu64 " (lane %u, %" PRId64 " ms) that %s",
                group_name(g).text, seq, (unsigned)lane, due_ms,
                found == ABSENT ? "has no attempt row" : "waits elsewhere or not at all");
    }
    return err;
}

/* ---- expiry ---- */

/* Of a message without an attempt row: it must be the group's business still, and expire then. */
static int first_time_expires(struct checker *c, struct checked_group *g, uint64_t seq, int64_t expires_ms,
                              bool *ret)
{
    struct message_head head;
    struct slice value, body;
    struct key key = key_id_seq(g->r.topic, seq);
    bool done = true, stored = false;
    *ret = true;
    if (g->blind)
        return 0;
    int err = bit_of(c, g, seq, &done);
    if (!err && !done && seq >= g->r.start && !group_reads_dlq(g))
        err = look_up(c, TABLE_MESSAGE, key, &stored, &value);
    if (err)
        return err;
    *ret = stored &&
           (message_decode(key_slice(&key), value, true, &head, &body) != 0 || head.expires_ms == expires_ms);
    return 0;
}

static int expiry_row(struct checker *c, struct slice key, struct slice value)
{
    struct attempt_record row;
    enum found found;
    int64_t expires_ms;
    uint32_t id;
    uint64_t seq;
    bool known = true;
    if (value.size)
        problem(c, PROBLEM_CHECKSUM, "expiry: a row that is not empty, of %zu bytes", value.size);
    if (!key_read_expiry(key, &expires_ms, &id, &seq)) {
        problem(c, PROBLEM_ORPHAN, "expiry: a row with a key of %zu bytes", key.size);
        return 0;
    }
    struct checked_group *g = group_of(c, id);
    /* Rows of a group that was deleted are left to lapse; but there must have been such a group. */
    if (!g && c->meta_readable && (id == 0 || id >= c->meta.group_next))
        problem(c, PROBLEM_ORPHAN, "expiry %" PRIu32 "/%" PRIu64 ": there never was such a group", id, seq);
    if (!group_judged(g))
        return 0;
    g->tally.expiries++;
    int err = look_up_attempt(c, id, seq, &found, &row);
    if (!err && found == FOUND)
        known = row.has_expiry && row.expires_ms == expires_ms;
    else if (!err && found == ABSENT)
        err = first_time_expires(c, g, seq, expires_ms, &known);
    if (!err && !known) {
        problem(c, PROBLEM_ORPHAN,
                "%s: an expiry row of message %" PRIu64 ", which does not expire at %" PRId64 " ms",
                group_name(g).text, seq, expires_ms);
    }
    return err;
}

/* ---- damaged ---- */

static int damaged_row(struct checker *c, struct slice key, struct slice value)
{
    uint32_t topic;
    uint64_t seq;
    bool stored;
    struct slice message;
    if (value.size)
        problem(c, PROBLEM_CHECKSUM, "damage mark: a row that is not empty, of %zu bytes", value.size);
    if (!key_read_id_seq(key, &topic, &seq)) {
        problem(c, PROBLEM_ORPHAN, "damage mark: a row with a key of %zu bytes", key.size);
        return 0;
    }
    int err = look_up(c, TABLE_MESSAGE, key_id_seq(topic, seq), &stored, &message);
    if (!err && !stored)
        problem(c, PROBLEM_ORPHAN, "damage mark %" PRIu32 "/%" PRIu64 ": no such message", topic, seq);
    return err;
}

int check_indexes(struct checker *c)
{
    int err = scan(c, TABLE_DUE, due_row);
    if (!err)
        err = scan(c, TABLE_EXPIRY, expiry_row);
    return err ? err : scan(c, TABLE_DAMAGED, damaged_row);
}
