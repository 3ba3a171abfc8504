/* schema_cause: the records of causes, and of what operators did. */
#include "broker/core/schema_record.h"

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

/* Only there if there are any. */
static void past_builds_fields(struct codec *c, struct cause_record *r)
{
    if (!c->writing && c->at == c->end)
        r->past_builds_count = 0;
    if (c->writing ? !r->past_builds_count : c->at == c->end)
        return;
    codec_u32(c, &r->past_builds_count);
    if (!r->past_builds_count || r->past_builds_count > CAUSE_PAST_BUILDS_MAX)
        c->failed = true;
    for (uint32_t i = 0; !c->failed && i < r->past_builds_count; i++)
        codec_u64(c, &r->past_builds[i]);
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
    r->unattended_old = !c->writing && c->at == c->end;
    if (r->unattended_old) {
        r->unattended = 0;
        r->waiting_ms = r->attended_ms ? r->last_ms : r->first_ms;
        r->past_builds_count = 0;
        return;
    }
    codec_u64(c, &r->unattended);
    codec_i64(c, &r->waiting_ms);
    past_builds_fields(c, r);
}

static void audit_fields(struct codec *c, struct audit_record *r)
{
    codec_i64(c, &r->time_ms);
    codec_u32(c, &r->request);
    codec_u64(c, &r->job);
    codec_u64(c, &r->count);
    codec_slice(c, &r->topic);
    codec_slice(c, &r->group);
    codec_slice(c, &r->client);
    codec_slice(c, &r->host);
    codec_slice(c, &r->peer);
    codec_slice(c, &r->reason);
    codec_slice(c, &r->asked);
    if (c->writing ? r->user.size > 0 : c->at < c->end) /* the last, and only where there is one */
        codec_slice(c, &r->user);
    else if (!c->writing)
        r->user = (struct slice){0};
}

RECORD(cause, TABLE_CAUSE)
RECORD(audit, TABLE_AUDIT)
