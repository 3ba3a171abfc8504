/* accept: see accept.h. */
#include "broker/http/accept.h"

#include "base/clock.h"
#include "base/magic.h"
#include "broker/http/peers.h"
#include "broker/http/pump.h"
#include "broker/http/refuse.h"
#include "proto/errors.h"
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTOR_MAGIC 0xbab472f2u
struct acceptor {
    uint32_t magic;
    struct MHD_Daemon *daemon;
    struct peers *peers;
    struct pump *pump; /* NULL: clients speak plainly */
    int fd;
    int stop_fd; /* readable: end */
    pthread_t thread;

    /* The thread's own. */
    struct refused refused;
    int64_t rest_until_ms; /* nothing is accepted before */
};

static int sooner(int a, int64_t b)
{
    return a < 0 || b < a ? (int)b : a;
}

/* Wait for peers, for those who are being turned away, and for the end. True if it is to end. */
static bool wait_for(struct acceptor *a, bool *ret_peers)
{
    int64_t now_ms = clock_mono_ms();
    int timeout_ms = refused_tend(&a->refused, now_ms);
    bool rests = now_ms < a->rest_until_ms;
    if (rests)
        timeout_ms = sooner(timeout_ms, a->rest_until_ms - now_ms);
    struct pollfd fds[2 + REFUSED_MAX] = {{.fd = a->stop_fd, .events = POLLIN},
                                          {.fd = rests ? -1 : a->fd, .events = POLLIN}};
    unsigned count = 2 + refused_poll(&a->refused, fds + 2);
    int ready = poll(fds, count, timeout_ms); /* EINTR is like a time-out */
    *ret_peers = ready > 0 && fds[1].revents;
    return ready > 0 && fds[0].revents;
}

bool acceptor_let_in(struct MHD_Daemon *daemon, struct peers *peers, int fd, const struct sockaddr *from,
                     socklen_t from_bytes, char *names)
{
    if (!peers_enter(peers, clock_mono_ms()))
        return false;
    peers_named(peers, fd, names);
    if (MHD_add_connection(daemon, fd, from, from_bytes) != MHD_YES)
        peers_not_taken(peers); /* and it has closed it */
    return true;
}

static void accept_one(struct acceptor *a)
{
    struct sockaddr_storage from = {0};
    socklen_t from_len = sizeof from;
    int fd = accept4(a->fd, (struct sockaddr *)&from, &from_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    int64_t now_ms = clock_mono_ms();
    if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        a->rest_until_ms = now_ms + ACCEPT_REST_MS; /* for a reason that lasts */
    if (fd < 0)
        return;
    if (a->pump)
        pump_take(a->pump, fd, &from, from_len);
    else if (!acceptor_let_in(a->daemon, a->peers, fd, (struct sockaddr *)&from, from_len, NULL))
        refuse(&a->refused, fd, a->peers->most, now_ms);
}

static void *run(void *argument)
{
    struct acceptor *a = magic_of(argument, acceptor, ACCEPTOR_MAGIC);
    bool peers;
    while (!wait_for(a, &peers)) {
        if (peers)
            accept_one(a);
    }
    refused_done(&a->refused);
    return NULL;
}

int acceptor_start(struct MHD_Daemon *daemon, int fd, struct peers *peers, struct pump *pump,
                   struct acceptor **ret)
{
    struct acceptor *a = calloc(1, sizeof *a);
    if (!a) {
        (void)close(fd); /* nobody has connected yet */
        return SHUNT_NO_MEMORY;
    }
    *a = (struct acceptor){.magic = ACCEPTOR_MAGIC, .daemon = daemon, .peers = peers, .pump = pump, .fd = fd};
    a->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (a->stop_fd >= 0 && pthread_create(&a->thread, NULL, run, a) == 0) {
        *ret = a;
        return 0;
    }
    if (a->stop_fd >= 0)
        (void)close(a->stop_fd); /* never used */
    (void)close(fd);             /* as above */
    free(a);
    return SHUNT_IO;
}

void acceptor_stop(struct acceptor *a)
{
    if (!a)
        return;
    (void)eventfd_write(a->stop_fd, 1); /* it cannot be full */
    (void)pthread_join(a->thread, NULL);
    (void)close(a->stop_fd); /* nothing is lost */
    (void)close(a->fd);      /* the kernel refuses the peers still in its queue */
    a->magic = 0;
    free(a);
}
