/* conn_ask: the engine asks whether all was read that had reached a socket, as a lease is over and its answer
 * may lie there. */
#include "broker/net/conn.h"

#include <stdlib.h>
#include <sys/ioctl.h>

/* Bytes in the socket that were not read yet. */
static size_t unread(const struct conn *c)
{
    uv_os_fd_t fd;
    int size = 0;
    if (uv_fileno((const uv_handle_t *)&c->tcp, &fd) != 0 || ioctl(fd, FIONREAD, &size) != 0 || size < 0)
        return 0;
    return (size_t)size;
}

void conn_ask(struct conn *c, int64_t ask_ms)
{
    c->asked = true;
    c->ask_ms = ask_ms;
    c->ask_left = c->state == CONN_OPEN && !c->ended ? unread(c) : 0;
    conn_caught_up(c);
}

void conn_caught_up(struct conn *c)
{
    if (!c->asked || c->ask_left || !c->told_engine)
        return;
    struct inbox_item *item = calloc(1, sizeof *item);
    if (!item)
        return; /* the next tick tries again */
    c->asked = false;
    link_ref(c->link);
    *item = (struct inbox_item){.kind = PORT_CAUGHT_UP, .link = c->link, .ask_ms = c->ask_ms};
    net_post(c->net, item);
}
