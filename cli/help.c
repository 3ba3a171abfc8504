/* help: the whole tool, a noun, or one command. */
#include "cli/help.h"

#include "cli/command.h"
#include "cli/globals.h"
#include "cli/options.h"
#include "cli/settings.h"

static void usage_line(const struct command *command, FILE *out)
{
    fprintf(out, "shunt %s%s%s%s%s\n", command->noun, command->verb ? " " : "",
            command->verb ? command->verb : "", *command->usage ? " " : "", command->usage);
}

static void global_options(FILE *out)
{
    fputs("\nOptions of every command:\n", out);
    options_print(global_rows, global_rows_count, out);
}

void help_all(FILE *out)
{
    fputs("Usage: shunt [OPTIONS] COMMAND …\n\nTalk to a shunt message broker: publish, consume, run a "
          "program on each message, and look\n"
          "after those that failed (the dead-letter queue, DLQ).\n\nCommands:\n",
          out);
    const struct command_set *set = NULL;
    for (size_t i = 0; (set = command_set_at(i)); i++)
        fprintf(out, "  %-10s %s\n", set->noun, set->text);
    global_options(out);
    fputs("\n`shunt COMMAND --help` says more.\n\nExample:\n"
          "  shunt topic create files --max-attempts 3\n"
          "  shunt publish files --file *.json\n"
          "  shunt work files -j 4 --drain -- python3 -m json.tool\n"
          "  shunt dlq list files\n\n"
          "Exit codes: 0 ok, 1 failed, 2 partly, 3 nothing matched, 64 usage, 69 broker not reachable,\n"
          "75 not now (the group is paused), 77 not permitted.\n",
          out);
}

void help_set(const struct command_set *set, FILE *out)
{
    if (set->count == 1 && !set->commands[0].verb) {
        help_command(&set->commands[0], out);
        return;
    }
    fprintf(out, "Usage: shunt %s COMMAND …\n\n%s\n\nCommands:\n", set->noun, set->text);
    for (size_t i = 0; i < set->count; i++)
        fprintf(out, "  %-9s %s\n", set->commands[i].verb, set->commands[i].text);
    global_options(out);
    fprintf(out, "\n`shunt %s COMMAND --help` says more.\n", set->noun);
}

void help_command(const struct command *command, FILE *out)
{
    fputs("Usage: ", out);
    usage_line(command, out);
    fprintf(out, "\n%s\n", command->text);
    if (command->about)
        fprintf(out, "%s\n", command->about);
    if (command->options_count) {
        fputs("\nOptions:\n", out);
        options_print(command->options, command->options_count, out);
    }
    if (command->settings != SETTINGS_NONE) {
        size_t count = 0;
        const struct option_row *rows = settings_rows(command->settings, &count);
        fputs("\nSettings (the value `inherit` restores the default):\n", out);
        options_print(rows, count, out);
    }
    global_options(out);
    if (command->examples)
        fprintf(out, "\nExamples:\n%s", command->examples);
}
