/* request_admin: topics and groups. */
#include "broker/core/facts.h"
#include "broker/engine/answer.h"
#include "broker/engine/apply.h"
#include "broker/engine/collect.h"
#include "broker/engine/gate.h"
#include "broker/engine/outbox.h"
#include "broker/engine/refusals.h"
#include "broker/engine/reply.h"
#include "broker/engine/requests.h"
#include "broker/engine/state.h"
#include "broker/engine/text.h"
#include "broker/engine/transaction.h"
#include "proto/errors.h"

/* ---- the clock ---- */

/* Answered with how far it was off. */
void run_clock_set(struct engine *e, struct step *st)
{
    e->clock_error_ms = wall_clock_error_ms(&e->clock);
    /* What the machine's clock said when the turn began: its time is the batch's. */
    st->command.clock.machine_ms = e->wall_ms - ledger_ahead_ms(e->ledger) - e->clock_error_ms;
    collect_command(e, &st->command, st);
}

/* ---- topics ---- */

static int take_groups(struct session *s, const struct wire_list *names, struct step *ret)
{
    struct topic_command *c = &ret->command.topic;
    if (names->count > s->engine->config.limits.max_groups) {
        ret->why = "the limit max-groups is reached";
        return SHUNT_TOO_MANY;
    }
    struct slice *groups = arena_room(&s->engine->arena, (names->count + 1) * sizeof *groups);
    if (!groups)
        return SHUNT_NO_MEMORY;
    request_texts(names, groups);
    c->groups = groups;
    c->groups_count = names->count;
    return 0;
}

int make_topic_create(struct session *s, const union request_fields *fields, struct step *ret)
{
    const struct topic_create_request *q = &fields->topic_create;
    ret->command.topic.topic = q->topic;
    ret->command.topic.change = q->policy;
    return q->groups.count ? take_groups(s, &q->groups, ret) : 0;
}

int make_topic_update(struct session *s, const union request_fields *fields, struct step *ret)
{
    (void)s;
    ret->command.topic.topic = fields->topic_update.topic;
    ret->command.topic.change = fields->topic_update.policy;
    return 0;
}

int make_topic_delete(struct session *s, const union request_fields *fields, struct step *ret)
{
    (void)s;
    ret->command.topic.topic = fields->topic_delete.topic;
    return 0;
}

int make_topic_purge(struct session *s, const union request_fields *fields, struct step *ret)
{
    (void)s;
    ret->command.purge.topic = fields->topic_purge.topic;
    ret->command.purge.group = fields->topic_purge.group;
    return 0;
}

/* Of a topic or a group. Its dead letters go with it, so who may not drop them cannot delete it as long as there are some: what came
 * before is applied first, because it may have made some. */
void run_drop(struct engine *e, struct step *st)
{
    if (who_is_asked(&st->session->who)) {
        apply_collected(e);
        if (ledger_dead_letters(e->ledger, st->topic, st->group))
            st->err = gate_ask_more(st->session, st, NEED_DLQ_PURGE);
    }
    if (!st->err) {
        collect_command(e, &st->command, st);
        return;
    }
    step_answer(st);
    if (st->err == SHUNT_FORBIDDEN)
        refusals_note(e, st);
    session_count_output(st->session);
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
    struct view v = transaction_view(e);
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_TOPIC);
    answer_end(st->session, st->request_id, &a, view_topic(&v, t, a.out), NULL);
}

void look_topics(struct engine *e, struct step *st)
{
    (void)e;
    const struct topic_list_request *q = &st->fields.topic_list;
    struct view v = gate_view(st->session);
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_TOPICS);
    answer_end(st->session, st->request_id, &a, view_topics(&v, q->after, q->limit, a.out), NULL);
}

void look_overview(struct engine *e, struct step *st)
{
    const struct overview_request *q = &st->fields.overview;
    struct view v = gate_view(st->session);
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_OVERVIEW);
    int err = view_overview(&v, q->after, q->limit, a.out);
    mpack_write_int(a.out, ledger_shown_ms(e->ledger, e->wall_ms));
    answer_end(st->session, st->request_id, &a, err, NULL);
}

/* ---- groups ---- */

int make_group_create(struct session *s, const union request_fields *fields, struct step *ret)
{
    const struct group_create_request *q = &fields->group_create;
    (void)s;
    ret->command.group.topic = q->topic;
    ret->command.group.group = q->group;
    ret->command.group.change = q->policy;
    ret->command.group.from_now = q->from;
    return 0;
}

int make_group_update(struct session *s, const union request_fields *fields, struct step *ret)
{
    const struct group_update_request *q = &fields->group_update;
    (void)s;
    ret->command.group.topic = q->topic;
    ret->command.group.group = q->group;
    ret->command.group.change = q->policy;
    return 0;
}

int make_group_delete(struct session *s, const union request_fields *fields, struct step *ret)
{
    (void)s;
    ret->command.group.topic = fields->group_delete.topic;
    ret->command.group.group = fields->group_delete.group;
    return 0;
}

int make_group_pause(struct session *s, const union request_fields *fields, struct step *ret)
{
    (void)s;
    ret->command.group.topic = fields->group_pause.topic;
    ret->command.group.group = fields->group_pause.group;
    ret->command.group.paused = true;
    return 0;
}

int make_group_resume(struct session *s, const union request_fields *fields, struct step *ret)
{
    (void)s;
    ret->command.group.topic = fields->group_resume.topic;
    ret->command.group.group = fields->group_resume.group;
    return 0;
}

int make_breaker_reset(struct session *s, const union request_fields *fields, struct step *ret)
{
    (void)s;
    ret->command.group.topic = fields->breaker_reset.topic;
    ret->command.group.group = fields->breaker_reset.group;
    return 0;
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
    struct view v = transaction_view(e);
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_GROUP);
    answer_end(st->session, st->request_id, &a, view_group(&v, g, a.out), NULL);
}

void look_groups(struct engine *e, struct step *st)
{
    struct topic *t = find_topic(e, st);
    if (!t)
        return;
    struct view v = transaction_view(e);
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_GROUPS);
    answer_end(st->session, st->request_id, &a, view_groups(&v, t, a.out), NULL);
}
