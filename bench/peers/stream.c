/* stream: one read and one write a turn, as large as the socket allows: no peer is slowed down by its client.
 */
#include "bench/peers/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/link.h"

#define READ_BYTES   (256u * 1024)
#define READS_A_TURN 4
#define WAIT_MS      15000

/* Room for `size` more after `end`; what was taken before `begin` makes room first. */
static bool make_room(char **buffer, size_t *begin, size_t *end, size_t *room, size_t size)
{
    if (*begin == *end)
        *begin = *end = 0;
    if (*room - *end >= size)
        return true;
    if (*begin >= *room / 2) {
        memmove(*buffer, *buffer + *begin, *end - *begin);
        *end -= *begin;
        *begin = 0;
    }
    if (*room - *end >= size)
        return true;
    size_t wanted = 2 * (*end + size);
    char *larger = realloc(*buffer, wanted);
    if (!larger)
        return false;
    *buffer = larger;
    *room = wanted;
    return true;
}

static bool watch(struct stream *s, int operation, bool for_room)
{
    struct epoll_event event = {.events = EPOLLIN | (for_room ? (uint32_t)EPOLLOUT : 0u)};
    return epoll_ctl(s->epoll_fd, operation, s->fd, &event) == 0;
}

bool stream_open(struct stream *s, const char *address, char *why)
{
    char host[64] = "";
    unsigned port = 0;
    int one = 1;
    *s = (struct stream){.fd = -1, .epoll_fd = -1};
    struct sockaddr_in at = {.sin_family = AF_INET};
    bool ok = sscanf(address, "%63[^:]:%u", host, &port) == 2 && inet_pton(AF_INET, host, &at.sin_addr) == 1;
    at.sin_port = htons((uint16_t)port);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    ok = ok && s->fd >= 0 && s->epoll_fd >= 0 && connect(s->fd, (struct sockaddr *)&at, sizeof at) == 0 &&
         setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0 && watch(s, EPOLL_CTL_ADD, false);
    if (!ok)
        (void)snprintf(why, WHY_BYTES, "cannot connect to %.60s: %s", address, strerror(errno));
    return ok;
}

void stream_done(struct stream *s)
{
    if (s->fd >= 0)
        (void)close(s->fd);
    if (s->epoll_fd >= 0)
        (void)close(s->epoll_fd);
    free(s->in);
    free(s->out);
}

void stream_put(struct stream *s, const void *bytes, size_t size)
{
    if (!make_room(&s->out, &s->out_begin, &s->out_end, &s->out_room, size)) {
        s->broken = true;
        return;
    }
    memcpy(s->out + s->out_end, bytes, size);
    s->out_end += size;
}

void stream_putf(struct stream *s, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (size < 0 || (size_t)size >= sizeof text)
        s->broken = true;
    else
        stream_put(s, text, (size_t)size);
}

void stream_send(struct stream *s)
{
    bool blocked = false;
    while (!blocked && !s->broken && s->out_begin < s->out_end) {
        ssize_t sent =
            send(s->fd, s->out + s->out_begin, s->out_end - s->out_begin, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0)
            s->out_begin += (size_t)sent;
        else if (errno == EAGAIN)
            blocked = true;
        else if (errno != EINTR)
            s->broken = true;
    }
    if (blocked != s->blocked && !watch(s, EPOLL_CTL_MOD, blocked))
        s->broken = true;
    s->blocked = blocked;
}

void stream_receive(struct stream *s)
{
    for (int i = 0; i < READS_A_TURN && !s->broken; i++) {
        if (!make_room(&s->in, &s->in_begin, &s->in_end, &s->in_room, READ_BYTES)) {
            s->broken = true;
            return;
        }
        size_t room = s->in_room - s->in_end;
        ssize_t got = recv(s->fd, s->in + s->in_end, room, MSG_DONTWAIT);
        if (got > 0)
            s->in_end += (size_t)got;
        else if (got == 0 || (errno != EAGAIN && errno != EINTR))
            s->broken = true;
        if (got < (ssize_t)room)
            return;
    }
}

bool stream_wait(struct stream *s)
{
    size_t before = stream_size(s);
    while (!s->broken && stream_size(s) == before) {
        stream_send(s);
        struct pollfd fd = {.fd = s->epoll_fd, .events = POLLIN};
        if (poll(&fd, 1, WAIT_MS) == 0)
            return false;
        stream_receive(s);
    }
    return !s->broken;
}

const char *stream_line(const struct stream *s, size_t *ret_size)
{
    const char *begin = stream_data(s);
    const char *end = stream_size(s) ? memchr(begin, '\n', stream_size(s)) : NULL;
    if (!end || end == begin)
        return NULL;
    *ret_size = (size_t)(end - begin) - 1;
    return begin;
}
