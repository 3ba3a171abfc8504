/* test_log_writer: the reader of the log may hang: lines are lost and counted, and nobody waits. */
#include "broker/log.h"
#include "broker/log_writer.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS          4
#define LINES_PER_THREAD 2000
#define VALUE_BYTES      200
#define TALK_LINE_BYTES  (strlen("ts=2026-01-31T07:05:00.123Z level=info event=talk v=\n") + VALUE_BYTES)

struct rig {
    int fds[2];
    struct log log;
};

/* A pipe that is as small as it gets, and full but for a part of a line. */
static void rig_start(struct rig *r)
{
    char fill[3000];
    memset(fill, 'x', sizeof fill);
    fill[sizeof fill - 1] = '\n';
    cr_assert_eq(pipe(r->fds), 0);
    cr_assert_geq(fcntl(r->fds[1], F_SETPIPE_SZ, 4096), 0);
    cr_assert_eq(write(r->fds[1], fill, sizeof fill), (ssize_t)sizeof fill);
    r->log = (struct log){.fd = r->fds[1]};
    cr_assert_eq(log_writer_start(r->log.fd, &r->log.writer), 0);
}

static void *talk(void *context)
{
    struct rig *r = context;
    char value[VALUE_BYTES + 1];
    memset(value, 'v', VALUE_BYTES);
    value[VALUE_BYTES] = '\0';
    for (int i = 0; i < LINES_PER_THREAD; i++)
        log_event(&r->log, LOG_LEVEL_INFO, "talk", "v", value);
    return NULL;
}

/* Read lines until the pipe ends: each must be whole; adds up those that were dropped. */
struct reading {
    int fd;
    uint64_t lines, dropped, notices;
};

static void *read_lines(void *context)
{
    struct reading *got = context;
    char line[LOG_LINE_BYTES_MAX];
    FILE *from = fdopen(got->fd, "re");
    cr_assert(from && fgets(line, sizeof line, from)); /* what filled the pipe */
    while (fgets(line, sizeof line, from)) {
        const char *count = strstr(line, "event=log_lines_dropped count=");
        cr_assert(!strncmp(line, "ts=20", 5) && line[strlen(line) - 1] == '\n', "%s", line);
        if (count) {
            got->notices++;
            got->dropped += strtoull(count + strlen("event=log_lines_dropped count="), NULL, 10);
            continue;
        }
        cr_assert(strstr(line, " event=talk v=vvv") && strlen(line) == TALK_LINE_BYTES, "%s", line);
        got->lines++;
    }
    (void)fclose(from);
    return NULL;
}

static void talk_all(struct rig *r)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, talk, r), 0);
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
}

/* With a plain write() this test would not end. */
Test(log_writer, a_reader_that_hangs_costs_lines_and_nobody_waits)
{
    struct rig r;
    rig_start(&r);
    talk_all(&r);
    cr_assert_gt(atomic_load(log_writer_dropped(r.log.writer)), 0);
    cr_assert_not(log_writer_flush(r.log.writer, 0));
    log_writer_stop(r.log.writer, 0); /* nor does the end wait */
}

Test(log_writer, a_reader_that_goes_on_gets_whole_lines_and_is_told_how_many_are_missing)
{
    struct rig r;
    pthread_t reader;
    rig_start(&r);
    struct reading got = {.fd = r.fds[0]};
    talk_all(&r);
    uint64_t dropped = atomic_load(log_writer_dropped(r.log.writer));
    cr_assert_gt(dropped, 0);
    cr_assert_eq(pthread_create(&reader, NULL, read_lines, &got), 0);
    cr_assert(log_writer_flush(r.log.writer, 60000));
    cr_assert_eq(atomic_load(log_writer_dropped(r.log.writer)), dropped, "none is lost once it flows");
    log_writer_stop(r.log.writer, 60000);
    cr_assert_eq(close(r.fds[1]), 0);
    cr_assert_eq(pthread_join(reader, NULL), 0);
    cr_assert_eq(got.notices, 1);
    cr_assert_eq(got.dropped, dropped);
    cr_assert_eq(got.lines + got.dropped, (uint64_t)THREADS * LINES_PER_THREAD);
}

/* A full disk, or a reader that is gone. */
Test(log_writer, lines_that_cannot_be_written_are_counted)
{
    struct log log = {.fd = open("/dev/full", O_WRONLY | O_CLOEXEC)};
    cr_assert_geq(log.fd, 0);
    cr_assert_eq(log_writer_start(log.fd, &log.writer), 0);
    for (int i = 0; i < 3; i++)
        log_event(&log, LOG_LEVEL_INFO, "talk", NULL, NULL);
    cr_assert(log_writer_flush(log.writer, 60000));
    cr_assert_geq(atomic_load(log_writer_dropped(log.writer)), 3);
    log_writer_stop(log.writer, 60000);
    cr_assert_eq(close(log.fd), 0);
}
