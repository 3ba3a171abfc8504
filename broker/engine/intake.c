/* intake: what came in becomes steps, as much of it as one turn takes.
 *
 *     item of the inbox ─► frame ─► its row of the table ─► fields ─► gate ─► step
 *
 * What its connection may not have in this turn, because it has used its share or its client does not read,
 * is held (line.c, held.c).
 */
#include "broker/engine/intake.h"
#include "base/check.h"
#include "broker/engine/gate.h"
#include "broker/engine/held.h"
#include "broker/engine/inbox.h"
#include "broker/engine/reply.h"
#include "broker/engine/request.h"
#include "broker/engine/run.h"
#include "broker/engine/session.h"
#include "broker/engine/silence.h"
#include "broker/engine/snapshots.h"
#include "broker/engine/state.h"
#include "broker/engine/text.h"
#include "broker/login/login.h"
#include "proto/errors.h"
#include "proto/frame.h"

/* No more requests are taken into a turn whose commands need this much: the smallest entry of a RESOLVE takes
 * 30 times its bytes. */
#define TURN_ARENA_BYTES_MAX (32u * 1024 * 1024)

/* What a connection may have sent behind a HELLO whose password is being verified. */
#define LOGIN_HELD_BYTES_MAX (64u * 1024)

/* ---- from a request to a step ---- */

/* A request as it lies in its frame. */
struct envelope {
    struct slice payload;
    struct request_source fields; /* what follows the request id */
    uint64_t op, request_id;
    const struct request *request; /* NULL: there is no such operation */
};

/* WITHIN: what it asks for takes its place, if its time is not over or it was begun in time. Most requests are none. */
static __attribute__((cold, noinline)) void look_inside(const struct session *s, int64_t received_ms,
                                                        struct envelope *from)
{
    struct mpack_reader inside = from->fields.r;
    uint64_t timeout_ms = mpack_read_uint(&inside), op = mpack_read_uint(&inside);
    int64_t waited_ms = s->engine->mono_ms - received_ms;
    bool over = waited_ms >= 0 && (uint64_t)waited_ms >= timeout_ms;
    if (inside.failed || (over && !s->division.begun) || !request_fits_within(op))
        return; /* it stays what it is, and is refused */
    from->fields.r = inside;
    from->op = op;
    from->request = request_find(op);
}

static void open_envelope(struct slice payload, struct envelope *ret)
{
    struct mpack_reader *r = &ret->fields.r;
    ret->payload = payload;
    mpack_read_init(r, payload.data, payload.size);
    (void)mpack_read_array(r); /* the net thread has validated it; readers of fields fail at its end */
    ret->op = mpack_read_uint(r);
    ret->request_id = mpack_read_uint(r);
    ret->request = request_find(ret->op);
}

/* What a connection may not ask for becomes no step but the answer to it. Returns PROTOCOL and why, or 0. Rights are asked for
 * at the gate (gate.h), when the names in the request are known. */
static int greet(const struct session *s, const struct request *request, const char **ret_why)
{
    bool hello = request && request->op == OP_HELLO;
    if (s->greeted != hello)
        return 0;
    *ret_why = hello ? "HELLO comes once" : "the first frame must be HELLO";
    return SHUNT_PROTOCOL;
}

/* Who asks, for the log and the audit log. */
static int add_actor(struct session *s, const struct request *request, const union request_fields *fields,
                     struct command *c)
{
    struct actor *by = arena_room(&s->engine->arena, sizeof *by);
    char *asked = arena_room(&s->engine->arena, AUDIT_ASKED_BYTES_MAX);
    if (!by || !asked)
        return SHUNT_NO_MEMORY;
    *by = (struct actor){.request = request->op,
                         .client = slice_of(s->client),
                         .host = slice_of(s->host),
                         .peer = slice_of(s->link->peer),
                         .user = slice_of(s->who.user),
                         .reason = request_reason(request->op, fields),
                         .asked = {asked, request_asked(request->op, fields, asked, AUDIT_ASKED_BYTES_MAX)}};
    c->by = by;
    return 0;
}

/* Fill in the step; returns what is wrong with the request, or 0. */
static int read_step(struct session *s, struct envelope *from, struct step *st)
{
    const struct request *request = from->request;
    struct request_source *source = &from->fields;
    union request_fields fields;
    int err = greet(s, request, &st->why);
    if (err)
        return err;
    if (!request) {
        st->why = engine_text(s->engine, "operation %llu", (unsigned long long)from->op);
        return SHUNT_UNSUPPORTED;
    }
    st->kind = request->kind;
    if (request->kind == STEP_COMMAND)
        st->command.kind = request->command;
    request_source_init(source);
    bool kept = !request->make && request->kind != STEP_COMMAND; /* the step's own */
    request->read(source, kept ? &st->fields : &fields);
    err = request_verdict(source);
    const union request_fields *read = err ? NULL : kept ? &st->fields : &fields;
    /* A request that goes on in parts was let in when it began. What is refused counts too: it is looked at. */
    if (s->engine->quotas.on && !s->division.begun) {
        int beyond = quotas_ask(s, st, read);
        if (beyond)
            return beyond;
    }
    if (err) {
        st->why = source->why == source->text ? engine_text(s->engine, "%s", source->text) : source->why;
        return err;
    }
    st->topic = source->topic;
    st->group = source->group;
    if (who_is_asked(&s->who) && !s->division.begun)
        err = gate_ask(s, st, read);
    if (err)
        return err;
    if (request->act)
        err = add_actor(s, request, &fields, &st->command);
    if (err)
        return err;
    return request->make ? request->make(s, &fields, st) : 0;
}

