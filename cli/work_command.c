/* work_command: options and help of `shunt work`. */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/work.h"

#define JOBS_MAX     1024
#define PREFETCH_MAX 4096

static const struct option_row rows[] = {
    {"group", 'g', "GROUP", OPTION_TEXT, WORDS_NONE, 0, 0, "the group (default: `default`)"},
    {"jobs", 'j', "N", OPTION_COUNT, WORDS_NONE, 1, JOBS_MAX,
     "run at most N commands at a time (default: 1)"},
    {"stream", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0,
     "start COMMAND once for each of N, and speak JSON lines with it (docs/workers.md)"},
    {"prefetch", 0, "N", OPTION_COUNT, WORDS_NONE, 1, PREFETCH_MAX,
     "fetch at most N messages ahead (default: one a command, 32 with --stream)"},
    {"start-timeout", 0, "D", OPTION_DURATION, WORDS_NONE, 1, 0,
     "with --stream: kill a COMMAND that does not begin to read a message for so long (default: 60s)"},
    {"timeout", 0, "D", OPTION_DURATION, WORDS_NONE, 0, 0,
     "kill a command that takes longer: a failed attempt (default: 0, no limit)"},
    {"stop-timeout", 0, "D", OPTION_DURATION, WORDS_NONE, 0, 0,
     "after a first signal to stop, end commands that run longer: not a failure (default: 0, wait for them)"},
    {"keep-background", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0,
     "let processes run on that a command leaves in the background when it ends"},
    {"confine", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0,
     "commands have no network, and files that they can only read (docs/workers.md)"},
    {"writable", 0, "DIR", OPTION_TEXT, WORDS_NONE, 0, 0,
     "with --confine: the directory that commands can write to, their TMPDIR (default: none)"},
    {"memory", 0, "SIZE", OPTION_TEXT, WORDS_NONE, 0, 0,
     "with --confine: the most memory of a process of a command (default: no bound)"},
    {"client", 0, "NAME", OPTION_TEXT, WORDS_NONE, 0, 0,
     "the consumer's name in the history of failures (default: the command's file and our pid)"},
    {"build", 0, "ID", OPTION_TEXT, WORDS_NONE, 0, 0,
     "the command's build in that history (default: a hash of its file)"},
    {"drain", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "return when nothing is ready, in flight or delayed"},
};

static const struct command commands[] = {{
    .noun = "work",
    .usage = "TOPIC [-g GROUP] [-j N] [--stream] [--timeout D] [--stop-timeout D] [--keep-background] "
             "[--confine [--writable DIR] [--memory SIZE]] [--drain] -- "
             "COMMAND [ARGUMENT…]",
    .text = "run a command on each message, the body on its standard input",
    .about =
        "If COMMAND exits 0, the message is acked; with 65 it is rejected (straight to the dead-letter "
        "queue);\n"
        "anything else is a failed attempt, named after the exception that ended COMMAND, or `exit N`,\n"
        "`SIGSEGV` and so on, or `timeout`. The attempt keeps the line of stderr that says what failed, else "
        "the\n"
        "last one (of stdout, if stderr stayed empty), and the last 16 KiB. COMMAND's environment has\n"
        "SHUNT_TOPIC, SHUNT_GROUP, SHUNT_MESSAGE (TOPIC/SEQ), SHUNT_ATTEMPT (1, 2, …) and "
        "SHUNT_HEADER_<KEY>.\n"
        "Its output goes to ours, line by line. The lease is extended for as long as it runs. After "
        "SIGTERM,\n"
        "SIGINT or SIGHUP, `work` waits for the commands that run; a second signal kills them. A command "
        "that\n"
        "dies because of a stop has not failed. If the broker cannot be reached, `work` tries until it can.\n"
        "--drain exits 75 if the group is paused, or what it has waits for dead letters of its keys.\n"
        "With --stream COMMAND stays, reads a line of JSON for each message and answers with one: tens of "
        "times\n"
        "as many messages. A COMMAND that dies is started again, and only the message that it held is "
        "charged.",
    .examples = "  shunt work mails --stream -j 4 -- python3 send_mails.py\n"
                "  shunt work files -j 4 --drain -- python3 -m json.tool\n"
                "  shunt work mails --timeout 30s -- sh -c 'sendmail \"$SHUNT_HEADER_TO\"'\n",
    .options = rows,
    .options_count = sizeof rows / sizeof *rows,
    .words_min = 1,
    .words_max = 1,
    .command_line = true,
    .run = work_run,
}};

const struct command_set work_set = {"work", "run a command on each message", commands, 1};
