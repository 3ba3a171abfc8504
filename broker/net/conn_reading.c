/* conn_reading: whether a connection's socket is read, and what ends each wait. The machine is READING in
 * broker/flow/flow.h.
 *
 *     waits in     what ends it                                                       who looks
 *     RESTS        the next round of the loop                                         net_round()
 *     UNREAD       its own bytes were written                                         conn_output.c
 *                  others' were, or the engine took requests out of the sum           net_round()
 *     NO_ROOM      the inbox has room again                                           net_notify()
 *                  somebody's frame is whole, and its memory free                     net_round()
 *
 * In one round of the loop no more than NET_ROUND_BYTES_MAX is read of one connection. libuv reads on as long
 * as something comes, so one that sends without end would keep all others from being read.
 */
#include "broker/net/conn.h"

void conn_reading(struct conn *c, enum flow_reading to)
{
    if (c->reading == READING_ON)
        (void)uv_read_stop((uv_stream_t *)&c->tcp); /* always 0 */
    flow_reading_move(&c->reading, to);
    ring_remove(&c->turn);
    c->late |= to == READING_NO_ROOM || to == READING_UNREAD;
    if (to == READING_RESTS)
        ring_append(&c->net->resting, &c->turn);
    else if (to == READING_NO_ROOM)
        ring_append(&c->net->no_room, &c->turn);
    else if (to == READING_UNREAD)
        conn_look_unread(c);
}

size_t conn_left_in_round(struct conn *c)
{
    if (c->round != c->net->round) {
        c->round = c->net->round;
        c->round_bytes = 0;
    }
    return NET_ROUND_BYTES_MAX - c->round_bytes;
}

/* What more lies in its socket wakes the next round. */
void conn_read_in_round(struct conn *c, size_t size)
{
    if (conn_left_in_round(c) > size) {
        c->round_bytes += size;
        return;
    }
    c->round_bytes = NET_ROUND_BYTES_MAX;
    conn_reading(c, READING_RESTS);
}

bool conn_is_unread(const struct conn *c)
{
    struct flow_limits limits = net_flow_limits(c->net);
    size_t own = atomic_load(&c->link->account.unsent_bytes);
    return c->ask != FLOW_ASK_NOTHING || flow_is_over(&limits, own, net_waiting(c->net));
}

void conn_look_unread(struct conn *c)
{
    struct net *n = c->net;
    struct flow_limits limits = net_flow_limits(n);
    size_t own = atomic_load(&c->link->account.unsent_bytes);
    size_t below = flow_goes_on_below(&limits, own);
    size_t unsent_below = c->ask == FLOW_ASK_LONG ? flow_mark(&limits) : SIZE_MAX;
    bool waits = net_waiting(n) >= below;
    if (c->state == CONN_CLOSED || (c->reading != READING_UNREAD && c->ask == FLOW_ASK_NOTHING))
        return;
    if (waits || flow_unsent_sum(n->config.totals) >= unsent_below) {
        if (!ring_linked(&c->wait))
            ring_append(&n->unread, &c->wait);
        if (waits)
            net_goes_on_below(&n->config.totals->net_goes_on, below);
        else
            net_goes_on_below(&n->config.totals->net_goes_on_unsent, unsent_below);
        return;
    }
    bool asked = c->ask != FLOW_ASK_NOTHING;
    c->ask = FLOW_ASK_NOTHING;
    ring_remove(&c->wait);
    if (c->reading == READING_UNREAD)
        conn_reading(c, READING_RESTS);
    if (asked && c->told_engine)
        (void)conn_post(c, &(struct inbox_item){.kind = PORT_DRAINED}); /* or it is closed */
}
