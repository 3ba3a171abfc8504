/* conn: making a connection. */
#include "broker/net/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct conn *conn_new(struct net *n, int fd, const char *peer, bool tls)
{
    struct conn *c = calloc(1, sizeof *c);
    struct inbox_item *lost = calloc(1, sizeof *lost);
    struct link *link = link_new(n->next_id, n->config.totals);
    struct tls_stream *stream = tls ? calloc(1, sizeof *stream) : NULL;
    if (!c || !lost || !link || (tls && !stream) || uv_tcp_init(n->config.loop, &c->tcp) != 0) {
        if (link)
            link_unref(link);
        free(stream);
        free(lost);
        free(c);
        (void)close(fd); /* nothing was sent through it */
        return NULL;
    }
    n->next_id++;
    c->magic = CONN_MAGIC;
    c->net = n;
    c->hung_up = conn_hung_up;
    c->link = link;
    c->lost = lost;
    c->tls = stream;
    c->tcp.data = c;
    link->conn = c;
    (void)snprintf(link->peer, sizeof link->peer, "%s", peer);
    c->since_ms = net_now_ms(n);
    ring_init(&c->turn);
    ring_init(&c->wait);
    ring_init(&c->dirty);
    ring_init(&c->shakes);
    ring_append(&n->conns, &c->all);
    ring_append(&n->resting, &c->turn);
    n->count++;
    atomic_fetch_add(&n->config.totals->sockets, 1);
    if (uv_tcp_open(&c->tcp, fd) != 0) {
        (void)close(fd); /* the handle did not take it */
        conn_close(c);
        return NULL;
    }
    conn_tune(n, fd);
    net_report(n, NET_OPENED, link->peer, "");
    conn_read_on(c);
    return c;
}
