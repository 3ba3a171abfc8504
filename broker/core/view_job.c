/* view_job: jobs as maps. */
#include "broker/core/fingerprint.h"
#include "broker/core/job.h"
#include "broker/core/letter.h"
#include "broker/core/view_put.h"
#include "proto/errors.h"
#include "proto/units.h"

#define WHY_BYTES_MAX 512

/* ---- why it stopped, or waits ---- */

struct sentence {
    char text[WHY_BYTES_MAX];
    size_t size;
};

static void add(struct sentence *s, const char *words)
{
    size_t size = strlen(words);
    if (size > sizeof s->text - s->size)
        size = sizeof s->text - s->size;
    memcpy(s->text + s->size, words, size);
    s->size += size;
}

static void add_number(struct sentence *s, uint64_t number)
{
    char digits[24];
    size_t at = sizeof digits - 1;
    digits[at] = 0;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    add(s, digits + at);
}

static void add_message(struct sentence *s, const struct job_record *r)
{
    add(s, r->topic_name);
    add(s, "/");
    add_number(s, r->stopped_seq);
}

/* `5.3%`, of thousandths. */
static void add_share(struct sentence *s, uint64_t thousandths)
{
    add_number(s, thousandths / 10);
    if (thousandths % 10) {
        add(s, ".");
        add_number(s, thousandths % 10);
    }
    add(s, "%");
}

static void say_canary_failed(struct sentence *s, const struct job_record *r)
{
    add(s, "the canary ");
    add_message(s, r);
    add(s, r->stopped_same ? " failed of the same cause again" : " failed, of another cause");
    add(s, "; nothing else was moved");
}

static void say_too_many_failed(struct sentence *s, const struct job_record *r)
{
    add_number(s, r->stopped_failed);
    add(s, r->stopped_recent ? " of the latest " : " of ");
    add_number(s, r->stopped_known);
    add(s, " failed again, which is more than ");
    add_share(s, r->max_fail);
    add(s, "; the last was ");
    add_message(s, r);
}

/* The topic that letters are moved to cannot take the next one. */
static void say_refusal(struct sentence *s, const struct job_record *r)
{
    bool gone = r->refusal == SHUNT_UNKNOWN_TOPIC;
    bool full = r->refusal == SHUNT_TOPIC_FULL;
    add(s, full || gone ? "topic " : "the store ");
    add(s, full || gone ? r->to : "");
    add(s, gone   ? " is not there any more"
           : full ? " has as much as it may"
                  : "has no room for new messages");
    add(s, "; what was not moved is as it was: ");
    add(s, gone   ? "create it"
           : full ? "let it be consumed or raise its max-messages and max-bytes"
                  : "make room");
    add(s, ", and resume the job");
}

static void say_held(struct sentence *s, const struct job_record *r)
{
    add(s, "waits for a consumer of ");
    add(s, r->build[0] ? "build " : "another build than those that failed");
    add(s, r->build);
}

static void put_why(struct mpack_buffer *to, const struct job_record *r)
{
    struct sentence s = {.size = 0};
    if (r->phase == JOB_STOPPED)
        (r->before == JOB_CANARY ? say_canary_failed : say_too_many_failed)(&s, r);
    else if (r->phase == JOB_PAUSED && r->refusal)
        say_refusal(&s, r);
    else if (r->phase == JOB_HELD)
        say_held(&s, r);
    put_slice(to, "why", (struct slice){s.text, s.size});
}

/* ---- maps ---- */

static void put_word(struct mpack_buffer *to, const char *key, const char *word)
{
    put_slice(to, key, slice_of(word));
}

void put_filter(struct mpack_buffer *to, const struct filter_record *r)
{
    static const char *const reasons[] = DEAD_REASON_NAMES;
    char cause[FINGERPRINT_DIGITS + 1];
    struct letter_filter f = letter_filter_kept(r);
    put_key(to, "filter");
    if (letter_filter_is_empty(&f)) {
        mpack_write_nil(to);
        return;
    }
    fingerprint_write(cause, f.cause);
    mpack_write_map(to, 7);
    put_slice(to, "cause", (struct slice){cause, f.cause ? FINGERPRINT_DIGITS : 0});
    put_word(to, "reason", f.has_reason ? reasons[f.reason] : "");
    put_slice(to, "type", f.type);
    put_slice(to, "match", f.match);
    put_key(to, "since");
    f.since_ms ? mpack_write_int(to, f.since_ms) : mpack_write_nil(to);
    put_key(to, "header");
    if (f.header.size) {
        mpack_write_array(to, 2);
        mpack_write_str(to, f.header.data, f.header.size);
        mpack_write_bin(to, f.value.data, f.value.size);
    } else {
        mpack_write_nil(to);
    }
    put_key(to, "key");
    f.key.size ? mpack_write_bin(to, f.key.data, f.key.size) : mpack_write_nil(to);
}

