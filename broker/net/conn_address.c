/* conn_address: connections are counted for the address that they come from, if there is a limit on that.
 *
 * Root and the server's user, over the Unix-domain socket, are not: there the server is repaired. */
#include "broker/net/conn.h"

#include "base/peer.h"
#include "proto/errors.h"

static const char refused_text[] = "this address has as many connections as it may (address-connections)";

static bool hold(struct conn *c)
{
    char key[PEER_NETWORK_BYTES];
    struct slice peer = slice_of(c->link->peer);
    if (!c->address) {
        c->address =
            quota_hold(&c->net->addresses, (struct slice){key, peer_network(peer, key)}, net_now_ms(c->net));
    }
    return c->address != NULL;
}

bool conn_enter(struct conn *c)
{
    struct net *n = c->net;
    uint64_t most = n->config.limits.address_connections_max;
    if (!most || c->link->local)
        return true;
    if (!hold(c)) {
        conn_no_memory(c, "no memory to count it for its address");
        return false;
    }
    struct quota *q = c->address;
    if (q->connections - q->leaving <= most)
        return true;
    atomic_fetch_add(&n->config.totals->crowded, 1);
    net_report(n, NET_REFUSED, c->link->peer, refused_text);
    c->crowds = true;
    q->leaving++;
    if (q->leaving > NET_ADDRESS_REFUSALS_MAX)
        conn_close(c);
    else
        conn_end(c, SHUNT_TOO_MANY, 0, refused_text);
    return false;
}

void conn_enter_all(struct net *n)
{
    for (struct ring *at = n->conns.next; at != &n->conns; at = at->next) {
        struct conn *c = ring_of(at, struct conn, all);
        if (c->state != CONN_CLOSED && !c->link->local)
            (void)hold(c); /* without memory it is one less */
    }
}
