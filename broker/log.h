/* log: one line (log_line.h) an event, on standard error. A line goes out in one write(), by the caller or, in a
 * server, by a thread (log_writer.h) for which nobody waits.
 */
#ifndef SHUNT_BROKER_LOG_H
#define SHUNT_BROKER_LOG_H

#include "broker/log_line.h"
#include <stdatomic.h>

struct log_writer;

/* Where lines go. May be used by several threads at once. */
struct log {
    int fd;
    struct log_writer
        *writer;       /* writes to `fd`; NULL: the caller does, and waits for the reader of the log */
    _Atomic int level; /* the least that is written */
};

/* Begin a line, which is written if the level is. `event` is a word. */
void log_begin(struct log_line *l, const struct log *log, enum log_level level, const char *event);
/* Write it. */
void log_end(struct log_line *l);

/* Wait, LOG_FLUSH_MS at most, until what was logged is written: before the process ends. */
void log_flush(const struct log *log);

/* Write text to standard error at once, if that can be done without waiting; may be called in a signal's
 * handler. */
void log_urgent(const char *text);

/* A whole line with one pair. */
void log_event(const struct log *log, enum log_level level, const char *event, const char *key,
               const char *value);

#endif
