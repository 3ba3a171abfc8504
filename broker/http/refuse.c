/* refuse: see refuse.h. */
#include "broker/http/refuse.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES 4096

static void answer(int fd, unsigned served)
{
    char body[128], head[256];
    int body_bytes = snprintf(
        body, sizeof body, "too many HTTP connections: %u are being served, try again in a second\n", served);
    int head_bytes = snprintf(
        head, sizeof head,
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: %d\r\nRetry-After: 1\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
        body_bytes);
    struct iovec parts[] = {{head, (size_t)head_bytes}, {body, (size_t)body_bytes}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    (void)sendmsg(fd, &message,
                  MSG_NOSIGNAL | MSG_DONTWAIT); /* a new socket has room for it; or the peer has gone */
    (void)shutdown(fd, SHUT_WR);                /* as above */
}

static void forget(struct refused *r, unsigned index)
{
    (void)close(r->list[index].fd); /* what was to be said has left */
    r->count--;
    for (unsigned i = index; i < r->count; i++)
        r->list[i] = r->list[i + 1];
}

void refuse(struct refused *r, int fd, unsigned served, int64_t now_ms)
{
    answer(fd, served);
    if (r->count == REFUSED_MAX)
        forget(r, 0);
    r->list[r->count].fd = fd;
    r->list[r->count++].until_ms = now_ms + REFUSED_MS_MAX;
}

unsigned refused_poll(const struct refused *r, struct pollfd *fds)
{
    for (unsigned i = 0; i < r->count; i++)
        fds[i] = (struct pollfd){.fd = r->list[i].fd, .events = POLLIN};
    return r->count;
}

/* One read is enough: who sends on without end is closed by time. */
static bool is_through(int fd)
{
    char bytes[READ_BYTES];
    ssize_t size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    return size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
}

int refused_tend(struct refused *r, int64_t now_ms)
{
    for (unsigned i = 0; i < r->count;) {
        if (now_ms >= r->list[i].until_ms || is_through(r->list[i].fd))
            forget(r, i);
        else
            i++;
    }
    return r->count ? (int)(r->list[0].until_ms - now_ms) : -1;
}

void refused_done(struct refused *r)
{
    while (r->count)
        forget(r, 0);
}
