/* schema: records of the store, each as one list of fields, and their checksums. */
#include "broker/core/schema_record.h"

#include <stddef.h>

/* ---- fields ---- */

static void policy_fields(struct codec *c, struct policy *p)
{
    codec_u32(c, &p->given);
    if (p->given >> POLICY_COUNT)
        c->failed = true;
    for (uint32_t left = p->given & (uint32_t)((1ull << POLICY_COUNT) - 1); left; left &= left - 1)
        codec_i64(c, &p->value[__builtin_ctz(left)]);
}

static void meta_fields(struct codec *c, struct meta_record *r)
{
    codec_u64(c, &r->index);
    codec_i64(c, &r->time_ms);
    codec_u64(c, &r->random);
    codec_u32(c, &r->topic_next);
    codec_u32(c, &r->group_next);
    codec_u64(c, &r->job_next);
    codec_u64(c, &r->topics_max);
    codec_u64(c, &r->groups_max);
    codec_u64(c, &r->body_bytes_max);
    codec_i64(c, &r->dedup_window_ms);
    codec_bytes(c, r->dedup_cursor, sizeof r->dedup_cursor);
    codec_i64(c, &r->dedup_swept_ms);
    codec_i64(c, &r->dedup_away_ms);
    if (!c->writing) {
        r->shifts_count = 0;
        r->audit_next = 1;
        r->audit_rows = r->audit_bytes = r->audit_bytes_max = 0;
        r->audit_keep_ms = 0;
    }
    if (!c->writing && c->at == c->end)
        return;
    codec_u32(c, &r->shifts_count);
    if (r->shifts_count > CLOCK_SHIFTS_MAX)
        c->failed = true;
    for (uint32_t i = 0; !c->failed && i < r->shifts_count; i++) {
        codec_i64(c, &r->shifts[i].after_ms);
        codec_i64(c, &r->shifts[i].ahead_ms);
    }
    if (!c->writing && c->at == c->end)
        return;
    codec_u64(c, &r->audit_next);
    codec_u64(c, &r->audit_rows);
    codec_u64(c, &r->audit_bytes);
    codec_i64(c, &r->audit_keep_ms);
    codec_u64(c, &r->audit_bytes_max);
    if (r->audit_rows >= r->audit_next)
        c->failed = true;
}

static void topic_fields(struct codec *c, struct topic_record *r)
{
    codec_u32(c, &r->id);
    codec_u32(c, &r->origin_group);
    codec_bool(c, &r->dropped);
    codec_u64(c, &r->head);
    codec_u64(c, &r->published);
    codec_u64(c, &r->stored);
    codec_u64(c, &r->stored_bytes);
    codec_i64(c, &r->created_ms);
    policy_fields(c, &r->policy);
    codec_text(c, r->name, sizeof r->name);
}

/* Those that stand in the record as they do in the struct: from `published` to `deliveries`. */
#define COUNTS_IN_ORDER 14
_Static_assert(offsetof(struct group_counts, published) == 0 &&
                   offsetof(struct group_counts, moved_away) == 9 * sizeof(uint64_t) &&
                   offsetof(struct group_counts, deliveries) == (COUNTS_IN_ORDER - 1) * sizeof(uint64_t),
               "counts are in the order of docs/storage.md");

/* The same for those from `unattended` to `slo_breaches`. */
#define COUNTS_UNATTENDED 3
_Static_assert(offsetof(struct group_counts, slo_breaches) - offsetof(struct group_counts, unattended) ==
                   (COUNTS_UNATTENDED - 1) * sizeof(uint64_t),
               "as above");

/* A rule has something to do with it, or had. */
static bool has_been_ruled(const struct group_record *r)
{
    bool any = r->ruled_waiting;
    for (unsigned i = 0; i < RULE_ACTIONS; i++)
        any |= r->counts.ruled[i] != 0;
    return any;
}

/* `ruled_waiting` and `ruled`; after them at most `indexed` and `parked`, which are shorter. */
#define RULED_BYTES (8 * (1 + RULE_ACTIONS))

/* In the byte of `paused`: what other counts there are follows `outcomes`. */
#define GROUP_PAUSED 1u
#define GROUP_COUNTS 2u

/* Counts that came to be when the record was full: how many of them there are, and each with its number here, in order, unless it
 * is 0. Numbers are never used again. */
#define COUNT_DEADLINES 1u /* attempts that ended because a deadline had passed */
#define COUNT_LATE      2u /* dead letters of that reason */

static bool has_more_counts(const struct group_counts *n)
{
    return (n->attempts[ATTEMPT_DEADLINE_EXCEEDED] | n->dead_lettered[DEAD_DEADLINE_EXCEEDED]) != 0;
}

