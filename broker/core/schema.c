/* schema: records of the store, each as one list of fields. */
#include "broker/core/schema_record.h"

/* ---- fields ---- */

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

/* Beside the state, in its byte: the message has a key in the index; it is parked; it has a deadline; it is in the turn index. */
#define ATTEMPT_KEYED    4u
#define ATTEMPT_PARKED   8u
#define ATTEMPT_DEADLINE 16u
#define ATTEMPT_TURN     32u

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
                (r->deadline_ms ? ATTEMPT_DEADLINE : 0) | (r->turn ? ATTEMPT_TURN : 0);
    }
    codec_choice(c, &state, 2 * ATTEMPT_TURN);
    bool keyed = state & ATTEMPT_KEYED;
    r->state = (enum attempt_state)(state & (ATTEMPT_KEYED - 1));
    r->parked = state & ATTEMPT_PARKED;
    if (r->state > ATTEMPT_DEAD || (r->parked && (!keyed || r->state != ATTEMPT_WAITING)) ||
        ((state & ATTEMPT_TURN) && (r->parked || r->state != ATTEMPT_WAITING)))
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
    (void)number_field(c, &r->turn, state & ATTEMPT_TURN);
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
RECORD(attempt, TABLE_ATTEMPT)
RECORD(history, TABLE_HISTORY)
RECORD(ended, TABLE_HISTORY)
RECORD(dead, TABLE_DEAD)
RECORD(example, TABLE_CAUSE)
RECORD(dedup, TABLE_DEDUP)
RECORD(dedup_chunk, TABLE_DEDUP)
