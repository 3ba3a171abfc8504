/* held: a connection whose client does not read waits with its requests, and nothing more is assigned to it.
 * What may wait, and the states, are in broker/flow. */
#include "broker/engine/held.h"
#include "broker/engine/inbox.h"
#include "broker/engine/outbox.h"
#include "broker/engine/request.h"
#include "broker/engine/state.h"

#include <string.h>

/* A chunk this much larger than what is left of its item is not worth keeping. */
#define CHUNK_WASTE_BYTES_MAX 4096

uint64_t session_room(const struct session *s)
{
    const struct engine *e = s->engine;
    struct flow_limits limits = engine_flow_limits(e);
    size_t own = session_waiting(s) + s->planned_bytes, all = own ? engine_waiting(e) : engine_unsent(e);
    return flow_left(&limits, own, all + e->hand_out.planned_bytes);
}

static bool is_over(const struct session *s)
{
    struct flow_limits limits = engine_flow_limits(s->engine);
    return flow_is_over(&limits, session_waiting(s), engine_waiting(s->engine));
}

enum flow_ask session_must_wait(const struct session *s, const struct request *request, size_t bytes)
{
    struct flow_limits limits = engine_flow_limits(s->engine);
    if (!flow_may(&s->flow, FLOW_HEAR)) /* nobody reads, so nobody would say when there is room again */
        return FLOW_ASK_NOTHING;
    if (!flow_may(&s->flow, FLOW_TAKE) || is_over(s))
        return FLOW_ASK_READ;
    bool is_long = request && bytes > request->short_bytes_max;
    return is_long && engine_unsent(s->engine) >= flow_mark(&limits) ? FLOW_ASK_LONG : FLOW_ASK_NOTHING;
}

/* The net thread says when it was read. */
static void ask(struct session *s, enum flow_ask what)
{
    flow_unread(&s->flow);
    s->ask = what;
    s->engine->urgent = true; /* the question goes out with this turn */
    (void)session_out(s);
    if (s->holder)
        dispatcher_hold(s->engine->dispatcher, s->holder, true);
}

void session_look_at_output(struct session *s)
{
    if (flow_may(&s->flow, FLOW_ASSIGN) && is_over(s))
        ask(s, FLOW_ASK_READ);
}

/* Requests that wait for their client to read what it was sent count with that. They are no longer in the
 * inbox: a client that does not read must not keep others from being read. */
static void count_as_held(struct engine *e, struct inbox_item *item)
{
    struct flow_account *a = &item->link->account;
    flow_inbox_take(e->config.totals, a, item->counted_bytes);
    item->counted_bytes = sizeof *item + (item->chunk ? item->chunk->capacity : 0);
    item->held = true;
    flow_hold(a, item->counted_bytes);
}

/* A few bytes that wait must not keep a large chunk. */
static void move_out(struct inbox_item *item)
{
    if (!item->chunk || item->chunk->capacity <= 2 * item->bytes.size + CHUNK_WASTE_BYTES_MAX)
        return;
    struct chunk *own = chunk_new((uint32_t)item->bytes.size);
    if (!own)
        return; /* then it stays where it is */
    memcpy(own->data, item->bytes.data, item->bytes.size);
    chunk_unref(item->chunk);
    item->chunk = own;
    item->bytes.data = own->data;
}

void session_hold(struct session *s, struct inbox_item *item)
{
    struct engine *e = s->engine;
    move_out(item);
    if (s->flow.requests != REQUESTS_BLOCKED || session_waiting(s) > 0)
        count_as_held(e, item);
    inbox_list_add(&s->held, item);
}

void session_block(struct session *s, struct inbox_item *item, enum flow_ask what)
{
    if (s->flow.output == OUTPUT_READ)
        ask(s, what);
    flow_block(&s->flow);
    session_hold(s, item);
}

void session_queue(struct session *s, struct inbox_item *item)
{
    flow_queue(&s->flow, &s->engine->line);
    session_hold(s, item);
}

void session_release(struct session *s, struct inbox_item *item)
{
    if (!item->held)
        return;
    flow_release(&s->link->account, item->counted_bytes);
    item->held = false;
    flow_inbox_add(s->engine->config.totals, &s->link->account, item->counted_bytes);
}

void session_forget_held(struct session *s)
{
    for (struct inbox_item *item = s->held.first; item; item = item->next) {
        session_release(s, item);
        flow_inbox_take(s->engine->config.totals, &s->link->account, item->counted_bytes);
    }
    inbox_free(s->held.first);
    inbox_list_init(&s->held);
}

void session_drained(struct session *s)
{
    struct engine *e = s->engine;
    bool blocked = flow_drained(&s->flow);
    if (s->holder && flow_may(&s->flow, FLOW_ASSIGN))
        dispatcher_hold(e->dispatcher, s->holder, false);
    if (blocked)
        session_go_on(s);
}

void session_go_on(struct session *s)
{
    struct engine *e = s->engine;
    for (struct inbox_item *item = s->held.first; item; item = item->next)
        session_release(s, item);
    inbox_list_move(&e->backlog, &s->held);
    inbox_list_move(&s->held, &e->backlog);
}

void session_close(struct session *s)
{
    flow_close(&s->flow);
    /* What it were given now would be lost with it, and count against messages that nobody has seen. */
    if (s->holder)
        dispatcher_hold(s->engine->dispatcher, s->holder, true);
    (void)session_out(s); /* the close goes out even without an answer */
}
