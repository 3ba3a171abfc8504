/* dead: everything that is known about a message that died, to find out why. */
#include "cli/dead.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "cli/call.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/table.h"
#include "client/shunt.h"

#define ERROR_CELL_BYTES 1200 /* a type and a message of the most bytes */
#define BODY_SHOWN_BYTES 4096
#define HEX_SHOWN_BYTES  256

const struct record_field dead_fields[] = {
    {"id", RECORD_TEXT, "id", NULL},
    {"origin", RECORD_TEXT, "origin", NULL},
    {"topic", RECORD_TEXT, "topic", NULL},
    {"group", RECORD_TEXT, "group", NULL},
    {"reason", RECORD_TEXT, "reason", NULL},
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
    {0},
};

static const struct record_field history_fields[] = {
    {"number", RECORD_COUNT, "number", NULL},        {"generation", RECORD_COUNT, "generation", NULL},
    {"consumer", RECORD_TEXT, "consumer", NULL},     {"host", RECORD_TEXT, "host", NULL},
    {"build", RECORD_TEXT, "build", NULL},           {"leased", RECORD_TIME, "leased", NULL},
    {"started", RECORD_TIME, "started", NULL},       {"ended", RECORD_TIME, "ended", NULL},
    {"outcome", RECORD_TEXT, "outcome", NULL},       {"charged", RECORD_FLAG, "charged", NULL},
    {"error_type", RECORD_TEXT, "error type", NULL}, {"error_message", RECORD_TEXT, "error message", NULL},
    {"error_stack", RECORD_TEXT, NULL, NULL},        {0},
};

static const struct record_field more_fields[] = {
    {"body", RECORD_BYTES, NULL, NULL},
    {"error_stack", RECORD_TEXT, NULL, NULL},
    {"attempts_total", RECORD_COUNT, NULL, NULL},
    {"deliveries_total", RECORD_COUNT, NULL, NULL},
    {"history", RECORD_RECORDS, NULL, history_fields},
    {0},
};

void dead_json(struct json *j, const struct shunt_value *dead)
{
    json_object(j);
    record_members(j, dead_fields, dead);
    record_members(j, more_fields, dead);
    json_object_end(j);
}

/* ---- for people */

static void print_indented(const char *text, size_t bytes)
{
    char *tame = malloc(bytes + 1);
    if (!tame)
        return;
    utf8_clean(tame, text, bytes);
    tame[bytes] = '\0';
    for (char *line = tame; line < tame + bytes;) {
        size_t len = strcspn(line, "\n");
        printf("  %.*s\n", (int)len, line);
        line += len + 1;
    }
    free(tame);
}

static void print_hex(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i += 16) {
        printf("  %06zx ", i);
        for (size_t k = i; k < i + 16; k++) {
            if (k < count)
                printf(" %02x", bytes[k]);
            else
                fputs("   ", stdout);
        }
        fputs("  ", stdout);
        for (size_t k = i; k < i + 16 && k < count; k++)
            fputc(bytes[k] >= 0x20 && bytes[k] < 0x7F ? bytes[k] : '.', stdout);
        fputc('\n', stdout);
    }
}

static void print_body(const struct shunt_value *body)
{
    size_t bytes = 0;
    const char *text = shunt_value_text(body, &bytes);
    if (shunt_value_type(body) == SHUNT_NIL) {
        puts("\nbody: damaged in the store, not shown");
        return;
    }
    bool is_text = utf8_valid(text, bytes) && !memchr(text, '\0', bytes);
    size_t most = is_text ? BODY_SHOWN_BYTES : HEX_SHOWN_BYTES;
    size_t shown = is_text ? utf8_prefix(text, bytes, most) : bytes < most ? bytes : most;
    printf("\nbody (%zu bytes%s%s):\n", bytes, is_text ? "" : ", not text",
           shown < bytes ? ", its beginning" : "");
    if (is_text)
        print_indented(text, shown);
    else
        print_hex((const unsigned char *)text, shown);
}

void dead_error_cell(struct table *t, const struct shunt_value *row, size_t columns)
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
    size_t shown = utf8_fit(text, strlen(text), columns);
    table_cellf(t, "%.*s%s", (int)shown, text, text[shown] ? "…" : "");
}

static void print_history(const struct shunt_value *history)
{
    static const char *const headings[] = {">#",       ">GEN", "ENDED", "TOOK",  "OUTCOME", "CHARGED",
                                           "CONSUMER", "HOST", "BUILD", "ERROR", NULL};
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
        dead_error_cell(&t, row, SIZE_MAX);
    }
    if (!table_print(&t, stdout))
        call_complain("out of memory: not all of the history is shown");
    table_done(&t);
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
    size_t bytes = 0;
    struct table t;
    table_init_plain(&t, 2);
    record_lines(&t, dead_fields, dead);
    if (!table_print(&t, stdout))
        call_complain("out of memory: not everything is shown");
    table_done(&t);
    puts("\nhistory:");
    print_history(shunt_value_get(dead, "history"));
    const char *stack = shunt_value_text(shunt_value_get(dead, "error_stack"), &bytes);
    if (bytes) {
        puts("\nerror stack:");
        print_indented(stack, bytes);
    }
    print_body(shunt_value_get(dead, "body"));
}
