/* request_dead: dead letters, their causes, and what is to become of them. */
#include "base/arena.h"
#include "broker/core/fingerprint.h"
#include "broker/engine/apply.h"
#include "broker/engine/collect.h"
#include "broker/engine/reply.h"
#include "broker/engine/requests.h"
#include "broker/engine/state.h"
#include "broker/engine/text.h"
#include "broker/engine/transaction.h"
#include "proto/errors.h"
#include "proto/limits.h"

static const char *const not_cause = "a cause is named by its fingerprint, 16 hexadecimal digits";
static const char *const not_dlq = "name the topic and group that failed, not the dead-letter queue";

/* ---- which ---- */

int word_of(struct slice name, const char *const *names, int count)
{
    while (count-- && !slice_is(name, names[count]))
        ;
    return count;
}

const char *make_filter(const struct dead_filter *f, struct letter_filter *ret)
{
    static const char *const reasons[] = DEAD_REASON_NAMES;
    int number = f->reason.size ? word_of(f->reason, reasons, DEAD_REASONS) : 0;
    *ret = (struct letter_filter){.has_reason = f->reason.size > 0,
                                  .reason = (enum dead_reason)number,
                                  .since_ms = f->since > INT64_MAX ? INT64_MAX : (int64_t)f->since,
                                  .type = f->type,
                                  .match = f->match,
                                  .header = f->header.name,
                                  .value = f->header.value,
                                  .key = f->key};
    if (f->cause.size && !fingerprint_read(f->cause, &ret->cause))
        return not_cause;
    return number < 0
               ? "reason is one of rejected, max_attempts, ttl_expired, corrupt, predecessor_dead, operator, "
                 "deadline_exceeded"
               : NULL;
}

void look_dead_list(struct engine *e, struct step *st)
{
    const struct dlq_list_request *q = &st->fields.dlq_list;
    struct letter_filter filter;
    struct group *g = look_find_group(e, st);
    if (!g)
        return;
    struct view v = transaction_view(e);
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_DEAD_LETTERS);
    const char *why = make_filter(&q->filter, &filter);
    int err = why ? SHUNT_BAD_ARGUMENT : view_dead_list(&v, g, q->after, q->limit, &filter, a.out);
    answer_end(st->session, st->request_id, &a, err, why ? why : not_dlq);
}

void look_dead(struct engine *e, struct step *st)
{
    struct slice id = st->fields.dlq_show.message;
    struct group *g = look_find_group(e, st);
    if (!g)
        return;
    struct view v = transaction_view(e);
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_DEAD_LETTER);
    int err = view_dead(&v, g, id, st->fields.dlq_show.original, a.out);
    const char *why = err == SHUNT_BAD_ARGUMENT ? not_dlq : NULL;
    if (err == SHUNT_NOT_FOUND) {
        why = engine_text(e, "%s among the dead letters of group %s of topic %s; a listing shows them",
                          engine_name(e, id, TOPIC_BYTES_MAX), engine_name(e, st->group, NAME_BYTES_MAX),
                          engine_name(e, st->topic, NAME_BYTES_MAX));
    }
    answer_end(st->session, st->request_id, &a, err, why);
}

/* fails: BAD_ARGUMENT, NO_MEMORY */
static int take_choice(struct session *s, const struct dead_choice *which, const struct dead_filter *filter,
                       struct step *st)
{
    struct dead_command *c = &st->command.dead;
    c->count = which->count;
    st->why = make_filter(filter, &c->filter);
    if (st->why)
        return SHUNT_BAD_ARGUMENT;
    if (!which->ids.count)
        return 0;
    struct slice *ids = arena_room(&s->engine->arena, which->ids.count * sizeof *ids);
    if (!ids)
        return SHUNT_NO_MEMORY;
    request_texts(&which->ids, ids);
    c->ids = ids;
    c->ids_count = which->ids.count;
    return 0;
}

int make_dlq_purge(struct session *s, const union request_fields *fields, struct step *ret)
{
    const struct dlq_purge_request *q = &fields->dlq_purge;
    ret->command.dead.topic = q->topic;
    ret->command.dead.group = q->group;
    return take_choice(s, &q->which, &q->filter, ret);
}

int make_dlq_redrive(struct session *s, const union request_fields *fields, struct step *ret)
{
    const struct dlq_redrive_request *q = &fields->dlq_redrive;
    const struct redrive_options *o = &q->options;
    const struct dead_filter filter = {.cause = o->cause,
                                       .reason = o->reason,
                                       .type = o->type,
                                       .match = o->match,
                                       .since = o->since,
                                       .header = o->header,
                                       .key = o->key};
    ret->command.dead =
        (struct dead_command){.topic = q->topic,
                              .group = q->group,
                              .rate = (uint32_t)q->rate,
                              .spread_ms = (int64_t)o->spread_ms,
                              .canary = (uint32_t)o->canary,
                              .has_max_fail = o->max_fail != SHARE_NONE,
                              .max_fail = o->max_fail != SHARE_NONE ? (uint32_t)o->max_fail : 0,
                              .to = o->to,
                              .held = o->hold_for_build.data != NULL,
                              .build = o->hold_for_build,
                              .keep_deadline = o->keep_deadline};
    return take_choice(s, &q->which, &filter, ret);
}

