/* conn_end: the end of a connection, and what the engine is told. */
#include "broker/net/conn.h"

#include <stdlib.h>

static void leave_address(struct conn *c)
{
    if (!c->address)
        return;
    c->address->leaving -= c->crowds;
    quota_drop(&c->net->addresses, c->address, net_now_ms(c->net));
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *c = conn_of(handle->data);
    struct net *n = c->net;
    check(c->state == CONN_CLOSED && !ring_linked(&c->turn) && !ring_linked(&c->wait) &&
          !ring_linked(&c->dirty) && !ring_linked(&c->shakes) && !c->sending);
    ring_remove(&c->all);
    reader_done(&c->reader, &n->pool);
    writer_done(&c->writer);
    if (c->tls)
        tls_stream_done(c->tls);
    free(c->tls);
    link_unref(c->link);
    free(c->lost);
    leave_address(c);
    c->magic = 0;
    free(c);
    n->count--;
    atomic_fetch_sub(&n->config.totals->sockets, 1);
    net_conn_gone(n);
}

void conn_close(struct conn *c)
{
    check(c->magic == CONN_MAGIC);
    if (c->state == CONN_CLOSED)
        return;
    conn_post_lost(c);
    c->state = CONN_CLOSED;
    c->link->conn = NULL;
    c->ask = FLOW_ASK_NOTHING;
    ring_remove(&c->turn);
    ring_remove(&c->wait);
    conn_shaken(c);
    if (c->reading != READING_OVER)
        flow_reading_move(&c->reading, READING_OVER);
    net_report(c->net, NET_CLOSED, c->link->peer, "");
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

void conn_shaken(struct conn *c)
{
    if (!ring_linked(&c->shakes))
        return;
    ring_remove(&c->shakes);
    c->net->shaking--;
}

void conn_no_memory(struct conn *c, const char *text)
{
    net_report(c->net, NET_NO_MEMORY, c->link->peer, text);
    conn_not_its_fault(c);
    conn_close(c);
}

void conn_not_its_fault(struct conn *c)
{
    if (c->lost) /* else it was posted */
        c->lost->closed = true;
}

void conn_post_lost(struct conn *c)
{
    if (!c->told_engine)
        return;
    struct inbox_item *item = c->lost;
    check(item);
    c->lost = NULL;
    c->told_engine = false;
    link_ref(c->link);
    *item = (struct inbox_item){.kind = PORT_LOST, .link = c->link, .closed = item->closed};
    net_post(c->net, item);
}

bool conn_post(struct conn *c, const struct inbox_item *item)
{
    struct inbox_item *own = malloc(sizeof *own);
    if (!own) {
        conn_no_memory(c, "no memory to tell of it");
        return false;
    }
    *own = *item;
    own->link = c->link;
    link_ref(c->link);
    net_post(c->net, own);
    return true;
}
