/* settings: rows made from shunt_setting(), so that a new setting needs no change here. */
#include "cli/settings.h"

#include <stdio.h>
#include <string.h>

#include "cli/call.h"
#include "cli/options.h"
#include "client/shunt.h"

#define SETTINGS_MAX 32

struct settings_table {
    struct option_row rows[SETTINGS_MAX];
    char texts[SETTINGS_MAX][160];
    size_t count;
};

static const char *argument_of(const char *unit)
{
    static const char *const arguments[][2] = {
        {"count", "N"}, {"duration", "D"}, {"size", "SIZE"}, {"duration..duration", "MIN..MAX"}};
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) {
        if (strcmp(unit, arguments[i][0]) == 0)
            return arguments[i][1];
    }
    return unit;
}

static void add_row(struct settings_table *t, const char *name, const char *argument, const char *text,
                    const char *initial)
{
    if (t->count == SETTINGS_MAX)
        return;
    (void)snprintf(t->texts[t->count], sizeof t->texts[0], "%s (default: %s)", text, initial);
    t->rows[t->count] = (struct option_row){
        .name = name, .argument = argument, .kind = OPTION_TEXT, .text = t->texts[t->count]};
    t->count++;
}

static void make_table(struct settings_table *t, enum command_settings which)
{
    struct shunt_setting setting;
    for (size_t i = 0; shunt_setting(i, &setting); i++) {
        if (which == SETTINGS_GROUP && !setting.of_group)
            continue;
        add_row(t, setting.name, argument_of(setting.unit), setting.text, setting.initial);
        if (strcmp(setting.name, "backoff") == 0) {
            /* Listed as one setting, as people think of it; each end can be set alone. */
            add_row(t, "backoff-min", "D", "only the first bound", "1s");
            add_row(t, "backoff-max", "D", "only the last bound", "5m");
        }
    }
}

const struct option_row *settings_rows(enum command_settings which, size_t *ret_count)
{
    static struct settings_table tables[SETTINGS_GROUP + 1];
    struct settings_table *t = &tables[which];
    if (which != SETTINGS_NONE && t->count == 0)
        make_table(t, which);
    *ret_count = t->count;
    return t->rows;
}

struct shunt_options *settings_take(const struct call *call, size_t *ret_count)
{
    struct shunt_options *settings = shunt_options_new();
    size_t rows_count = 0;
    const struct option_row *rows = settings_rows(call->command->settings, &rows_count);
    size_t taken = 0;
    for (size_t i = 0; settings && i < rows_count; i++) {
        const struct option_value *value = options_find_row(&call->options, &rows[i]);
        if (!value)
            continue;
        if (shunt_options_set(settings, rows[i].name, value->text)) {
            shunt_options_free(settings);
            return NULL;
        }
        taken++;
    }
    if (ret_count)
        *ret_count = taken;
    return settings;
}
