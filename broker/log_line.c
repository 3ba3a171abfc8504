/* log_line: building a line of the log. */
#include "broker/log_line.h"

#include "base/clock.h"
#include "proto/units.h"
#include <stdio.h>
#include <string.h>

#define CUT_MARK " cut=yes\n"

static const char *const level_names[LOG_LEVELS] = {"debug", "info", "warning", "error"};

static void add(struct log_line *l, const char *bytes, size_t size);
static void add_quoted(struct log_line *l, const char *value);
static size_t escape(char to[4], unsigned char byte);
static bool is_plain(const char *value);

int log_level_find(const char *name)
{
    for (int i = 0; i < LOG_LEVELS; i++) {
        if (strcmp(level_names[i], name) == 0)
            return i;
    }
    return -1;
}

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

void log_begin_always(struct log_line *l, const struct log *log, enum log_level level, const char *event)
{
    l->log = log;
    l->wanted = true;
    l->cut = false;
    l->size = 0;
    char ts[32];
    add(l, "ts=", 3);
    units_format_time(ts, clock_wall_ms());
    add(l, ts, strlen(ts));
    log_text(l, "level", level_names[level]);
    log_text(l, "event", event);
}

void log_text(struct log_line *l, const char *key, const char *value)
{
    if (!l->wanted || !value)
        return;
    add(l, " ", 1);
    add(l, key, strlen(key));
    add(l, "=", 1);
    if (is_plain(value))
        add(l, value, strlen(value));
    else
        add_quoted(l, value);
}

void log_number(struct log_line *l, const char *key, int64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)value);
    log_text(l, key, text);
}

size_t log_close(struct log_line *l)
{
    if (l->cut)
        memcpy(l->bytes + l->size, CUT_MARK, sizeof CUT_MARK - 1);
    else
        l->bytes[l->size] = '\n';
    return l->size + (l->cut ? sizeof CUT_MARK - 1 : 1);
}

/* All of it or nothing, with room kept for the mark; after the first piece left out, nothing more. */
static void add(struct log_line *l, const char *bytes, size_t size)
{
    if (l->cut || size > sizeof l->bytes - sizeof CUT_MARK - l->size) {
        l->cut = true;
        return;
    }
    memcpy(l->bytes + l->size, bytes, size);
    l->size += (uint32_t)size;
}

static void add_quoted(struct log_line *l, const char *value)
{
    add(l, "\"", 1);
    for (const char *at = value; *at; at++) {
        char piece[4];
        /* Room for this piece and the closing quote, so that a cut value is still a whole one. */
        if (l->size + 6 > sizeof l->bytes - sizeof CUT_MARK) {
            add(l, "\"", 1);
            l->cut = true;
            return;
        }
        add(l, piece, escape(piece, (unsigned char)*at));
    }
    add(l, "\"", 1);
}

static size_t escape(char to[4], unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    const char *letter = byte == '\n' ? "n" : byte == '\r' ? "r" : byte == '\t' ? "t" : NULL;
    if (letter || byte == '"' || byte == '\\') {
        to[0] = '\\';
        to[1] = letter ? *letter : (char)byte;
        return 2;
    }
    if (byte >= 0x20 && byte < 0x7f) {
        to[0] = (char)byte;
        return 1;
    }
    to[0] = '\\';
    to[1] = 'x';
    to[2] = hex[byte >> 4];
    to[3] = hex[byte & 15];
    return 4;
}

static bool is_plain(const char *value)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;/_-+@%*()[]<>#~!?&|^";
    return *value && value[strspn(value, plain)] == '\0';
}
