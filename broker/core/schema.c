/* schema: records of the store, each as one list of fields, and their checksums. */
#include "broker/core/schema.h"
#include "base/check.h"
#include "broker/core/codec.h"

#include <stddef.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define CHECKSUM_BYTES 8

/* Which table a row belongs to is part of its checksum. */
static uint64_t checksum(enum store_table table, struct slice key, const void *bytes, size_t size)
{
    uint64_t seed = XXH3_64bits_withSeed(key.data, key.size, (uint64_t)table + 1);
    return XXH3_64bits_withSeed(bytes, size, seed);
}

/* ---- messages ---- */

#define FLAG_SCHEDULED 1u
#define FLAG_EXPIRES   2u
#define HEAD_BYTES     16

size_t message_head_bytes(const struct message_head *h)
{
    return HEAD_BYTES + (h->due_ms ? 8u : 0u) + (h->expires_ms ? 8u : 0u);
}

void message_encode(void *to, struct slice key, const struct message_head *h, struct slice message)
{
    uint8_t *p = to;
    uint64_t flags = (h->due_ms ? FLAG_SCHEDULED : 0u) | (h->expires_ms ? FLAG_EXPIRES : 0u);
    put_be64(p + 8, flags << 56 | ((uint64_t)h->published_ms & 0xffffffffffffffull));
    uint8_t *at = p + HEAD_BYTES;
    if (h->due_ms) {
        put_be64(at, (uint64_t)h->due_ms);
        at += 8;
    }
    if (h->expires_ms) {
        put_be64(at, (uint64_t)h->expires_ms);
        at += 8;
    }
    memcpy(at, message.data, message.size);
    put_be64(p, checksum(TABLE_MESSAGE, key, p + 8, (size_t)(at - p) - 8 + message.size));
}

int message_decode(struct slice key, struct slice value, bool verify, struct message_head *ret,
                   struct slice *ret_message)
{
    const uint8_t *p = value.data;
    ret_message->size = 0;
    if (value.size < HEAD_BYTES)
        return SHUNT_CORRUPT;
    uint64_t word = get_be64(p + 8);
    unsigned flags = (unsigned)(word >> 56);
    size_t at = HEAD_BYTES;
    struct message_head h = {.published_ms = (int64_t)(word & 0xffffffffffffffull)};
    size_t need = at + (flags & FLAG_SCHEDULED ? 8u : 0u) + (flags & FLAG_EXPIRES ? 8u : 0u);
    if (flags > (FLAG_SCHEDULED | FLAG_EXPIRES) || value.size < need)
        return SHUNT_CORRUPT;
    ret_message->size = value.size - need;
    if (verify && get_be64(p) != checksum(TABLE_MESSAGE, key, p + 8, value.size - 8))
        return SHUNT_CORRUPT;
    if (flags & FLAG_SCHEDULED) {
        h.due_ms = (int64_t)get_be64(p + at);
        at += 8;
    }
    if (flags & FLAG_EXPIRES) {
        h.expires_ms = (int64_t)get_be64(p + at);
        at += 8;
    }
    *ret = h;
    ret_message->data = p + at;
    return 0;
}

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
    bool shifts = c->writing ? r->shifts_count > 0 : c->at < c->end;
    if (!shifts) {
        r->shifts_count = 0;
        return;
    }
    codec_u32(c, &r->shifts_count);
    if (r->shifts_count == 0 || r->shifts_count > CLOCK_SHIFTS_MAX)
        c->failed = true;
    for (uint32_t i = 0; !c->failed && i < r->shifts_count; i++) {
        codec_i64(c, &r->shifts[i].after_ms);
        codec_i64(c, &r->shifts[i].ahead_ms);
    }
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
                   offsetof(struct group_counts, redriven_away) == 9 * sizeof(uint64_t) &&
                   offsetof(struct group_counts, deliveries) == (COUNTS_IN_ORDER - 1) * sizeof(uint64_t),
               "counts are in the order of docs/storage.md");

