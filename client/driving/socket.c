/* socket: getaddrinfo and connect, address by address; then TLS. Or a path of this machine. */
#include "client/driving/socket.h"

#include "base/check.h"
#include "client/wire/error.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A peer that went without a word is noticed after about this long. */
#define SILENCE_S 30
#define PROBE_S   5
#define PROBES    3

void socket_init(struct socket *s, const struct url_tls *tls)
{
    *s = (struct socket){.fd = -1, .tls = tls};
}

static void forget_addresses(struct socket *s)
{
    if (s->addresses)
        freeaddrinfo(s->addresses);
    s->addresses = s->next = NULL;
}

void socket_close(struct socket *s)
{
    if (s->fd >= 0)
        (void)close(s->fd); /* nothing unwritten is lost here that is not sent again */
    secure_free(s->secure);
    s->secure = NULL;
    forget_addresses(s);
    s->fd = -1;
    s->state = SOCKET_CLOSED;
}

static int failed(struct socket *s, const struct url *url, const char *why, struct shunt_error *err)
{
    socket_close(s);
    char where[URL_TEXT_BYTES];
    return error_set(err, SHUNT_UNREACHABLE, "cannot connect to %s: %s", url_text(where, url), why);
}

/* None of these is needed to work; a system that refuses one is slower or later to notice. */
static void tune(int fd)
{
    int yes = 1, idle = SILENCE_S, interval = PROBE_S, probes = PROBES;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

void socket_end(struct socket *s)
{
    if (s->secure && s->state == SOCKET_OPEN)
        secure_end(s->secure, s->fd);
}

/* Go on with the handshake of TLS. */
static int secure_on(struct socket *s, const struct url *url, struct shunt_error *err)
{
    enum secure_got got = secure_shake(s->secure, s->fd, err);
    if (got == SECURE_DONE)
        s->state = SOCKET_OPEN;
    if (got != SECURE_BROKEN)
        return 0;
    struct shunt_error why = *err;
    return failed(s, url, why.text, err);
}

/* TCP stands. */
static int connected(struct socket *s, const struct url *url, struct shunt_error *err)
{
    forget_addresses(s);
    s->state = SOCKET_OPEN;
    if (!s->tls->wanted)
        return 0;
    int rc = secure_new(s->tls, url->host, &s->secure, err);
    if (rc != 0) {
        socket_close(s);
        return rc;
    }
    s->state = SOCKET_SECURING;
    return secure_on(s, url, err);
}

/* Try addresses until one connects or is on its way. *error_no is the last failure. */
static bool try_next(struct socket *s, int *error_no)
{
    while (s->next) {
        const struct addrinfo *a = s->next;
        s->next = a->ai_next;
        s->fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
        if (s->fd < 0) {
            *error_no = errno;
            continue;
        }
        tune(s->fd);
        if (connect(s->fd, a->ai_addr, a->ai_addrlen) == 0) {
            s->state = SOCKET_OPEN;
            return true;
        }
        if (errno == EINPROGRESS || errno == EINTR) {
            s->state = SOCKET_CONNECTING;
            return true;
        }
        *error_no = errno;
        (void)close(s->fd); /* it never connected */
        s->fd = -1;
    }
    return false;
}

static int try_on(struct socket *s, const struct url *url, int error_no, struct shunt_error *err)
{
    if (!try_next(s, &error_no))
        return failed(s, url, strerror(error_no), err);
    return s->state == SOCKET_OPEN ? connected(s, url, err) : 0;
}

/* To a path of this machine. It is decided at once: the broker takes it, or its queue is full. */
static int connect_locally(struct socket *s, const struct url *url, struct shunt_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(url->host);
    check(size < sizeof address.sun_path);
    memcpy(address.sun_path, url->host, size + 1);
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        return failed(s, url, strerror(errno), err);
    if (connect(s->fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return failed(s, url, errno == EAGAIN ? "too many wait to be let in" : strerror(errno), err);
    s->state = SOCKET_OPEN;
    return 0;
}

int socket_connect(struct socket *s, const struct url *url, struct shunt_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    char port[8];
    (void)snprintf(port, sizeof port, "%u", (unsigned)url->port);
    check(s->state == SOCKET_CLOSED && s->fd < 0);
    if (url_is_local(url))
        return connect_locally(s, url, err);
    int rc = getaddrinfo(url->host, port, &hints, &s->addresses);
    if (rc == EAI_NONAME) {
        hints.ai_flags = AI_NUMERICSERV;
        rc = getaddrinfo(url->host, port, &hints, &s->addresses);
    }
    if (rc != 0) {
        s->addresses = NULL;
        return failed(s, url, gai_strerror(rc), err);
    }
    s->next = s->addresses;
    return try_on(s, url, 0, err);
}

int socket_continue(struct socket *s, const struct url *url, struct shunt_error *err)
{
    int error_no = 0;
    socklen_t size = sizeof error_no;
    if (s->state == SOCKET_SECURING)
        return secure_on(s, url, err);
    check(s->state == SOCKET_CONNECTING && s->fd >= 0);
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error_no, &size) != 0)
        error_no = errno;
    if (error_no == 0)
        return connected(s, url, err);
    (void)close(s->fd); /* it never connected */
    s->fd = -1;
    return try_on(s, url, error_no, err);
}

bool socket_wants_to_write(const struct socket *s)
{
    return s->state == SOCKET_CONNECTING || !socket_is_clear(s);
}

/* ---- bytes ---- */

static enum socket_got broken(const struct url *url, const char *what, const char *why,
                              struct shunt_error *err)
{
    char where[URL_TEXT_BYTES];
    error_set(err, SHUNT_UNREACHABLE, "%s %s: %s", what, url_text(where, url), why);
    return SOCKET_BROKEN;
}

/* What became of it, in the words of a socket. */
static enum socket_got secured(enum secure_got got, const struct url *url, const char *what,
                               struct shunt_error *err)
{
    if (got == SECURE_BROKEN) {
        struct shunt_error why = *err;
        return broken(url, what, why.text, err);
    }
    return got == SECURE_DONE ? SOCKET_GOT : got == SECURE_ENDED ? SOCKET_ENDED : SOCKET_NOTHING;
}

enum socket_got socket_read(struct socket *s, const struct url *url, void *to, size_t size, size_t *ret,
                            struct shunt_error *err)
{
    if (s->secure)
        return secured(secure_read(s->secure, s->fd, to, size, ret, err), url, "cannot read from", err);
    ssize_t got = recv(s->fd, to, size, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return SOCKET_NOTHING;
    if (got < 0)
        return broken(url, "cannot read from", strerror(errno), err);
    *ret = (size_t)got;
    return got > 0 ? SOCKET_GOT : SOCKET_ENDED;
}

enum socket_got socket_write(struct socket *s, const struct url *url, struct iovec *pieces, int count,
                             size_t *ret, struct shunt_error *err)
{
    *ret = 0;
    if (s->secure) {
        enum secure_got got = secure_write(s->secure, s->fd, pieces, count, ret, err);
        return got == SECURE_DONE && !socket_is_clear(s) ? SOCKET_NOTHING
                                                         : secured(got, url, "cannot write to", err);
    }
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += pieces[i].iov_len;
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
    ssize_t sent;
    do
        sent = sendmsg(s->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno != EAGAIN)
        return broken(url, "cannot write to", strerror(errno), err);
    *ret = sent > 0 ? (size_t)sent : 0;
    return *ret < size ? SOCKET_NOTHING : SOCKET_GOT;
}
