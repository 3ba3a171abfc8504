/* log_line: one line of the log, as key=value pairs that a machine can split and a person can read.
 *
 *   ts=2026-01-31T07:05:00.123Z level=info event=listening listen=127.0.0.1:7480 data="./my data"
 *
 * A value with anything but plain characters is quoted, with \" \\ \n \r \t and \xHH escaped, so that no
 * value can look like a second pair or a second line.
 */
#ifndef SHUNT_BROKER_LOG_LINE_H
#define SHUNT_BROKER_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_BYTES_MAX 4096 /* a longer one is cut and ends with cut=yes */

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR, LOG_LEVELS };

/* The level named `name`, or -1. */
int log_level_find(const char *name);
const char *log_level_name(enum log_level level);

struct log_line {
    const struct log *log; /* where log_end() writes it */
    bool wanted;           /* else its pairs are left out, and it is not written */
    bool cut;
    uint32_t size;
    char bytes[LOG_LINE_BYTES_MAX];
};

/* Begin a line that is written whatever the log's level is. `event` is a word. `log` may be NULL if the line is not written
 * by log_end(). */
void log_begin_always(struct log_line *l, const struct log *log, enum log_level level, const char *event);
/* Add a pair; `key` is a word. A NULL value leaves the pair out. */
void log_text(struct log_line *l, const char *key, const char *value);
void log_number(struct log_line *l, const char *key, int64_t value);
/* Complete it; returns its size with the newline. */
size_t log_close(struct log_line *l);

#endif
