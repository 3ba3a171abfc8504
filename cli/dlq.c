/* dlq: the table of the noun's commands. */
#include "cli/dlq.h"

#include "cli/command.h"
#include "cli/options.h"
#include "cli/prompt.h"

#define GROUP_OPTION                                                                                         \
    {                                                                                                        \
        "group", 'g', "GROUP", OPTION_TEXT, WORDS_NONE, 0, 0, "the group (default: `default`)"               \
    }
#define COUNT_OPTION                                                                                         \
    {                                                                                                        \
        "count", 0, "N", OPTION_COUNT, WORDS_NONE, 1, INT64_MAX, "the oldest N"                              \
    }
#define ALL_OPTION                                                                                           \
    {                                                                                                        \
        "all", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "all that there are now"                              \
    }
#define NO_WAIT_OPTION                                                                                       \
    {                                                                                                        \
        "no-wait", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0,                                                   \
            "do not wait until the job is done; the broker goes on with it"                                  \
    }

#define UNATTENDED_OPTION                                                                                    \
    {                                                                                                        \
        "unattended", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "do not count this as a look"                  \
    }

static const struct option_row causes_rows[] = {
    {"group", 'g', "GROUP", OPTION_TEXT, WORDS_NONE, 0, 0, "only of this group (default: of all)"},
};
static const struct option_row cause_rows[] = {
    GROUP_OPTION,
    {"state", 0, "new|seen|muted|resolved", OPTION_TEXT, WORDS_NONE, 0, 0, "what it is from now on"},
    {"owner", 0, "WHO", OPTION_TEXT, WORDS_NONE, 0, 0, "who sees to it (\"\": nobody any more)"},
    {"note", 0, "TEXT", OPTION_TEXT, WORDS_NONE, 0, 0, "what to know about it (\"\": nothing any more)"},
    UNATTENDED_OPTION,
};
static const struct option_row list_rows[] = {
    GROUP_OPTION,
    DLQ_FILTER_OPTIONS,
    {"limit", 0, "N", OPTION_COUNT, WORDS_NONE, 1, INT64_MAX, "show at most N (default: 100)"},
    {"after", 0, "ID", OPTION_TEXT, WORDS_NONE, 0, 0, "only dead letters after this one"},
};
static const struct option_row show_rows[] = {
    GROUP_OPTION,
    {"raw", 0, "[FILE]", OPTION_TEXT, WORDS_ONE, 0, 0,
     "only the bytes of the body, to FILE or to standard output"},
    {"original", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "with the body that it was published with"},
    UNATTENDED_OPTION,
};
#define BODY_FILE_OPTION                                                                                     \
    {                                                                                                        \
        "body-file", 0, "FILE", OPTION_TEXT, WORDS_NONE, 0, 0,                                               \
            "the new body is what FILE holds (`-`: standard input); no editor"                               \
    }

static const struct option_row edit_rows[] = {
    GROUP_OPTION,
    BODY_FILE_OPTION,
    {"undo", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "give it the body again that it was published with"},
};
static const struct option_row redrive_rows[] = {
    GROUP_OPTION,
    COUNT_OPTION,
    ALL_OPTION,
    DLQ_FILTER_OPTIONS,
    {"dry-run", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "only say how many would go back, by cause"},
    {"rate", 0, "N/s", OPTION_TEXT, WORDS_NONE, 0, 0, "at most N per second (default: no limit)"},
    {"spread", 0, "D", OPTION_DURATION, WORDS_NONE, 0, 86400000,
     "each comes back after a random time up to D"},
    {"canary", 0, "N", OPTION_COUNT, WORDS_NONE, 0, 1000000,
     "N first, and the rest only if they are acked (default: 1 with a filter, --max-fail or "
     "--hold-for-build, else 0)"},
    {"max-fail", 0, "P%", OPTION_TEXT, WORDS_NONE, 0, 0, "stop if more of the known outcomes are failures"},
    {"to", 0, "TOPIC", OPTION_TEXT, WORDS_NONE, 0, 0, "not back: to TOPIC, as new messages"},
    {"hold-for-build", 0, "BUILD", OPTION_TEXT, WORDS_NONE, 0, 0,
     "not before a consumer of this build comes; '': of another one than those that failed"},
    {"keep-deadline", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0,
     "deadlines stay: what has passed its own dies again at once (default: they are dropped)"},
    {"edit", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "of one ID: edit its body before, as `dlq edit` does"},
    BODY_FILE_OPTION,
    {"watch", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "wait until each message has an outcome"},
    NO_WAIT_OPTION,
};
static const struct option_row purge_rows[] = {GROUP_OPTION,       COUNT_OPTION,   ALL_OPTION,
                                               DLQ_FILTER_OPTIONS, NO_WAIT_OPTION, PROMPT_OPTION};
