/* conn: one connection: two pipes and what the net thread would do at the server's end. */
#include "base/array.h"
#include "tests/sim/model.h"
#include "tests/sim/server.h"

#include <stdlib.h>
#include <string.h>

#define PATIENCE_US 1000000 /* NET_STALLED_MS */

struct conn *conn_open(struct sim *s, struct client *owner)
{
    if (!server_is_up(s) || s->conns_count == CONNS_MAX)
        return NULL;
    struct conn *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->sim = s;
    c->owner = owner;
    c->number = s->conns_count + 1;
    c->link = link_new(c->number, &s->server->totals);
    c->link->conn = c;
    s->conns[s->conns_count++] = c;
    owner->conn = c;
    return c;
}

uint32_t conn_number(const struct conn *c)
{
    return c->number;
}

struct pipe *conn_to_server(struct conn *c)
{
    return &c->to_server;
}

bool conn_is_quiet(const struct conn *c)
{
    return !pipe_size(&c->to_server) && !pipe_size(&c->to_client);
}

int64_t conn_sent_us(const struct conn *c, uint64_t offset)
{
    for (size_t i = 0; i < c->marks_count; i++) {
        if (c->marks[i].end > offset)
            return c->marks[i].mono_us;
    }
    return 0;
}

uint64_t conn_sent_end(const struct conn *c, uint64_t offset)
{
    for (size_t i = 0; i < c->marks_count; i++) {
        if (c->marks[i].end > offset)
            return c->marks[i].end;
    }
    return UINT64_MAX;
}

static struct inbox_item *item_new(struct conn *c, enum port_kind kind)
{
    struct inbox_item *item = calloc(1, sizeof *item);
    if (!item)
        abort();
    item->kind = kind;
    item->link = c->link;
    link_ref(c->link);
    return item;
}

/* An item's bytes wait until the last of them has gone. */
static void free_taken(struct conn *c, uint64_t taken)
{
    uint64_t before = c->freed;
    c->taken = taken;
    while (c->marks_freed < c->marks_count && c->marks[c->marks_freed].end <= c->taken)
        c->freed = c->marks[c->marks_freed++].end;
    atomic_fetch_sub(&c->sim->server->totals.waiting_bytes, c->freed - before);
}

/* The server's end is over; `closed`: it says so, for want of room. */
static void end(struct conn *c, bool closed)
{
    if (!c->link)
        return;
    struct server *v = c->sim->server;
    free_taken(c, c->written);
    model_lost(c->sim, c->number, closed);
    if (v->engine) {
        struct inbox_item *item = item_new(c, PORT_LOST);
        item->closed = closed;
        engine_post(v->engine, item);
    }
    reader_done(&c->reader, &v->pool);
    link_unref(c->link);
    c->link = NULL;
}

static void tell_owner(struct conn *c)
{
    struct client *owner = c->owner;
    c->owner = NULL;
    if (!owner)
        return;
    owner->conn = NULL;
    sim_event(c->sim, HISTORY_LOST)->client = c->number;
    owner->ops->broken(owner);
}

void conn_break(struct conn *c)
{
    struct sim *s = c->sim;
    s->figures.breaks++;
    /* Any part of what is on its way still arrives. */
    size_t left = dice_below(&s->dice, pipe_size(&c->to_server) + 1);
    c->to_server.bytes.size = c->to_server.read + left;
    if (c->link) { /* the network takes, and loses, what is on its way back */
        atomic_fetch_sub(&c->link->account.unsent_bytes, pipe_size(&c->to_client));
        free_taken(c, c->written);
    }
    c->to_client.bytes.size = c->to_client.read;
    tell_owner(c);
}

void conn_end_sending(struct conn *c)
{
    c->ended = true;
    sim_event(c->sim, HISTORY_LOST)->client = c->number;
}

bool conn_is_ended(const struct conn *c)
{
    return c->ended;
}

void conn_cut(struct conn *c)
{
    if (c->link) {
        reader_done(&c->reader, &c->sim->server->pool);
        link_unref(c->link);
        c->link = NULL;
    }
    /* What the server had written may still come. */
    size_t left = dice_below(&c->sim->dice, pipe_size(&c->to_client) + 1);
    if (c->owner && left) {
        struct client *owner = c->owner;
        owner->ops->received(owner, pipe_peek(&c->to_client), left);
    }
    tell_owner(c);
}