/* Whether there are others is said beside `paused`, in its byte. */
__attribute__((cold, noinline)) static bool paused_and_more(struct codec *c, struct group_record *r)
{
    unsigned paused = GROUP_COUNTS | (r->paused ? GROUP_PAUSED : 0u);
    codec_choice(c, &paused, 2 * GROUP_COUNTS);
    r->paused = paused & GROUP_PAUSED;
    return paused & GROUP_COUNTS;
}

static inline bool paused_field(struct codec *c, struct group_record *r)
{
    if (c->writing ? has_more_counts(&r->counts) : c->at != c->end && c->at[0] > GROUP_PAUSED)
        return paused_and_more(c, r);
    codec_bool(c, &r->paused);
    return false;
}

__attribute__((cold, noinline)) static void more_counts_fields(struct codec *c, struct group_counts *n)
{
    uint64_t *const all[] = {[COUNT_DEADLINES] = &n->attempts[ATTEMPT_DEADLINE_EXCEEDED],
                             [COUNT_LATE] = &n->dead_lettered[DEAD_DEADLINE_EXCEEDED]};
    const unsigned most = sizeof all / sizeof *all;
    unsigned count = 0, last = 0;
    for (unsigned i = 1; c->writing && i < most; i++)
        count += *all[i] != 0;
    codec_choice(c, &count, most);
    c->failed |= !count; /* is said by leaving it out */
    for (unsigned i = 0; !c->failed && i < count; i++) {
        unsigned which = last + 1;
        while (c->writing && !*all[which])
            which++;
        codec_choice(c, &which, most);
        if (c->failed || which <= last) {
            c->failed = true;
            return;
        }
        codec_u64(c, all[which]);
        c->failed |= !*all[which];
        last = which;
    }
}

/* Those that stand in the record since its first version. */
#define COUNTED_OUTCOMES (ATTEMPT_TTL_EXPIRED + 1)
#define COUNTED_REASONS  (DEAD_OPERATOR + 1)

/* The number of something that may be missing, which is said by leaving it out; and that others may follow it. `given`, of what
 * is read: it is there. */
static bool number_field(struct codec *c, uint64_t *number, bool given)
{
    if (c->writing ? *number == 0 : !given) {
        *number = 0;
        return false;
    }
    codec_u64(c, number);
    if (!*number)
        c->failed = true;
    return true;
}

static void group_fields(struct codec *c, struct group_record *r)
{
    struct group_counts *n = &r->counts;
    codec_u32(c, &r->id);
    codec_u32(c, &r->topic);
    codec_u32(c, &r->dlq);
    codec_bool(c, &r->dropped);
    bool more = paused_field(c, r);
    codec_u64(c, &r->start);
    codec_u64(c, &r->next);
    codec_u64(c, &r->floor);
    codec_i64(c, &r->due_mark_ms);
    codec_i64(c, &r->created_ms);
    policy_fields(c, &r->policy);
    codec_u64s(c, (uint64_t *)n, COUNTS_IN_ORDER);
    codec_u64(c, &n->redriven);
    codec_u64s(c, n->attempts, COUNTED_OUTCOMES);
    codec_u64s(c, n->dead_lettered, COUNTED_REASONS);
    codec_text(c, r->name, sizeof r->name);
    r->dead_bytes_old = !c->writing && c->at == c->end;
    if (!r->dead_bytes_old)
        codec_u64(c, &r->dead_bytes);
    if (!c->writing && c->at == c->end) {
        r->causes_known = false;
        r->attended_below = 0;
    } else {
        codec_bool(c, &r->causes_known);
        codec_u64(c, &r->attended_below);
    }
    r->unattended_old = !c->writing && c->at == c->end;
    if (r->unattended_old) {
        n->unattended = n->expired_unattended = n->slo_breaches = 0;
        r->slo_below = 0;
    } else {
        codec_u64s(c, &n->unattended, COUNTS_UNATTENDED);
        codec_u64(c, &r->slo_below);
    }
    if (!c->writing) {
        r->past = 0;
        r->ruled_waiting = r->indexed = r->parked = 0;
        memset(n->outcomes, 0, sizeof n->outcomes);
        memset(n->ruled, 0, sizeof n->ruled);
        n->attempts[ATTEMPT_DEADLINE_EXCEEDED] = n->dead_lettered[DEAD_DEADLINE_EXCEEDED] = 0;
    }
    if (c->writing || c->at < c->end)
        codec_u64(c, &r->past);
    if (c->writing || c->at < c->end)
        codec_u64s(c, n->outcomes + 1, REDRIVE_OUTCOMES - 1);
    if (more)
        more_counts_fields(c, n);
    if (c->writing ? has_been_ruled(r) : c->end - c->at >= RULED_BYTES) {
        codec_u64(c, &r->ruled_waiting);
        codec_u64s(c, n->ruled, RULE_ACTIONS);
        c->failed |= !has_been_ruled(r); /* is said by leaving it out */
    }
    if (c->writing ? r->indexed != 0 : c->at < c->end) {
        codec_u64(c, &r->indexed);
        codec_u64(c, &r->parked);
        c->failed |= !r->indexed; /* as above */
    }
}

