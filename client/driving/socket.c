/* socket: getaddrinfo and connect, address by address. */
#include "client/driving/socket.h"

#include "base/check.h"
#include "client/wire/error.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A peer that went without a word is noticed after about this long. */
#define SILENCE_S 30
#define PROBE_S   5
#define PROBES    3

void socket_init(struct socket *s)
{
    *s = (struct socket){.fd = -1};
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
    forget_addresses(s);
    s->fd = -1;
    s->state = SOCKET_CLOSED;
}

static int failed(struct socket *s, const struct url *url, const char *why, struct shunt_error *err)
{
    socket_close(s);
    return error_set(err, SHUNT_UNREACHABLE, "cannot connect to %.255s port %u: %s", url->host,
                     (unsigned)url->port, why);
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
            forget_addresses(s);
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

int socket_connect(struct socket *s, const struct url *url, struct shunt_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    char port[8];
    (void)snprintf(port, sizeof port, "%u", (unsigned)url->port);
    check(s->state == SOCKET_CLOSED && s->fd < 0);
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
    int error_no = 0;
    if (!try_next(s, &error_no))
        return failed(s, url, strerror(error_no), err);
    return 0;
}

int socket_continue(struct socket *s, const struct url *url, struct shunt_error *err)
{
    int error_no = 0;
    socklen_t size = sizeof error_no;
    check(s->state == SOCKET_CONNECTING && s->fd >= 0);
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error_no, &size) != 0)
        error_no = errno;
    if (error_no == 0) {
        s->state = SOCKET_OPEN;
        forget_addresses(s);
        return 0;
    }
    (void)close(s->fd); /* it never connected */
    s->fd = -1;
    if (!try_next(s, &error_no))
        return failed(s, url, strerror(error_no), err);
    return 0;
}
