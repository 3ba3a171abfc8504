/* request_audit: what operators did. */
#include "broker/engine/acts.h"
#include "broker/engine/gate.h"
#include "broker/engine/reply.h"
#include "broker/engine/requests.h"
#include "broker/engine/state.h"
#include "proto/errors.h"

static int64_t time_of(uint64_t ms)
{
    return ms > INT64_MAX ? INT64_MAX : (int64_t)ms;
}

void look_audit(struct engine *e, struct step *st)
{
    const struct audit_list_request *q = &st->fields.audit_list;
    const struct act_filter filter = {.since_ms = time_of(q->filter.since),
                                      .until_ms = time_of(q->filter.until),
                                      .topic = q->filter.topic,
                                      .request = act_find(q->filter.act)};
    struct view v = gate_view(st->session);
    (void)e;
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_ACTS);
    bool unknown = q->filter.act.size && !filter.request;
    int err = unknown ? SHUNT_BAD_ARGUMENT
                      : view_audit(&v, q->after, q->limit, &filter, act_name, act_is_of_dead, a.out);
    answer_end(st->session, st->request_id, &a, err,
               unknown ? "act is a word of the log, such as topic_deleted or dlq_redriven" : NULL);
}
