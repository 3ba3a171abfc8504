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
#include "broker/net/unix_socket.h"
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
static int init(struct net *n, struct listener *l, int fd);
static int start(struct listener *l);
static uint64_t room_in_window(struct listener *l);
static bool accept_one(struct listener *l);
static bool turn_away(struct listener *l, int err);
static void admit(struct listener *l, int fd, const struct sockaddr_storage *from);
static void rest(struct listener *l, uint64_t ms);

static struct listener *listener_of(void *data)
{
    return magic_of(data, listener, LISTENER_MAGIC);
}

int listener_init(struct net *n)
{
    for (int i = 0; i < LISTENERS; i++) {
        n->listeners[i] = (struct listener){
            .magic = LISTENER_MAGIC, .net = n, .local = i == LISTENER_UNIX, .fd = -1, .spare_fd = -1};
    }
    int err = init(n, &n->listeners[LISTENER_TCP], n->config.listen_fd);
    if (!err && n->config.unix_fd >= 0)
        err = init(n, &n->listeners[LISTENER_UNIX], n->config.unix_fd);
    return err;
}

static int init(struct net *n, struct listener *l, int fd)
{
    l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (l->spare_fd < 0)
        return SHUNT_IO;
    if (uv_poll_init(n->config.loop, &l->poll, fd) != 0) {
        (void)close(l->spare_fd); /* only read from */
        l->spare_fd = -1;
        return SHUNT_IO;
    }
    (void)uv_timer_init(n->config.loop, &l->retry); /* always 0 */
    l->poll.data = l->retry.data = l;
    l->fd = fd;
    l->made = true;
    n->handles += 2;
    return 0;
}

int listener_start(struct net *n)
{
    int err = 0;
    for (int i = 0; i < LISTENERS && !err; i++) {
        if (n->listeners[i].fd >= 0)
            err = start(&n->listeners[i]);
    }
    return err;
}

static int start(struct listener *l)
{
    return uv_poll_start(&l->poll, UV_READABLE, on_readable) == 0 ? 0 : SHUNT_IO;
}

void listener_empty(struct net *n)
{
    for (int i = 0; i < LISTENERS; i++) {
        struct listener *l = &n->listeners[i];
        for (int times = 0; times < ACCEPTS_AT_ONCE && l->fd >= 0 && accept_one(l); times++)
            continue;
    }
}

void listener_stop(struct net *n)
{
    for (int i = 0; i < LISTENERS; i++) {
        struct listener *l = &n->listeners[i];
        if (l->fd < 0)
            continue;
        (void)uv_poll_stop(&l->poll);
        (void)uv_timer_stop(&l->retry);
        (void)close(l->fd); /* the kernel refuses the peers still in its queue */
        l->fd = -1;
    }
}

void listener_leave(struct net *n)
{
    for (int i = 0; i < LISTENERS; i++)
        n->listeners[i].fd = -1;
}

void listener_close(struct net *n)
{
    listener_stop(n);
    for (int i = 0; i < LISTENERS; i++) {
        struct listener *l = &n->listeners[i];
        if (l->spare_fd >= 0)
            (void)close(l->spare_fd);
        l->spare_fd = -1;
        if (!l->made)
            continue;
        uv_close((uv_handle_t *)&l->poll, on_closed);
        uv_close((uv_handle_t *)&l->retry, on_closed);
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)events; /* only UV_READABLE was asked for */
    struct listener *l = listener_of(poll->data);
    if (status < 0) {
        net_report(l->net, NET_ACCEPT_FAILED, "", uv_strerror(status));
        rest(l, REST_MS);
        return;
    }
    uint64_t most = room_in_window(l);
    for (int i = 0; i < ACCEPTS_AT_ONCE && l->accepted < most; i++) {
        if (!accept_one(l))
            return;
        l->accepted++;
    }
    if (l->accepted >= most)
        rest(l, WINDOW_MS);
}

