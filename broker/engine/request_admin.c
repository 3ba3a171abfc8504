/* request_admin: topics and groups. */
#include "broker/engine/engine_private.h"
#include "proto/errors.h"

#include <string.h>

/* ---- the clock ---- */

/* Answered with how far it was off. */
void request_clock_set(struct session *s, unsigned op, uint64_t request_id, struct mpack_reader *r)
{
    struct engine *e = s->engine;
    gather_flush(e);
    e->clock_error_ms = wall_clock_error_ms(&e->clock);
    /* What the machine's clock said when the turn began: its time is the batch's. */
    int64_t machine_ms = e->wall_ms - ledger_ahead_ms(e->ledger) - e->clock_error_ms;
    struct command c = {.kind = COMMAND_CLOCK, .clock.machine_ms = machine_ms};
    gather_admin(s, op, request_id, r, &c, 0, NULL);
    gather_flush(e);
    wall_clock_keep_ahead(&e->clock, ledger_ahead_ms(e->ledger));
}

/* ---- reading ---- */

/* A policy map, or nothing. fails: BAD_ARGUMENT for an unknown field. */
static int read_policy(struct session *s, struct mpack_reader *r, struct policy_change *ret,
                       const char **ret_why)
{
    if (request_left_out(r))
        return 0;
    uint32_t count = mpack_read_map(r);
    for (uint32_t i = 0; !r->failed && i < count; i++) {
        struct slice name = mpack_read_str(r);
        int field = r->failed ? -1 : policy_find(name.data, name.size);
        if (r->failed)
            return 0;
        if (field < 0) {
            *ret_why = engine_text(s->engine, "unknown setting %.*s", name.size > 64 ? 64 : (int)name.size,
                                   (const char *)name.data);
            return SHUNT_BAD_ARGUMENT;
        }
        if (mpack_read_is_nil(r)) {
            ret->reset |= 1u << field;
            ret->set.given &= ~(1u << field); /* of one that is named twice the last counts */
            continue;
        }
        struct mpack_reader before = *r;
        const struct policy_row *row = &policy_rows[field];
        ret->set.value[field] = mpack_read_int(r);
        ret->set.given |= 1u << field;
        ret->reset &= ~(1u << field);
        if (r->failed && mpack_peek(&before) == MPACK_INT) { /* a number too large for any setting */
            *r = before;
            (void)mpack_read_uint(r);
            ret->set.value[field] = INT64_MAX;
        }
        if (!r->failed && (ret->set.value[field] < row->min || ret->set.value[field] > row->max)) {
            *ret_why = engine_text(s->engine, "%s is from %lld to %lld", row->field, (long long)row->min,
                                   (long long)row->max);
            return SHUNT_BAD_ARGUMENT;
        }
    }
    return 0;
}

static int read_groups(struct session *s, struct mpack_reader *r, struct topic_command *c,
                       const char **ret_why)
{
    if (request_left_out(r))
        return 0;
    uint32_t count = mpack_read_array(r);
    if (r->failed)
        return 0;
    if (count > s->engine->config.max_groups) {
        *ret_why = "the limit max-groups is reached";
        return SHUNT_TOO_MANY;
    }
    struct slice *groups = arena_take(&s->engine->arena, (count + 1) * sizeof *groups);
    if (!groups)
        return SHUNT_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++)
        groups[i] = mpack_read_str(r);
    c->groups = groups;
    c->groups_count = count;
    return 0;
}

void gather_admin(struct session *s, unsigned op, uint64_t request_id, const struct mpack_reader *r,
                  const struct command *c, int err, const char *why)
{
    if (r->failed)
        return;
    if (err) {
        gather_flush(s->engine);
        reply_error(s, request_id, err, why);
        return;
    }
    struct pending *p = gather_add(s->engine, c, PENDING_DONE, s, request_id);
    p->op = op;
    gather_flush(s->engine); /* what it costs counts before the next is taken */
}

/* ---- topics ---- */

static void show_topic(struct session *s, uint64_t request_id, struct slice name)
{
    struct view v = engine_view(s->engine);
    struct topic *t = ledger_topic(s->engine->ledger, name);
    if (!t) {
        reply_missing(s, request_id, SHUNT_UNKNOWN_TOPIC, name, (struct slice){0});
        return;
    }
    struct answer a = answer_begin(s, request_id, 1);
    answer_end(s, request_id, &a, view_topic(&v, t, a.out), NULL);
}

