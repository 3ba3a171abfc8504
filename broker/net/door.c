/* door: connections that this process makes to itself. Threads without a lock put one end of a pair of sockets on a list; the
 * loop's thread takes the whole list. */
#include "broker/net/conn.h"

#include "base/clock.h"
#include "tls/peer_names.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct visitor {
    struct visitor *next;
    int fd;
    int64_t since_ms;
    char peer[64];
    char *names; /* as in port.h; given to the link */
};

static void free_visitor(struct visitor *v)
{
    if (v)
        free(v->names);
    free(v);
}

int net_connect(struct net *n, const char *peer, const char *names)
{
    int ends[2];
    bool no_memory = false;
    check(n->magic == NET_MAGIC);
    struct visitor *v = calloc(1, sizeof *v);
    if (v)
        v->names = tls_names_copy(names, &no_memory);
    if (!v || no_memory || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
        free_visitor(v);
        return -1;
    }
    v->fd = ends[0];
    v->since_ms = clock_mono_ms();
    (void)snprintf(v->peer, sizeof v->peer, "%s", peer);
    v->next = atomic_load(&n->visitors);
    while (!atomic_compare_exchange_weak(&n->visitors, &v->next, v))
        continue;
    (void)uv_async_send(&n->async); /* fails only on a closing handle */
    return ends[1];
}

static void let_in(struct net *n, struct visitor *v)
{
    struct conn *c = conn_new(n, v->fd, v->peer, false);
    if (!c) {
        net_report(n, NET_NO_MEMORY, v->peer, "no memory for a connection");
        return;
    }
    c->link->own = true;
    c->link->names = v->names;
    v->names = NULL;
    c->door_ms = v->since_ms;
    (void)conn_enter(c); /* who is refused is told, or its end is */
}

void door_let_in(struct net *n)
{
    struct visitor *v = atomic_exchange(&n->visitors, NULL);
    while (v) {
        struct visitor *next = v->next;
        if (n->detached)
            (void)close(v->fd); /* the other end sees it: nobody will answer */
        else
            let_in(n, v);
        free_visitor(v);
        v = next;
    }
}
