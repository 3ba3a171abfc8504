/* choke: a client that does not read waits, with its requests, and nothing more is given to it. */
#include "broker/engine/engine_private.h"

#include <string.h>

/* A chunk this much larger than what is left of its item is not worth keeping. */
#define CHUNK_WASTE_BYTES_MAX 4096

struct port_room engine_room(const struct engine *e)
{
    return (struct port_room){.one_max = e->config.unsent_bytes_max, .all_max = e->config.unsent_total_max};
}

size_t engine_waiting(const struct engine *e)
{
    const struct port_totals *totals = e->config.totals;
    return (totals ? atomic_load(&totals->waiting_bytes) : 0) + e->out_bytes;
}

void session_count_output(struct session *s)
{
    s->engine->out_bytes += s->out.size - s->out_counted;
    s->out_counted = s->out.size;
}

bool session_is_choked(const struct session *s)
{
    struct port_room room = engine_room(s->engine);
    return port_room_is_over(&room, atomic_load(&s->link->unsent_bytes) + s->out.size,
                             engine_waiting(s->engine));
}

bool session_must_wait(const struct session *s, const struct request *request, size_t bytes)
{
    struct port_room room = engine_room(s->engine);
    if (s->lost) /* nobody reads, so nobody would say when there is room again */
        return false;
    if (session_is_choked(s))
        return true;
    if (engine_waiting(s->engine) < port_room_mark(&room))
        return false;
    return request && bytes > request->short_bytes_max;
}

void session_hold_back(struct session *s)
{
    /* The flag may stand from before a PORT_DRAINED that came only now, so it says nothing of the dispatcher.
     */
    atomic_store(&s->link->held_back, true);
    if (s->holder)
        dispatcher_hold(s->engine->dispatcher, s->holder, true);
}

/* Requests that wait for their client to read what it was sent count with that. They are no longer in the
 * inbox: a client that does not read must not keep others from being read. */
static void count_as_waiting(struct engine *e, struct inbox_item *item)
{
    atomic_fetch_sub(&e->inbox_bytes, item->counted_bytes);
    atomic_fetch_sub(&item->link->inbox_bytes, item->counted_bytes);
    item->counted_bytes = sizeof *item + (item->chunk ? item->chunk->capacity : 0);
    item->waits = true;
    atomic_fetch_add(&item->link->parked_bytes, item->counted_bytes);
    if (item->link->totals)
        atomic_fetch_add(&item->link->totals->waiting_bytes, item->counted_bytes);
}

static void count_in_inbox(struct engine *e, struct inbox_item *item)
{
    if (!item->waits)
        return;
    atomic_fetch_sub(&item->link->parked_bytes, item->counted_bytes);
    if (item->link->totals)
        atomic_fetch_sub(&item->link->totals->waiting_bytes, item->counted_bytes);
    item->waits = false;
    atomic_fetch_add(&e->inbox_bytes, item->counted_bytes);
    atomic_fetch_add(&item->link->inbox_bytes, item->counted_bytes);
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

void session_park(struct session *s, struct inbox_item *item)
{
    struct engine *e = s->engine;
    move_out(item);
    if (s->put_off || atomic_load(&s->link->unsent_bytes) + s->out.size > 0)
        count_as_waiting(e, item);
    item->next = NULL;
    *s->parked_tail = item;
    s->parked_tail = &item->next;
    if (!s->put_off)
        session_hold_back(s);
}

void session_unpark(struct session *s, struct inbox_item *item)
{
    count_in_inbox(s->engine, item);
}

void session_forget_parked(struct session *s)
{
    for (struct inbox_item *item = s->parked; item; item = item->next) {
        count_in_inbox(s->engine, item);
        atomic_fetch_sub(&s->engine->inbox_bytes, item->counted_bytes);
        atomic_fetch_sub(&item->link->inbox_bytes, item->counted_bytes);
    }
    inbox_free(s->parked);
    s->parked = NULL;
    s->parked_tail = &s->parked;
}

void session_go_on(struct session *s)
{
    struct engine *e = s->engine;
    if (s->holder && !s->closing)
        dispatcher_hold(e->dispatcher, s->holder, false);
    if (!s->parked || s->put_off)
        return;
    for (struct inbox_item *item = s->parked; item; item = item->next)
        count_in_inbox(e, item);
    *s->parked_tail = e->backlog;
    if (!e->backlog)
        e->backlog_tail = s->parked_tail;
    e->backlog = s->parked;
    s->parked = NULL;
    s->parked_tail = &s->parked;
}
