/* session: one connection as the engine sees it. */
#include "broker/engine/session.h"
#include "base/check.h"
#include "base/list.h"
#include "broker/engine/held.h"
#include "broker/engine/leases.h"
#include "broker/engine/state.h"
#include "broker/engine/subscription.h"

#include <stdlib.h>

struct session *session_new(struct engine *e, struct link *link)
{
    check(!link->session);
    struct session *s = calloc(1, sizeof *s);
    if (!s || !roster_add(&e->roster, s, &s->number)) {
        free(s);
        return NULL;
    }
    s->magic = SESSION_MAGIC;
    s->engine = e;
    s->link = link;
    link_ref(link);
    link->session = s;
    s->subscription_next = 1;
    inbox_list_init(&s->held);
    flow_init(&s->flow);
    ring_init(&s->output);
    ring_init(&s->division.publishing);
    list_append(&e->sessions, s);
    return s;
}

/* The connection is gone: judge what it held. It is freed when the turn is over, because its name is
 * needed until then. */
void session_lost(struct engine *e, struct session *s, bool closed)
{
    if (s->flow.requests == REQUESTS_GONE)
        return;
    session_leave(s, closed ? HOLDER_CLOSED : HOLDER_LOST);
    flow_gone(&s->flow);
    roster_remove(&e->roster, s->number);
    list_remove(&e->sessions, s);
    list_append(&e->gone, s);
}

static void session_free(struct engine *e, struct session *s)
{
    producer_leave(s);
    quotas_end(s);
    divide_end(s);
    while (s->subscriptions_count) /* of one that was never lost: the engine ends */
        session_drop_subscription(s, s->subscriptions[s->subscriptions_count - 1]);
    free(s->subscriptions);
    e->out_bytes -= s->out_counted;
    mpack_buffer_done(&s->out);
    session_forget_held(s);
    s->link->session = NULL;
    link_unref(s->link);
    s->magic = 0;
    free(s);
}

void sessions_free(struct engine *e, struct session_list *list)
{
    while (list->head) {
        struct session *s = list->head;
        list_remove(list, s);
        session_free(e, s);
    }
}

/* ---- the end of one ---- */

void session_leave(struct session *s, enum holder_end how)
{
    struct engine *e = s->engine;
    if (s->holder)
        dispatcher_disconnect(e->dispatcher, s->holder, how, lease_ended, e);
    leases_judge(e);
    s->holder = NULL;
    while (s->subscriptions_count)
        session_drop_subscription(s, s->subscriptions[s->subscriptions_count - 1]);
}
