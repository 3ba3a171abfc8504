/* globals: a command's own option of the same name hides the global one after the command's name, as `work
 * --timeout` does. */
#include "cli/globals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/call.h"
#include "cli/options.h"

#define TIMEOUT_DEFAULT_MS 30000
#define TIMEOUT_MS_MAX     86400000
#define URL_DEFAULT        "shunt://127.0.0.1:7480"

enum { ROW_URL, ROW_OUTPUT, ROW_TIMEOUT, ROW_QUIET, ROW_BECAUSE, ROW_REASON, ROW_HELP, ROW_VERSION };

const struct option_row global_rows[] = {
    [ROW_URL] = {"url", 0, "URL", OPTION_TEXT, WORDS_NONE, 0, 0,
                 "the broker; shunts:// with TLS, shunt+unix:// on this machine (default: SHUNT_URL, "
                 "else " URL_DEFAULT ")"},
    [ROW_OUTPUT] = {"output", 'o', "table|json|jsonl", OPTION_TEXT, WORDS_NONE, 0, 0,
                    "the form of the output (default: table)"},
    [ROW_TIMEOUT] = {"timeout", 0, "D", OPTION_DURATION, WORDS_NONE, 1, TIMEOUT_MS_MAX,
                     "how long to wait for an answer (default: 30s)"},
    [ROW_QUIET] = {"quiet", 'q', NULL, OPTION_FLAG, WORDS_NONE, 0, 0,
                   "print no progress and no summaries, only errors"},
    [ROW_BECAUSE] = {"because", 0, "TEXT", OPTION_TEXT, WORDS_NONE, 0, 0,
                     "why; the audit log keeps it with what the command does"},
    [ROW_REASON] = {"reason", 0, "TEXT", OPTION_TEXT, WORDS_NONE, 0, 0,
                    "the same, of a command that has no --reason of its own"},
    [ROW_HELP] = {"help", 'h', NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "print this text"},
    [ROW_VERSION] = {"version", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "print the version"},
};
const size_t global_rows_count = sizeof global_rows / sizeof *global_rows;

static const struct option_value *find(const struct options *before, const struct options *after, size_t row)
{
    const struct option_value *value = after ? options_find_row(after, &global_rows[row]) : NULL;
    return value ? value : options_find_row(before, &global_rows[row]);
}

bool globals_ask_help(const struct options *before, const struct options *after)
{
    return find(before, after, ROW_HELP) != NULL;
}

bool globals_ask_version(const struct options *before, const struct options *after)
{
    return find(before, after, ROW_VERSION) != NULL;
}

static bool parse_form(const char *text, enum call_form *ret)
{
    static const char *const names[] = {[FORM_TABLE] = "table", [FORM_JSON] = "json", [FORM_JSONL] = "jsonl"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret = (enum call_form)i;
            return true;
        }
    }
    return false;
}

const char *globals_url(const char *given)
{
    const char *from_environment = getenv("SHUNT_URL");
    return given ? given : from_environment && *from_environment ? from_environment : URL_DEFAULT;
}

bool globals_apply(struct call *call, const struct options *before)
{
    const struct options *after = &call->options;
    const struct option_value *url = find(before, after, ROW_URL);
    call->url = globals_url(url ? url->text : NULL);
    const struct option_value *timeout = find(before, after, ROW_TIMEOUT);
    call->timeout_ms = timeout ? timeout->number : TIMEOUT_DEFAULT_MS;
    call->quiet = find(before, after, ROW_QUIET) != NULL;
    const struct option_value *because = find(before, after, ROW_BECAUSE);
    because = because ? because : find(before, after, ROW_REASON);
    call->because = because ? because->text : NULL;
    const struct option_value *form = find(before, after, ROW_OUTPUT);
    call->form = FORM_TABLE;
    if (form && !parse_form(form->text, &call->form)) {
        (void)call_misused(call, "--output %.40s: must be table, json or jsonl", form->text);
        return false;
    }
    return true;
}