/* How many may be accepted in the present window. */
static uint64_t room_in_window(struct listener *l)
{
    uint64_t rate = l->net->config.limits.accepts_per_second;
    int64_t now_ms = net_now_ms(l->net);
    if (now_ms - l->window_ms >= WINDOW_MS) {
        l->window_ms = now_ms;
        l->accepted = 0;
    }
    if (!rate)
        return UINT64_MAX;
    return rate > 1000 / WINDOW_MS ? rate * WINDOW_MS / 1000 : 1;
}

/* True if there may be another. */
static bool accept_one(struct listener *l)
{
    struct net *n = l->net;
    struct sockaddr_storage from = {0};
    socklen_t from_len = sizeof from;
    int fd = accept4(l->fd, (struct sockaddr *)&from, &from_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        admit(l, fd, &from);
        return true;
    }
    if (errno == EAGAIN)
        return false;
    if (errno == ECONNABORTED || errno == EINTR)
        return true;
    if (errno == EMFILE || errno == ENFILE)
        return turn_away(l, errno);
    net_report(n, NET_ACCEPT_FAILED, "", strerror(errno));
    rest(l, REST_MS);
    return false;
}

/* Its name in logs, and whether it is the local administrator: root, or the user that the server runs as. */
static bool look_at_peer(const struct listener *l, int fd, const struct sockaddr_storage *from,
                         char ret[ADDRESS_TEXT_BYTES_MAX])
{
    uid_t uid = 0;
    pid_t pid = 0;
    if (!l->local) {
        address_format(ret, from);
        return false;
    }
    bool known = unix_socket_peer(fd, &uid, &pid);
    if (known)
        (void)snprintf(ret, ADDRESS_TEXT_BYTES_MAX, "unix:uid=%lu,pid=%ld", (unsigned long)uid, (long)pid);
    else
        (void)snprintf(ret, ADDRESS_TEXT_BYTES_MAX, "unix:?");
    return known && (uid == 0 || uid == geteuid());
}

static void admit(struct listener *l, int fd, const struct sockaddr_storage *from)
{
    struct net *n = l->net;
    char peer[ADDRESS_TEXT_BYTES_MAX];
    bool local = look_at_peer(l, fd, from, peer);
    uint64_t max = n->config.limits.connections_max;
    if (n->count >= max + REFUSALS_MAX) {
        (void)close(fd); /* nothing was sent through it */
        net_report(n, NET_REFUSED, peer, "the limit on connections is reached");
        return;
    }
    bool refuse = n->count >= max;
    struct conn *c = conn_new(n, fd, peer, !l->local && n->config.tls);
    if (!c) {
        net_report(n, NET_NO_MEMORY, peer, "no memory for a connection");
        return;
    }
    c->link->local = local;
    if (refuse) {
        net_report(n, NET_REFUSED, peer, "the limit on connections is reached");
        conn_end(c, SHUNT_TOO_MANY, 0, "the limit on connections is reached");
    } else {
        (void)conn_enter(c);
    }
}

/* Returns false: there is no other for now. */
static bool turn_away(struct listener *l, int err)
{
    struct net *n = l->net;
    if (l->spare_fd >= 0) {
        (void)close(l->spare_fd); /* only read from */
        int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        bool plain = l->local || !n->config.tls;
        struct outbox_item *item =
            plain ? conn_error_item(SHUNT_TOO_MANY, 0, "the server has no file descriptors left",
                                    n->config.limits.retry_after_ms)
                  : NULL;
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
    rest(l, REST_MS);
    return false;
}

static void rest(struct listener *l, uint64_t ms)
{
    (void)uv_poll_stop(&l->poll);
    (void)uv_timer_start(&l->retry, on_retry, ms, 0); /* fails only on a closing handle */
}

static void on_retry(uv_timer_t *timer)
{
    struct listener *l = listener_of(timer->data);
    if (l->spare_fd < 0)
        l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (l->fd >= 0 && start(l) != 0)
        net_report(l->net, NET_ACCEPT_FAILED, "", "the loop does not take the listening socket");
}

static void on_closed(uv_handle_t *handle)
{
    net_handle_closed(listener_of(handle->data)->net);
}
