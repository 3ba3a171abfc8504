/* request_admin: topics and groups. */
#include "broker/engine/collect.h"
#include "broker/engine/reply.h"
#include "broker/engine/requests.h"
#include "broker/engine/state.h"
#include "broker/engine/text.h"
#include "broker/engine/transaction.h"
#include "proto/errors.h"

#include <string.h>

/* ---- the clock ---- */

/* Answered with how far it was off. */
void run_clock_set(struct engine *e, struct step *st)
{
    e->clock_error_ms = wall_clock_error_ms(&e->clock);
    /* What the machine's clock said when the turn began: its time is the batch's. */
    st->command.clock.machine_ms = e->wall_ms - ledger_ahead_ms(e->ledger) - e->clock_error_ms;
    collect_command(e, &st->command, st);
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
    struct slice *groups = arena_room(&s->engine->arena, (count + 1) * sizeof *groups);
    if (!groups)
        return SHUNT_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++)
        groups[i] = mpack_read_str(r);
    c->groups = groups;
    c->groups_count = count;
    return 0;
}

/* ---- topics ---- */

int request_topic(struct session *s, struct mpack_reader *r, struct step *ret)
{
    (void)s;
    ret->topic = mpack_read_str(r);
    return 0;
}

int request_topic_delete(struct session *s, struct mpack_reader *r, struct step *ret)
{
    (void)s;
    ret->command.topic.topic = ret->topic = mpack_read_str(r);
    return 0;
}

int request_topic_update(struct session *s, struct mpack_reader *r, struct step *ret)
{
    ret->command.topic.topic = ret->topic = mpack_read_str(r);
    return read_policy(s, r, &ret->command.topic.change, &ret->why);
}

int request_topic_create(struct session *s, struct mpack_reader *r, struct step *ret)
{
    int err = request_topic_update(s, r, ret);
    return err ? err : read_groups(s, r, &ret->command.topic, &ret->why);
}

int request_topic_purge(struct session *s, struct mpack_reader *r, struct step *ret)
{
    (void)s;
    ret->command.purge.topic = ret->topic = mpack_read_str(r);
    if (!request_left_out(r))
        ret->command.purge.group = ret->group = mpack_read_str(r);
    return 0;
}

int request_topic_list(struct session *s, struct mpack_reader *r, struct step *ret)
{
    (void)s;
    if (!request_left_out(r))
        ret->looking.name = mpack_read_str(r);
    ret->looking.limit = request_limit(r);
    return 0;
}

/* The topic that the step is about; NULL: there is none, and that was answered. */
static struct topic *find_topic(const struct engine *e, const struct step *st)
{
    struct topic *t = ledger_topic(e->ledger, st->topic);
    if (!t)
        reply_missing(st->session, st->request_id, SHUNT_UNKNOWN_TOPIC, st->topic, (struct slice){0});
    return t;
}

void look_topic(struct engine *e, struct step *st)
{
    struct topic *t = find_topic(e, st);
    if (!t)
        return;
    struct view v = engine_view(e);
    struct answer a = answer_begin(st->session, st->request_id, 1);
    answer_end(st->session, st->request_id, &a, view_topic(&v, t, a.out), NULL);
}

void look_topics(struct engine *e, struct step *st)
{
    struct view v = engine_view(e);
    struct answer a = answer_begin(st->session, st->request_id, 2);
    answer_end(st->session, st->request_id, &a, view_topics(&v, st->looking.name, st->looking.limit, a.out),
               NULL);
}

/* ---- groups ---- */

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

int request_group(struct session *s, struct mpack_reader *r, struct step *ret)
{
    (void)s;
    ret->topic = mpack_read_str(r);
    ret->group = mpack_read_str(r);
    return 0;
}

int request_group_delete(struct session *s, struct mpack_reader *r, struct step *ret)
{
    (void)s;
    ret->command.group.topic = ret->topic = mpack_read_str(r);
    ret->command.group.group = ret->group = mpack_read_str(r);
    return 0;
}

int request_group_pause(struct session *s, struct mpack_reader *r, struct step *ret)
{
    ret->command.group.paused = ret->request->op == OP_GROUP_PAUSE;
    return request_group_delete(s, r, ret);
}

int request_group_update(struct session *s, struct mpack_reader *r, struct step *ret)
{
    (void)request_group_delete(s, r, ret); /* its names, which cannot be wrong yet */
    return read_policy(s, r, &ret->command.group.change, &ret->why);
}

int request_group_create(struct session *s, struct mpack_reader *r, struct step *ret)
{
    int err = request_group_update(s, r, ret);
    return err ? err : read_from(r, &ret->command.group.from_now, &ret->why);
}

struct group *look_find_group(const struct engine *e, struct step *st)
{
    struct group *g = ledger_group(e->ledger, st->topic, st->group, &st->err);
    if (!g)
        reply_missing(st->session, st->request_id, st->err, st->topic, st->group);
    return g;
}

void look_group(struct engine *e, struct step *st)
{
    struct group *g = look_find_group(e, st);
    if (!g)
        return;
    struct view v = engine_view(e);
    struct answer a = answer_begin(st->session, st->request_id, 1);
    answer_end(st->session, st->request_id, &a, view_group(&v, g, a.out), NULL);
}

void look_groups(struct engine *e, struct step *st)
{
    struct topic *t = find_topic(e, st);
    if (!t)
        return;
    struct view v = engine_view(e);
    struct answer a = answer_begin(st->session, st->request_id, 1);
    answer_end(st->session, st->request_id, &a, view_groups(&v, t, a.out), NULL);
}
