/* units: durations and sizes as people write them. */
#ifndef SHUNT_PROTO_UNITS_H
#define SHUNT_PROTO_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Parse a duration such as `250ms`, `30s`, `1.5h`, `1h30m`, `7d` or a bare `0` into milliseconds.
 * Units ms s m h d w, each number may have a fraction; other bare numbers are refused, because their unit is unknown.
 * fails: false for empty, negative, unknown unit, trailing bytes, or a value over `max_ms`; `*ret_why` is a static sentence. */
bool units_parse_duration(const char *text, int64_t max_ms, int64_t *ret_ms, const char **ret_why);

/* Parse a size such as `512`, `64KiB`, `1.5GiB`, `10MB`, `16M` into bytes. K M G T and KiB MiB GiB TiB are powers of 1024,
 * kB MB GB TB powers of 1000, B and nothing are bytes. Fails as above. */
bool units_parse_size(const char *text, int64_t max_bytes, int64_t *ret_bytes, const char **ret_why);

/* Parse a whole number, decimal digits alone, from min to max. */
bool units_parse_count(const char *text, int64_t min, int64_t max, int64_t *ret, const char **ret_why);

/* Write for people: `250ms`, `1m30s`, `2d`; `1.5 GiB`. `to` holds at least 32 bytes; returns `to`. */
char *units_format_duration(char *to, int64_t ms);
char *units_format_size(char *to, int64_t bytes);

/* Parse RFC 3339, `2026-01-31T07:05:00Z` or with a fraction and an offset, `2026-01-31 08:05:00.123+01:00`, from 1970 to the end of 9999, into
 * milliseconds since 1970; what of a fraction is finer is cut off. Fails as above. */
bool units_parse_time(const char *text, int64_t *ret_wall_ms, const char **ret_why);

/* Write RFC 3339 in UTC with milliseconds, `2026-01-31T07:05:00.123Z`; `to` holds at least 32 bytes; returns `to`. */
char *units_format_time(char *to, int64_t wall_ms);

#endif
