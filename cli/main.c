/* shunt: the command-line tool. This file finds the command and runs it. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/command.h"
#include "cli/complete.h"
#include "cli/globals.h"
#include "cli/help.h"
#include "cli/nearest.h"
#include "client/shunt.h"

/* A descriptor opened later must not become 0, 1 or 2: what we write to it would reach the wrong reader. What
 * was closed stays of no use: reading 0 fails, and so does writing 1, or `consume` would ack what nobody got.
 */
static void hold_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            (void)open("/dev/null",
                       fd == STDIN_FILENO ? O_WRONLY : O_RDONLY); /* gets the lowest number: fd */
        }
    }
}

static int unknown(const char *what, const struct nearest *near, const char *where)
{
    if (near->best)
        call_complain("unknown %s `%.60s`; did you mean `%s`?", what, near->word, near->best);
    else
        call_complain("unknown %s `%.60s`", what, near->word);
    call_complain("see `shunt%s --help`", where);
    return EXIT_USAGE;
}

static int unknown_noun(const char *noun)
{
    struct nearest near = {.word = noun};
    for (size_t i = 0; command_set_at(i); i++)
        nearest_offer(&near, command_set_at(i)->noun);
    return unknown("command", &near, "");
}

static int unknown_verb(const struct command_set *set, const char *verb)
{
    char what[64];
    char where[64];
    struct nearest near = {.word = verb};
    for (size_t i = 0; i < set->count; i++)
        nearest_offer(&near, set->commands[i].verb);
    (void)snprintf(what, sizeof what, "command after `%s`:", set->noun);
    (void)snprintf(where, sizeof where, " %s", set->noun);
    return unknown(what, &near, where);
}

static int print_help(const struct command *command)
{
    help_command(command, stdout);
    return call_end_output(EXIT_OK);
}

static int print_version(void)
{
    printf("shunt %s (libshunt %s)\n", SHUNT_VERSION, shunt_version());
    return call_end_output(EXIT_OK);
}

/* Words are counted after the options are known, so that the message can say what took them. */
static int check_words(const struct call *call)
{
    const struct command *command = call->command;
    const struct options *o = &call->options;
    if (o->words_count < command->words_min) {
        for (size_t i = 0; i < o->values_count; i++) {
            if (o->values[i].row->words != WORDS_NONE && o->values[i].text) {
                return call_misused(call,
                                    "an argument is missing before --%s, which takes the words after it: %s",
                                    o->values[i].row->name, command->usage);
            }
        }
        return call_misused(call, "an argument is missing: %s", command->usage);
    }
    if (o->words_count > command->words_max) {
        return call_misused(call, "unexpected argument `%.60s`%s", o->words[command->words_max],
                            command->command_line && !o->rest ? "; put `--` before the command to run" : "");
    }
    if (command->command_line && o->rest_count == 0)
        return call_misused(call, "the command to run is missing: put it after `--`");
    return EXIT_OK;
}

/* What follows `--` are words like any other, unless the command runs it. */
static void append_rest(struct options *o)
{
    for (size_t i = 0; i < o->rest_count; i++)
        o->words[o->words_count++] = o->rest[i];
}

/* The codes of a plug-in are verdicts, so what keeps a command from its verdict has a code of its own. */
static int last_code(const struct command *command, int code)
{
    bool written = call_end_output(EXIT_OK) == EXIT_OK;
    if (command->no_verdict && (code == EXIT_USAGE || !written))
        return command->no_verdict;
    return written ? code : EXIT_FAILED;
}

static int run_command(const struct command *command, const struct options *before, int argc, char **argv)
{
    if (command->hand_over)
        return command->hand_over(before, argc, argv);
    struct call call = {.command = command};
    options_init(&call.options);
    command_accept(command, &call.options);

    int code = EXIT_OK;
    if (!options_parse(&call.options, argc, argv, false, NULL)) {
        code = call_misused(&call, "%s", call.options.why);
    } else if (globals_ask_help(before, &call.options)) {
        code = print_help(command);
    } else if (globals_ask_version(before, &call.options)) {
        code = print_version();
    } else if (!globals_apply(&call, before)) {
        code = EXIT_USAGE;
    } else {
        if (!command->command_line)
            append_rest(&call.options);
        code = check_words(&call);
        if (code == EXIT_OK)
            code = command->run(&call);
    }
    code = last_code(command, code);
    call_disconnect(&call);
    options_done(&call.options);
    return code;
}

static int run_set(const struct command_set *set, const struct options *before, int argc, char **argv)
{
    if (set->count == 1 && !set->commands[0].verb)
        return run_command(&set->commands[0], before, argc, argv);
    bool ask = argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
               globals_ask_help(before, NULL);
    const struct command *command = argc < 2 ? NULL : command_find(set, argv[1]);
    if (command)
        return run_command(command, before, argc - 1, argv + 1);
    if (!ask && argv[1][0] == '-') {
        call_complain("put the command after `shunt %s`, then its options", set->noun);
        return EXIT_USAGE;
    }
    if (!ask)
        return unknown_verb(set, argv[1]);
    help_set(set, argc < 2 ? stderr : stdout);
    return argc < 2 ? EXIT_USAGE : call_end_output(EXIT_OK);
}

/* `shunt help topic create` is `shunt topic create --help`. */
static int run_help(int argc, char **argv)
{
    const struct command_set *set = argc > 1 ? command_set_find(argv[1]) : NULL;
    if (argc > 1 && !set)
        return unknown_noun(argv[1]);
    const struct command *command = set && argc > 2 ? command_find(set, argv[2]) : NULL;
    if (set && argc > 2 && !command)
        return unknown_verb(set, argv[2]);
    if (command)
        help_command(command, stdout);
    else if (set)
        help_set(set, stdout);
    else
        help_all(stdout);
    return call_end_output(EXIT_OK);
}

/* `shunt completion words -- WORD…`: what the scripts of the shells call. It complains of nothing: somebody is typing. */
static bool is_completion(int argc, char **argv)
{
    return argc > 2 && strcmp(argv[0], "completion") == 0 && strcmp(argv[1], "words") == 0 &&
           strcmp(argv[2], "--") == 0;
}

static int run_completion(int argc, char **argv)
{
    complete_print(argc - 2, argv + 2);
    return EXIT_OK;
}

static int run(struct options *before, int argc, char **argv)
{
    int used = 0;
    options_accept(before, global_rows, global_rows_count);
    if (!options_parse(before, argc, argv, true, &used)) {
        call_complain("%s", before->why);
        call_complain("see `shunt --help`");
        return EXIT_USAGE;
    }
    if (used >= argc) {
        if (globals_ask_version(before, NULL))
            return print_version();
        bool ask = globals_ask_help(before, NULL);
        help_all(ask ? stdout : stderr);
        return ask ? call_end_output(EXIT_OK) : EXIT_USAGE;
    }
    if (strcmp(argv[used], "help") == 0)
        return run_help(argc - used, argv + used);
    if (is_completion(argc - used, argv + used))
        return run_completion(argc - used, argv + used);
    const struct command_set *set = command_set_find(argv[used]);
    return set ? run_set(set, before, argc - used, argv + used) : unknown_noun(argv[used]);
}

int main(int argc, char **argv)
{
    hold_standard_descriptors();
    /* A reader that went away is an error of a write, told like any other. */
    (void)signal(SIGPIPE, SIG_IGN);
    struct options before;
    options_init(&before);
    int code = run(&before, argc, argv);
    options_done(&before);
    return code;
}
