/* net: the life of the sockets together, the pump from the engine's outbox, and the tick. */
#include "broker/net/net.h"

#include "broker/net/conn.h"
#include "proto/errors.h"
#include <assert.h>
#include <stdlib.h>

#define TICK_MS_MAX     1000
#define TICK_MS_MIN     5
#define TICK_MS_CROWDED 50

static void on_notify(uv_async_t *async);
static void on_tick(uv_timer_t *timer);
static void on_round(uv_prepare_t *prepare);
static void on_handle_closed(uv_handle_t *handle);
static void start_tick(struct net *n);
static void pump(struct net *n);
static void look_at_crowd(struct net *n);
static void tell_of_room(struct net *n);
static void resume_stalled(struct net *n);
static void drain_step(struct net *n);
static void finish(struct net *n);

int net_new(const struct net_config *config, struct net **ret)
{
    struct net *n = calloc(1, sizeof *n);
    if (!n)
        return SHUNT_NO_MEMORY;
    n->config = *config;
    n->next_id = 1;
    n->pool.held_bytes_max = config->limits.partial_bytes_max;
    n->async.data = n->tick.data = n->prepare.data = n;
    if (listener_init(n) != 0) {
        free(n);
        return SHUNT_IO;
    }
    (void)uv_timer_init(config->loop, &n->tick); /* always 0, as the next two */
    (void)uv_prepare_init(config->loop, &n->prepare);
    (void)uv_prepare_start(&n->prepare, on_round);
    n->handles += 2;
    if (uv_async_init(config->loop, &n->async, on_notify) != 0) {
        n->listener.fd = -1; /* still the caller's */
        n->freeing = true;
        listener_close(n);
        uv_close((uv_handle_t *)&n->tick, on_handle_closed);
        uv_close((uv_handle_t *)&n->prepare, on_handle_closed);
        return SHUNT_IO;
    }
    n->handles++;
    start_tick(n);
    *ret = n;
    return 0;
}

int net_start(struct net *n)
{
    return listener_start(n);
}

void net_notify(struct net *n)
{
    (void)uv_async_send(&n->async); /* fails only on a closing handle */
}

void net_limits_set(struct net *n, const struct net_limits *limits)
{
    n->config.limits = *limits;
    n->pool.held_bytes_max = limits->partial_bytes_max;
    start_tick(n);
}

void net_stop_accepting(struct net *n)
{
    listener_empty(n); /* who was let wait is told of the stop, too */
    listener_stop(n);
}

void net_drain(struct net *n, int64_t ms_max, void (*done)(void *context), void *context)
{
    assert(!n->drained);
    n->drain_until_ms = net_now_ms(n) + ms_max;
    n->drained = done;
    n->drained_context = context;
    n->detached = true;
    pump(n);
    for (struct conn *c = n->conns; c; c = c->next)
        conn_end(c, 0, 0, NULL);
    start_tick(n);
    drain_step(n);
}

void net_free(struct net *n)
{
    if (!n)
        return;
    n->detached = true;
    n->freeing = true;
    for (struct conn *c = n->conns; c; c = c->next)
        conn_close(c);
    listener_close(n);
    uv_close((uv_handle_t *)&n->async, on_handle_closed);
    uv_close((uv_handle_t *)&n->tick, on_handle_closed);
    uv_close((uv_handle_t *)&n->prepare, on_handle_closed);
}

uint64_t net_connections(const struct net *n)
{
    return n->count;
}

int64_t net_tick_ms(const struct net_limits *limits)
{
    int64_t ms = limits->hello_ms;
    if (limits->frame_ms < ms)
        ms = limits->frame_ms;
    if (limits->write_ms < ms)
        ms = limits->write_ms;
    ms /= 4;
    if (ms < TICK_MS_MIN)
        return TICK_MS_MIN;
    return ms > TICK_MS_MAX ? TICK_MS_MAX : ms;
}

int64_t net_now_ms(const struct net *n)
{
    return (int64_t)uv_now(n->config.loop);
}

struct port_room net_room(const struct net *n)
{
    return (struct port_room){.one_max = n->config.limits.unsent_bytes_max,
                              .all_max = n->config.limits.unsent_total_max};
}

size_t net_waiting(const struct net *n)
{
    return atomic_load(&n->config.totals->waiting_bytes);
}

void net_report(struct net *n, enum net_event event, const char *peer, const char *text)
{
    n->config.report(n->config.context, event, peer, text);
}

