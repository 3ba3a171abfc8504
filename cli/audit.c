/* audit: what operators did, from the broker's audit log. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/call.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/record.h"
#include "cli/table.h"
#include "client/shunt_triage.h"

#define PAGE_ROWS 1000

static const struct record_field fields[] = {
    {"id", RECORD_COUNT, NULL, NULL},    {"time", RECORD_TIME, NULL, NULL},
    {"act", RECORD_TEXT, NULL, NULL},    {"topic", RECORD_TEXT, NULL, NULL},
    {"group", RECORD_TEXT, NULL, NULL},  {"asked", RECORD_TEXT, NULL, NULL},
    {"job", RECORD_COUNT, NULL, NULL},   {"count", RECORD_COUNT, NULL, NULL},
    {"user", RECORD_TEXT, NULL, NULL},   {"client", RECORD_TEXT, NULL, NULL},
    {"host", RECORD_TEXT, NULL, NULL},   {"peer", RECORD_TEXT, NULL, NULL},
    {"reason", RECORD_TEXT, NULL, NULL}, {0},
};

struct listing {
    struct output out;
    struct table table;
    uint64_t rows;
};

/* `orders`, or with a group that is not the usual one `orders:audit`. */
static void name_cell(struct table *t, const struct shunt_value *act)
{
    const char *topic = record_text(act, "topic"), *group = record_text(act, "group");
    if (topic && group)
        table_cellf(t, "%s:%s", topic, group);
    else
        table_cell(t, topic);
}

static void show(struct listing *l, const struct shunt_value *act)
{
    char time[32];
    const char *host = record_text(act, "host"), *user = record_text(act, "user");
    const char *client = user ? user : record_text(act, "client");
    l->rows++;
    if (output_is_json(&l->out)) {
        record_json(&l->out.json, fields, act);
        output_item_end(&l->out);
        return;
    }
    table_cell(&l->table, record_time(time, shunt_value_get(act, "time")));
    table_cell(&l->table, record_text(act, "act"));
    name_cell(&l->table, act);
    table_cell(&l->table, record_text(act, "asked"));
    table_cellf(&l->table, "%" PRId64, record_integer(act, "count"));
    table_cellf(&l->table, "%s on %s", client ? client : "-", host ? host : record_text(act, "peer"));
    table_cell(&l->table, record_text(act, "reason"));
}

static int list(struct call *call, const struct shunt_audit_filter *filter, struct listing *l)
{
    struct shunt_error err = {0};
    uint64_t after = 0;
    for (bool more = true; more;) {
        struct shunt_value *page = NULL;
        if (shunt_audit_list(call->shunt, after, PAGE_ROWS, filter, call->timeout_ms, &page, &err))
            return call_failed(call, &err);
        const struct shunt_value *rows = shunt_value_get(page, "rows");
        for (size_t i = 0; i < shunt_value_count(rows); i++)
            show(l, shunt_value_at(rows, i));
        more = shunt_value_integer(shunt_value_get(page, "more")) != 0;
        after = (uint64_t)record_integer(page, "next");
        shunt_value_free(page);
    }
    return l->rows ? EXIT_OK : EXIT_NOTHING;
}

static int run(struct call *call)
{
    static const char *const headings[] = {"TIME",     "ACT",  "TOPIC:GROUP", "--~ASKED",
                                           "-->COUNT", "~WHO", "~REASON",     NULL};
    const struct options *o = &call->options;
    const int64_t now_ms = clock_wall_ms(), since_ms = options_number(o, "since", 0),
                  until_ms = options_number(o, "until", 0);
    const struct shunt_audit_filter filter = {.size = sizeof filter,
                                              .since_ms = since_ms ? now_ms - since_ms : 0,
                                              .until_ms = until_ms ? now_ms - until_ms : 0,
                                              .topic = options_text(o, "topic", NULL),
                                              .act = options_text(o, "act", NULL)};
    struct listing l = {0};
    int code = call_connect(call);
    if (code)
        return code;
    output_begin(&l.out, call->form, true);
    table_init(&l.table, headings);
    code = list(call, &filter, &l);
    if (!output_is_json(&l.out) && l.rows && !table_print(&l.table, stdout))
        call_complain("out of memory: not everything is shown");
    table_done(&l.table);
    output_end(&l.out);
    if (code == EXIT_NOTHING)
        call_note(call, "no such act in the audit log");
    return code;
}

static const struct option_row rows[] = {
    {"since", 0, "D", OPTION_DURATION, WORDS_NONE, 1, 0, "only of the last D, such as 2h"},
    {"until", 0, "D", OPTION_DURATION, WORDS_NONE, 1, 0, "only older ones than D"},
    {"topic", 0, "TOPIC", OPTION_TEXT, WORDS_NONE, 0, 0,
     "only on this topic, its groups and its dead letters"},
    {"act", 0, "ACT", OPTION_TEXT, WORDS_NONE, 0, 0,
     "only of this kind, such as topic_deleted or dlq_redriven"},
};

static const struct command commands[] = {
    {.noun = "audit",
     .usage = "[--since D] [--until D] [--topic TOPIC] [--act ACT]",
     .text = "list what operators did, and why",
     .about =
         "The oldest acts come first. The broker notes each act together with its effect: what was refused "
         "is\n"
         "not there. Say why with --because. Kept as long as the broker's settings audit-keep and\n"
         "audit-bytes say; -o jsonl exports all.",
     .examples = "  shunt audit --since 2h\n  shunt audit --topic orders --act dlq_purged\n"
                 "  shunt audit -o jsonl >acts.jsonl\n",
     .options = rows,
     .options_count = sizeof rows / sizeof *rows,
     .run = run},
};

const struct command_set audit_set = {"audit", "list what operators did", commands, 1};
