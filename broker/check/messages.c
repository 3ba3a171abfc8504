/* messages: every stored message and every dead letter is readable, in bounds, and needed by some group. */
#include "broker/check/checker.h"

#include <inttypes.h>

/* A stored message without an expiry row of its group is in order only if the group came later. */
static int check_expiry(struct checker *c, const struct checked_group *g, uint64_t seq,
                        const struct message_head *head)
{
    bool found = true;
    if (!head->expires_ms || head->published_ms <= g->r.created_ms)
        return 0;
    int err = look_up(c, TABLE_EXPIRY, key_expiry(head->expires_ms, g->r.id, seq), &found, NULL);
    if (!err && !found)
        problem(c, PROBLEM_MISSING, "%s: message %" PRIu64 " has no expiry row", group_name(g).text, seq);
    return err;
}

/* What the row means to one of its topic's groups. `head` NULL: it cannot be read, or is a dead letter's. */
static int count_for_group(struct checker *c, struct checked_group *g, uint64_t seq,
                           const struct message_head *head, bool *needed)
{
    struct attempt_record row;
    enum found found;
    bool done;
    if (g->blind)
        *needed = true;
    if (g->blind || g->r.dropped || seq < g->r.start)
        return 0;
    int err = bit_of(c, g, seq, &done);
    if (err)
        return err;
    if (done) {
        err = look_up_attempt(c, g->r.id, seq, &found, &row);
        *needed |= found != ABSENT;
        return err;
    }
    *needed = true;
    if (seq >= g->r.next)
        g->tally.fresh++;
    else
        g->tally.flights++;
    return head ? check_expiry(c, g, seq, head) : 0;
}

static int count_for_groups(struct checker *c, struct checked_topic *t, uint64_t seq,
                            const struct message_head *head)
{
    bool needed = false;
    for (size_t i = 0; i < t->count; i++) {
        int err = count_for_group(c, c->by_topic[t->first + i], seq, head, &needed);
        if (err)
            return err;
    }
    /* With a group that cannot be read, who knows whose it is. */
    if (!needed && !t->clearing && c->all_readable)
        problem(c, PROBLEM_ORPHAN, "%s/%" PRIu64 ": stored, and no group needs it", t->r.name, seq);
    return 0;
}

/* What messages and dead letters have in common. NULL if there is no more to say. */
static struct checked_topic *place(struct checker *c, const char *table, struct slice key, size_t bytes,
                                   bool of_dlq, uint64_t *ret_seq)
{
    uint32_t id;
    if (!key_read_id_seq(key, &id, ret_seq)) {
        problem(c, PROBLEM_ORPHAN, "%s: a row with a key of %zu bytes", table, key.size);
        return NULL;
    }
    struct checked_topic *t = topic_of(c, id);
    if (!t) {
        problem(c, PROBLEM_ORPHAN, "%s %" PRIu32 "/%" PRIu64 ": its topic is not there", table, id, *ret_seq);
        return NULL;
    }
    if (!t->readable)
        return NULL;
    if ((t->r.origin_group != 0) != of_dlq) {
        problem(c, PROBLEM_ORPHAN, "%s/%" PRIu64 ": a row of %s in %s", t->r.name, *ret_seq, table,
                of_dlq ? "a topic that is no DLQ" : "a DLQ");
        return NULL;
    }
    t->rows++;
    t->bytes += bytes;
    if (*ret_seq == 0 || *ret_seq >= t->r.head) {
        problem(c, PROBLEM_STATE, "%s/%" PRIu64 ": beyond the topic's head %" PRIu64, t->r.name, *ret_seq,
                t->r.head);
    }
    return t;
}

static int message_row(struct checker *c, struct slice key, struct slice value)
{
    struct message_head head;
    struct slice body;
    uint64_t seq;
    struct checked_topic *t = place(c, "message", key, value.size, false, &seq);
    if (!t)
        return 0;
    c->messages++;
    bool readable = message_decode(key, value, true, &head, &body) == 0;
    if (!readable)
        problem(c, PROBLEM_CHECKSUM, "%s/%" PRIu64 ": the message", t->r.name, seq);
    return t->r.dropped ? 0 : count_for_groups(c, t, seq, readable ? &head : NULL);
}

