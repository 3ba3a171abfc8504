/* net_private: the services that all files of this folder use, and the end of the object. */
#include "broker/net/net_private.h"

#include <stdlib.h>

#define TICK_MS_MAX 1000
#define TICK_MS_MIN 5

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

struct flow_limits net_flow_limits(const struct net *n)
{
    return (struct flow_limits){.one_max = n->config.limits.unsent_bytes_max,
                                .all_max = n->config.limits.unsent_total_max};
}

size_t net_waiting(const struct net *n)
{
    return atomic_load(&n->config.totals->waiting_bytes);
}

void net_goes_on_below(_Atomic size_t *mark, size_t bytes)
{
    if (bytes > atomic_load(mark)) /* only this thread stores it */
        atomic_store(mark, bytes);
}

void net_report(struct net *n, enum net_event event, const char *peer, const char *text)
{
    n->config.report(n->config.context, event, peer, text);
}

void net_post(struct net *n, struct inbox_item *item)
{
    if (!n->detached) {
        item->soon = n->reading;
        n->soon |= n->reading;
        n->config.port.post(n->config.port.context, item);
        return;
    }
    if (item->chunk)
        chunk_unref(item->chunk);
    if (item->link)
        link_unref(item->link);
    free(item);
}

/* Say once that the last connection is closed. */
void net_drain_step(struct net *n)
{
    if (!n->drained || n->count > 0)
        return;
    void (*done)(void *context) = n->drained;
    n->drained = NULL;
    done(n->drained_context);
}

/* The object ends when the loop has let go of everything in it. */
static void finish(struct net *n)
{
    if (!n->freeing || n->handles > 0 || n->count > 0)
        return;
    reader_pool_done(&n->pool);
    free(n->tls_input);
    n->magic = 0;
    quota_table_done(&n->addresses);
    free(n);
}

void net_conn_gone(struct net *n)
{
    net_drain_step(n);
    finish(n);
}

void net_handle_closed(struct net *n)
{
    n->handles--;
    finish(n);
}
