/* request_dead: dead letters, their causes, and what is to become of them. */
#include "base/arena.h"
#include "broker/core/fingerprint.h"
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

/* The name's number; -1: there is none of it. */
static int word_of(struct slice name, const char *const *names, int count)
{
    while (count-- && !slice_is(name, names[count]))
        ;
    return count;
}

static bool is_empty(const struct dead_filter *f)
{
    return !f->cause.size && !f->reason.size && !f->type.size && !f->match.size && !f->since &&
           !f->header.name.size && !f->key.size;
}

/* Returns what is wrong with it, or NULL. */
static const char *make_filter(const struct dead_filter *f, struct letter_filter *ret,
                               enum dead_reason *reason)
{
    static const char *const reasons[] = DEAD_REASON_NAMES;
    *ret = (struct letter_filter){.type = f->type,
                                  .match = f->match,
                                  .since_ms = f->since > INT64_MAX ? INT64_MAX : (int64_t)f->since,
                                  .header = {f->header.name, f->header.value},
                                  .key = f->key};
    if (f->cause.size && !fingerprint_read(f->cause, &ret->cause))
        return not_cause;
    int number = f->reason.size ? word_of(f->reason, reasons, DEAD_REASONS) : 0;
    if (number < 0)
        return "reason is one of rejected, max_attempts, ttl_expired, corrupt, predecessor_dead, operator";
    *reason = (enum dead_reason)number;
    ret->reason = f->reason.size ? reason : NULL;
    return NULL;
}

void look_dead_list(struct engine *e, struct step *st)
{
    const struct dlq_list_request *q = &st->fields.dlq_list;
    struct letter_filter filter;
    enum dead_reason reason;
    struct group *g = look_find_group(e, st);
    if (!g)
        return;
    struct view v = transaction_view(e);
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_DEAD_LETTERS);
    const char *why = make_filter(&q->filter, &filter, &reason);
    int err = why ? SHUNT_BAD_ARGUMENT
                  : view_dead_list(&v, g, q->after, q->limit, is_empty(&q->filter) ? NULL : &filter, a.out);
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
    int err = view_dead(&v, g, id, a.out);
    const char *why = err == SHUNT_BAD_ARGUMENT ? not_dlq : NULL;
    if (err == SHUNT_NOT_FOUND) {
        why = engine_text(e, "%s among the dead letters of group %s of topic %s; a listing shows them",
                          engine_name(e, id, TOPIC_BYTES_MAX), engine_name(e, st->group, NAME_BYTES_MAX),
                          engine_name(e, st->topic, NAME_BYTES_MAX));
    }
    answer_end(st->session, st->request_id, &a, err, why);
}

static int take_choice(struct session *s, const struct dead_choice *which, struct dead_command *c)
{
    c->count = which->count;
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
    return take_choice(s, &q->which, &ret->command.dead);
}

int make_dlq_redrive(struct session *s, const union request_fields *fields, struct step *ret)
{
    const struct dlq_redrive_request *q = &fields->dlq_redrive;
    ret->command.dead.topic = q->topic;
    ret->command.dead.group = q->group;
    ret->command.dead.rate = (uint32_t)q->rate;
    return take_choice(s, &q->which, &ret->command.dead);
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
    return engine_text(e,
                       "no cause %s of dead letters of group %s of topic %s; DLQ_CAUSES lists them",
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
