/* accept: see accept.h. */
#include "broker/http/accept.h"

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

#define FULL_REST_MS 20 /* before looking again whether a connection has ended */

struct acceptor {
    struct MHD_Daemon *daemon;
    int fd;
    int stop_fd; /* readable: end */
    unsigned connections_max;
    unsigned room; /* connections that may be taken before the daemon is asked again how many it has */
    pthread_t thread;
};

/* True if it is to end. */
static bool wait_for(struct acceptor *a, bool peers, int timeout_ms)
{
    struct pollfd fds[2] = {{.fd = a->stop_fd, .events = POLLIN},
                            {.fd = peers ? a->fd : -1, .events = POLLIN}};
    return poll(fds, 2, timeout_ms) > 0 && fds[0].revents; /* EINTR is like a time-out */
}

/* The daemon counts a connection a little after it was handed over, so it is asked only after a rest. */
static void look_for_room(struct acceptor *a)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(a->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    unsigned now = info ? info->num_connections : 0;
    a->room = now < a->connections_max ? a->connections_max - now : 0;
}

/* False if accepting failed for a reason that lasts. */
static bool accept_one(struct acceptor *a)
{
    struct sockaddr_storage from = {0};
    socklen_t from_len = sizeof from;
    int fd = accept4(a->fd, (struct sockaddr *)&from, &from_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
    a->room--;
    (void)MHD_add_connection(a->daemon, fd, (struct sockaddr *)&from,
                             from_len); /* what it does not take it closes */
    return true;
}

static void *run(void *argument)
{
    struct acceptor *a = argument;
    bool over = false;
    while (!over) {
        if (a->room == 0) {
            over = wait_for(a, false, FULL_REST_MS);
            look_for_room(a);
            continue;
        }
        over = wait_for(a, true, -1);
        if (!over && !accept_one(a))
            over = wait_for(a, false, ACCEPT_REST_MS);
    }
    return NULL;
}

int acceptor_start(struct MHD_Daemon *daemon, int fd, unsigned connections_max, struct acceptor **ret)
{
    struct acceptor *a = calloc(1, sizeof *a);
    if (!a) {
        (void)close(fd); /* nobody has connected yet */
        return SHUNT_NO_MEMORY;
    }
    *a = (struct acceptor){
        .daemon = daemon, .fd = fd, .connections_max = connections_max, .room = connections_max};
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
    free(a);
}
