/* request_messages: peeking at messages, and jobs. */
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
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_INFO);
    int err = view_job(&v, job, a.out);
    answer_end(st->session, st->request_id, &a, err, err == SHUNT_NOT_FOUND ? engine_no_job(e, job) : NULL);
}
