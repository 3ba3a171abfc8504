/* schema_job: the records that have a filter: those of jobs and of rules. */
#include "broker/core/schema_record.h"

#include <string.h>

static void filter_text_fields(struct codec *c, struct filter_text *t)
{
    codec_u32(c, &t->size);
    if (t->size > sizeof t->bytes)
        c->failed = true;
    else
        codec_bytes(c, t->bytes, t->size);
}

static void filter_fields(struct codec *c, struct filter_record *f)
{
    unsigned reason = f->reason;
    codec_u64(c, &f->cause);
    codec_bool(c, &f->has_reason);
    codec_choice(c, &reason, DEAD_REASONS);
    f->reason = (enum dead_reason)reason;
    codec_i64(c, &f->since_ms);
    filter_text_fields(c, &f->type);
    filter_text_fields(c, &f->match);
    filter_text_fields(c, &f->header);
    filter_text_fields(c, &f->value);
    filter_text_fields(c, &f->key);
}

static void phase_field(struct codec *c, enum job_phase *phase)
{
    unsigned number = *phase;
    codec_choice(c, &number, JOB_PHASES);
    *phase = (enum job_phase)number;
}

static bool has_recent(const struct job_record *r)
{
    bool any = r->stopped_recent;
    for (unsigned i = 0; i < RECENT_SLICES; i++)
        any |= r->recent[i] != 0;
    return any;
}

/* Said only if there is something to say. */
static void late_fields(struct codec *c, struct job_record *r)
{
    bool recent = c->writing ? has_recent(r) : c->end - c->at > 1;
    bool any = c->writing ? r->keep_deadline || recent : c->at < c->end;
    if (!c->writing) {
        r->keep_deadline = r->stopped_recent = false;
        memset(r->recent, 0, sizeof r->recent);
    }
    if (any)
        codec_bool(c, &r->keep_deadline);
    if (recent) {
        codec_bool(c, &r->stopped_recent);
        codec_bytes(c, r->recent, sizeof r->recent);
    }
    for (unsigned i = 0; i < RECENT_SLICES; i++)
        c->failed |= r->recent[i] > RECENT_SLICE;
    c->failed |= any != (r->keep_deadline || recent) || recent != has_recent(r);
}

/* What a redrive does beyond moving letters; an older server wrote none of it. */
static void redrive_fields(struct codec *c, struct job_record *r)
{
    phase_field(c, &r->phase);
    phase_field(c, &r->before);
    codec_u64(c, &r->allowed);
    codec_i64(c, &r->allowed_ms);
    filter_fields(c, &r->filter);
    codec_i64(c, &r->spread_ms);
    codec_u32(c, &r->canary);
    codec_bool(c, &r->has_max_fail);
    codec_u32(c, &r->max_fail);
    codec_u64(c, &r->round);
    codec_u64(c, &r->round_end);
    codec_u64s(c, r->outcomes, REDRIVE_OUTCOMES);
    codec_u64(c, &r->stopped_seq);
    codec_bool(c, &r->stopped_same);
    codec_u64(c, &r->stopped_failed);
    codec_u64(c, &r->stopped_known);
    if (!c->writing && c->at == c->end) {
        r->to[0] = r->build[0] = '\0';
        r->refusal = 0;
        r->held = r->keep_deadline = r->stopped_recent = false;
        memset(r->recent, 0, sizeof r->recent);
        return;
    }
    codec_text(c, r->to, sizeof r->to);
    codec_u32(c, &r->refusal);
    codec_bool(c, &r->held);
    codec_text(c, r->build, sizeof r->build);
    late_fields(c, r);
}

/* Those that are over say so twice: that is all that an older server says. */
static void job_fields(struct codec *c, struct job_record *r)
{
    unsigned kind = r->kind;
    bool over = c->writing && job_over(r);
    codec_u64(c, &r->id);
    codec_choice(c, &kind, JOB_CAUSES + 1);
    r->kind = (enum job_kind)kind;
    codec_bool(c, &over);
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
    if (c->writing || c->at < c->end)
        redrive_fields(c, r);
    else
        r->phase = over ? JOB_DONE : JOB_RUNNING;
    if (over != job_over(r))
        c->failed = true;
}

static void rule_fields(struct codec *c, struct rule_record *r)
{
    unsigned action = r->action;
    codec_u64(c, &r->id);
    codec_bool(c, &r->disabled);
    codec_choice(c, &action, RULE_ACTIONS);
    r->action = (enum rule_action)action;
    filter_fields(c, &r->filter);
    codec_u32(c, &r->times);
    codec_i64(c, &r->wait_ms);
    codec_i64(c, &r->wait_max_ms);
    codec_i64(c, &r->set_ms);
    codec_u64(c, &r->matched);
    codec_u64(c, &r->done);
    codec_u64(c, &r->waiting);
    codec_u64(c, &r->given_up);
    codec_u64s(c, r->outcomes, REDRIVE_OUTCOMES);
    codec_text(c, r->to, sizeof r->to);
}

RECORD(job, TABLE_JOB)
RECORD(rule, TABLE_RULE)
