/* dead: everything that is known about a message that died, to find out why. */
#include "cli/dead.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "cli/body.h"
#include "cli/call.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/rule.h"
#include "cli/table.h"
#include "client/shunt.h"

#define ERROR_CELL_BYTES 1200 /* a type and a message of the most bytes */

const struct record_field dead_fields[] = {
    {"id", RECORD_TEXT, "id", NULL},
    {"origin", RECORD_TEXT, "origin", NULL},
    {"topic", RECORD_TEXT, "topic", NULL},
    {"group", RECORD_TEXT, "group", NULL},
    {"reason", RECORD_TEXT, "reason", NULL},
    {"cause", RECORD_TEXT, "cause", NULL},
    {"attended", RECORD_FLAG, "attended", NULL},
    {"attempts", RECORD_COUNT, "attempts", NULL},
    {"deliveries", RECORD_COUNT, "deliveries", NULL},
    {"generation", RECORD_COUNT, "generation", NULL},
    {"published", RECORD_TIME, "published", NULL},
    {"died", RECORD_TIME, "died", NULL},
    {"error_type", RECORD_TEXT, "error type", NULL},
    {"error_message", RECORD_TEXT, "error message", NULL},
    {"headers", RECORD_MAP, "headers", NULL},
    {"key", RECORD_BYTES, "key", NULL},
    {"size", RECORD_SIZE, "size", NULL},
    {"ttl_ms", RECORD_COUNT, NULL, NULL},
    {"deadline", RECORD_TIME, "deadline", NULL},
    {"rule", RECORD_COUNT, NULL, NULL},
    {"rule_action", RECORD_TEXT, NULL, NULL},
    {"rule_at", RECORD_TIME, NULL, NULL},
    {"edit", RECORD_COUNT, NULL, NULL},
    {0},
};

const struct record_field dead_edited_fields[] = {
    {"edit", RECORD_COUNT, NULL, NULL},
    {"at", RECORD_TIME, NULL, NULL},
    {"client", RECORD_TEXT, NULL, NULL},
    {"host", RECORD_TEXT, NULL, NULL},
    {"peer", RECORD_TEXT, NULL, NULL},
    {"reason", RECORD_TEXT, NULL, NULL},
    {0},
};

const struct record_field dead_attempt_fields[] = {
    {"number", RECORD_COUNT, "number", NULL},
    {"generation", RECORD_COUNT, "generation", NULL},
    {"consumer", RECORD_TEXT, "consumer", NULL},
    {"host", RECORD_TEXT, "host", NULL},
    {"build", RECORD_TEXT, "build", NULL},
    {"leased", RECORD_TIME, "leased", NULL},
    {"started", RECORD_TIME, "started", NULL},
    {"ended", RECORD_TIME, "ended", NULL},
    {"outcome", RECORD_TEXT, "outcome", NULL},
    {"charged", RECORD_FLAG, "charged", NULL},
    {"error_type", RECORD_TEXT, "error type", NULL},
    {"error_message", RECORD_TEXT, "error message", NULL},
    {"error_stack", RECORD_TEXT, NULL, NULL},
    {"job", RECORD_COUNT, NULL, NULL},
    {0},
};

static const struct record_field more_fields[] = {
    {"body", RECORD_BYTES, NULL, NULL},
    {"error_stack", RECORD_TEXT, NULL, NULL},
    {"attempts_total", RECORD_COUNT, NULL, NULL},
    {"deliveries_total", RECORD_COUNT, NULL, NULL},
    {"edited", RECORD_RECORD, NULL, dead_edited_fields},
    {"history", RECORD_RECORDS, NULL, dead_attempt_fields},
    {0},
};

/* What a delivery from a DLQ tells beside the message itself. */
static const struct record_field delivered_fields[] = {
    {"origin", RECORD_TEXT, NULL, NULL},
    {"topic", RECORD_TEXT, NULL, NULL},
    {"group", RECORD_TEXT, NULL, NULL},
    {"reason", RECORD_TEXT, NULL, NULL},
    {"cause", RECORD_TEXT, NULL, NULL},
    {"attended", RECORD_FLAG, NULL, NULL},
    {"attempts", RECORD_COUNT, NULL, NULL},
    {"deliveries", RECORD_COUNT, NULL, NULL},
    {"generation", RECORD_COUNT, NULL, NULL},
    {"attempts_total", RECORD_COUNT, NULL, NULL},
    {"deliveries_total", RECORD_COUNT, NULL, NULL},
    {"died", RECORD_TIME, NULL, NULL},
    {"error_type", RECORD_TEXT, NULL, NULL},
    {"error_message", RECORD_TEXT, NULL, NULL},
    {"error_stack", RECORD_TEXT, NULL, NULL},
    {"rule", RECORD_COUNT, NULL, NULL},
    {"rule_action", RECORD_TEXT, NULL, NULL},
    {"rule_at", RECORD_TIME, NULL, NULL},
    {"edit", RECORD_COUNT, NULL, NULL},
    {"edited", RECORD_RECORD, NULL, dead_edited_fields},
    {"history", RECORD_RECORDS, NULL, dead_attempt_fields},
    {0},
};

void dead_delivered_json(struct json *j, const struct shunt_value *dead)
{
    record_json(j, delivered_fields, dead);
}

void dead_json(struct json *j, const struct shunt_value *dead)
{
    json_object(j);
    record_members(j, dead_fields, dead);
    record_members(j, more_fields, dead);
    json_object_end(j);
}

/* ---- for people */