static void group_fields(struct codec *c, struct group_record *r)
{
    struct group_counts *n = &r->counts;
    codec_u32(c, &r->id);
    codec_u32(c, &r->topic);
    codec_u32(c, &r->dlq);
    codec_bool(c, &r->dropped);
    codec_bool(c, &r->paused);
    codec_u64(c, &r->start);
    codec_u64(c, &r->next);
    codec_u64(c, &r->floor);
    codec_i64(c, &r->due_mark_ms);
    codec_i64(c, &r->created_ms);
    policy_fields(c, &r->policy);
    codec_u64s(c, (uint64_t *)n, COUNTS_IN_ORDER);
    codec_u64(c, &n->redriven);
    codec_u64s(c, n->attempts, ATTEMPT_OUTCOMES);
    codec_u64s(c, n->dead_lettered, DEAD_REASONS);
    codec_text(c, r->name, sizeof r->name);
    r->dead_bytes_old = !c->writing && c->at == c->end;
    if (!r->dead_bytes_old)
        codec_u64(c, &r->dead_bytes);
    if (!c->writing && c->at == c->end) {
        r->causes_known = false;
        r->attended_below = 0;
        return;
    }
    codec_bool(c, &r->causes_known);
    codec_u64(c, &r->attended_below);
}

static void attempt_fields(struct codec *c, struct attempt_record *r)
{
    unsigned state = r->state;
    codec_choice(c, &state, ATTEMPT_DEAD + 1);
    r->state = (enum attempt_state)state;
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
}

static void dead_fields(struct codec *c, struct dead_record *r)
{
    unsigned reason = r->reason;
    codec_u32(c, &r->origin_group);
    codec_u64(c, &r->origin_seq);
    codec_choice(c, &reason, DEAD_REASONS);
    r->reason = (enum dead_reason)reason;
    codec_i64(c, &r->died_ms);
    if (!c->writing && c->at == c->end) {
        r->cause = 0;
        r->attended = false;
        return;
    }
    codec_u64(c, &r->cause);
    codec_bool(c, &r->attended);
}

static void shares_fields(struct codec *c, struct cause_shares *s)
{
    codec_u32(c, &s->count);
    if (s->count > CAUSE_SHARES_MAX)
        c->failed = true;
    for (uint32_t i = 0; !c->failed && i < s->count; i++) {
        codec_text(c, s->all[i].name, sizeof s->all[i].name);
        codec_u64(c, &s->all[i].count);
        codec_i64(c, &s->all[i].last_ms);
    }
}

static void cause_fields(struct codec *c, struct cause_record *r)
{
    unsigned state = r->state, reason = r->reason;
    codec_choice(c, &state, CAUSE_STATES);
    r->state = (enum cause_state)state;
    codec_choice(c, &reason, DEAD_REASONS);
    r->reason = (enum dead_reason)reason;
    codec_i64(c, &r->state_ms);
    codec_u64(c, &r->count);
    codec_u64(c, &r->dead);
    codec_i64(c, &r->first_ms);
    codec_i64(c, &r->last_ms);
    codec_u64(c, &r->attended_below);
    codec_i64(c, &r->attended_ms);
    codec_u32(c, &r->samples_count);
    if (r->samples_count > CAUSE_SAMPLES_MAX)
        c->failed = true;
    for (uint32_t i = 0; !c->failed && i < r->samples_count; i++)
        codec_u64(c, &r->samples[i]);
    shares_fields(c, &r->builds);
    shares_fields(c, &r->hosts);
    codec_i64(c, &r->hour);
    for (unsigned i = 0; i < CAUSE_HOURS; i++)
        codec_u32(c, &r->hours[i]);
    codec_text(c, r->title, sizeof r->title);
    codec_text(c, r->owner, sizeof r->owner);
    codec_text(c, r->note, sizeof r->note);
}

#define example_fields history_fields
#define example_record history_record

static void job_fields(struct codec *c, struct job_record *r)
{
    unsigned kind = r->kind;
    codec_u64(c, &r->id);
    codec_choice(c, &kind, JOB_CAUSES + 1);
    r->kind = (enum job_kind)kind;
    codec_bool(c, &r->finished);
    codec_u32(c, &r->topic);
    codec_u32(c, &r->group);
    codec_u64(c, &r->cursor);
    codec_u64(c, &r->last);
    codec_u64(c, &r->total);
    codec_u64(c, &r->done);
    codec_u32(c, &r->rate);
    codec_i64(c, &r->begun_ms);
    codec_i64(c, &r->ended_ms);
    codec_u32(c, &r->ids_count);
    if (r->ids_count > IDS_MAX)
        c->failed = true;
    for (uint32_t i = 0; !c->failed && i < r->ids_count; i++)
        codec_u64(c, &r->ids[i]);
    codec_text(c, r->topic_name, sizeof r->topic_name);
    codec_text(c, r->group_name, sizeof r->group_name);
}

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