void conn_free(struct conn *c)
{
    if (c->link) {
        reader_done(&c->reader, &c->sim->server->pool);
        link_unref(c->link);
    }
    pipe_done(&c->to_server);
    pipe_done(&c->to_client);
    free(c->marks);
    free(c);
}

/* ---- to the server ---- */

static struct flow_limits limits_in(const struct sim *s)
{
    return (struct flow_limits){.one_max = s->plan.unsent_bytes_max, .all_max = s->plan.unsent_total_max};
}

static bool is_back(const struct conn *c)
{
    struct flow_limits limits = limits_in(c->sim);
    size_t own = atomic_load(&c->link->account.unsent_bytes);
    const struct flow_totals *t = &c->sim->server->totals;
    return atomic_load(&t->waiting_bytes) < flow_goes_on_below(&limits, own) &&
           (c->ask != FLOW_ASK_LONG || flow_unsent_sum(t) < flow_mark(&limits));
}

static bool is_over(const struct conn *c)
{
    struct flow_limits limits = limits_in(c->sim);
    return flow_is_over(&limits, atomic_load(&c->link->account.unsent_bytes),
                        atomic_load(&c->sim->server->totals.waiting_bytes));
}

static bool must_wait(struct conn *c)
{
    c->waits = (c->waits ? !is_back(c) : is_over(c)) || c->ask != FLOW_ASK_NOTHING;
    return c->waits || engine_inbox_full(c->sim->server->engine, c->link);
}

static size_t part(struct sim *s, struct pipe *p, unsigned most)
{
    size_t size = pipe_size(p);
    if (!size || s->mono_us < p->stalled_until_us)
        return 0;
    if (!s->draining && dice_percent(&s->dice, s->plan.stall_percent)) {
        s->figures.stalls++;
        p->stalled_until_us = s->mono_us + (int64_t)dice_below(&s->dice, 400000);
        return 0;
    }
    size_t some = 1 + dice_below(&s->dice, most);
    return some < size ? some : size;
}

static void post(struct conn *c, const struct reader_result *r)
{
    struct engine *e = c->sim->server->engine;
    if (r->chunk) {
        struct inbox_item *item = item_new(c, PORT_FRAMES);
        item->chunk = r->chunk;
        item->bytes = r->frames;
        item->received_ms = c->sim->mono_us / 1000 + (plant_is(PLANT_LATE_BEGIN) ? 1000 : 0);
        model_came(c->sim, c->number, r->frames.data, r->frames.size);
        engine_post(e, item);
    }
    if (r->why) {
        struct inbox_item *item = item_new(c, PORT_BROKEN);
        item->why = r->why;
        item->request_id = r->request_id;
        engine_post(e, item);
        c->to_server.read = c->to_server.bytes.size; /* nothing more is read */
        c->broken = true;
    }
}

static void read_some(struct conn *c, size_t size)
{
    struct server *v = c->sim->server;
    uint8_t *at;
    size_t room;
    while (size && c->link) {
        if (reader_room(&c->reader, &v->pool, &at, &room) != READER_ROOM)
            return;
        size_t some = size < room ? size : room;
        struct reader_result result;
        memcpy(at, pipe_peek(&c->to_server), some);
        pipe_take(&c->to_server, some);
        size -= some;
        reader_took(&c->reader, &v->pool, some, room, FRAME_BYTES_MAX, &result);
        post(c, &result);
        if (result.why)
            return;
    }
}

/* All that the client has sent was read. */
static void end_of_input(struct conn *c)
{
    struct sim *s = c->sim;
    bool greeted = c->reader.greeted;
    c->told_ended = true;
    s->figures.ends++;
    s->figures.ends_inside += reader_is_partial(&c->reader);
    reader_done(&c->reader, &s->server->pool);
    if (c->broken)
        return; /* closed when all is written */
    if (!greeted) {
        end(c, false);
        return;
    }
    model_ended(s, c->number);
    engine_post(s->server->engine, item_new(c, PORT_ENDED));
}

