/* conn_ask: what the kernel knows of bytes in a socket. The engine asks whether all was read that had reached it, as a lease is over and
 * its answer may lie there; and it is told when requests had come, because their callers do not wait for ever. */
#include "broker/net/conn.h"

#include "base/clock.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define KERNEL_TICK_MS_MAX 10 /* ages of what came are as exact as that */

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

/* How long ago the newest bytes came to the socket; 0 if the kernel does not say, as of one that is not TCP. */
static int64_t newest_age_ms(const struct conn *c)
{
    uv_os_fd_t fd;
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (uv_fileno((const uv_handle_t *)&c->tcp, &fd) != 0 ||
        getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return 0;
    int64_t age_ms = info.tcpi_last_data_recv;
    return age_ms > KERNEL_TICK_MS_MAX ? age_ms - KERNEL_TICK_MS_MAX : 0;
}

int64_t conn_received_ms(struct conn *c)
{
    int64_t now_ms = clock_mono_ms();
    if (c->door_ms)
        return c->door_ms;
    bool late = c->late || c->net->late;
    c->late = false;
    return late ? now_ms - newest_age_ms(c) : now_ms;
}