void request_topic(struct session *s, unsigned op, uint64_t request_id, struct mpack_reader *r)
{
    struct command c = {.kind = COMMAND_TOPIC_DELETE, .topic = {.topic = mpack_read_str(r)}};
    const char *why = NULL;
    int err = 0;
    if (op == OP_TOPIC_SHOW) {
        gather_flush(s->engine);
        if (!r->failed)
            show_topic(s, request_id, c.topic.topic);
        return;
    }
    if (op != OP_TOPIC_DELETE) {
        c.kind = op == OP_TOPIC_CREATE ? COMMAND_TOPIC_CREATE : COMMAND_TOPIC_UPDATE;
        err = read_policy(s, r, &c.topic.change, &why);
    }
    if (!err && op == OP_TOPIC_CREATE)
        err = read_groups(s, r, &c.topic, &why);
    gather_admin(s, op, request_id, r, &c, err, why);
}

void request_topic_list(struct session *s, unsigned op, uint64_t request_id, struct mpack_reader *r)
{
    (void)op;
    struct slice after = {0};
    if (!request_left_out(r))
        after = mpack_read_str(r);
    uint32_t limit = request_limit(r);
    if (r->failed)
        return;
    gather_flush(s->engine);
    struct view v = engine_view(s->engine);
    struct answer a = answer_begin(s, request_id, 2);
    answer_end(s, request_id, &a, view_topics(&v, after, limit, a.out), NULL);
}

void request_topic_purge(struct session *s, unsigned op, uint64_t request_id, struct mpack_reader *r)
{
    struct command c = {.kind = COMMAND_TOPIC_PURGE, .purge = {.topic = mpack_read_str(r)}};
    if (!request_left_out(r))
        c.purge.group = mpack_read_str(r);
    gather_admin(s, op, request_id, r, &c, 0, NULL);
}

/* ---- groups ---- */

static void show_group(struct session *s, uint64_t request_id, struct slice topic, struct slice name)
{
    int err = 0;
    struct view v = engine_view(s->engine);
    struct group *g = ledger_group(s->engine->ledger, topic, name, &err);
    if (!g) {
        reply_missing(s, request_id, err, topic, name);
        return;
    }
    struct answer a = answer_begin(s, request_id, 1);
    answer_end(s, request_id, &a, view_group(&v, g, a.out), NULL);
}

static int read_from(struct mpack_reader *r, bool *ret_now, const char **ret_why)
{
    if (request_left_out(r))
        return 0;
    struct slice from = mpack_read_str(r);
    if (r->failed || (from.size == 6 && !memcmp(from.data, "oldest", 6)))
        return 0;
    if (from.size == 3 && !memcmp(from.data, "now", 3)) {
        *ret_now = true;
        return 0;
    }
    *ret_why = "a group starts from \"oldest\" or from \"now\"";
    return SHUNT_BAD_ARGUMENT;
}

void request_group(struct session *s, unsigned op, uint64_t request_id, struct mpack_reader *r)
{
    struct command c = {.kind = COMMAND_GROUP_PAUSE};
    const char *why = NULL;
    int err = 0;
    c.group.topic = mpack_read_str(r);
    c.group.group = mpack_read_str(r);
    if (op == OP_GROUP_SHOW) {
        gather_flush(s->engine);
        if (!r->failed)
            show_group(s, request_id, c.group.topic, c.group.group);
        return;
    }
    if (op == OP_GROUP_DELETE)
        c.kind = COMMAND_GROUP_DELETE;
    c.group.paused = op == OP_GROUP_PAUSE;
    if (op == OP_GROUP_CREATE || op == OP_GROUP_UPDATE) {
        c.kind = op == OP_GROUP_CREATE ? COMMAND_GROUP_CREATE : COMMAND_GROUP_UPDATE;
        err = read_policy(s, r, &c.group.change, &why);
    }
    if (!err && op == OP_GROUP_CREATE)
        err = read_from(r, &c.group.from_now, &why);
    gather_admin(s, op, request_id, r, &c, err, why);
}

void request_group_list(struct session *s, unsigned op, uint64_t request_id, struct mpack_reader *r)
{
    (void)op;
    struct slice name = mpack_read_str(r);
    if (r->failed)
        return;
    gather_flush(s->engine);
    struct view v = engine_view(s->engine);
    struct topic *t = ledger_topic(s->engine->ledger, name);
    if (!t) {
        reply_missing(s, request_id, SHUNT_UNKNOWN_TOPIC, name, (struct slice){0});
        return;
    }
    struct answer a = answer_begin(s, request_id, 1);
    answer_end(s, request_id, &a, view_groups(&v, t, a.out), NULL);
}
