/* conn_tick: what a connection may not do for ever. Looked at from time to time, so each limit may be passed
 * by one tick. */
#include "broker/net/conn.h"

#include "proto/errors.h"

/* How long a peer may take to read the last answer and close. */
#define LINGER_MS_MAX       5000
#define LINGER_DRAIN_MS_MAX 1000 /* when the server stops */

static bool frame_too_slow(const struct conn *c, int64_t now_ms);
static void end_late(struct conn *c, const char *why);

void conn_tick(struct conn *c, int64_t now_ms)
{
    const struct net_limits *limits = &c->net->config.limits;
    if (c->state == CONN_CLOSED)
        return;
    if (c->state == CONN_LINGERING) {
        if (now_ms - c->since_ms > (c->net->drain_until_ms > 0 ? LINGER_DRAIN_MS_MAX : LINGER_MS_MAX))
            conn_close(c);
        return;
    }
    if (c->write_pending) {
        size_t left = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
        if (left != c->write_left)
            c->write_since_ms = now_ms;
        c->write_left = left;
    }
    bool sends = c->write_pending || (!writer_is_empty(&c->writer) && !conn_is_shaking(c));
    if (sends && now_ms - c->write_since_ms > limits->write_ms) {
        net_report(c->net, NET_TIMED_OUT, c->link->peer, "the peer does not read what was sent to it");
        conn_not_its_fault(c);
        conn_close(c);
        return;
    }
    if (conn_is_shaking(c) && now_ms - c->since_ms > limits->hello_ms) {
        net_report(c->net, NET_TIMED_OUT, c->link->peer, "the handshake of TLS was not done in time");
        conn_not_its_fault(c);
        conn_close(c); /* nothing can be said to it */
        return;
    }
    if (c->state == CONN_GREETING && now_ms - c->since_ms > limits->hello_ms)
        end_late(c, "no HELLO came in time");
    else if (c->state == CONN_OPEN && frame_too_slow(c, now_ms))
        end_late(c, "the rest of a frame did not come in time");
}

/* Steady progress is enough, unless others wait for the memory: then the whole frame must have come in that
 * time. */
static bool frame_too_slow(const struct conn *c, int64_t now_ms)
{
    if (c->tls && c->reading == READING_ON && tls_stream_is_partial(c->tls) &&
        now_ms - c->record_since_ms > c->net->config.limits.frame_ms)
        return true;
    if (!reader_is_partial(&c->reader) || c->reading != READING_ON)
        return false;
    const struct net *n = c->net;
    bool wanted = n->memory_short_ms > 0 && now_ms - n->memory_short_ms <= 2 * net_tick_ms(&n->config.limits);
    return now_ms - (wanted ? c->frame_begun_ms : c->frame_since_ms) > n->config.limits.frame_ms;
}

static void end_late(struct conn *c, const char *why)
{
    net_report(c->net, NET_TIMED_OUT, c->link->peer, why);
    conn_not_its_fault(c);
    conn_end(c, SHUNT_PROTOCOL, 0, why);
}
