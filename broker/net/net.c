/* net: the life of the sockets together, the pump from the engine's outbox, and the tick. */
#include "broker/net/net.h"

#include "broker/net/conn.h"
#include "proto/errors.h"
#include <stdlib.h>
#include <sys/random.h>

#define TICK_MS_DRAINING 5
#define TICK_MS_TIGHT    50
#define LATE_MS          10 /* of a round: this thread did something else, such as a turn of the engine */

static void on_notify(uv_async_t *async);
static void on_tick(uv_timer_t *timer);
static void on_round(uv_prepare_t *prepare);
static void on_read_all(uv_check_t *check);
static void engine_has_run(struct net *n);
static void on_handle_closed(uv_handle_t *handle);
static int give_up(struct net *n);
static void start_tick(struct net *n);
static void pump(struct net *n);
static void look_at_sum(struct net *n);
static void tell_of_room(struct net *n);
static void look_at_unread(struct net *n);
static void room_came(struct net *n);

int net_new(const struct net_config *config, struct net **ret)
{
    struct net *n = calloc(1, sizeof *n);
    uint64_t seed = 0;
    if (!n)
        return SHUNT_NO_MEMORY;
    n->magic = NET_MAGIC;
    n->config = *config;
    n->next_id = 1;
    n->pool.held_bytes_max = config->limits.partial_bytes_max;
    ring_init(&n->conns);
    ring_init(&n->resting);
    ring_init(&n->no_room);
    ring_init(&n->unread);
    ring_init(&n->handshakes);
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
        seed = 0; /* the table works with any */
    quota_table_init(&n->addresses, seed);
    n->async.data = n->tick.data = n->prepare.data = n->check.data = n;
    if (listener_init(n) != 0)
        return give_up(n);
    (void)uv_timer_init(config->loop, &n->tick); /* always 0, as those of the next two */
    (void)uv_prepare_init(config->loop, &n->prepare);
    (void)uv_prepare_start(&n->prepare, on_round);
    (void)uv_check_init(config->loop, &n->check);
    (void)uv_check_start(&n->check, on_read_all);
    n->handles += 3;
    if (uv_async_init(config->loop, &n->async, on_notify) != 0) {
        uv_close((uv_handle_t *)&n->tick, on_handle_closed);
        uv_close((uv_handle_t *)&n->prepare, on_handle_closed);
        uv_close((uv_handle_t *)&n->check, on_handle_closed);
        return give_up(n);
    }
    n->handles++;
    start_tick(n);
    *ret = n;
    return 0;
}

/* It could not be made. The loop frees it when it has called back the handles that were opened. */
static int give_up(struct net *n)
{
    listener_leave(n);
    n->freeing = true;
    listener_close(n);
    if (n->handles == 0)
        free(n);
    return SHUNT_IO;
}

int net_start(struct net *n)
{
    return listener_start(n);
}

void net_notify(struct net *n)
{
    check(n->magic == NET_MAGIC);
    (void)uv_async_send(&n->async); /* fails only on a closing handle */
}

void net_limits_set(struct net *n, const struct net_limits *limits)
{
    check(n->magic == NET_MAGIC);
    bool counts = n->config.limits.address_connections_max != 0;
    n->config.limits = *limits;
    if (!counts && limits->address_connections_max)
        conn_enter_all(n);
    n->pool.held_bytes_max = limits->partial_bytes_max;
    n->pool.freed = true; /* there may be more room now, everywhere */
    net_goes_on_below(&n->config.totals->net_goes_on, SIZE_MAX);
    start_tick(n);
}

void net_tls_set(struct net *n, struct tls_context *tls)
{
    check(n->magic == NET_MAGIC && n->config.tls && tls);
    n->config.tls = tls;
}

void net_stop_accepting(struct net *n)
{
    check(n->magic == NET_MAGIC);
    listener_empty(n); /* who was let wait is told of the stop, too */
    listener_stop(n);
}

void net_drain(struct net *n, int64_t ms_max, void (*done)(void *context), void *context)
{
    check(n->magic == NET_MAGIC && !n->drained);
    n->drain_until_ms = net_now_ms(n) + ms_max;
    n->drained = done;
    n->drained_context = context;
    n->detached = true;
    door_let_in(n);
    pump(n);
    for (struct ring *at = n->conns.next; at != &n->conns; at = at->next)
        conn_end(ring_of(at, struct conn, all), 0, 0, NULL);
    start_tick(n);
    net_drain_step(n);
}

void net_free(struct net *n)
{
    if (!n)
        return;
    check(n->magic == NET_MAGIC && !n->freeing);
    n->detached = true;
    n->freeing = true;
    door_let_in(n);
    for (struct ring *at = n->conns.next; at != &n->conns; at = at->next)
        conn_close(ring_of(at, struct conn, all));
    listener_close(n);
    uv_close((uv_handle_t *)&n->async, on_handle_closed);
    uv_close((uv_handle_t *)&n->tick, on_handle_closed);
    uv_close((uv_handle_t *)&n->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&n->check, on_handle_closed);
}

uint64_t net_connections(const struct net *n)
{
    return n->count;
}

