/* dlq: list, show, and the table of the noun's commands. */
#include "cli/dlq.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/magic.h"
#include "base/utf8.h"
#include "cli/call.h"
#include "cli/command.h"
#include "cli/dead.h"
#include "cli/output.h"
#include "cli/prompt.h"
#include "cli/table.h"
#include "client/shunt.h"

#define LIMIT_DEFAULT 100
#define ERROR_COLUMNS 80

/* ---- list */

#define LISTING_MAGIC 0xe8eb669bu
struct listing {
    uint32_t magic;
    struct output out;
    struct table table;
};

static int list_row(void *context, const struct shunt_value *dead)
{
    struct listing *l = magic_of(context, listing, LISTING_MAGIC);
    char text[32];
    if (output_is_json(&l->out)) {
        record_json(&l->out.json, dead_fields, dead);
        output_item_end(&l->out);
        return ferror(stdout) ? EXIT_FAILED : EXIT_OK; /* call_end_output() tells */
    }
    table_cell(&l->table, record_text(dead, "id"));
    table_cell(&l->table, record_text(dead, "origin"));
    table_cell(&l->table, record_text(dead, "reason"));
    table_cellf(&l->table, "%" PRId64, record_integer(dead, "attempts"));
    table_cell(&l->table, record_time(text, shunt_value_get(dead, "died")));
    table_cell(&l->table, record_age(text, shunt_value_get(dead, "died")));
    dead_error_cell(&l->table, dead, ERROR_COLUMNS);
    return EXIT_OK;
}

/* A number or an id. The name of an origin is neither: its number is that of another queue. */
static bool parse_after(const struct call *call, const char *text, uint64_t *ret)
{
    char queue[256];
    (void)snprintf(queue, sizeof queue, "dlq:%.100s:%.100s/", call_word(call, 0), call_group(call));
    const char *digits = strncmp(text, queue, strlen(queue)) == 0 ? text + strlen(queue) : text;
    char *end = NULL;
    errno = 0;
    *ret = strtoull(digits, &end, 10);
    return *digits >= '0' && *digits <= '9' && *end == '\0' && errno == 0;
}

static int run_list(struct call *call)
{
    static const char *const headings[] = {"ID",   "ORIGIN", "REASON", ">ATTEMPTS",
                                           "DIED", "AGE",    "ERROR",  NULL};
    uint64_t after = 0;
    bool more = false;
    struct listing l = {.magic = LISTING_MAGIC};
    const char *after_text = options_text(&call->options, "after", "0");
    if (!parse_after(call, after_text, &after)) {
        return call_misused(call, "--after %.60s: must be an id or a number in the dead-letter queue",
                            after_text);
    }
    int code = call_connect(call);
    if (code)
        return code;
    output_begin(&l.out, call->form, true);
    table_init(&l.table, headings);
    code = dlq_walk(call, after, (uint64_t)options_number(&call->options, "limit", LIMIT_DEFAULT), list_row,
                    &l, &more, &after);
    if (code == EXIT_OK && call->form == FORM_TABLE && !table_print(&l.table, stdout))
        call_complain("out of memory: not everything is shown");
    table_done(&l.table);
    output_end(&l.out);
    if (code == EXIT_OK && more) {
        call_note(call,
                  "there are more: --after %" PRIu64 " shows the next ones, --limit N shows more at once",
                  after);
    }
    return code;
}

/* ---- show */

static int run_show(struct call *call)
{
    struct shunt_error err = {0};
    struct shunt_value *dead = NULL;
    int code = call_connect(call);
    if (code)
        return code;
    if (shunt_dlq_show(call->shunt, call_word(call, 0), call_group(call), call_word(call, 1),
                       call->timeout_ms, &dead, &err))
        return call_failed(call, &err);
    dead_show(call, dead);
    shunt_value_free(dead);
    return EXIT_OK;
}

/* ---- the noun */

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