void dead_error_cell(struct table *t, const struct shunt_value *row)
{
    char text[ERROR_CELL_BYTES];
    const char *type = record_text(row, "error_type");
    const char *message = record_text(row, "error_message");
    if (!type && !message) {
        table_cell(t, NULL);
        return;
    }
    /* The line of an exception often names its class itself. */
    bool both = type && message && strncmp(message, type, strlen(type)) != 0;
    (void)snprintf(text, sizeof text, "%s%s%s", both || !message ? type : "", both ? ": " : "",
                   message ? message : "");
    utf8_mend(text);
    table_cell(t, text);
}

static void print_history(const struct shunt_value *history)
{
    static const char *const headings[] = {">#",        ">GEN",   "--ENDED", "TOOK",   "OUTCOME", "CHARGED",
                                           "~CONSUMER", "-~HOST", "~BUILD",  "~ERROR", NULL};
    char text[32];
    struct table t;
    table_init(&t, headings);
    for (size_t i = 0; i < shunt_value_count(history); i++) {
        const struct shunt_value *row = shunt_value_at(history, i);
        int64_t leased_ms = record_integer(row, "leased"); /* 0: nobody had it */
        int64_t took_ms = record_integer(row, "ended") - leased_ms;
        table_cellf(&t, "%" PRId64, record_integer(row, "number"));
        table_cellf(&t, "%" PRId64, record_integer(row, "generation"));
        table_cell(&t, record_time(text, shunt_value_get(row, "ended")));
        table_cell(&t, leased_ms ? shunt_format_duration(text, took_ms < 0 ? 0 : took_ms) : "-");
        table_cell(&t, record_text(row, "outcome"));
        table_cell(&t, record_integer(row, "charged") ? "yes" : "no");
        table_cell(&t, record_text(row, "consumer"));
        table_cell(&t, record_text(row, "host"));
        table_cell(&t, record_text(row, "build"));
        dead_error_cell(&t, row);
    }
    if (!table_print(&t, stdout))
        call_complain("out of memory: not all of the history is shown");
    table_done(&t);
}

void dead_stack(const struct shunt_value *attempt)
{
    size_t bytes = 0;
    const char *stack = shunt_value_text(shunt_value_get(attempt, "error_stack"), &bytes);
    if (!bytes)
        return;
    puts("\nerror stack:");
    body_print_text(stack, bytes);
}

/* That of each attempt that has one, and each once: attempts that fail in one way mostly have the same. */
static void print_stacks(const struct shunt_value *history)
{
    const char *last = "";
    for (size_t i = 0; i < shunt_value_count(history); i++) {
        const struct shunt_value *row = shunt_value_at(history, i);
        size_t bytes = 0;
        const char *stack = shunt_value_text(shunt_value_get(row, "error_stack"), &bytes);
        if (bytes == 0)
            continue;
        bool again = strcmp(stack, last) == 0;
        printf("\nerror stack of attempt %" PRId64 "%s\n", record_integer(row, "number"),
               again ? ": the same" : ":");
        if (!again)
            body_print_text(stack, bytes);
        last = stack;
    }
}

static void print_rule(const struct shunt_value *dead)
{
    const char *action = record_text(dead, "rule_action");
    int64_t rule = record_integer(dead, "rule");
    char time[32];
    if (!action)
        return;
    printf("\nrule %" PRId64 " %s at %s, unless somebody decides before\n"
           "(`shunt rule set %s %" PRId64 " --off -g %s` leaves it where it is)\n",
           rule, rule_does(action), record_time(time, shunt_value_get(dead, "rule_at")),
           record_text(dead, "topic"), rule, record_text(dead, "group"));
}

const char *dead_editor_text(const struct shunt_value *edited, char text[DEAD_EDITOR_BYTES])
{
    const char *client = record_text(edited, "client"), *host = record_text(edited, "host");
    const char *peer = record_text(edited, "peer"), *reason = record_text(edited, "reason");
    (void)snprintf(text, DEAD_EDITOR_BYTES, "by %s%s%s%s%s%s%s", client ? client : "a client without a name",
                   host ? " on " : "", host ? host : "", peer ? ", from " : "", peer ? peer : "",
                   reason ? ", because: " : "", reason ? reason : "");
    return text;
}

static void add_edited(const struct call *call, struct table *t, const struct shunt_value *edited)
{
    char at[32], editor[DEAD_EDITOR_BYTES];
    if (shunt_value_type(edited) != SHUNT_MAP)
        return;
    table_cell(t, "edited");
    table_cellf(
        t, "%s %s; %s", record_time(at, shunt_value_get(edited, "at")), dead_editor_text(edited, editor),
        options_flag(&call->options, "original") ? "below is the body that it was published with"
                                                 : "--original shows the body that it was published with");
}

void dead_show(const struct call *call, const struct shunt_value *dead)
{
    if (call->form != FORM_TABLE) {
        struct output out;
        output_begin(&out, call->form, false);
        dead_json(&out.json, dead);
        output_item_end(&out);
        output_end(&out);
        return;
    }
    struct table t;
    table_init_plain(&t);
    record_lines(&t, dead_fields, dead);
    add_edited(call, &t, shunt_value_get(dead, "edited"));
    if (!table_print(&t, stdout))
        call_complain("out of memory: not everything is shown");
    table_done(&t);
    print_rule(dead);
    puts("\nhistory:");
    print_history(shunt_value_get(dead, "history"));
    print_stacks(shunt_value_get(dead, "history"));
    body_print(shunt_value_get(dead, "body"));
}