void conn_move_to_server(struct conn *c)
{
    if (!c->link)
        return;
    if (c->end_when_sent) {
        if (!pipe_size(&c->to_client))
            end(c, false);
        return;
    }
    if (!must_wait(c)) {
        read_some(c, part(c->sim, &c->to_server, c->sim->plan.fragment_max));
        if (c->ended && !c->told_ended && !pipe_size(&c->to_server))
            end_of_input(c);
    }
    if (!c->owner && !pipe_size(&c->to_server))
        end(c, false);
}

/* ---- to the client ---- */

void conn_take_output(struct conn *c, struct outbox_item *item, int64_t sent_us)
{
    if (item->ask_ms && c->link) { /* what is in the pipe has not reached the server */
        struct inbox_item *heard = item_new(c, PORT_CAUGHT_UP);
        heard->ask_ms = item->ask_ms;
        engine_post(c->sim->server->engine, heard);
    }
    if (item->ask != FLOW_ASK_NOTHING)
        c->ask = item->ask;
    if (item->close)
        c->end_when_sent = true;
    sim_trace(c->sim, item->bytes.data, item->bytes.size);
    model_sent(c->sim, c->number, item->bytes.data, item->bytes.size);
    c->sim->server->sent_bytes += item->bytes.size;
    if (!c->owner || !c->link) { /* nobody reads it any more */
        atomic_fetch_sub(&item->link->account.unsent_bytes, item->bytes.size);
        atomic_fetch_sub(&item->link->account.totals->waiting_bytes, item->bytes.size);
        return;
    }
    if (!pipe_size(&c->to_client))
        c->took_us = c->sim->mono_us;
    pipe_put(&c->to_client, item->bytes.data, item->bytes.size);
    c->written += item->bytes.size;
    if (!array_room(&c->marks, &c->marks_capacity, c->marks_count + 1))
        abort();
    c->marks[c->marks_count++] = (struct sent_mark){c->written, sent_us};
}

/* Some clients read nothing for long. */
static bool is_deaf(struct conn *c)
{
    struct sim *s = c->sim;
    if (!pipe_size(&c->to_client) || s->mono_us < c->to_client.stalled_until_us)
        return true;
    if (s->draining || dice_below(&s->dice, 1000) >= s->plan.deaf_percent)
        return false;
    s->figures.deaf++;
    c->to_client.stalled_until_us = s->mono_us + (int64_t)dice_from(&s->dice, 100000, 3000000);
    return true;
}

void conn_move_to_client(struct conn *c)
{
    struct sim *s = c->sim;
    size_t size = is_deaf(c) ? 0 : part(s, &c->to_client, s->plan.fragment_max * 2);
    if (size && c->link) {
        atomic_fetch_sub(&c->link->account.unsent_bytes, size);
        free_taken(c, c->taken + size);
        c->took_us = s->mono_us;
    }
    if (s->server->engine && c->link && c->ask != FLOW_ASK_NOTHING && is_back(c)) {
        c->ask = FLOW_ASK_NOTHING;
        engine_post(s->server->engine, item_new(c, PORT_DRAINED));
    }
    if (size && c->owner) {
        uint8_t *copy = malloc(size); /* the owner may break the connection meanwhile */
        if (!copy)
            abort();
        memcpy(copy, pipe_peek(&c->to_client), size);
        pipe_take(&c->to_client, size);
        c->owner->ops->received(c->owner, copy, size);
        free(copy);
    }
    if (!c->link && !pipe_size(&c->to_client))
        tell_owner(c);
}

/* ---- all together ---- */

void conn_thin_out(struct sim *s)
{
    struct flow_limits limits = limits_in(s);
    struct conn *found = NULL;
    if (atomic_load(&s->server->totals.waiting_bytes) < flow_mark(&limits))
        return;
    for (unsigned i = 0; i < s->conns_count; i++) {
        struct conn *c = s->conns[i];
        if (c->link && pipe_size(&c->to_client) && (!found || c->took_us < found->took_us))
            found = c;
    }
    if (!found || s->mono_us - found->took_us < PATIENCE_US)
        return;
    s->figures.thinned++;
    found->to_client.bytes.size = found->to_client.read;
    end(found, true);
}