static const struct option_row list_rows[] = {
    GROUP_OPTION,
    {"limit", 0, "N", OPTION_COUNT, WORDS_NONE, 1, INT64_MAX, "show at most N (default: 100)"},
    {"after", 0, "ID", OPTION_TEXT, WORDS_NONE, 0, 0, "only dead letters after this one"},
};
static const struct option_row show_rows[] = {GROUP_OPTION};
static const struct option_row redrive_rows[] = {
    GROUP_OPTION,
    COUNT_OPTION,
    ALL_OPTION,
    {"rate", 0, "N/s", OPTION_TEXT, WORDS_NONE, 0, 0, "at most N per second (default: no limit)"},
    NO_WAIT_OPTION,
};
static const struct option_row purge_rows[] = {GROUP_OPTION, COUNT_OPTION, ALL_OPTION, NO_WAIT_OPTION,
                                               PROMPT_OPTION};
static const struct option_row export_rows[] = {
    GROUP_OPTION,
    {"to", 0, "FILE", OPTION_TEXT, WORDS_NONE, 0, 0,
     "write to FILE, whole or not at all (default: standard output)"},
};

#define ROWS(rows) .options = rows, .options_count = sizeof rows / sizeof *rows

static const struct command commands[] = {
    {.noun = "dlq",
     .verb = "list",
     .usage = "TOPIC [-g GROUP] [--limit N] [--after ID]",
     .text = "dead letters, oldest death first",
     .examples =
         "  shunt dlq list files\n  shunt dlq list files -o jsonl | jq -r .error_message | sort | uniq -c\n",
     ROWS(list_rows),
     .words_min = 1,
     .words_max = 1,
     .run = run_list},
    {.noun = "dlq",
     .verb = "show",
     .usage = "TOPIC ID [-g GROUP]",
     .text = "one dead letter: history, error, body",
     .about = "ID is the dead letter's id, the name of its origin (TOPIC/SEQ), or its number in the "
              "dead-letter queue.",
     .examples = "  shunt dlq show files files/12\n  shunt dlq show files 3 -o json\n",
     ROWS(show_rows),
     .words_min = 2,
     .words_max = 2,
     .run = run_show},
    {.noun = "dlq",
     .verb = "redrive",
     .usage = "TOPIC (ID… | --count N | --all) [-g GROUP] [--rate N/s] [--no-wait]",
     .text = "send dead letters back to the group that failed on them, and only to it",
     .about =
         "They start again with no attempts charged; their history stays. Exits 2 if some of the IDs were "
         "not there,\n"
         "3 if there was nothing to redrive.",
     .examples = "  shunt dlq redrive files files/12 files/15\n  shunt dlq redrive files --all --rate 50/s\n",
     ROWS(redrive_rows),
     .words_min = 1,
     .words_max = SIZE_MAX,
     .run = dlq_run_redrive},
    {.noun = "dlq",
     .verb = "purge",
     .usage = "TOPIC (ID… | --count N | --all) [-g GROUP] [-y] [--no-wait]",
     .text = "delete dead letters for good",
     .examples = "  shunt dlq purge files files/12\n  shunt dlq export files --to files.jsonl && "
                 "jq -r .id files.jsonl | xargs shunt dlq purge files -y\n",
     ROWS(purge_rows),
     .words_min = 1,
     .words_max = SIZE_MAX,
     .run = dlq_run_purge},
    {.noun = "dlq",
     .verb = "export",
     .usage = "TOPIC [-g GROUP] [--to FILE]",
     .text = "all dead letters with everything about them, as JSON lines",
     .examples = "  shunt dlq export files --to files.jsonl\n",
     ROWS(export_rows),
     .words_min = 1,
     .words_max = 1,
     .run = dlq_run_export},
};

const struct command_set dlq_set = {"dlq", "look at, redrive, purge and export dead letters", commands,
                                    sizeof commands / sizeof *commands};
