/* request_messages: peeking at messages, and jobs. */
#include "broker/engine/gate.h"
#include "broker/engine/reply.h"
#include "broker/engine/requests.h"
#include "broker/engine/state.h"
#include "broker/engine/text.h"
#include "broker/engine/transaction.h"
#include "proto/errors.h"

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

void look_why(struct engine *e, struct step *st)
{
    uint64_t seq = st->fields.why.seq;
    struct topic *t = ledger_topic(e->ledger, st->topic);
    struct group *only = NULL;
    if (!t || st->group.size) {
        only = look_find_group(e, st);
        if (!only)
            return;
    }
    struct view v = transaction_view(e);
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_WHY);
    int err = view_why(&v, t, seq, only, a.out);
    const char *why = NULL;
    if (err == SHUNT_NOT_FOUND) {
        why = engine_text(
            e,
            "no dead letter %llu in %s: it was redriven, purged or has expired, or never was; name the "
            "message by its origin, TOPIC/SEQ",
            (unsigned long long)seq, engine_name(e, st->topic, TOPIC_BYTES_MAX));
    }
    answer_end(st->session, st->request_id, &a, err, why);
}

/* ---- jobs ---- */

int make_job_cancel(struct session *s, const union request_fields *fields, struct step *ret)
{
    (void)s;
    ret->command.job.id = fields->job_cancel.job;
    return 0;
}

int make_job_pause(struct session *s, const union request_fields *fields, struct step *ret)
{
    (void)s;
    ret->command.job.id = fields->job_pause.job;
    return 0;
}

int make_job_resume(struct session *s, const union request_fields *fields, struct step *ret)
{
    (void)s;
    ret->command.job.id = fields->job_resume.job;
    return 0;
}

void look_jobs(struct engine *e, struct step *st)
{
    const struct job_list_request *q = &st->fields.job_list;
    struct view v = gate_view(st->session);
    (void)e;
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_JOBS);
    answer_end(st->session, st->request_id, &a, view_jobs(&v, q->after, q->limit, a.out), NULL);
}

void look_job(struct engine *e, struct step *st)
{
    uint64_t job = st->fields.job_show.job;
    struct view v = transaction_view(e);
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_INFO);
    int err = view_job(&v, job, a.out);
    answer_end(st->session, st->request_id, &a, err, err == SHUNT_NOT_FOUND ? engine_no_job(e, job) : NULL);
}