/* The letter's message, in the group that failed it, must know of it. */
static int check_origin(struct checker *c, const struct checked_topic *t, uint64_t seq,
                        const struct dead_record *dead)
{
    struct attempt_record row;
    enum found found;
    if (dead->origin_group != t->r.origin_group) {
        problem(c, PROBLEM_ORPHAN, "%s/%" PRIu64 ": a dead letter of group %" PRIu32, t->r.name, seq,
                dead->origin_group);
        return 0;
    }
    int err = look_up_attempt(c, dead->origin_group, dead->origin_seq, &found, &row);
    if (err || found == UNREADABLE)
        return err;
    if (found == ABSENT || row.state != ATTEMPT_DEAD || row.dead_seq != seq) {
        problem(c, PROBLEM_ORPHAN,
                "%s/%" PRIu64 ": message %" PRIu64 " of its group is not dead, or not here", t->r.name, seq,
                dead->origin_seq);
    }
    return 0;
}

static void count_for_cause(struct checker *c, const struct checked_topic *t, uint64_t seq,
                            const struct dead_record *dead)
{
    struct checked_group *g = group_of(c, t->r.origin_group);
    if (!group_judged(g) || (!dead->cause && !g->r.causes_known)) /* an older server left it without */
        return;
    struct checked_cause *cause = checked_cause_of(g, dead->cause);
    if (cause)
        cause->counted++;
    else
        problem(c, PROBLEM_MISSING, "%s/%" PRIu64 ": its cause %016" PRIx64, t->r.name, seq, dead->cause);
}

/* If nobody has looked at it: counted, and not below the mark. */
static void count_unattended(struct checker *c, const struct checked_topic *t, uint64_t seq,
                             const struct dead_record *dead)
{
    struct checked_group *g = group_of(c, t->r.origin_group);
    struct checked_cause *cause = g ? checked_cause_of(g, dead->cause) : NULL;
    if (!group_judged(g) || dead->attended || (cause && (seq < cause->attended_below || cause->muted)))
        return;
    g->tally.unattended++;
    if (cause)
        cause->unattended_counted++;
    if (seq < g->r.attended_below && (!cause || cause->readable)) {
        problem(c, PROBLEM_STATE,
                "%s/%" PRIu64
                ": nobody has looked at it, and the group says that somebody has at all below %" PRIu64,
                t->r.name, seq, g->r.attended_below);
    }
}

/* What it takes of its topic does not count there. */
static int count_dead_bytes(struct checker *c, const struct checked_topic *t, const struct dead_record *dead)
{
    struct checked_group *g = group_of(c, t->r.origin_group);
    struct slice value;
    bool found;
    if (!g || !g->topic)
        return 0;
    int err = look_up(c, TABLE_MESSAGE, key_id_seq(g->topic->r.id, dead->origin_seq), &found, &value);
    if (err || !found)
        return err;
    g->tally.letters++;
    g->tally.dead_bytes += value.size;
    return 0;
}

/* A rule will act on it: a row of the due table says when. */
static int check_ruled(struct checker *c, const struct checked_topic *t, uint64_t seq,
                       const struct dead_record *dead)
{
    struct checked_group *g = group_of(c, t->r.origin_group);
    bool found = false;
    if (!dead->rule || !group_judged(g))
        return 0;
    g->tally.ruled++;
    int err = look_up(c, TABLE_DUE, key_due(g->r.id, DUE_RULED, dead->due_ms, seq), &found, NULL);
    if (!err && !found) {
        problem(c, PROBLEM_MISSING,
                "%s/%" PRIu64 ": a rule acts on it at %" PRId64 " ms, and no due row says so", t->r.name, seq,
                dead->due_ms);
    }
    return err;
}

static int dead_row(struct checker *c, struct slice key, struct slice value)
{
    struct dead_record dead;
    uint64_t seq;
    struct checked_topic *t = place(c, "dead", key, value.size, true, &seq);
    if (!t)
        return 0;
    if (dead_decode(key, value, &dead) != 0) {
        problem(c, PROBLEM_CHECKSUM, "%s/%" PRIu64 ": the dead letter", t->r.name, seq);
    } else if (!t->r.dropped) {
        count_for_cause(c, t, seq, &dead);
        count_unattended(c, t, seq, &dead);
        int err = check_origin(c, t, seq, &dead);
        if (!err)
            err = count_dead_bytes(c, t, &dead);
        if (!err)
            err = check_ruled(c, t, seq, &dead);
        if (err)
            return err;
    }
    return t->r.dropped ? 0 : count_for_groups(c, t, seq, NULL);
}

int check_messages(struct checker *c)
{
    int err = scan(c, TABLE_MESSAGE, message_row);
    return err ? err : scan(c, TABLE_DEAD, dead_row);
}
