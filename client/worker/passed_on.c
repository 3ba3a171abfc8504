/* passed_on: see passed_on.h. */
#include "client/worker/passed_on.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A process has one stderr, and may have a worker in each thread. */
static atomic_ullong lost;

/* The same pipe or terminal under a descriptor that does not block: the flag on ours would be everybody's who
 * shares it. A file never blocks, and its place in it is shared; of what else there is (a socket) no second
 * one can be had. So these are written to through ours, a page at a time, once they say that they have room.
 */
static int open_unblocking(void)
{
    struct stat what;

    if (fstat(STDERR_FILENO, &what) != 0 || (!S_ISFIFO(what.st_mode) && !S_ISCHR(what.st_mode)))
        return -1;
    return open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static bool has_room(int wait_ms)
{
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};

    return poll(&room, 1, wait_ms) == 1;
}

/* Returns how much was taken. */
static size_t write_some(int fd, const char *bytes, size_t size)
{
    size_t taken = 0;

    while (taken < size && has_room(atomic_load(&lost) == 0 ? PASSED_ON_WAIT_MS : 0)) {
        size_t part = size - taken < PIPE_BUF ? size - taken : PIPE_BUF;
        ssize_t n = write(fd, bytes + taken, part);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        taken += (size_t)n;
    }
    return taken;
}

void passed_on_write(const char *bytes, size_t size)
{
    int own = open_unblocking(), fd = own < 0 ? STDERR_FILENO : own;
    unsigned long long before = atomic_load(&lost);
    char note[128];

    if (before > 0 && has_room(0)) {
        int length =
            snprintf(note, sizeof note,
                     "\n[%llu bytes of what handlers wrote to stderr are lost: nobody read it]\n", before);

        if (write(fd, note, (size_t)length) == length)
            atomic_fetch_sub(&lost, before);
    }
    atomic_fetch_add(&lost, size - write_some(fd, bytes, size));
    if (own >= 0)
        (void)close(own); /* nothing is buffered behind it */
}