/* Returns whether the next request may be read before the step has run. */
static bool add_request(struct session *s, struct envelope *from)
{
    struct engine *e = s->engine;
    struct step *st = steps_add(e, STEP_REPLY, s);
    st->request = from->request;
    st->request_id = from->request_id;
    st->err = read_step(s, from, st);
    size_t bytes = s->division.part_bytes ? s->division.part_bytes : from->payload.size;
    s->division.part_bytes = 0;
    if (st->rows)
        share_count(s, st->rows);
    share_count(s, ROWS_OF_REQUEST + bytes / ROWS_BYTES);
    if (st->err)
        st->kind = st->err == SHUNT_FORBIDDEN ? STEP_REFUSED : STEP_REPLY;
    e->urgent |= st->err || st->request->hurry;
    return !st->err && st->request->pace == REQUEST_FLOWS;
}

/* What a request waits for. */
struct wait {
    bool login;        /* that it is known who it is */
    bool turn;         /* that its connection has its turn */
    enum flow_ask ask; /* or that its client reads */
};

static struct wait must_wait(const struct session *s, const struct envelope *from)
{
    if (s->flow.requests == REQUESTS_LOGIN)
        return (struct wait){.login = true};
    bool weighs = from->request && from->request->pace == REQUEST_WEIGHS;
    if (flow_share_is_up(&s->engine->turn, &s->flow.share, weighs) ||
        (!ring_empty(&s->engine->publishing) && divide_must_wait(s, from->op, &from->fields.r)))
        return (struct wait){.turn = true};
    if (s->division.begun) /* others may wait for its end */
        return (struct wait){.turn = false};
    return (struct wait){.ask = session_must_wait(s, from->request, from->payload.size)};
}

/* False: it goes on in a later turn. */
static bool take_frame(struct session *s, struct envelope *from)
{
    struct engine *e = s->engine;
    if (s->division.over) { /* it was answered: the rest of it is passed over */
        divide_end(s);
        return true;
    }
    if (!flow_may(&s->flow, FLOW_HEAR) && from->request && from->request->kind == STEP_LOOK)
        return true;
    if (!add_request(s, from) || e->steps.count >= steps_most(e))
        steps_run(e);
    return !s->division.begun || !flow_may(&s->flow, FLOW_GO_ON);
}

/* Take the frames of one read; returns how many bytes of them. Less than all: the rest must wait. */
static size_t take_frames(struct session *s, const struct inbox_item *item, struct wait *ret_wait)
{
    const uint8_t *at = item->bytes.data;
    size_t left = item->bytes.size;
    flow_serve(&s->engine->turn, s);
    while (left && flow_may(&s->flow, FLOW_GO_ON)) {
        /* The net thread has validated each of them: only the lengths are looked at here. */
        check(left >= FRAME_HEADER_BYTES);
        size_t size = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
        check(size <= left - FRAME_HEADER_BYTES);
        struct envelope from;
        open_envelope((struct slice){at + FRAME_HEADER_BYTES, size}, &from);
        if (from.op == OP_WITHIN)
            look_inside(s, item->received_ms, &from);
        *ret_wait = must_wait(s, &from);
        if (!ret_wait->login && !ret_wait->turn && ret_wait->ask == FLOW_ASK_NOTHING)
            ret_wait->turn = !take_frame(s, &from);
        if (ret_wait->login || ret_wait->turn || ret_wait->ask != FLOW_ASK_NOTHING)
            return item->bytes.size - left;
        at += FRAME_HEADER_BYTES + size;
        left -= FRAME_HEADER_BYTES + size;
    }
    return item->bytes.size;
}

/* ---- items of the inbox: each returns true if the item is done with; otherwise its connection keeps it ----
 */

/* A client that has not logged in has no right to our memory. */
static void look_at_stranger(struct session *s)
{
    size_t held_bytes = atomic_load(&s->link->account.held_bytes);
    if (s->flow.requests != REQUESTS_LOGIN || s->link->own || held_bytes <= LOGIN_HELD_BYTES_MAX)
        return;
    reply_error(s, s->greeting.request_id, SHUNT_TOO_LARGE,
                "at most 64 KiB may follow HELLO before it is answered");
    session_close(s);
}

