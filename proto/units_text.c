/* units_text: times as RFC 3339, and the care of UTF-8. */
#include "proto/units.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 32, DAY_MS = 86400000 };

static size_t sequence_size(const uint8_t *at, size_t left);
static bool is_continuation(uint8_t c);
static bool is_control(const uint8_t *at, size_t size);

/* Days to a date after Howard Hinnant's "chrono-compatible low-level date algorithms": a year that begins in
 * March puts the leap day last, and an era of 400 years is always 146097 days. */
char *units_format_time(char *to, int64_t wall_ms)
{
    int64_t days = wall_ms / DAY_MS, ms = wall_ms % DAY_MS;
    if (ms < 0) {
        ms += DAY_MS;
        days--;
    }
    days += 719468; /* from 0000-03-01 */
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    int month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    long long year = year_of_era + era * 400 + (month <= 2);
    int time = (int)ms;
    (void)snprintf(to, TEXT_BYTES, "%04lld-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day, time / 3600000,
                   time / 60000 % 60, time / 1000 % 60, time % 1000);
    return to;
}

bool units_is_utf8(const void *text, size_t size)
{
    const uint8_t *at = text;
    while (size > 0) {
        uint64_t eight;
        if (size >= sizeof eight) { /* plain ASCII goes by in strides */
            memcpy(&eight, at, sizeof eight);
            if (!(eight & 0x8080808080808080ull)) {
                at += sizeof eight;
                size -= sizeof eight;
                continue;
            }
        }
        size_t step = sequence_size(at, size);
        if (step == 0)
            return false;
        at += step;
        size -= step;
    }
    return true;
}

size_t units_utf8_prefix(const void *text, size_t size, size_t max)
{
    const uint8_t *at = text;
    if (size <= max)
        return size;
    /* A sequence has at most three bytes after its first: more than that is not UTF-8 and is cut anywhere. */
    for (size_t back = 0; back <= 3 && back <= max; back++) {
        if (!is_continuation(at[max - back]))
            return max - back;
    }
    return max;
}

size_t units_utf8_suffix(const void *text, size_t size, size_t max)
{
    const uint8_t *at = text;
    if (size <= max)
        return 0;
    size_t from = size - max;
    for (size_t ahead = 0; ahead <= 3; ahead++) {
        if (from + ahead == size || !is_continuation(at[from + ahead]))
            return from + ahead;
    }
    return from;
}

void units_utf8_clean(char *to, const void *text, size_t size)
{
    const uint8_t *at = text;
    size_t i = 0;
    while (i < size) {
        if (at[i] >= ' ' && at[i] <= '~') { /* nearly all of a stack trace */
            to[i] = (char)at[i];
            i++;
            continue;
        }
        size_t step = sequence_size(at + i, size - i);
        if (step == 0) {
            to[i++] = '?';
            continue;
        }
        if (is_control(at + i, step))
            memset(to + i, '?', step);
        else
            memcpy(to + i, at + i, step);
        i += step;
    }
}

void units_utf8_mend(char *text)
{
    char *to = text;
    for (const char *at = text; *at != '\0';) {
        uint8_t lead = (uint8_t)*at;
        size_t wanted = lead < 0xc2 || lead > 0xf4 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
        size_t there = 1;
        while (there < wanted && is_continuation((uint8_t)at[there]))
            there++;
        if (there == wanted) {
            memmove(to, at, there);
            to += there;
        }
        at += there;
    }
    *to = '\0';
}

/* How many bytes the sequence at `at` takes; 0 if it is not UTF-8. */
static size_t sequence_size(const uint8_t *at, size_t left)
{
    uint8_t lead = at[0];
    if (lead < 0x80)
        return 1;
    size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || left < size)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if (!is_continuation(at[i]))
            return 0;
    }
    /* The second byte tells what is overlong, a surrogate, or past U+10FFFF. */
    if ((lead == 0xe0 && at[1] < 0xa0) || (lead == 0xed && at[1] > 0x9f) || (lead == 0xf0 && at[1] < 0x90) ||
        (lead == 0xf4 && at[1] > 0x8f))
        return 0;
    return size;
}

static bool is_continuation(uint8_t c)
{
    return (c & 0xc0) == 0x80;
}

/* C0 but tab and newline, DEL, and C1: all of them can drive a terminal. */
static bool is_control(const uint8_t *at, size_t size)
{
    if (size == 1)
        return (at[0] < 0x20 && at[0] != '\t' && at[0] != '\n') || at[0] == 0x7f;
    return size == 2 && at[0] == 0xc2 && at[1] < 0xa0;
}
