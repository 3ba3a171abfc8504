/* conn_ask: the engine asks whether all was read that had reached a socket, as a lease is over and its answer
 * may lie there. */
#include "broker/net/conn.h"

#include <sys/ioctl.h>

/* Bytes in the socket that were not read yet, or not decrypted. */
static size_t unread(const struct conn *c)
{
    uv_os_fd_t fd;
    int size = 0;
    if (uv_fileno((const uv_handle_t *)&c->tcp, &fd) != 0 || ioctl(fd, FIONREAD, &size) != 0 || size < 0)
        return 0;
    return (size_t)size + (c->tls ? tls_stream_left(c->tls) : 0);
}

void conn_ask(struct conn *c, int64_t ask_ms)
{
    c->ask_ms = ask_ms;
    c->ask_left = c->state == CONN_OPEN && c->reading != READING_OVER ? unread(c) : 0;
    conn_caught_up(c);
}

void conn_caught_up(struct conn *c)
{
    int64_t ask_ms = c->ask_ms;
    if (!ask_ms || c->ask_left || !c->told_engine || (c->tls && tls_stream_has_more(c->tls)))
        return;
    c->ask_ms = 0;
    (void)conn_post(c, &(struct inbox_item){.kind = PORT_CAUGHT_UP, .ask_ms = ask_ms}); /* or it is closed */
}
