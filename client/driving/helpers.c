/* helpers: durations, sizes and times as people write them, for programs that take them from a command line.
 */
#include "client/wire/error.h"
#include "proto/limits.h"
#include "proto/units.h"

int shunt_parse_duration(const char *text, int64_t *ret_ms, struct shunt_error *err)
{
    const char *why = NULL;
    if (!text)
        return error_set(err, SHUNT_BAD_ARGUMENT, "there is no duration");
    if (units_parse_duration(text, DURATION_MS_MAX, ret_ms, &why))
        return 0;
    return error_set(err, SHUNT_BAD_ARGUMENT, "\"%.100s\": %s", text, why);
}

int shunt_parse_size(const char *text, int64_t *ret_bytes, struct shunt_error *err)
{
    const char *why = NULL;
    if (!text)
        return error_set(err, SHUNT_BAD_ARGUMENT, "there is no size");
    if (units_parse_size(text, INT64_MAX, ret_bytes, &why))
        return 0;
    return error_set(err, SHUNT_BAD_ARGUMENT, "\"%.100s\": %s", text, why);
}

int shunt_parse_time(const char *text, int64_t *ret_wall_ms, struct shunt_error *err)
{
    const char *why = NULL;
    if (!text)
        return error_set(err, SHUNT_BAD_ARGUMENT, "there is no time");
    if (units_parse_time(text, ret_wall_ms, &why))
        return 0;
    return error_set(err, SHUNT_BAD_ARGUMENT, "\"%.100s\": %s", text, why);
}

char *shunt_format_time(char *to, int64_t wall_ms)
{
    return units_format_time(to, wall_ms);
}

char *shunt_format_duration(char *to, int64_t ms)
{
    return units_format_duration(to, ms);
}

char *shunt_format_size(char *to, int64_t bytes)
{
    return units_format_size(to, bytes);
}