static void put_outcomes(struct mpack_buffer *to, const struct job_record *r)
{
    static const char *const outcomes[] = REDRIVE_OUTCOME_NAMES;
    put_key(to, "outcomes");
    if (r->kind != JOB_REDRIVE) {
        mpack_write_nil(to);
        return;
    }
    mpack_write_map(to, REDRIVE_OUTCOMES + 1);
    for (unsigned i = 0; i < REDRIVE_OUTCOMES; i++)
        put_uint(to, outcomes[i], r->outcomes[i]);
    put_uint(to, "moved", r->to[0] ? r->done : 0); /* to another topic, which is all that it waits for */
}

static const char *phase_name(const struct job_record *r)
{
    static const char *const phases[] = JOB_PHASE_NAMES;
    return r->phase == JOB_DONE && r->outcomes[REDRIVE_PENDING] ? "draining" : phases[r->phase];
}

static void put_job(const struct ledger *l, const struct job_record *r, struct mpack_buffer *to)
{
    mpack_write_map(to, 20);
    put_uint(to, "job", r->id);
    put_word(to, "kind", job_kind_name(r->kind));
    put_word(to, "state", job_over(r) ? "done" : "running");
    put_word(to, "phase", phase_name(r));
    put_uint(to, "total", r->total);
    put_uint(to, "done", r->done);
    put_key(to, "topic");
    mpack_write_cstr(to, r->topic_name);
    put_word(to, "group", r->group_name);
    put_time(l, to, "begun", r->begun_ms);
    put_time(l, to, "ended", r->ended_ms);
    put_uint(to, "rate", r->rate);
    put_uint(to, "spread_ms", (uint64_t)r->spread_ms);
    put_uint(to, "canary", r->canary);
    put_key(to, "max_fail");
    r->has_max_fail ? mpack_write_uint(to, r->max_fail) : mpack_write_nil(to);
    put_filter(to, &r->filter);
    put_slice(to, "to", slice_of(r->to));
    put_key(to, "hold_for_build");
    mpack_write_cstr(to, r->held ? r->build : NULL);
    put_key(to, "keep_deadline");
    mpack_write_bool(to, r->keep_deadline);
    put_outcomes(to, r);
    put_why(to, r);
}

int view_job(const struct view *v, uint64_t job, struct mpack_buffer *to)
{
    const struct job *j = job_find(v->ledger, job);
    if (!j)
        return SHUNT_NOT_FOUND;
    put_job(v->ledger, &j->r, to);
    return to->failed ? SHUNT_NO_MEMORY : 0;
}

/* What it is at work on. */
static bool job_is_of_dead(enum job_kind kind)
{
    return kind == JOB_REDRIVE || kind == JOB_PURGE_DLQ || kind == JOB_CAUSES;
}

int view_jobs(const struct view *v, uint64_t after, uint32_t limit, struct mpack_buffer *to)
{
    const struct ledger *l = v->ledger;
    size_t first = after == UINT64_MAX ? l->kept_count : job_position(l, after + 1);
    size_t array = mpack_write_array_open(to);
    uint32_t count = 0;
    bool more = false;
    for (size_t i = first; i < l->kept_count && !more; i++) {
        const struct job_record *r = &l->kept[i]->r;
        ledger_looked(v->ledger, 0);
        if (!view_sees(v, slice_of(r->topic_name), job_is_of_dead(r->kind)))
            continue;
        more = count == limit;
        if (!more)
            put_job(l, r, to);
        count += !more;
    }
    mpack_patch_array(to, array, count);
    mpack_write_bool(to, more);
    return to->failed ? SHUNT_NO_MEMORY : 0;
}
