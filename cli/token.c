/* token: secrets by which users log in: made, listed, revoked. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/call.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/paged.h"
#include "cli/record.h"
#include "cli/table.h"
#include "client/shunt_access.h"

#define PAGE_ROWS 500

static const struct record_field fields[] = {
    {"token", RECORD_COUNT, NULL, NULL},  {"user", RECORD_TEXT, NULL, NULL},
    {"note", RECORD_TEXT, NULL, NULL},    {"created", RECORD_TIME, NULL, NULL},
    {"expires", RECORD_TIME, NULL, NULL}, {0},
};

/* ---- list ---- */

static void list_row(struct table *t, const struct shunt_value *token)
{
    char text[32];
    table_cellf(t, "%" PRId64, record_integer(token, "token"));
    table_cell(t, record_text(token, "user"));
    table_cell(t, record_time(text, shunt_value_get(token, "created")));
    table_cell(t, record_time(text, shunt_value_get(token, "expires")));
    table_cell(t, record_text(token, "note"));
}

static int page(struct call *call, const struct shunt_value *last, struct shunt_value **ret,
                struct shunt_error *err)
{
    uint64_t after = last ? (uint64_t)record_integer(last, "token") : 0;
    return shunt_token_list(call->shunt, call_word(call, 0), after, PAGE_ROWS, call->timeout_ms, ret, err);
}

static int run_list(struct call *call)
{
    static const char *const headings[] = {">TOKEN", "USER", "CREATED", "EXPIRES", "~NOTE", NULL};
    return paged_list(call, &(struct paged){headings, fields, list_row, page, "there are no tokens"});
}

/* ---- create ---- */

static int run_create(struct call *call)
{
    const struct options *o = &call->options;
    struct shunt_error err = {0};
    char text[SHUNT_TOKEN_ROOM];
    uint64_t number = 0;
    struct output out;
    int code = call_connect(call);
    if (code)
        return code;
    if (shunt_token_create(call->shunt, call_word(call, 0), options_number(o, "expires", 0),
                           options_text(o, "note", NULL), call->timeout_ms, &number, text, &err))
        return call_failed(call, &err);
    output_begin(&out, call->form, false);
    if (output_is_json(&out)) {
        json_object(&out.json);
        json_key(&out.json, "token");
        json_unsigned(&out.json, number);
        json_key(&out.json, "text");
        json_text(&out.json, text, strlen(text));
        json_object_end(&out.json);
        output_item_end(&out);
    } else {
        (void)printf("%s\n", text);
    }
    output_end(&out);
    call_note(call, "token %" PRIu64 ": keep it, it is not shown again", number);
    explicit_bzero(text, sizeof text);
    return EXIT_OK;
}

/* ---- revoke ---- */

static int run_revoke(struct call *call)
{
    const char *word = call_word(call, 0);
    char *end = NULL;
    struct shunt_error err = {0};
    uint64_t number = strtoull(word, &end, 10);
    if (word[0] < '1' || word[0] > '9' || *end)
        return call_misused(call, "%.40s: not the number of a token, which `shunt token list` shows", word);
    int code = call_connect(call);
    if (code)
        return code;
    if (shunt_token_revoke(call->shunt, number, NULL, call->timeout_ms, &err))
        return call_failed(call, &err);
    call_note(call, "token %" PRIu64 " was revoked", number);
    return EXIT_OK;
}

/* ---- the table ---- */

static const struct option_row create_rows[] = {
    {"expires", 0, "D", OPTION_DURATION, WORDS_NONE, 1, 315360000000,
     "it ends after D, such as 90d (default: never)"},
    {"note", 0, "TEXT", OPTION_TEXT, WORDS_NONE, 0, 0, "what it is for; the list shows it"},
};

static const struct command commands[] = {
    {.noun = "token",
     .verb = "list",
     .usage = "[USER]",
     .text = "list tokens, without what is secret",
     .examples = "  shunt token list\n  shunt token list shop -o json\n",
     .words_max = 1,
     .run = run_list},
    {.noun = "token",
     .verb = "create",
     .usage = "[USER] [--expires D] [--note TEXT]",
     .text = "give a user, or oneself, a token to log in by, and print it",
     .about = "It is printed this once, alone on standard output: the broker keeps a hash of it.",
     .examples = "  (umask 077; shunt token create shop --expires 90d --note 'web shop' >token)\n",
     .options = create_rows,
     .options_count = sizeof create_rows / sizeof *create_rows,
     .words_max = 1,
     .run = run_create},
    {.noun = "token",
     .verb = "revoke",
     .usage = "NUMBER",
     .text = "take a token away; connections that logged in by it end at once",
     .examples = "  shunt token revoke 31\n",
     .words_min = 1,
     .words_max = 1,
     .run = run_revoke},
};

const struct command_set token_set = {"token", "secrets by which users log in", commands,
                                      sizeof commands / sizeof *commands};
