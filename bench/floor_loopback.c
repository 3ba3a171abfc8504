/* floor_loopback: the least a request and its reply cost. */
#include "bench/floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/link.h"

static void *echo(void *arg)
{
    int fd = *(int *)arg;
    char byte;
    while (recv(fd, &byte, 1, 0) == 1 && send(fd, &byte, 1, MSG_NOSIGNAL) == 1) {
    }
    return NULL;
}

/* Two connected sockets. */
static bool make_pair(int fds[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int one = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = listener >= 0 && fds[0] >= 0 && bind(listener, (struct sockaddr *)&at, size) == 0 &&
              listen(listener, 1) == 0 && getsockname(listener, (struct sockaddr *)&at, &size) == 0 &&
              connect(fds[0], (struct sockaddr *)&at, size) == 0 &&
              (fds[1] = accept(listener, NULL, NULL)) >= 0;
    for (int i = 0; ok && i < 2; i++)
        ok = setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0;
    if (listener >= 0)
        (void)close(listener);
    return ok;
}

bool floor_loopback(double seconds, struct histogram *ret, char *why)
{
    int fds[2] = {-1, -1};
    pthread_t thread;
    char byte = 'x';
    bool ok = make_pair(fds) && pthread_create(&thread, NULL, echo, &fds[1]) == 0;
    bool started = ok;
    uint64_t end_ns = clock_ns() + (uint64_t)(seconds * (double)NS_PER_S);
    for (uint64_t begin_ns = clock_ns(); ok && begin_ns < end_ns; begin_ns = clock_ns()) {
        ok = send(fds[0], &byte, 1, MSG_NOSIGNAL) == 1 && recv(fds[0], &byte, 1, 0) == 1;
        histogram_record(ret, clock_ns() - begin_ns);
    }
    if (!ok)
        (void)snprintf(why, WHY_BYTES, "loopback: %s", strerror(errno));
    if (fds[0] >= 0)
        (void)shutdown(fds[0], SHUT_RDWR);
    if (started)
        (void)pthread_join(thread, NULL);
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
    }
    return ok;
}
