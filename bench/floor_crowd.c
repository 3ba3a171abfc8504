/* floor_crowd: the least that a request and its reply cost when each of many connections waits for its own:
 * one thread serves them all and does nothing but read and write, one asks. */
#include "bench/floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/link.h"

#define EVENTS_MAX  1024
#define REPLY_BYTES 16 /* as of an answer to a publish */

struct crowd {
    unsigned count;
    uint32_t bytes;        /* of a request */
    int *ends;             /* of connection i: 2 × i asks, 2 × i + 1 answers */
    int asking, answering; /* epoll descriptors */
    char *request;
    atomic_bool over;
};

/* A request or a reply of the right size: they are small and one is under way, so it comes in one piece. */
static bool take(int fd, char *to, size_t size)
{
    return recv(fd, to, size, MSG_WAITALL) == (ssize_t)size;
}

static void *answer(void *context)
{
    struct crowd *c = context;
    struct epoll_event events[EVENTS_MAX];
    char *request = malloc(c->bytes), reply[REPLY_BYTES] = {0};
    bool ok = request != NULL;
    while (ok && !atomic_load(&c->over)) {
        int count = epoll_wait(c->answering, events, EVENTS_MAX, 100);
        for (int i = 0; ok && i < count; i++) {
            int fd = events[i].data.fd;
            ok = take(fd, request, c->bytes) &&
                 send(fd, reply, sizeof reply, MSG_NOSIGNAL) == (ssize_t)sizeof reply;
        }
    }
    free(request);
    return NULL;
}

static bool ask(const struct crowd *c, int fd)
{
    return send(fd, c->request, c->bytes, MSG_NOSIGNAL) == (ssize_t)c->bytes;
}

static bool ask_all(struct crowd *c, double seconds, double *ret_rate)
{
    struct epoll_event events[EVENTS_MAX];
    char reply[REPLY_BYTES];
    uint64_t begin_ns = clock_ns(), now_ns = begin_ns, replies = 0;
    uint64_t end_ns = begin_ns + (uint64_t)(seconds * (double)NS_PER_S);
    bool ok = true;
    for (unsigned i = 0; ok && i < c->count; i++)
        ok = ask(c, c->ends[2 * i]);
    while (ok && now_ns < end_ns) {
        int count = epoll_wait(c->asking, events, EVENTS_MAX, 1000);
        ok = count > 0;
        for (int i = 0; ok && i < count; i++) {
            ok = take(events[i].data.fd, reply, sizeof reply) && ask(c, events[i].data.fd);
            replies += ok;
        }
        now_ns = clock_ns();
    }
    *ret_rate = (double)replies * (double)NS_PER_S / (double)(now_ns - begin_ns);
    return ok;
}

static bool watch(int poll_fd, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    int one = 1;
    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0 &&
           epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool connect_all(struct crowd *c)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = listener >= 0 && bind(listener, (struct sockaddr *)&at, size) == 0 &&
              listen(listener, 1) == 0 && getsockname(listener, (struct sockaddr *)&at, &size) == 0;
    for (unsigned i = 0; ok && i < c->count; i++) {
        int *end = &c->ends[2 * i];
        ok = (end[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) >= 0 &&
             connect(end[0], (struct sockaddr *)&at, size) == 0 &&
             (end[1] = accept(listener, NULL, NULL)) >= 0 && watch(c->asking, end[0]) &&
             watch(c->answering, end[1]);
    }
    if (listener >= 0)
        (void)close(listener);
    return ok;
}

static void close_all(struct crowd *c)
{
    for (unsigned i = 0; c->ends && i < 2 * c->count; i++) {
        if (c->ends[i] >= 0)
            (void)close(c->ends[i]);
    }
    if (c->asking >= 0)
        (void)close(c->asking);
    if (c->answering >= 0)
        (void)close(c->answering);
    free(c->ends);
    free(c->request);
}

bool floor_crowd(unsigned connections, uint32_t bytes, double seconds, double *ret_rate, char *why)
{
    struct crowd c = {.count = connections,
                      .bytes = bytes,
                      .ends = malloc(2 * (size_t)connections * sizeof *c.ends),
                      .asking = epoll_create1(EPOLL_CLOEXEC),
                      .answering = epoll_create1(EPOLL_CLOEXEC),
                      .request = calloc(1, bytes)};
    pthread_t thread;
    for (unsigned i = 0; c.ends && i < 2 * connections; i++)
        c.ends[i] = -1;
    bool ok = c.ends && c.request && c.asking >= 0 && c.answering >= 0 && connect_all(&c);
    bool started = ok && pthread_create(&thread, NULL, answer, &c) == 0;
    ok = started && ask_all(&c, seconds, ret_rate);
    if (!ok)
        (void)snprintf(why, WHY_BYTES, "loopback, %u connections: %s", connections, strerror(errno));
    atomic_store(&c.over, true);
    if (started) {
        for (unsigned i = 0; i < connections; i++)
            (void)shutdown(c.ends[2 * i], SHUT_RDWR);
        (void)pthread_join(thread, NULL);
    }
    close_all(&c);
    return ok;
}
