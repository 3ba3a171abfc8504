/* command: the list of nouns. */
#include "cli/command.h"

#include <string.h>

#include "cli/globals.h"
#include "cli/options.h"
#include "cli/settings.h"

static const struct command_set *const sets[] = {
    &ping_set,    &topic_set,    &group_set, &publish_set,   &consume_set, &work_set,    &dlq_set,
    &redrive_set, &rule_set,     &job_set,   &clock_set,     &audit_set,   &clients_set, &keys_set,
    &stats_set,   &overview_set, &check_set, &why_set,       &user_set,    &role_set,    &token_set,
    &whoami_set,  &backup_set,   &bench_set, &completion_set};

const struct command_set *command_set_at(size_t i)
{
    return i < sizeof sets / sizeof *sets ? sets[i] : NULL;
}

const struct command_set *command_set_find(const char *noun)
{
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        if (strcmp(sets[i]->noun, noun) == 0)
            return sets[i];
    }
    return NULL;
}

const struct command *command_find(const struct command_set *set, const char *verb)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->commands[i].verb && strcmp(set->commands[i].verb, verb) == 0)
            return &set->commands[i];
    }
    return NULL;
}

void command_accept(const struct command *command, struct options *o)
{
    size_t settings_count = 0;
    const struct option_row *settings = settings_rows(command->settings, &settings_count);
    options_accept(o, command->options, command->options_count);
    options_accept(o, settings, settings_count);
    options_accept(o, global_rows, global_rows_count);
}
