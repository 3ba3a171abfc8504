/* settings_same: see settings_same.h. */
#include "cli/settings_same.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/call.h"
#include "cli/command.h"
#include "cli/settings.h"
#include "client/shunt.h"

static const char *unit_of(const char *name)
{
    struct shunt_setting setting;
    for (size_t i = 0; shunt_setting(i, &setting); i++) {
        if (strcmp(setting.name, name) == 0)
            return setting.unit;
    }
    return "duration"; /* an end of `backoff` */
}

/* What is in force: `max-bytes` is max_bytes, `lease` is lease_ms. */
static const struct shunt_value *value_of(const struct shunt_value *policy, const char *name)
{
    char key[64];
    (void)snprintf(key, sizeof key, "%.50s", name);
    for (char *at = key; (at = strchr(at, '-')); at++)
        *at = '_';
    const struct shunt_value *value = shunt_value_get(policy, key);
    if (value)
        return value;
    (void)strcat(key, "_ms"); /* there is room for it */
    return shunt_value_get(policy, key);
}

/* Choice `number` of `dlq|discard`. */
static void choice_text(const char *unit, int64_t number, char *to, size_t room)
{
    for (; number > 0 && strchr(unit, '|'); number--)
        unit = strchr(unit, '|') + 1;
    (void)snprintf(to, room, "%.*s", (int)strcspn(unit, "|"), unit);
}

static bool same_number(const char *unit, const char *text, int64_t number)
{
    int64_t given = -1;
    if (strcmp(unit, "duration") == 0)
        return shunt_parse_duration(text, &given, NULL) == 0 && given == number;
    if (strcmp(unit, "size") == 0)
        return shunt_parse_size(text, &given, NULL) == 0 && given == number;
    return strtoll(text, NULL, 10) == number;
}

/* One setting against what is in force. */
static bool is_same(const struct shunt_value *policy, const char *name, const char *text, char *why,
                    size_t room)
{
    const char *unit = unit_of(name);
    int64_t number = shunt_value_integer(value_of(policy, name));
    bool choice = strchr(unit, '|');
    char now[32];
    if (choice)
        choice_text(unit, number, now, sizeof now);
    else if (strcmp(unit, "duration") == 0)
        (void)shunt_format_duration(now, number);
    else if (strcmp(unit, "size") == 0)
        (void)shunt_format_size(now, number);
    else
        (void)snprintf(now, sizeof now, "%" PRId64, number);
    if (strcmp(text, "inherit") == 0 || (choice ? strcmp(now, text) == 0 : same_number(unit, text, number)))
        return true;
    (void)snprintf(why, room, "%s is %s, not %.40s", name, now, text);
    return false;
}

/* `MIN..MAX` is two settings. */
static bool is_same_range(const struct shunt_value *policy, const char *text, char *why, size_t room)
{
    const char *dots = strstr(text, "..");
    char first[40];
    if (!dots)
        return is_same(policy, "backoff-min", text, why, room);
    (void)snprintf(first, sizeof first, "%.*s", (int)(dots - text), text);
    return is_same(policy, "backoff-min", first, why, room) &&
           is_same(policy, "backoff-max", dots + 2, why, room);
}

bool settings_same(const struct call *call, const struct shunt_value *policy, char *why, size_t room)
{
    size_t count = 0;
    const struct option_row *rows = settings_rows(call->command->settings, &count);
    for (size_t i = 0; i < count; i++) {
        const struct option_value *value = options_find_row(&call->options, &rows[i]);
        if (!value)
            continue;
        if (!(strcmp(rows[i].name, "backoff") == 0 ? is_same_range(policy, value->text, why, room)
                                                   : is_same(policy, rows[i].name, value->text, why, room)))
            return false;
    }
    return true;
}