/* What rules note of it; 0 is said by leaving it out. `given`, of what is read: it is there. */
static void rule_field(struct codec *c, uint32_t *rule, bool given)
{
    if (c->writing ? *rule == 0 : !given) {
        *rule = 0;
        return;
    }
    codec_u32(c, rule);
    if (!*rule)
        c->failed = true;
}

/* Beside the state, in its byte: the message has a key in the index; it is parked; it has a deadline. */
#define ATTEMPT_KEYED    4u
#define ATTEMPT_PARKED   8u
#define ATTEMPT_DEADLINE 16u

/* job, job_cause, outcome; after them at most `ruled` and `edit`, which are shorter */
#define BROUGHT_BACK_BYTES 17
#define NUMBER_BYTES       8

static void deadline_fields(struct codec *c, struct attempt_record *r, bool given)
{
    if (!given) {
        r->deadline_ms = r->ttl_ends_ms = 0;
        return;
    }
    codec_i64(c, &r->deadline_ms);
    codec_i64(c, &r->ttl_ends_ms);
    c->failed |= !r->deadline_ms;
}

static void attempt_fields(struct codec *c, struct attempt_record *r)
{
    unsigned state = 0; /* of what is read, nothing is known yet */
    if (c->writing) {
        state = r->state | (r->key ? ATTEMPT_KEYED : 0) | (r->parked ? ATTEMPT_PARKED : 0) |
                (r->deadline_ms ? ATTEMPT_DEADLINE : 0);
    }
    codec_choice(c, &state, 2 * ATTEMPT_DEADLINE);
    bool keyed = state & ATTEMPT_KEYED;
    r->state = (enum attempt_state)(state & (ATTEMPT_KEYED - 1));
    r->parked = state & ATTEMPT_PARKED;
    if (r->state > ATTEMPT_DEAD || (keyed && r->state == ATTEMPT_DEAD) ||
        (r->parked && (!keyed || r->state != ATTEMPT_WAITING)))
        c->failed = true;
    codec_bool(c, &r->suspect);
    codec_bool(c, &r->has_expiry);
    codec_u32(c, &r->generation);
    codec_u32(c, &r->attempts);
    codec_u32(c, &r->attempts_total);
    codec_u32(c, &r->deliveries);
    codec_u64(c, &r->deliveries_total);
    codec_i64(c, &r->due_ms);
    codec_i64(c, &r->expires_ms);
    if (!c->writing) {
        r->ttl_left_ms = r->since_ms = 0;
        r->dead_seq = r->back_job = 0;
    }
    /* One field for both, here and below: neither state needs the other's. */
    if (r->state == ATTEMPT_DEAD)
        codec_i64(c, &r->ttl_left_ms);
    else
        codec_u64(c, &r->back_job);
    codec_u32(c, &r->rows);
    codec_u32(c, &r->row_next);
    if (r->state == ATTEMPT_DEAD)
        codec_u64(c, &r->dead_seq);
    else
        codec_i64(c, &r->since_ms);
    (void)number_field(c, &r->key, keyed);
    deadline_fields(c, r, state & ATTEMPT_DEADLINE);
    bool brought = c->writing ? r->job != 0 : c->end - c->at >= BROUGHT_BACK_BYTES;
    unsigned outcome = brought ? r->outcome : REDRIVE_PENDING;
    if (!brought)
        r->job = r->job_cause = 0;
    if (brought && number_field(c, &r->job, true)) {
        codec_u64(c, &r->job_cause);
        codec_choice(c, &outcome, REDRIVE_OUTCOMES);
    }
    r->outcome = (enum redrive_outcome)outcome;
    rule_field(c, &r->ruled, (c->end - c->at) % NUMBER_BYTES == sizeof r->ruled);
    (void)number_field(c, &r->edit, c->at < c->end);
}

