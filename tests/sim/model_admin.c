/* model_admin: what the operator's requests mean for groups. */
#include "proto/mpack.h"
#include "proto/wire.h"
#include "tests/sim/model.h"

#include <string.h>

bool model_is_admin(unsigned op)
{
    switch (op) {
    case OP_TOPIC_CREATE:
    case OP_TOPIC_DELETE:
    case OP_TOPIC_PURGE:
    case OP_GROUP_CREATE:
    case OP_GROUP_UPDATE:
    case OP_GROUP_DELETE:
    case OP_GROUP_PAUSE:
    case OP_GROUP_RESUME:
    case OP_DLQ_REDRIVE:
    case OP_DLQ_PURGE:
    case OP_RULE_SET:
    case OP_RULE_DELETE:
    case OP_BREAKER_RESET:
        return true;
    default:
        return false;
    }
}

static void set(struct model_group *g, struct slice name, int64_t value, bool sure)
{
    if (slice_is(name, "max_attempts")) {
        uint32_t limit = (uint32_t)value;
        if (g->exists != MODEL_YES) /* it begins with that */
            g->attempts_lo = g->attempts_hi = limit;
        g->attempts_lo = limit < g->attempts_lo ? limit : g->attempts_lo;
        g->attempts_hi = limit > g->attempts_hi ? limit : g->attempts_hi;
        g->attempts_next = sure ? limit : g->attempts_next;
    } else if (slice_is(name, "lease_ms")) {
        g->lease = value;
    } else if (slice_is(name, "backoff_min_ms")) {
        g->backoff_min = value;
    } else if (slice_is(name, "backoff_max_ms")) {
        g->backoff_max = value;
    } else if (slice_is(name, "expired")) {
        g->when_expired = value ? MODEL_DISCARD : MODEL_KEEP;
    } else if (slice_is(name, "order")) {
        g->ordered = value != 0;
    } else if (slice_is(name, "fair")) {
        g->fair = value != 0;
    } else if (slice_is(name, "on_dead")) {
        g->on_dead = value;
    } else if (slice_is(name, "key_run")) {
        g->run = value;
    } else {
        model_breaker_set(g, name, value);
    }
}

static void read_policy(struct model_group *g, struct mpack_reader *r, bool sure)
{
    uint32_t pairs = mpack_read_map(r);
    for (uint32_t i = 0; i < pairs && !r->failed; i++) {
        struct slice name = mpack_read_str(r);
        set(g, name, mpack_read_int(r), sure);
    }
}

/* A group that may be there already, if an earlier request to make it was never answered. A client that asks
 * again asks for the same, except for what happens to expired messages. */
static void create(struct model *m, struct slice topic, struct slice name, struct mpack_reader *r, bool sure)
{
    struct model_group *g = model_group(m, topic, name);
    if (!g)
        g = model_group_add(m, topic, name);
    unsigned before = sure ? 0 : g->when_expired;
    const struct model_group *first = &m->groups[g->messages];
    g->when_expired = first != g ? first->when_expired : MODEL_KEEP; /* what the topic says */
    read_policy(g, r, sure);
    g->when_expired |= before;
    if (sure && g->exists == MODEL_YES)
        model_fail(m, g, 0, "a group was made that is there");
    if (g->exists != MODEL_YES)
        g->exists = sure ? MODEL_YES : MODEL_MAYBE;
    if (sure)
        g->fresh = true;
    m->groups[g->other].exists = g->exists;
}

static void end(struct model *m, struct model_group *g, bool sure)
{
    if (g->exists == MODEL_GONE)
        return;
    g->exists = sure ? MODEL_GONE : MODEL_MAYBE;
    g->ended_now = m->groups[g->other].ended_now = true;
    m->groups[g->other].exists = g->exists;
}

static void end_topic(struct model *m, struct slice topic, bool sure)
{
    for (unsigned i = 0; i < m->groups_count; i++) {
        struct model_group *g = &m->groups[i];
        if (!g->is_dlq && slice_is(topic, g->topic))
            end(m, g, sure);
    }
}

static void pause(struct model_group *g, bool paused, bool sure)
{
    g->paused_maybe = !sure && (g->paused_maybe || g->paused != paused);
    if (sure)
        g->paused = paused;
}

/* The longest spread of the redrives that may be at work, and whether one keeps deadlines: after `which` and the rate, in the options. */
static void read_spread(struct model_group *g, struct mpack_reader *r)
{
    (void)mpack_read_any(r);
    (void)mpack_read_any(r);
    if (mpack_peek(r) != MPACK_MAP)
        return;
    for (uint32_t pairs = mpack_read_map(r); pairs && !r->failed; pairs--) {
        struct slice key = mpack_read_str(r);
        g->keeps |= slice_is(key, "keep_deadline");
        if (!slice_is(key, "spread_ms")) {
            (void)mpack_read_any(r);
            continue;
        }
        int64_t spread = mpack_read_int(r);
        g->spread = spread > g->spread ? spread : g->spread;
    }
}

static void on_group(struct model *m, struct model_group *g, unsigned op, struct mpack_reader *r, bool sure)
{
    switch (op) {
    case OP_TOPIC_PURGE:
        g->purging = true;
        return;
    case OP_GROUP_UPDATE:
        read_policy(g, r, sure);
        return;
    case OP_GROUP_DELETE:
        end(m, g, sure);
        return;
    case OP_GROUP_PAUSE:
    case OP_GROUP_RESUME:
        pause(g, op == OP_GROUP_PAUSE, sure);
        return;
    case OP_BREAKER_RESET:
        g->breaker.reset = true;
        return;
    case OP_RULE_SET:
    case OP_RULE_DELETE:
        model_rule_changed(m, g, op, r, sure);
        return;
    case OP_DLQ_REDRIVE:
        g->redriving = m->groups[g->other].redriving = true;
        read_spread(g, r);
        break;
    case OP_DLQ_PURGE:
        g->purging_dead = m->groups[g->other].purging_dead = true;
        break;
    default:
        return;
    }
    model_jobs(m); /* a dead letter may have been taken from a consumer of its queue */
}

/* err: of the answer; -1: there was none. */
void model_admin(struct model *m, const struct model_frame *f, int err)
{
    static const struct slice first = {"default", 7};
    struct mpack_reader r;
    if (err > 0)
        return;
    mpack_read_init(&r, f->bytes, f->size);
    struct slice topic = mpack_read_str(&r);
    if (f->op == OP_TOPIC_CREATE) {
        create(m, topic, first, &r, err == 0);
        return;
    }
    if (f->op == OP_TOPIC_DELETE) {
        end_topic(m, topic, err == 0);
        return;
    }
    struct slice name = mpack_read_str(&r);
    if (r.failed)
        return;
    if (f->op == OP_GROUP_CREATE) {
        create(m, topic, name, &r, err == 0);
        return;
    }
    struct model_group *g = model_group(m, topic, name);
    if (g)
        on_group(m, g, f->op, &r, err == 0);
    else if (err == 0)
        model_fail(m, NULL, 0, "a request about a group that there is not had effect");
}
