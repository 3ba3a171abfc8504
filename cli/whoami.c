/* whoami: who the broker takes this client for, and what it may do. */
#include <stdio.h>

#include "cli/call.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/paged.h"
#include "cli/record.h"
#include "cli/table.h"
#include "client/shunt_access.h"

#define LINES_BYTES (64 * 220)

static const struct record_field fields[] = {
    {"user", RECORD_TEXT, NULL, NULL},
    {"how", RECORD_TEXT, NULL, NULL},
    {"administrator", RECORD_FLAG, NULL, NULL},
    {"rights", RECORD_LIST, NULL, NULL},
    {"roles", RECORD_LIST, NULL, NULL},
    {"grants", RECORD_LIST, NULL, NULL},
    {"token", RECORD_COUNT, NULL, NULL},
    {"expires", RECORD_TIME, NULL, NULL},
    {0},
};

static void pair(struct table *t, const char *title, const char *text)
{
    table_cell(t, title);
    table_cell(t, text);
}

static void show_lines(const struct shunt_value *who)
{
    static char text[LINES_BYTES];
    struct table t;
    table_init_plain(&t);
    pair(&t, "user", record_text(who, "user"));
    pair(&t, "known by", record_text(who, "how"));
    pair(&t, "administrator", record_integer(who, "administrator") ? "yes" : "no");
    pair(&t, "rights on some topic", paged_texts(shunt_value_get(who, "rights"), " ", text, sizeof text));
    pair(&t, "roles", paged_texts(shunt_value_get(who, "roles"), " ", text, sizeof text));
    pair(&t, "grants", paged_texts(shunt_value_get(who, "grants"), " ", text, sizeof text));
    pair(&t, "expires", record_time(text, shunt_value_get(who, "expires")));
    if (!table_print(&t, stdout))
        call_complain("out of memory: not everything is shown");
    table_done(&t);
}

static int run(struct call *call)
{
    struct shunt_error err = {0};
    struct shunt_value *who = NULL;
    struct output out;
    int code = call_connect(call);
    if (code)
        return code;
    if (shunt_whoami(call->shunt, call->timeout_ms, &who, &err))
        return call_failed(call, &err);
    output_begin(&out, call->form, false);
    if (output_is_json(&out)) {
        record_json(&out.json, fields, who);
        output_item_end(&out);
    } else {
        show_lines(who);
    }
    output_end(&out);
    shunt_value_free(who);
    return EXIT_OK;
}

static const struct command commands[] = {
    {.noun = "whoami",
     .usage = "",
     .text = "tell who the broker takes this client for, and what it may do",
     .about = "`anybody`: the broker has no authentication on, and everybody may do everything. `local`: the "
              "local\n"
              "administrator, who needs no user.",
     .examples = "  shunt whoami\n  shunt whoami -o json | jq -r .user\n",
     .run = run},
};

const struct command_set whoami_set = {"whoami", "who the broker takes this client for", commands, 1};