static void history_fields(struct codec *c, struct history_record *r)
{
    unsigned outcome = r->outcome;
    codec_u32(c, &r->generation);
    codec_choice(c, &outcome, ATTEMPT_OUTCOMES);
    r->outcome = (enum attempt_outcome)outcome;
    codec_bool(c, &r->charged);
    codec_i64(c, &r->leased_ms);
    codec_i64(c, &r->started_ms);
    codec_i64(c, &r->ended_ms);
    codec_slice(c, &r->client);
    codec_slice(c, &r->host);
    codec_slice(c, &r->build);
    codec_slice(c, &r->error_type);
    codec_slice(c, &r->error_message);
    codec_slice(c, &r->error_stack);
    (void)number_field(c, &r->job, c->at < c->end); /* the last one */
}

static void ended_fields(struct codec *c, struct ended_record *r)
{
    unsigned how = r->how, reason = r->reason;
    codec_choice(c, &how, DONE_HOWS);
    r->how = (enum done_how)how;
    codec_i64(c, &r->ended_ms);
    codec_i64(c, &r->published_ms);
    codec_u32(c, &r->generation);
    codec_u32(c, &r->attempts);
    codec_u32(c, &r->attempts_total);
    codec_u32(c, &r->deliveries);
    codec_u64(c, &r->deliveries_total);
    codec_i64(c, &r->died_ms);
    codec_choice(c, &reason, DEAD_REASONS);
    r->reason = (enum dead_reason)reason;
    codec_u64(c, &r->cause);
    codec_u64(c, &r->dead_seq);
    codec_bool(c, &r->attended);
    codec_slice(c, &r->client);
    codec_slice(c, &r->host);
    codec_slice(c, &r->build);
    if (r->how == DONE_MOVED)
        codec_slice(c, &r->moved_to);
    else
        r->moved_to = (struct slice){0};
    unsigned outcome = r->outcome;
    rule_field(c, &r->rule, c->end - c->at == sizeof r->rule);
    if (number_field(c, &r->job, c->at < c->end))
        codec_choice(c, &outcome, REDRIVE_OUTCOMES);
    r->outcome = r->job ? (enum redrive_outcome)outcome : REDRIVE_PENDING;
}

static void dead_fields(struct codec *c, struct dead_record *r)
{
    unsigned reason = r->reason;
    codec_u32(c, &r->origin_group);
    codec_u64(c, &r->origin_seq);
    codec_choice(c, &reason, DEAD_REASONS);
    r->reason = (enum dead_reason)reason;
    codec_i64(c, &r->died_ms);
    if (!c->writing) {
        r->cause = r->rule = r->edit = 0;
        r->attended = false;
        r->due_ms = 0;
    }
    if (!c->writing && c->at == c->end)
        return;
    codec_u64(c, &r->cause);
    codec_bool(c, &r->attended);
    if (number_field(c, &r->rule, c->end - c->at > NUMBER_BYTES)) /* two fields, and `edit` is one */
        codec_i64(c, &r->due_ms);
    (void)number_field(c, &r->edit, c->at < c->end);
}

#define example_fields history_fields
#define example_record history_record

static bool answer_fits(const struct dedup_chunk_record *r, uint32_t i)
{
    const struct dedup_answer *a = r->answers;
    return i == 0 || (a[i].sequence > a[i - 1].sequence &&
                      a[i].sequence / DEDUP_CHUNK_FRAMES == a[0].sequence / DEDUP_CHUNK_FRAMES);
}

static void dedup_chunk_fields(struct codec *c, struct dedup_chunk_record *r)
{
    codec_u32(c, &r->count);
    if (r->count == 0 || r->count > DEDUP_CHUNK_FRAMES)
        c->failed = true;
    for (uint32_t i = 0; !c->failed && i < r->count; i++) {
        codec_u64(c, &r->answers[i].sequence);
        codec_u64(c, &r->answers[i].first_seq);
        codec_u32(c, &r->answers[i].accepted);
        codec_u32(c, &r->answers[i].refusal);
        if (!answer_fits(r, i))
            c->failed = true;
    }
}

static void dedup_fields(struct codec *c, struct dedup_record *r)
{
    codec_i64(c, &r->last_ms);
    codec_u64(c, &r->base);
    dedup_chunk_fields(c, &r->latest);
}

/* ---- whole records ---- */

RECORD(meta, TABLE_META)
RECORD(topic, TABLE_TOPIC)
RECORD(group, TABLE_GROUP)
RECORD(attempt, TABLE_ATTEMPT)
RECORD(history, TABLE_HISTORY)
RECORD(ended, TABLE_HISTORY)
RECORD(dead, TABLE_DEAD)
RECORD(example, TABLE_CAUSE)
RECORD(dedup, TABLE_DEDUP)
RECORD(dedup_chunk, TABLE_DEDUP)
