/* shunt_units.h: durations, sizes and times as people write them. Included by shunt.h. */
#ifndef SHUNT_UNITS_H
#define SHUNT_UNITS_H

#include "shunt_error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Durations as `250ms`, `30s`, `1h30m`, `7d`, `0`; sizes as `512`, `64KiB`, `10MB`. Both refuse values that are negative or overflow.
 * fails: BAD_ARGUMENT, with the reason. */
SHUNT_API int shunt_parse_duration(const char *text, int64_t *ret_ms, struct shunt_error *err);
SHUNT_API int shunt_parse_size(const char *text, int64_t *ret_bytes, struct shunt_error *err);
/* RFC 3339, such as 2026-11-29T12:00:00Z or 2026-11-29T13:00:00.250+01:00, from 1970 to 9999. fails: BAD_ARGUMENT, with the reason. */
SHUNT_API int shunt_parse_time(const char *text, int64_t *ret_wall_ms, struct shunt_error *err);
/* RFC 3339 in UTC with milliseconds; `to` holds at least 32 bytes; returns `to`. */
SHUNT_API char *shunt_format_time(char *to, int64_t wall_ms);
/* `1m30s`; `1.5GiB`; `to` holds at least 32 bytes; returns `to`. */
SHUNT_API char *shunt_format_duration(char *to, int64_t ms);
SHUNT_API char *shunt_format_size(char *to, int64_t bytes);

#ifdef __cplusplus
}
#endif

#endif
