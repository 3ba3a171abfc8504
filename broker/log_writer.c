/* log_writer: see log_writer.h. Lines lie in a ring, each behind its size. */
#include "broker/log_writer.h"

#include "base/clock.h"
#include "base/magic.h"
#include "broker/log_line.h"
#include "proto/errors.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

_Static_assert(LOG_LINE_BYTES_MAX <= UINT16_MAX, "a line's size is kept in two bytes");
#define LINE_HEAD_BYTES 2

#define LOG_WRITER_MAGIC 0x4c6f6757u

struct log_writer {
    uint32_t magic;
    int fd;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* something waits, all was written, or it is to stop */
    _Atomic uint64_t dropped;

    /* Under `lock`. `begin` and `end` only grow; their places in the ring are what is left by its size. */
    uint64_t begin, end;
    bool writing, stopping;
    uint64_t untold; /* dropped since the last line that said so */
    char ring[LOG_WAITING_BYTES_MAX];
};

/* ---- the ring; with the lock held ---- */

static void copy_in(struct log_writer *w, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        w->ring[w->end++ % sizeof w->ring] = bytes[i];
}

static bool append(struct log_writer *w, const char *line, size_t size)
{
    const char head[LINE_HEAD_BYTES] = {(char)(size >> 8), (char)size};
    if (sizeof w->ring - (size_t)(w->end - w->begin) < size + LINE_HEAD_BYTES)
        return false;
    copy_in(w, head, LINE_HEAD_BYTES);
    copy_in(w, line, size);
    return true;
}

static size_t take(struct log_writer *w, char line[LOG_LINE_BYTES_MAX])
{
    size_t size = 0;
    for (unsigned i = 0; i < LINE_HEAD_BYTES; i++)
        size = size << 8 | (unsigned char)w->ring[w->begin++ % sizeof w->ring];
    for (size_t i = 0; i < size; i++)
        line[i] = w->ring[w->begin++ % sizeof w->ring];
    return size;
}

/* Once enough is written: the line that stands for those that were dropped. False while it is not. */
static bool tell_dropped(struct log_writer *w)
{
    struct log_line l;
    if (w->untold == 0)
        return true;
    if (w->end - w->begin > sizeof w->ring / 2)
        return false;
    log_begin_always(&l, NULL, LOG_LEVEL_WARNING, "log_lines_dropped");
    log_number(&l, "count", (int64_t)w->untold);
    log_text(&l, "why", "the program that reads this log did not keep up, or the log could not be written");
    size_t size = log_close(&l);
    w->untold = 0;
    (void)append(w, l.bytes, size); /* half of the ring is free */
    return true;
}

static void count_dropped(struct log_writer *w)
{
    w->untold++;
    (void)atomic_fetch_add(&w->dropped, 1); /* the old count is of no use */
}

/* ---- the thread ---- */

/* Another process may have made the descriptor non-blocking. */
static bool write_line(int fd, const char *line, size_t size)
{
    while (size > 0) {
        ssize_t wrote = write(fd, line, size);
        if (wrote > 0) {
            line += wrote;
            size -= (size_t)wrote;
        } else if (wrote < 0 && errno == EAGAIN) {
            struct pollfd room = {.fd = fd, .events = POLLOUT};
            (void)poll(&room, 1, -1); /* whatever it says, write() is asked again */
        } else if (wrote == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}

static void *run(void *context)
{
    struct log_writer *w = magic_of(context, log_writer, LOG_WRITER_MAGIC);
    char line[LOG_LINE_BYTES_MAX];
    (void)pthread_mutex_lock(&w->lock); /* not held by this thread: cannot fail */
    while (!w->stopping || w->begin != w->end) {
        if (w->begin == w->end) {
            (void)pthread_cond_wait(&w->changed, &w->lock); /* cannot fail for a lock that is held */
            continue;
        }
        size_t size = take(w, line);
        w->writing = true;
        (void)pthread_mutex_unlock(&w->lock);
        bool written = write_line(w->fd, line, size);
        (void)pthread_mutex_lock(&w->lock);
        w->writing = false;
        if (written)
            (void)tell_dropped(w); /* in good time, or with the next line */
        else
            count_dropped(w);
        if (w->begin == w->end)
            (void)pthread_cond_broadcast(&w->changed);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* ---- public ---- */

int log_writer_start(int fd, struct log_writer **ret)
{
    sigset_t all, before;
    struct log_writer *w = calloc(1, sizeof *w);
    if (!w)
        return SHUNT_NO_MEMORY;
    w->magic = LOG_WRITER_MAGIC;
    w->fd = fd;
    (void)pthread_mutex_init(&w->lock, NULL); /* none of these fails on Linux */
    clock_cond_init(&w->changed);
    (void)sigfillset(&all); /* signals are for the main thread */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&w->thread, NULL, run, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        (void)pthread_cond_destroy(&w->changed);
        (void)pthread_mutex_destroy(&w->lock);
        free(w);
        return SHUNT_IO;
    }
    *ret = w;
    return 0;
}

void log_writer_put(struct log_writer *w, const char *line, size_t size)
{
    check(w->magic == LOG_WRITER_MAGIC);
    check(size > 0 && size <= LOG_LINE_BYTES_MAX);
    (void)pthread_mutex_lock(&w->lock);
    if (!tell_dropped(w) || !append(w, line, size))
        count_dropped(w);
    (void)pthread_cond_signal(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
}

bool log_writer_flush(struct log_writer *w, int64_t ms)
{
    check(w->magic == LOG_WRITER_MAGIC);
    struct timespec until = clock_until(ms);
    int late = 0;
    (void)pthread_mutex_lock(&w->lock);
    while ((w->begin != w->end || w->writing) && late == 0)
        late = pthread_cond_timedwait(&w->changed, &w->lock, &until);
    bool written = w->begin == w->end && !w->writing;
    (void)pthread_mutex_unlock(&w->lock);
    return written;
}

void log_writer_stop(struct log_writer *w, int64_t ms)
{
    if (!w)
        return;
    bool written = log_writer_flush(w, ms);
    (void)pthread_mutex_lock(&w->lock);
    w->stopping = true;
    (void)pthread_cond_broadcast(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
    if (!written) {
        (void)pthread_detach(w->thread); /* it waits for the reader; it ends with the process */
        return;
    }
    (void)pthread_join(w->thread, NULL); /* fails only for a thread that is not there */
    (void)pthread_cond_destroy(&w->changed);
    (void)pthread_mutex_destroy(&w->lock);
    w->magic = 0;
    free(w);
}

const _Atomic uint64_t *log_writer_dropped(const struct log_writer *w)
{
    return &w->dropped;
}
