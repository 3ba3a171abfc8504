/* door: connections that this process makes to itself. Threads without a lock put one end of a pair of sockets on a list; the
 * loop's thread takes the whole list. */
#include "broker/net/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct visitor {
    struct visitor *next;
    int fd;
    char peer[64];
};

int net_connect(struct net *n, const char *peer)
{
    int ends[2];
    check(n->magic == NET_MAGIC);
    struct visitor *v = calloc(1, sizeof *v);
    if (!v || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
        free(v);
        return -1;
    }
    v->fd = ends[0];
    (void)snprintf(v->peer, sizeof v->peer, "%s", peer);
    v->next = atomic_load(&n->visitors);
    while (!atomic_compare_exchange_weak(&n->visitors, &v->next, v))
        continue;
    (void)uv_async_send(&n->async); /* fails only on a closing handle */
    return ends[1];
}

void door_let_in(struct net *n)
{
    struct visitor *v = atomic_exchange(&n->visitors, NULL);
    while (v) {
        struct visitor *next = v->next;
        if (n->detached)
            (void)close(v->fd); /* the other end sees it: nobody will answer */
        else if (!conn_new(n, v->fd, v->peer, false))
            net_report(n, NET_NO_MEMORY, v->peer, "no memory for a connection");
        free(v);
        v = next;
    }
}
