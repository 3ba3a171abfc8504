/* sink: the descriptor is opened anew through /proc, because O_NONBLOCK on ours would be set for all who
 * share it: a terminal's shell, the other end of `2>&1`. Where that cannot be done (sockets, or no right to)
 * there are other ways not to wait. */
#include "cli/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

/* Room that must be there before more is read from a command: one reading of it and a line begun before. */
#define ROOM_BYTES (256u * 1024)
/* A terminal that poll() says can be written to has room for some bytes, but nobody says for how many: a blocking write of more
 * writes what fits and waits until somebody reads. A pipe takes PIPE_BUF. */
#define TERMINAL_BYTES_MAX 1

static void open_anew(struct sink *s, int fd)
{
    char path[40];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int anew = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    s->own = anew >= 0;
    s->fd = anew >= 0 ? anew : fd;
    if (anew < 0)
        s->at_once_max = isatty(fd) ? TERMINAL_BYTES_MAX : PIPE_BUF;
}

bool sink_open(struct sink *s, int fd)
{
    struct stat info;
    *s = (struct sink){.fd = fd, .queue = malloc(SINK_BYTES)};
    if (!s->queue)
        return false;
    if (fstat(fd, &info))
        return true; /* writing tells */
    s->socket = S_ISSOCK(info.st_mode);
    if (S_ISFIFO(info.st_mode) || isatty(fd))
        open_anew(s, fd);
    return true;
}

static ssize_t write_some(const struct sink *s, const char *bytes, size_t count)
{
    struct pollfd ready = {.fd = s->fd, .events = POLLOUT};
    if (s->socket)
        return send(s->fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (s->at_once_max && poll(&ready, 1, 0) <= 0) {
        errno = EAGAIN;
        return -1;
    }
    return write(s->fd, bytes, s->at_once_max && count > s->at_once_max ? s->at_once_max : count);
}

/* Returns how much was taken. */
static size_t write_now(struct sink *s, const char *bytes, size_t count)
{
    size_t done = 0;
    while (done < count && !s->broken) {
        ssize_t put = write_some(s, bytes + done, count - done);
        if (put > 0)
            done += (size_t)put;
        else if (put < 0 && errno == EAGAIN)
            break;
        else if (put == 0 || errno != EINTR)
            s->broken = true;
    }
    return done;
}

static uint64_t count_lines(const char *bytes, size_t count)
{
    uint64_t lines = 0;
    for (const char *at = bytes; (at = memchr(at, '\n', count - (size_t)(at - bytes))) != NULL; at++)
        lines++;
    return lines + (count > 0 && bytes[count - 1] != '\n');
}

static void drop(struct sink *s, const char *bytes, size_t count)
{
    uint64_t lines = count_lines(bytes, count);
    s->dropped += lines;
    s->dropped_in_all += lines;
}

static void enqueue(struct sink *s, const char *bytes, size_t count)
{
    check(count <= SINK_BYTES - s->count);
    if (s->count == 0)
        s->progress_ms = clock_mono_ms();
    if (s->begin + s->count + count > SINK_BYTES) {
        memmove(s->queue, s->queue + s->begin, s->count);
        s->begin = 0;
    }
    memcpy(s->queue + s->begin + s->count, bytes, count);
    s->count += count;
}

void sink_put(struct sink *s, const char *bytes, size_t count)
{
    size_t done = s->count == 0 ? write_now(s, bytes, count) : 0;
    if (s->broken)
        return; /* the callers see `broken`; there is no reader to count for */
    bytes += done;
    count -= done;
    size_t room = SINK_BYTES - s->count;
    size_t fits = count;
    if (count > room) {
        const char *end = memrchr(bytes, '\n', room);
        fits = end ? (size_t)(end - bytes) + 1 : 0;
    }
    enqueue(s, bytes, fits);
    drop(s, bytes + fits, count - fits);
}

void sink_pump(struct sink *s)
{
    size_t done = s->count ? write_now(s, s->queue + s->begin, s->count) : 0;
    if (s->broken)
        s->count = 0;
    if (done == 0)
        return;
    s->progress_ms = clock_mono_ms();
    s->begin += done;
    s->count -= done;
}

static bool is_given_up(const struct sink *s, int64_t now_ms)
{
    return s->broken || (s->count > 0 && now_ms - s->progress_ms >= SINK_PATIENCE_MS);
}

bool sink_takes(const struct sink *s, int64_t now_ms)
{
    return SINK_BYTES - s->count >= ROOM_BYTES || is_given_up(s, now_ms);
}

struct pollfd sink_poll(const struct sink *s)
{
    return (struct pollfd){.fd = s->count > 0 && !s->broken ? s->fd : -1, .events = POLLOUT};
}

int64_t sink_wake_ms(const struct sink *s, int64_t now_ms)
{
    return sink_takes(s, now_ms) ? CLOCK_NEVER : s->progress_ms + SINK_PATIENCE_MS;
}

uint64_t sink_take_dropped(struct sink *s)
{
    uint64_t dropped = s->dropped;
    if (s->broken || SINK_BYTES - s->count < ROOM_BYTES)
        return 0;
    s->dropped = 0;
    return dropped;
}

void sink_close(struct sink *s)
{
    int64_t give_up_at_ms = clock_deadline(SINK_LAST_MS);
    while (s->count > 0 && !s->broken && clock_mono_ms() < give_up_at_ms) {
        struct pollfd ready = sink_poll(s);
        size_t before = s->count;
        (void)poll(&ready, 1, clock_poll_ms(give_up_at_ms));
        sink_pump(s);
        if (s->count < before)
            give_up_at_ms = clock_deadline(SINK_LAST_MS);
    }
    if (s->count > 0)
        drop(s, s->queue + s->begin, s->count);
    s->count = 0;
    if (s->own)
        (void)close(s->fd);
    free(s->queue);
    s->queue = NULL;
}
