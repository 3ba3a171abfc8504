/* command: what a command is: its words, options, help and function, in one row of its noun's table. */
#ifndef SHUNT_CLI_COMMAND_H
#define SHUNT_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct call;
struct option_row;
struct options;

/* Which of the settings that shunt_setting() lists are options of the command too. */
enum command_settings { SETTINGS_NONE, SETTINGS_TOPIC, SETTINGS_GROUP };

struct command {
    const char *noun;
    const char *verb;  /* NULL: the noun alone is the command */
    const char *usage; /* what follows the name */
    const char *text;  /* one line */
    const char *about; /* more, for --help; may be NULL */
    const char *examples;
    const struct option_row *options;
    size_t options_count;
    size_t words_min;
    size_t words_max;
    bool command_line; /* what stands after `--` is a command of its own, and must be there */
    enum command_settings settings;
    int no_verdict; /* what it exits with if it is misused or cannot write, where its codes are a plug-in's; 0: the usual ones */
    int (*run)(struct call *call); /* returns an enum exit_code */
    /* Instead of `run`: the command reads its own command line. `before` are the options before its name. */
    int (*hand_over)(const struct options *before, int argc, char **argv);
};

/* A noun's table. */
struct command_set {
    const char *noun;
    const char *text;
    const struct command *commands;
    size_t count;
};

extern const struct command_set ping_set, topic_set, group_set, publish_set, consume_set, work_set, dlq_set,
    redrive_set, rule_set, job_set, clock_set, audit_set, clients_set, keys_set, stats_set, overview_set,
    check_set, why_set, user_set, role_set, token_set, whoami_set, backup_set, bench_set, completion_set;

/* NULL if there is no such noun. */
const struct command_set *command_set_find(const char *noun);
/* NULL if the noun has no such verb. */
const struct command *command_find(const struct command_set *set, const char *verb);
/* Make `o` accept the options of `command`: its own, its settings, and those of every command. */
void command_accept(const struct command *command, struct options *o);
/* Set number `i`; NULL past the last. */
const struct command_set *command_set_at(size_t i);

#endif