static size_t write_end(struct codec *c, uint8_t *to, enum store_table table, struct slice key)
{
    check(!c->failed);
    size_t size = (size_t)(c->at - to);
    put_be64(c->at, checksum(table, key, to, size));
    return size + CHECKSUM_BYTES;
}

/* A codec that reads `value`'s fields; failed at once if the checksum is wrong. */
static struct codec read_begin(enum store_table table, struct slice key, struct slice value)
{
    uint8_t *p = (uint8_t *)(uintptr_t)value.data; /* a reading codec does not write to it */
    struct codec c = {.writing = false, .failed = true};
    if (value.size < CHECKSUM_BYTES)
        return c;
    size_t size = value.size - CHECKSUM_BYTES;
    if (get_be64(p + size) != checksum(table, key, p, size))
        return c;
    return (struct codec){.at = p, .end = p + size, .writing = false};
}

static int read_end(const struct codec *c)
{
    return c->failed || c->at != c->end ? SHUNT_CORRUPT : 0;
}

#define RECORD(name, table)                                                                                  \
    size_t name##_encode(uint8_t *to, struct slice key, const struct name##_record *r)                       \
    {                                                                                                        \
        struct codec c = {.at = to, .end = to + RECORD_BYTES_MAX - CHECKSUM_BYTES, .writing = true};         \
        name##_fields(&c, (struct name##_record *)(uintptr_t)r); /* a writing codec does not change it */    \
        return write_end(&c, to, table, key);                                                                \
    }                                                                                                        \
    int name##_decode(struct slice key, struct slice value, struct name##_record *ret)                       \
    {                                                                                                        \
        struct codec c = read_begin(table, key, value);                                                      \
        if (c.failed)                                                                                        \
            return SHUNT_CORRUPT;                                                                            \
        name##_fields(&c, ret);                                                                              \
        return read_end(&c);                                                                                 \
    }

RECORD(meta, TABLE_META)
RECORD(topic, TABLE_TOPIC)
RECORD(group, TABLE_GROUP)
RECORD(attempt, TABLE_ATTEMPT)
RECORD(history, TABLE_HISTORY)
RECORD(dead, TABLE_DEAD)
RECORD(cause, TABLE_CAUSE)
RECORD(example, TABLE_CAUSE)
RECORD(job, TABLE_JOB)
RECORD(dedup, TABLE_DEDUP)
RECORD(dedup_chunk, TABLE_DEDUP)

size_t chunk_encode(uint8_t *to, struct slice key, const uint64_t *words)
{
    struct codec c = {.at = to, .end = to + RECORD_BYTES_MAX - CHECKSUM_BYTES, .writing = true};
    for (size_t i = 0; i < CHUNK_BYTES / 8; i++) {
        uint64_t word = words[i];
        codec_u64(&c, &word);
    }
    return write_end(&c, to, TABLE_DONE, key);
}

int chunk_decode(struct slice key, struct slice value, uint64_t *ret_words)
{
    struct codec c = read_begin(TABLE_DONE, key, value);
    for (size_t i = 0; i < CHUNK_BYTES / 8; i++)
        codec_u64(&c, &ret_words[i]);
    return read_end(&c);
}

int schema_state_hash(struct store_txn *txn, uint64_t *ret)
{
    uint64_t hash = 0;
    for (unsigned table = 0; table < TABLE_COUNT; table++) {
        struct store_cursor *cursor;
        struct slice key, value;
        int err = store_cursor_open(txn, (enum store_table)table, &cursor);
        if (err)
            return err;
        err = store_cursor_seek(cursor, (struct slice){"", 1}, &key, &value);
        while (!err) {
            hash = XXH3_64bits_withSeed(key.data, key.size, hash + table);
            hash = XXH3_64bits_withSeed(value.data, value.size, hash);
            err = store_cursor_next(cursor, &key, &value);
        }
        store_cursor_close(cursor);
        if (err != SHUNT_NOT_FOUND)
            return err;
    }
    *ret = hash;
    return 0;
}