static void on_notify(uv_async_t *async)
{
    struct net *n = net_of(async->data);
    door_let_in(n);
    engine_has_run(n);
}

/* There may be something to send, and room for what is read. */
static void engine_has_run(struct net *n)
{
    if (n->detached)
        return;
    pump(n);
    room_came(n);
}

/* Queue all that the engine has on its connections first, then write each connection once. */
static void pump(struct net *n)
{
    struct ring dirty;
    ring_init(&dirty);
    struct outbox_item *item = n->config.port.take(n->config.port.context);
    while (item) {
        struct outbox_item *next = item->next;
        struct conn *c = item->link->conn;
        if (!c) {
            outbox_item_drop(item);
        } else {
            conn_send(conn_of(c), item);
            if (!ring_linked(&c->dirty))
                ring_append(&dirty, &c->dirty);
        }
        item = next;
    }
    while (!ring_empty(&dirty)) {
        struct conn *c = ring_of(dirty.next, struct conn, dirty);
        ring_remove(&c->dirty);
        conn_flush(c);
        conn_look_unread(c); /* if the engine asked about it */
    }
    look_at_sum(n);
}

/* From half of what may wait on, clients that read nothing may have to go soon. */
static void look_at_sum(struct net *n)
{
    uint64_t most = n->config.limits.unsent_total_max;
    bool tight = most > 0 && net_waiting(n) > most / 2;
    if (tight == n->tight)
        return;
    n->tight = tight;
    start_tick(n);
}

/* The engine stopped assigning; now there is room again. */
static void tell_of_room(struct net *n)
{
    if (n->detached || !flow_room_came(n->config.totals, n->config.limits.unsent_total_max))
        return;
    struct inbox_item *item = calloc(1, sizeof *item);
    if (!item) {
        atomic_store(&n->config.totals->room_wanted, true); /* the next round tries again */
        return;
    }
    item->kind = PORT_ROOM;
    net_post(n, item);
}

/* Look at those who wait for others' bytes to go, if by the sums one of them may go on. What the sums do
 * meanwhile, as the engine lowers them too, is looked at again. */
static void look_at_unread(struct net *n)
{
    while (flow_unread_go_on(n->config.totals)) {
        atomic_store(&n->config.totals->net_goes_on, 0);
        atomic_store(&n->config.totals->net_goes_on_unsent, 0);
        for (struct ring *at = n->unread.next, *next; at != &n->unread; at = next) {
            next = at->next;
            conn_look_unread(ring_of(at, struct conn, wait));
        }
    }
}

/* In the inbox, or in memory: those who waited for it are looked at in the next round. */
static void room_came(struct net *n)
{
    while (!ring_empty(&n->no_room))
        conn_reading(ring_of(n->no_room.next, struct conn, turn), READING_RESTS);
}

/* A round of the loop begins: all that happened in the last one is known, and nothing has been read yet. */
static void on_round(uv_prepare_t *prepare)
{
    struct net *n = net_of(prepare->data);
    n->round++;
    n->reading = true;
    n->late = net_now_ms(n) - n->read_all_ms >= LATE_MS;
    if (n->pool.freed) {
        n->pool.freed = false;
        room_came(n);
    }
    tell_of_room(n);
    look_at_unread(n);
    while (!ring_empty(&n->resting)) {
        conn_read_on(ring_of(n->resting.next, struct conn, turn));
        if (ring_empty(&n->resting))
            look_at_unread(n);
    }
    look_at_sum(n);
}

/* All that had come has been posted, and the loop is about to sleep. */
static void on_read_all(uv_check_t *check)
{
    struct net *n = net_of(check->data);
    bool soon = n->soon && !n->detached;
    n->reading = n->soon = false;
    n->read_all_ms = net_now_ms(n);
    if (soon && n->config.port.serve(n->config.port.context))
        engine_has_run(n);
}

static void on_tick(uv_timer_t *timer)
{
    struct net *n = net_of(timer->data);
    int64_t now_ms = net_now_ms(n);
    /* A tick that is late means that this process did not run: what peers sent meanwhile has not been read
     * yet, so nobody is too slow. */
    bool late = now_ms - n->tick_ms > 2 * net_tick_ms(&n->config.limits);
    n->tick_ms = now_ms;
    if (late)
        return;
    for (struct ring *at = n->conns.next; at != &n->conns; at = at->next) {
        struct conn *c = ring_of(at, struct conn, all);
        if (n->drain_until_ms > 0 && now_ms >= n->drain_until_ms)
            conn_close(c);
        else
            conn_tick(c, now_ms);
    }
    evict(n, now_ms);
}

static void start_tick(struct net *n)
{
    n->tick_ms = net_now_ms(n);
    uint64_t ms = (uint64_t)net_tick_ms(&n->config.limits);
    if (n->tight && ms > TICK_MS_TIGHT)
        ms = TICK_MS_TIGHT;
    if (n->drain_until_ms > 0)
        ms = TICK_MS_DRAINING;
    (void)uv_timer_start(&n->tick, on_tick, ms, ms); /* fails only on a closing handle */
}

static void on_handle_closed(uv_handle_t *handle)
{
    net_handle_closed(net_of(handle->data));
}