static bool take_bytes(struct engine *e, struct inbox_item *item)
{
    struct session *s = item->link->session;
    if (!s)
        s = session_new(e, item->link);
    if (!s)
        engine_die(e, SHUNT_NO_MEMORY, "no memory for a connection");
    if (s->holder)
        silence_heard(s);
    if (s->held.first || s->flow.requests == REQUESTS_LOGIN) {
        session_hold(s, item);
        look_at_stranger(s);
        return false;
    }
    struct wait wait = {.ask = FLOW_ASK_NOTHING};
    size_t done = take_frames(s, item, &wait);
    if (done == item->bytes.size)
        return true;
    steps_run(e); /* they point into the item, which moves */
    item->bytes.data = (const uint8_t *)item->bytes.data + done;
    item->bytes.size -= done;
    if (wait.login)
        session_hold(s, item);
    else if (wait.turn)
        session_queue(s, item);
    else
        session_block(s, item, wait.ask);
    look_at_stranger(s);
    return false;
}

/* What it sent before counts, so this waits behind it; but nobody is there to read the answers of one that
 * does not read. */
static bool take_lost(struct engine *e, struct inbox_item *item)
{
    struct session *s = item->link->session;
    e->urgent = true;
    if (!s)
        return true;
    if (s->flow.requests == REQUESTS_QUEUED && !e->config.only_looks_wait) {
        flow_leave(&s->flow);
        if (s->holder) /* it gets nothing more */
            dispatcher_hold(e->dispatcher, s->holder, true);
        session_hold(s, item);
        return false;
    }
    steps_add(e, STEP_LOST, s)->closed = item->closed;
    return true;
}

/* What is a word of the net thread about a connection, behind what that has sent. */
static bool take_word(struct engine *e, struct inbox_item *item)
{
    struct session *s = item->link->session;
    e->urgent |= item->kind != PORT_CAUGHT_UP;
    if (!s || (!flow_may(&s->flow, FLOW_GO_ON) && item->kind != PORT_CAUGHT_UP))
        return true;
    if (s->held.first || s->flow.requests == REQUESTS_LOGIN) {
        session_hold(s, item);
        return false;
    }
    struct step *st = steps_add(e, item->kind == PORT_ENDED ? STEP_ENDED : STEP_CAUGHT_UP, s);
    if (item->kind == PORT_CAUGHT_UP)
        st->caught_up_ms = item->ask_ms;
    if (item->kind != PORT_BROKEN)
        return true;
    st->kind = STEP_REPLY;
    st->request_id = item->request_id;
    st->err = SHUNT_PROTOCOL;
    st->why = item->why;
    return true;
}

/* A failure counts whether or not somebody still waits to hear of it. */
static bool take_login(struct engine *e, struct inbox_item *item)
{
    struct session *s = item->link->session;
    struct login_ticket *ticket = item->ticket;
    e->urgent = true;
    item->ticket = NULL;
    if (s)
        steps_add(e, STEP_LOGIN, s)->ticket = ticket;
    else
        (void)login_end(e->config.login, ticket, e->mono_ms);
    return true;
}

static bool take_item(struct engine *e, struct inbox_item *item)
{
    switch (item->kind) {
    case PORT_FRAMES:
        return take_bytes(e, item);
    case PORT_LOST:
        return take_lost(e, item);
    case PORT_BROKEN:
    case PORT_ENDED:
    case PORT_CAUGHT_UP:
        return take_word(e, item);
    case PORT_DRAINED:
        if (item->link->session)
            session_drained(item->link->session);
        return true;
    case PORT_ROOM: /* this turn assigns */
        return true;
    case PORT_LOGIN:
        return take_login(e, item);
    case PORT_SNAPSHOT:
        e->urgent = true;
        snapshots_want(e, item->wait);
        item->wait = NULL;
        return true;
    }
    return true;
}

/* ---- a turn's requests ---- */

void intake_begin(struct engine *e)
{
    e->taken_bytes = 0;
    flow_turn_begin(&e->turn);
}

/* What is done with stays in `handled` until the turn ends. */
void intake_take(struct engine *e, struct inbox_item *item)
{
    struct inbox_item *before = e->handled;
    size_t size = item->bytes.size;
    item->next = before;
    e->handled = item;
    if (!take_item(e, item)) { /* its connection keeps it */
        e->handled = before;
        size -= item->bytes.size;
    }
    e->taken_bytes += size;
}

bool intake_has_room(const struct engine *e)
{
    return e->taken_bytes < e->config.limits.commit_bytes_max && e->arena.bytes < TURN_ARENA_BYTES_MAX;
}

void intake_take_backlog(struct engine *e)
{
    while (e->backlog.first && intake_has_room(e))
        intake_take(e, inbox_list_take(&e->backlog));
    if (e->taken_bytes > e->largest_bytes)
        e->largest_bytes = e->taken_bytes;
}

void intake_free(struct engine *e)
{
    for (const struct inbox_item *item = e->handled; item; item = item->next)
        flow_inbox_take(e->config.totals, item->link ? &item->link->account : NULL, item->counted_bytes);
    inbox_free(e->handled);
    e->handled = NULL;
}