static const struct option_row export_rows[] = {
    GROUP_OPTION,
    DLQ_FILTER_OPTIONS,
    {"to", 0, "FILE", OPTION_TEXT, WORDS_NONE, 0, 0,
     "write to FILE, whole or not at all (default: standard output)"},
};

#define ROWS(rows) .options = rows, .options_count = sizeof rows / sizeof *rows

static const struct command commands[] = {
    {.noun = "dlq",
     .verb = "causes",
     .usage = "[TOPIC] [-g GROUP]",
     .text = "what dead letters died of, the most pressing first",
     .about =
         "Without TOPIC: in all queues that hold dead letters. A row is one fault: DEAD of its DEATHS are in "
         "the queue now, from FIRST\non; ATTENDED is `no` if somebody must still look; BUILD is the one that "
         "failed last, and how many others did.",
     .examples = "  shunt dlq causes\n  shunt dlq causes files -o json\n",
     ROWS(causes_rows),
     .words_min = 0,
     .words_max = 1,
     .run = dlq_run_causes},
    {.noun = "dlq",
     .verb = "cause",
     .usage = "TOPIC FP [-g GROUP] [--state STATE] [--owner WHO] [--note TEXT] [--unattended]",
     .text = "one cause: an example, builds, hosts, hours, samples; or decide about it",
     .about = "FP is the cause's fingerprint, or as much of its beginning as no other one has. To show it is "
              "to have "
              "looked at it and at all of\nits dead letters. A cause that is `resolved` and happens again is "
              "`regressed`; nobody is paged for one that is `muted`.",
     .examples = "  shunt dlq cause files 3f2a\n"
                 "  shunt dlq cause files 3f2a --state muted --owner ann --note 'wait for the new parser'\n",
     ROWS(cause_rows),
     .words_min = 2,
     .words_max = 2,
     .run = dlq_run_cause},
    {.noun = "dlq",
     .verb = "list",
     .usage = "[TOPIC] [-g GROUP] " DLQ_FILTER_USAGE " [--limit N] [--after ID]",
     .text = "dead letters, oldest death first; without TOPIC, the queues that hold some",
     .about = "One is listed if all that is given is true of it. FP may be the beginning of a cause's "
              "fingerprint.",
     .examples = "  shunt dlq list\n  shunt dlq list files\n  shunt dlq list files --cause 3f2a --since 2h\n"
                 "  shunt dlq list files --match timeout -H tenant=blue -o jsonl\n",
     ROWS(list_rows),
     .words_min = 0,
     .words_max = 1,
     .run = dlq_run_list},
    {.noun = "dlq",
     .verb = "show",
     .usage = "[TOPIC] ID [-g GROUP] [--raw [FILE]] [--original] [--unattended]",
     .text = "one dead letter: headers, every attempt, body",
     .about = "ID is the dead letter's id, the name of its origin (TOPIC/SEQ), or its number in the "
              "dead-letter queue; the first two need no TOPIC before them. To show it is to have looked\nat "
              "it. A body that is JSON is shown with a "
              "member a "
              "line, one that is no text in hex.",
     .examples = "  shunt dlq show files/12\n  shunt dlq show files 3 -o json\n"
                 "  shunt dlq show files files/12 --raw body.bin\n",
     ROWS(show_rows),
     .words_min = 1,
     .words_max = 2,
     .run = dlq_run_show},
    {.noun = "dlq",
     .verb = "edit",
     .usage = "[TOPIC] ID [-g GROUP] [--body-file FILE | --undo]",
     .text = "give a dead letter another body, for its group alone",
     .about =
         "Opens $VISUAL, $EDITOR or `vi` on the body; if that leaves it as it was, or fails, nothing is "
         "changed. "
         "Headers, key and type stay, and so\ndoes the message for other groups. The group gets the new body "
         "when "
         "the letter goes back to it, however often that is;\n`dlq show --original` shows the other one. "
         "Exits 3 if nothing was changed, and 1 if somebody else has edited it meanwhile;\nthen what you "
         "wrote is "
         "kept in a file.",
     .examples = "  shunt dlq edit files files/12\n  shunt dlq edit files files/12 --body-file mended.json "
                 "--because 'no "
                 "date'\n"
                 "  shunt dlq show files files/12 --raw | jq .amount=1 | shunt dlq edit files files/12 "
                 "--body-file -\n"
                 "  shunt dlq edit files files/12 --undo\n",
     ROWS(edit_rows),
     .words_min = 1,
     .words_max = 2,
     .run = dlq_run_edit},
    {.noun = "dlq",
     .verb = "redrive",
     .usage = "[TOPIC] (ID… | --count N | --all | FILTER…) [-g GROUP] [--dry-run] [--rate N/s] [--spread D] "
              "[--canary N] "
              "[--max-fail P%] [--to TOPIC] [--hold-for-build BUILD] [--edit [--body-file FILE]] [--watch | "
              "--no-wait]",
     .text = "send dead letters back to the group that failed on them, and only to it, or to another topic",
     .about = "They start again with no attempts charged; their history stays. FILTER is --cause, --type, "
              "--match, "
              "--header, --since, --reason or --key.\nWith a canary the rest follows, twice as many at a "
              "time, only as "
              "long as all are acked. `shunt redrive` shows and stops what runs.\n"
              "With --to they leave for TOPIC as new messages, with their body, headers and key, and "
              "shunt-origin: TOPIC/SEQ.\n"
              "With --edit its one ID is edited first; it does not go if nothing was changed.\n"
              "Exits 2 if some of the IDs were not there, or if the job stopped by itself; 3 if there was "
              "nothing to "
              "redrive.",
     .examples = "  shunt dlq redrive files/12 files/15\n  shunt dlq redrive files --all --rate 50/s\n"
                 "  shunt dlq redrive files --cause 3f2a --dry-run\n"
                 "  shunt dlq redrive files --cause 3f2a --canary 5 --max-fail 5%\n"
                 "  shunt dlq redrive files files/12 --edit --watch\n"
                 "  shunt dlq redrive files --cause 3f2a --to files-parked\n"
                 "  shunt dlq redrive files --cause 3f2a --hold-for-build '' --no-wait\n",
     ROWS(redrive_rows),
     .words_min = 1,
     .words_max = SIZE_MAX,
     .run = dlq_run_redrive},
    {.noun = "dlq",
     .verb = "purge",
     .usage = "[TOPIC] (ID… | --count N | --all | FILTER…) [-g GROUP] [-y] [--no-wait]",
     .text = "delete dead letters for good",
     .examples = "  shunt dlq purge files files/12\n  shunt dlq export files --to files.jsonl && "
                 "jq -r .id files.jsonl | xargs shunt dlq purge files -y\n",
     ROWS(purge_rows),
     .words_min = 1,
     .words_max = SIZE_MAX,
     .run = dlq_run_purge},
    {.noun = "dlq",
     .verb = "export",
     .usage = "TOPIC [-g GROUP] " DLQ_FILTER_USAGE " [--to FILE]",
     .text = "dead letters with everything about them, as JSON lines",
     .examples = "  shunt dlq export files --to files.jsonl\n",
     ROWS(export_rows),
     .words_min = 1,
     .words_max = 1,
     .run = dlq_run_export},
};

const struct command_set dlq_set = {"dlq", "look at, edit, redrive, purge and export dead letters", commands,
                                    sizeof commands / sizeof *commands};
