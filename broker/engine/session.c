/* session: one connection as the engine sees it. */
#include "broker/engine/session.h"
#include "base/check.h"
#include "base/list.h"
#include "base/search.h"
#include "broker/engine/held.h"
#include "broker/engine/leases.h"
#include "broker/engine/reply.h"
#include "broker/engine/state.h"
#include "broker/engine/text.h"
#include "proto/errors.h"

#include <stdlib.h>
#include <string.h>

struct session *session_new(struct engine *e, struct link *link)
{
    struct session *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
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
    list_remove(&e->sessions, s);
    list_append(&e->gone, s);
}

static void session_free(struct engine *e, struct session *s)
{
    producer_leave(s);
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

/* ---- subscriptions ---- */

static int by_id(const void *element, const void *key)
{
    const struct subscription *const *sub = element;
    const uint64_t *id = key;
    return ((*sub)->id > *id) - ((*sub)->id < *id);
}

static size_t position(const struct session *s, uint64_t id)
{
    return search_first(s->subscriptions, s->subscriptions_count, sizeof *s->subscriptions, &id, by_id);
}

struct subscription *session_subscription(const struct session *s, uint64_t id)
{
    size_t at = position(s, id);
    return at < s->subscriptions_count && s->subscriptions[at]->id == id ? s->subscriptions[at] : NULL;
}

void session_drop_subscription(struct session *s, struct subscription *sub)
{
    size_t at = position(s, sub->id);
    check(at < s->subscriptions_count && s->subscriptions[at] == sub);
    s->subscriptions_count--;
    memmove(s->subscriptions + at, s->subscriptions + at + 1,
            (s->subscriptions_count - at) * sizeof(struct subscription *));
    s->engine->subscriptions--;
    sub->magic = 0;
    free(sub);
}

/* ---- a group that is gone ---- */

#define CLOSING_MAGIC 0x8f3c51e7u
struct closing {
    uint32_t magic;
    const struct result *result;
    const char *why; /* made for the first subscription that ends */
};

static void on_closed(void *context, struct member *m)
{
    struct closing *closing = magic_of(context, closing, CLOSING_MAGIC);
    struct subscription *sub = subscription_of(m);
    struct session *s = sub->session;
    int err = closing->result->group_gone.err;
    if (!closing->why) {
        closing->why = engine_about(s->engine, err, slice_of(closing->result->group_gone.topic),
                                    slice_of(closing->result->group_gone.name), HINT_DELETED);
    }
    reply_closed(s, sub->id, err, closing->why);
    session_drop_subscription(s, sub);
}

void subscriptions_end(struct engine *e, const struct result *gone)
{
    struct closing closing = {.magic = CLOSING_MAGIC, .result = gone};
    dispatcher_group_gone(e->dispatcher, gone->group_gone.group, on_closed, &closing);
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
