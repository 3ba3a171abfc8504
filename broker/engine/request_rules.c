/* request_rules: rules on dead letters. */
#include "broker/engine/reply.h"
#include "broker/engine/requests.h"
#include "broker/engine/state.h"
#include "broker/engine/text.h"
#include "broker/engine/transaction.h"
#include "proto/errors.h"
#include "proto/limits.h"

static const char *const not_dlq = "name the topic and group that failed, not the dead-letter queue";

static bool is_given(const struct dead_filter *f)
{
    return f->cause.size || f->reason.size || f->type.size || f->match.size || f->since ||
           f->header.name.size || f->key.size;
}

static int64_t or_default(uint64_t ms, int64_t usual)
{
    return ms ? (int64_t)ms : usual;
}

/* Returns what is wrong with it, or NULL. */
static const char *define(const struct rule_set_request *q, struct rule_command *c)
{
    static const char *const actions[] = RULE_ACTION_NAMES;
    const struct rule_options *o = &q->options;
    int action = word_of(o->action, actions, RULE_ACTIONS);
    if (action < 0)
        return "action is one of mute, discard, redrive, move";
    if (action != RULE_REDRIVE && (o->times || o->wait_ms || o->wait_max_ms))
        return "times, wait_ms and wait_max_ms are of the action redrive";
    if (q->filter.since)
        return "a rule has no since: it looks at letters as their messages die";
    if ((action == RULE_MOVE) != (o->to.size > 0))
        return "the action move, and no other, has a topic to move to";
    c->define = true;
    c->to = o->to;
    c->action = (enum rule_action)action;
    if (action == RULE_REDRIVE) {
        c->times = o->times ? (uint32_t)o->times : RULE_TIMES_DEFAULT;
        c->wait_ms = or_default(o->wait_ms, RULE_WAIT_MS_DEFAULT);
        c->wait_max_ms = or_default(
            o->wait_max_ms, c->wait_ms > RULE_WAIT_MAX_MS_DEFAULT ? c->wait_ms : RULE_WAIT_MAX_MS_DEFAULT);
        if (c->wait_max_ms < c->wait_ms)
            return "wait_max_ms is at least wait_ms";
    }
    return make_filter(&q->filter, &c->filter);
}

int make_rule_set(struct session *s, const union request_fields *fields, struct step *ret)
{
    const struct rule_set_request *q = &fields->rule_set;
    const struct rule_options *o = &q->options;
    struct rule_command *c = &ret->command.rule;
    (void)s;
    *c = (struct rule_command){
        .topic = q->topic, .group = q->group, .number = (uint32_t)q->rule, .disabled = q->options.disabled};
    if (q->options.action.size)
        ret->why = define(q, c);
    else if (!q->rule || is_given(&q->filter) || o->times || o->wait_ms || o->wait_max_ms || o->to.size)
        ret->why = "without an action, a rule that is there is turned on or off, and nothing else is given";
    return ret->why ? SHUNT_BAD_ARGUMENT : 0;
}

int make_rule_delete(struct session *s, const union request_fields *fields, struct step *ret)
{
    const struct rule_delete_request *q = &fields->rule_delete;
    (void)s;
    ret->command.rule =
        (struct rule_command){.topic = q->topic, .group = q->group, .number = (uint32_t)q->rule};
    return 0;
}

void look_rules(struct engine *e, struct step *st)
{
    struct group *g = look_find_group(e, st);
    if (!g)
        return;
    struct view v = transaction_view(e);
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_RULES);
    answer_end(st->session, st->request_id, &a, view_rules(&v, g, a.out), not_dlq);
}

void look_rule_test(struct engine *e, struct step *st)
{
    const struct rule_test_request *q = &st->fields.rule_test;
    struct letter_filter filter;
    struct group *g = look_find_group(e, st);
    if (!g)
        return;
    struct view v = transaction_view(e);
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_RULE_MATCHES);
    const char *why = q->filter.since ? "a rule has no since: it looks at letters as their messages die"
                                      : make_filter(&q->filter, &filter);
    bool stored = q->rule && !is_given(&q->filter);
    int err =
        why ? SHUNT_BAD_ARGUMENT
            : view_rule_test(&v, g, (uint32_t)q->rule, stored ? NULL : &filter, q->after, q->limit, a.out);
    if (err == SHUNT_NOT_FOUND)
        why = engine_no_rule(e, (uint32_t)q->rule, st->topic, st->group);
    answer_end(st->session, st->request_id, &a, err, why ? why : not_dlq);
}
