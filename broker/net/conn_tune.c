/* conn_tune: what the kernel is asked to do for a client's socket. */
#include "broker/net/conn.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static int seconds(int64_t ms)
{
    return ms < 1000 ? 1 : (int)(ms / 1000);
}

/* A machine that has gone without a FIN is noticed: probes are sent once half of the time has passed in
 * silence, and what is not acknowledged in all of it ends the connection. That holds for a peer whose window
 * stays closed, too, so write-timeout, which says whose fault it is, must come first. A socket that refuses
 * these still works, only less well. */
void conn_tune(const struct net *n, int fd)
{
    const struct net_limits *limits = &n->config.limits;
    int64_t gone_ms =
        limits->peer_ms > limits->write_ms ? limits->peer_ms : limits->write_ms + 2 * net_tick_ms(limits);
    unsigned user_ms = (unsigned)gone_ms;
    int yes = 1, idle_s = seconds(gone_ms / 2), probe_s = seconds(gone_ms / 8);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &probe_s, sizeof probe_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_ms, sizeof user_ms);
}
