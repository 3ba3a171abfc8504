/* log: writing lines, by a thread of their own or at once. */
#include "broker/log.h"

#include "broker/log_writer.h"
#include <poll.h>
#include <string.h>
#include <unistd.h>

void log_begin(struct log_line *l, const struct log *log, enum log_level level, const char *event)
{
    if ((int)level >= atomic_load(&log->level))
        log_begin_always(l, log, level, event);
    else
        l->wanted = false;
}

void log_end(struct log_line *l)
{
    if (!l->wanted)
        return;
    size_t size = log_close(l);
    if (l->log->writer) {
        log_writer_put(l->log->writer, l->bytes, size);
        return;
    }
    ssize_t written = write(l->log->fd, l->bytes, size);
    (void)written; /* there is nowhere to say that the log cannot be written */
}

void log_flush(const struct log *log)
{
    if (log->writer)
        (void)log_writer_flush(log->writer, LOG_FLUSH_MS); /* what is not written then never will be */
}

void log_urgent(const char *text)
{
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&room, 1, 0) != 1)
        return;
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written; /* as above */
}

void log_event(const struct log *log, enum log_level level, const char *event, const char *key,
               const char *value)
{
    struct log_line l;
    log_begin(&l, log, level, event);
    log_text(&l, key, value);
    log_end(&l);
}