int make_dlq_edit(struct session *s, const union request_fields *fields, struct step *ret)
{
    const struct dlq_edit_request *q = &fields->dlq_edit;
    (void)s;
    ret->command.edit = (struct edit_command){.topic = q->topic,
                                              .group = q->group,
                                              .id = q->message,
                                              .seen = q->edit,
                                              .undo = !q->body.data,
                                              .body = q->body};
    return 0;
}

/* What this disk says of the published message is found here, and goes into the command. What came before is applied first, or
 * the letter might not be there yet. */
void run_dlq_edit(struct engine *e, struct step *st)
{
    struct edit_command *c = &st->command.edit;
    int err = 0;
    apply_collected(e);
    struct group *g = ledger_group(e->ledger, st->topic, st->group, &err);
    struct view v = transaction_view(e);
    err = g && !c->undo ? view_edited(&v, g, c) : 0;
    void *rest = arena_room(&e->arena, c->rest.size + 1);
    if (rest && c->rest.size)
        c->rest.data = memcpy(rest, c->rest.data, c->rest.size);
    bool missing = err == SHUNT_NOT_FOUND || err == SHUNT_BAD_ARGUMENT; /* the ledger will find that, too */
    c->refusal = !rest ? SHUNT_NO_MEMORY : missing ? 0 : err;
    collect_command(e, &st->command, st);
}

/* ---- causes ---- */

void look_causes(struct engine *e, struct step *st)
{
    struct group *g = look_find_group(e, st);
    if (!g)
        return;
    struct view v = transaction_view(e);
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_CAUSES);
    answer_end(st->session, st->request_id, &a, view_causes(&v, g, a.out), not_dlq);
}

static const char *no_cause(struct engine *e, const struct step *st, struct slice cause)
{
    return engine_text(
        e, "no cause %s of dead letters of group %s of topic %s: list its causes to see which there are",
        engine_name(e, cause, FINGERPRINT_DIGITS), engine_name(e, st->group, NAME_BYTES_MAX),
        engine_name(e, st->topic, NAME_BYTES_MAX));
}

void look_cause(struct engine *e, struct step *st)
{
    struct slice cause = st->fields.dlq_cause.cause;
    uint64_t fingerprint;
    struct group *g = look_find_group(e, st);
    if (!g)
        return;
    struct view v = transaction_view(e);
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_CAUSE);
    const char *why = not_cause;
    int err = SHUNT_BAD_ARGUMENT;
    if (fingerprint_read(cause, &fingerprint)) {
        err = view_cause(&v, g, fingerprint, a.out);
        why = err == SHUNT_NOT_FOUND ? no_cause(e, st, cause) : not_dlq;
    }
    answer_end(st->session, st->request_id, &a, err, why);
}

/* fails: BAD_ARGUMENT */
static int take_cause(struct slice cause, struct step *st, uint64_t *ret)
{
    if (fingerprint_read(cause, ret))
        return 0;
    st->why = not_cause;
    return SHUNT_BAD_ARGUMENT;
}

int make_dlq_attend(struct session *s, const union request_fields *fields, struct step *ret)
{
    const struct dlq_attend_request *q = &fields->dlq_attend;
    struct attend_command *c = &ret->command.attend;
    c->topic = q->topic;
    c->group = q->group;
    if (q->messages.count) {
        struct slice *ids = arena_room(&s->engine->arena, q->messages.count * sizeof *ids);
        if (!ids)
            return SHUNT_NO_MEMORY;
        request_texts(&q->messages, ids);
        c->ids = ids;
        c->ids_count = q->messages.count;
    }
    return q->cause.size ? take_cause(q->cause, ret, &c->cause) : 0;
}

int make_cause_update(struct session *s, const union request_fields *fields, struct step *ret)
{
    static const char *const states[] = CAUSE_STATE_NAMES;
    const struct cause_update_request *q = &fields->cause_update;
    struct cause_command *c = &ret->command.cause;
    int state = q->change.state.size ? word_of(q->change.state, states, CAUSE_STATES) : 0;
    (void)s;
    if (state < 0 || (q->change.state.size && state == CAUSE_REGRESSED)) {
        ret->why = "state is one of new, seen, muted, resolved";
        return SHUNT_BAD_ARGUMENT;
    }
    *c = (struct cause_command){.topic = q->topic,
                                .group = q->group,
                                .has_state = q->change.state.size > 0,
                                .state = (enum cause_state)state,
                                .has_owner = q->change.owner.data != NULL,
                                .owner = q->change.owner,
                                .has_note = q->change.note.data != NULL,
                                .note = q->change.note};
    return take_cause(q->cause, ret, &c->fingerprint);
}
