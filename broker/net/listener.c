/* listener: accepts, up to the limit on connections, and no faster than the limit on their rate, so that a
 * flood of them costs those who are connected little: the rest waits in the kernel's queue.
 *
 * Over the limit a peer is told TOO_MANY. Without file descriptors one peer is turned away with the spare
 * descriptor's place, then accepting rests for a while: the waiting peers stay in the kernel's queue, and
 * nothing spins.
 */
#include "broker/net/net_private.h"

#include "broker/net/address.h"
#include "broker/net/conn.h"
#include "proto/errors.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ACCEPTS_AT_ONCE 64
#define WINDOW_MS       10 /* in which connections are counted for the limit on their rate */
#define REST_MS         200
/* Connections past the limit that are being told so. Past these they are just closed. */
#define REFUSALS_MAX 64

static void on_readable(uv_poll_t *poll, int status, int events);
static void on_retry(uv_timer_t *timer);
static void on_closed(uv_handle_t *handle);
static uint64_t room_in_window(struct net *n);
static bool accept_one(struct net *n);
static void admit(struct net *n, int fd, const char *peer);
static void turn_away(struct net *n, int err);
static void rest(struct net *n, uint64_t ms);

int listener_init(struct net *n)
{
    struct listener *l = &n->listener;
    l->fd = n->config.listen_fd;
    l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (l->spare_fd < 0)
        return SHUNT_IO;
    if (uv_poll_init(n->config.loop, &l->poll, l->fd) != 0) {
        (void)close(l->spare_fd); /* only read from */
        l->spare_fd = -1;
        return SHUNT_IO;
    }
    (void)uv_timer_init(n->config.loop, &l->retry); /* always 0 */
    l->poll.data = l->retry.data = n;
    n->handles += 2;
    return 0;
}

int listener_start(struct net *n)
{
    return uv_poll_start(&n->listener.poll, UV_READABLE, on_readable) == 0 ? 0 : SHUNT_IO;
}

void listener_empty(struct net *n)
{
    for (int i = 0; i < ACCEPTS_AT_ONCE && n->listener.fd >= 0 && accept_one(n); i++)
        continue;
}

void listener_stop(struct net *n)
{
    struct listener *l = &n->listener;
    if (l->fd < 0)
        return;
    (void)uv_poll_stop(&l->poll);
    (void)uv_timer_stop(&l->retry);
    (void)close(l->fd); /* the kernel refuses the peers still in its queue */
    l->fd = -1;
}

void listener_close(struct net *n)
{
    struct listener *l = &n->listener;
    listener_stop(n);
    if (l->spare_fd >= 0)
        (void)close(l->spare_fd);
    l->spare_fd = -1;
    uv_close((uv_handle_t *)&l->poll, on_closed);
    uv_close((uv_handle_t *)&l->retry, on_closed);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)events; /* only UV_READABLE was asked for */
    struct net *n = net_of(poll->data);
    if (status < 0) {
        net_report(n, NET_ACCEPT_FAILED, "", uv_strerror(status));
        rest(n, REST_MS);
        return;
    }
    uint64_t most = room_in_window(n);
    for (int i = 0; i < ACCEPTS_AT_ONCE && n->listener.accepted < most; i++) {
        if (!accept_one(n))
            return;
        n->listener.accepted++;
    }
    if (n->listener.accepted >= most)
        rest(n, WINDOW_MS);
}

/* How many may be accepted in the present window. */
static uint64_t room_in_window(struct net *n)
{
    struct listener *l = &n->listener;
    uint64_t rate = n->config.limits.accepts_per_second;
    int64_t now_ms = net_now_ms(n);
    if (now_ms - l->window_ms >= WINDOW_MS) {
        l->window_ms = now_ms;
        l->accepted = 0;
    }
    if (!rate)
        return UINT64_MAX;
    return rate > 1000 / WINDOW_MS ? rate * WINDOW_MS / 1000 : 1;
}

/* True if there may be another. */
static bool accept_one(struct net *n)
{
    struct listener *l = &n->listener;
    struct sockaddr_storage from = {0};
    socklen_t from_len = sizeof from;
    int fd = accept4(l->fd, (struct sockaddr *)&from, &from_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        char peer[ADDRESS_TEXT_BYTES_MAX];
        admit(n, fd, address_format(peer, &from));
        return true;
    }
    if (errno == EAGAIN)
        return false;
    if (errno == ECONNABORTED || errno == EINTR)
        return true;
    if (errno == EMFILE || errno == ENFILE) {
        turn_away(n, errno);
    } else {
        net_report(n, NET_ACCEPT_FAILED, "", strerror(errno));
        rest(n, REST_MS);
    }
    return false;
}

static void admit(struct net *n, int fd, const char *peer)
{
    uint64_t max = n->config.limits.connections_max;
    if (n->count >= max + REFUSALS_MAX) {
        (void)close(fd); /* nothing was sent through it */
        net_report(n, NET_REFUSED, peer, "the limit on connections is reached");
        return;
    }
    bool refuse = n->count >= max;
    struct conn *c = conn_new(n, fd, peer, n->config.tls != NULL);
    if (!c) {
        net_report(n, NET_NO_MEMORY, peer, "no memory for a connection");
        return;
    }
    if (refuse) {
        net_report(n, NET_REFUSED, peer, "the limit on connections is reached");
        conn_end(c, SHUNT_TOO_MANY, 0, "the limit on connections is reached");
    }
}

static void turn_away(struct net *n, int err)
{
    struct listener *l = &n->listener;
    if (l->spare_fd >= 0) {
        (void)close(l->spare_fd); /* only read from */
        int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        struct outbox_item *item =
            n->config.tls ? NULL
                          : conn_error_item(SHUNT_TOO_MANY, 0, "the server has no file descriptors left",
                                            n->config.limits.retry_after_ms);
        if (fd >= 0 && item) {
            (void)send(fd, item->bytes.data, item->bytes.size,
                       MSG_NOSIGNAL); /* a courtesy: the close says it too */
        }
        if (item)
            outbox_item_drop(item);
        if (fd >= 0)
            (void)close(fd); /* as above */
    }
    l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    net_report(n, NET_NO_DESCRIPTORS, "", strerror(err));
    rest(n, REST_MS);
}

static void rest(struct net *n, uint64_t ms)
{
    (void)uv_poll_stop(&n->listener.poll);
    (void)uv_timer_start(&n->listener.retry, on_retry, ms, 0); /* fails only on a closing handle */
}

static void on_retry(uv_timer_t *timer)
{
    struct net *n = net_of(timer->data);
    struct listener *l = &n->listener;
    if (l->spare_fd < 0)
        l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (l->fd >= 0 && listener_start(n) != 0)
        net_report(n, NET_ACCEPT_FAILED, "", "the loop does not take the listening socket");
}

static void on_closed(uv_handle_t *handle)
{
    net_handle_closed(net_of(handle->data));
}
