/* refuse: see refuse.h. */
#include "broker/http/refuse.h"

#include "base/check.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES 4096

static size_t write_answer(char to[REFUSAL_BYTES], const char *status, const char *more, const char *body)
{
    int size = snprintf(to, REFUSAL_BYTES,
                        "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
                        "%sCache-Control: no-store\r\nConnection: close\r\n\r\n%s",
                        status, strlen(body), more, body);
    check(size > 0 && size < REFUSAL_BYTES); /* the texts are ours */
    return (size_t)size;
}

size_t refusal_full(char to[REFUSAL_BYTES], unsigned served)
{
    char body[128];
    (void)snprintf(body, sizeof body,
                   "too many HTTP connections: %u are being served, try again in a second\n", served);
    return write_answer(to, "503 Service Unavailable", "Retry-After: 1\r\n", body);
}

/* A new socket has room for it; or the peer has gone. */
static void send_answer(int fd, const char *answer, size_t size)
{
    (void)send(fd, answer, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void refuse_plain_http(int fd)
{
    char answer[REFUSAL_BYTES];
    size_t size = write_answer(answer, "400 Bad Request", "",
                               "HTTPS is spoken at this address: ask for https:// in the place of http://\n");
    send_answer(fd, answer, size);
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
    char answer[REFUSAL_BYTES];
    send_answer(fd, answer, refusal_full(answer, served));
    (void)shutdown(fd, SHUT_WR); /* or it has ended by itself */
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