void net_post(struct net *n, struct inbox_item *item)
{
    if (!n->detached) {
        n->config.port.post(n->config.port.context, item);
        return;
    }
    if (item->chunk)
        chunk_unref(item->chunk);
    if (item->link)
        link_unref(item->link);
    free(item);
}

void net_conn_gone(struct net *n)
{
    drain_step(n);
    finish(n);
}

void net_handle_closed(struct net *n)
{
    n->handles--;
    finish(n);
}

static void on_notify(uv_async_t *async)
{
    struct net *n = async->data;
    if (n->detached)
        return;
    pump(n);
    resume_stalled(n);
}

/* Queue all that the engine has on its connections first, then write each connection once. */
static void pump(struct net *n)
{
    struct conn *dirty = NULL;
    struct outbox_item *item = n->config.port.take(n->config.port.context);
    while (item) {
        struct outbox_item *next = item->next;
        struct conn *c = item->link->conn;
        if (!c) {
            outbox_item_drop(item);
        } else {
            conn_send(c, item);
            if (!c->dirty) {
                c->dirty = true;
                c->dirty_next = dirty;
                dirty = c;
            }
        }
        item = next;
    }
    while (dirty) {
        struct conn *c = dirty;
        dirty = c->dirty_next;
        c->dirty = false;
        conn_flush(c);
    }
    look_at_crowd(n);
}

/* From half of what may wait on, limits depend on others' bytes, whose going only the tick sees. */
static void look_at_crowd(struct net *n)
{
    uint64_t most = n->config.limits.unsent_total_max;
    bool crowded = most > 0 && net_waiting(n) > most / 2;
    if (crowded == n->crowded)
        return;
    n->crowded = crowded;
    start_tick(n);
}

/* The engine stopped handing out; now there is room again. */
static void tell_of_room(struct net *n)
{
    struct port_totals *totals = n->config.totals;
    uint64_t most = n->config.limits.unsent_total_max;
    if (n->detached || !atomic_load(&totals->wanted) || (most && net_waiting(n) >= most))
        return;
    struct inbox_item *item = calloc(1, sizeof *item);
    if (!item)
        return; /* the flag stays, so the next tick tries again */
    atomic_store(&totals->wanted, false);
    item->kind = PORT_DRAINED;
    net_post(n, item);
}

static void resume_stalled(struct net *n)
{
    struct conn *c = n->stalled;
    n->stalled = NULL;
    while (c) {
        struct conn *next = c->stalled_next;
        c->stalled = false;
        conn_resume(c); /* or it stalls again */
        c = next;
    }
}

static void on_round(uv_prepare_t *prepare)
{
    conn_next_round(prepare->data);
}

static void on_tick(uv_timer_t *timer)
{
    struct net *n = timer->data;
    int64_t now_ms = net_now_ms(n);
    /* A tick that is late means that this process did not run: what peers sent meanwhile has not been read
     * yet, so nobody is too slow. */
    bool late = now_ms - n->tick_ms > 2 * net_tick_ms(&n->config.limits);
    n->tick_ms = now_ms;
    if (late)
        return;
    for (struct conn *c = n->conns; c; c = c->next) {
        if (n->drain_until_ms > 0 && now_ms >= n->drain_until_ms)
            conn_close(c);
        else
            conn_tick(c, now_ms);
    }
    crowd_thin_out(n, now_ms);
    look_at_crowd(n);
    tell_of_room(n);
    if (!n->detached)
        resume_stalled(n);
}

static void start_tick(struct net *n)
{
    n->tick_ms = net_now_ms(n);
    uint64_t ms = (uint64_t)net_tick_ms(&n->config.limits);
    if (n->crowded && ms > TICK_MS_CROWDED)
        ms = TICK_MS_CROWDED;
    if (n->drain_until_ms > 0)
        ms = TICK_MS_MIN;
    (void)uv_timer_start(&n->tick, on_tick, ms, ms); /* fails only on a closing handle */
}

/* Say once that the last connection is closed. */
static void drain_step(struct net *n)
{
    if (!n->drained || n->count > 0)
        return;
    void (*done)(void *context) = n->drained;
    n->drained = NULL;
    done(n->drained_context);
}

static void on_handle_closed(uv_handle_t *handle)
{
    net_handle_closed(handle->data);
}

/* The object ends when the loop has let go of everything in it. */
static void finish(struct net *n)
{
    if (!n->freeing || n->handles > 0 || n->count > 0)
        return;
    reader_pool_done(&n->pool);
    free(n);
}
