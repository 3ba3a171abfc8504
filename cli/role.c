/* role: roles: grants that users share. */
#include <inttypes.h>
#include <string.h>

#include "cli/call.h"
#include "cli/command.h"
#include "cli/paged.h"
#include "cli/prompt.h"
#include "cli/record.h"
#include "cli/table.h"
#include "cli/texts.h"
#include "client/shunt_access.h"

#define PAGE_ROWS  200
#define CELL_BYTES 1200

static const struct record_field fields[] = {
    {"role", RECORD_TEXT, NULL, NULL},    {"built_in", RECORD_FLAG, NULL, NULL},
    {"grants", RECORD_LIST, NULL, NULL},  {"users", RECORD_COUNT, NULL, NULL},
    {"created", RECORD_TIME, NULL, NULL}, {0},
};

static void list_row(struct table *t, const struct shunt_value *role)
{
    char text[CELL_BYTES];
    table_cell(t, record_text(role, "role"));
    table_cellf(t, "%" PRId64, record_integer(role, "users"));
    table_cell(t, paged_texts(shunt_value_get(role, "grants"), " ", text, sizeof text));
}

static int page(struct call *call, const struct shunt_value *last, struct shunt_value **ret,
                struct shunt_error *err)
{
    return shunt_role_list(call->shunt, last ? record_text(last, "role") : NULL, PAGE_ROWS, call->timeout_ms,
                           ret, err);
}

static int run_list(struct call *call)
{
    static const char *const headings[] = {"ROLE", ">USERS", "~GRANTS", NULL};
    return paged_list(call, &(struct paged){headings, fields, list_row, page, "there are no roles"});
}

static int run_set(struct call *call)
{
    const char *grants[TEXTS_MAX];
    struct shunt_error err = {0};
    size_t count = texts_of(&call->options, "grant", grants);
    if (!count == !options_flag(&call->options, "no-grants"))
        return call_misused(call, "say all that the role gives, with --grant, or --no-grants");
    int code = call_connect(call);
    if (code)
        return code;
    if (shunt_role_set(call->shunt, call_word(call, 0), SHUNT_MUST_BE_EITHER, grants, count, call->timeout_ms,
                       &err))
        return call_failed(call, &err);
    call_note(call, "role %s was set", call_word(call, 0));
    return EXIT_OK;
}

static int run_delete(struct call *call)
{
    struct shunt_error err = {0};
    int code = prompt_confirm(call, "role %s will be deleted", call_word(call, 0));
    if (!code)
        code = call_connect(call);
    if (code)
        return code;
    if (shunt_role_delete(call->shunt, call_word(call, 0), call->timeout_ms, &err))
        return call_failed(call, &err);
    call_note(call, "role %s was deleted", call_word(call, 0));
    return EXIT_OK;
}

static const struct option_row set_rows[] = {
    {"grant", 0, "PATTERN:RIGHTS", OPTION_TEXT, WORDS_NONE, 0, 0,
     "it gives these rights, separated by commas, on topics of that pattern (repeatable)"},
    {"no-grants", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "it gives no rights"},
};
static const struct option_row delete_rows[] = {PROMPT_OPTION};

#define ROWS(rows) .options = rows, .options_count = sizeof rows / sizeof *rows

static const struct command commands[] = {
    {.noun = "role",
     .verb = "list",
     .usage = "",
     .text = "list roles with what they give, and how many users have them",
     .examples = "  shunt role list\n",
     .run = run_list},
    {.noun = "role",
     .verb = "set",
     .usage = "ROLE (--grant PATTERN:RIGHTS… | --no-grants)",
     .text = "make a role, or change it; users that have it have its rights at once",
     .about =
         "What is given is all that the role gives. RIGHTS are publish, consume, look, admin, dlq-look,\n"
         "dlq-consume, dlq-redrive, dlq-purge or all. A pattern has the characters of topic names and `*`\n"
         "for any number of them.",
     .examples = "  shunt role set triage --grant '*:look,dlq-look,dlq-redrive'\n",
     ROWS(set_rows),
     .words_min = 1,
     .words_max = 1,
     .run = run_set},
    {.noun = "role",
     .verb = "delete",
     .usage = "ROLE [-y]",
     .text = "delete a role that no user has",
     .examples = "  shunt role delete triage\n",
     ROWS(delete_rows),
     .words_min = 1,
     .words_max = 1,
     .run = run_delete},
};

const struct command_set role_set = {"role", "rights that users share", commands,
                                     sizeof commands / sizeof *commands};
