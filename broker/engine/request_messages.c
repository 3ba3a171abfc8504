/* request_messages: peeking at messages, dead letters and what is to become of them, jobs. */
#include "broker/engine/reply.h"
#include "broker/engine/requests.h"
#include "broker/engine/state.h"
#include "broker/engine/text.h"
#include "broker/engine/transaction.h"
#include "proto/errors.h"

/* ---- messages and dead letters ---- */

void look_peek(struct engine *e, struct step *st)
{
    const struct peek_request *q = &st->fields.peek;
    struct group *g = look_find_group(e, st);
    if (!g)
        return;
    struct view v = transaction_view(e);
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_PEEKED);
    answer_end(st->session, st->request_id, &a, view_peek(&v, g, q->after, q->limit, q->bodies, a.out),
               "a dead-letter queue is listed, not peeked at");
}

static const char *not_dlq = "name the topic and group that failed, not the dead-letter queue";

void look_dead_list(struct engine *e, struct step *st)
{
    const struct dlq_list_request *q = &st->fields.dlq_list;
    struct group *g = look_find_group(e, st);
    if (!g)
        return;
    struct view v = transaction_view(e);
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_DEAD_LETTERS);
    answer_end(st->session, st->request_id, &a, view_dead_list(&v, g, q->after, q->limit, a.out), not_dlq);
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

/* ---- jobs ---- */

int make_job_cancel(struct session *s, const union request_fields *fields, struct step *ret)
{
    (void)s;
    ret->command.job.id = fields->job_cancel.job;
    return 0;
}

void look_job(struct engine *e, struct step *st)
{
    uint64_t job = st->fields.job_show.job;
    struct view v = transaction_view(e);
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_FIGURES);
    int err = view_job(&v, job, a.out);
    answer_end(st->session, st->request_id, &a, err, err == SHUNT_NOT_FOUND ? engine_no_job(e, job) : NULL);
}
