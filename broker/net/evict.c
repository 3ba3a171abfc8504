/* evict: when more waits to be sent than may, those go who have taken nothing for longest.
 *
 * The engine gives nothing to anybody while the sum of what waits is past its limit, so somebody must go if
 * no peer reads. Peers that do read are not touched: their bytes go by themselves.
 */
#include "broker/net/conn.h"

#define CLOSED_AT_ONCE 64 /* in one tick */

static struct conn *longest_unread(struct net *n);
static size_t weight(const struct conn *c);

void evict(struct net *n, int64_t now_ms)
{
    const struct net_limits *limits = &n->config.limits;
    int64_t patience_ms = limits->write_ms < NET_STALLED_MS ? limits->write_ms : NET_STALLED_MS;
    struct flow_limits bounds = net_flow_limits(n);
    size_t waiting = net_waiting(n), mark = flow_mark(&bounds);
    for (int i = 0; i < CLOSED_AT_ONCE; i++) {
        if (waiting < mark)
            return;
        struct conn *c = longest_unread(n);
        if (!c || now_ms - c->write_since_ms < patience_ms)
            return;
        size_t gone = weight(c); /* freed when libuv, and the engine, have let go of it */
        waiting -= gone < waiting ? gone : waiting;
        net_report(n, NET_EVICTED, c->link->peer,
                   "three quarters of unsent-bytes-total are waiting, and of all clients this one has taken "
                   "nothing for longest");
        conn_not_its_fault(c);
        conn_close(c);
    }
}

/* The open connection whose peer has taken nothing for longest; of several the one with most to take. */
static struct conn *longest_unread(struct net *n)
{
    struct conn *found = NULL;
    for (struct ring *at = n->conns.next; at != &n->conns; at = at->next) {
        struct conn *c = ring_of(at, struct conn, all);
        if (c->state == CONN_CLOSED || writer_is_empty(&c->writer))
            continue;
        if (!found || c->write_since_ms < found->write_since_ms ||
            (c->write_since_ms == found->write_since_ms && weight(c) > weight(found)))
            found = c;
    }
    return found;
}

static size_t weight(const struct conn *c)
{
    return writer_held(&c->writer) + atomic_load(&c->link->account.held_bytes);
}
