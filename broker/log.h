/* log: one line an event on standard error, as key=value pairs that a machine can split and a person can
 * read.
 *
 *   ts=2026-01-31T07:05:00.123Z level=info event=listening listen=127.0.0.1:7480 data="./my data"
 *
 * A value with anything but plain characters is quoted, with \" \\ \n \r \t and \xHH escaped, so that no
 * value can look like a second pair or a second line. A line goes out in one write(), by the caller or, in a
 * server, by a thread (log_writer.h) for which nobody waits.
 */
#ifndef SHUNT_BROKER_LOG_H
#define SHUNT_BROKER_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_BYTES_MAX 4096 /* a longer one is cut and ends with cut=yes */

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR, LOG_LEVELS };

struct log_writer;

/* Where lines go. May be used by several threads at once. */
struct log {
    int fd;
    struct log_writer
        *writer;       /* writes to `fd`; NULL: the caller does, and waits for the reader of the log */
    _Atomic int level; /* the least that is written */
};

struct log_line {
    const struct log *log;
    bool wanted;
    bool cut;
    uint32_t size;
    char bytes[LOG_LINE_BYTES_MAX];
};

/* The level named `name`, or -1. */
int log_level_find(const char *name);
const char *log_level_name(enum log_level level);

/* Begin a line. `event` is a word. */
void log_begin(struct log_line *l, const struct log *log, enum log_level level, const char *event);
/* The same, written whatever the level is. */
void log_begin_always(struct log_line *l, const struct log *log, enum log_level level, const char *event);
/* Add a pair; `key` is a word. A NULL value leaves the pair out. */
void log_text(struct log_line *l, const char *key, const char *value);
void log_number(struct log_line *l, const char *key, int64_t value);
/* Write it. */
void log_end(struct log_line *l);
/* Complete it instead; returns its size with the newline. */
size_t log_close(struct log_line *l);

/* Wait, LOG_FLUSH_MS at most, until what was logged is written: before the process ends. */
void log_flush(const struct log *log);

/* Write text to standard error at once, if that can be done without waiting; may be called in a signal's
 * handler. */
void log_urgent(const char *text);

/* A whole line with one pair. */
void log_event(const struct log *log, enum log_level level, const char *event, const char *key,
               const char *value);

#endif
