/* dlq_queues: the queues that hold dead letters, over all topics, a line for each. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/call.h"
#include "cli/command.h"
#include "cli/dlq.h"
#include "cli/output.h"
#include "cli/record.h"
#include "cli/table.h"
#include "client/shunt.h"

static const struct record_field fields[] = {
    {"topic", RECORD_TEXT, "topic", NULL},
    {"group", RECORD_TEXT, "group", NULL},
    {"dlq", RECORD_TEXT, "dead-letter queue", NULL},
    {"dead", RECORD_COUNT, "dead", NULL},
    {"unattended", RECORD_COUNT, "of them unattended", NULL},
    {"oldest_dead", RECORD_TIME, "oldest dead", NULL},
    {"oldest_unattended", RECORD_TIME, "oldest unattended", NULL},
    {0},
};

struct queues {
    struct output out;
    struct table table;
    const char *group; /* only of groups of this name; NULL: of all */
    size_t count;
};

static void show_queue(struct queues *q, const struct shunt_value *group)
{
    char age[32];
    const char *name = record_text(group, "group");
    if (record_integer(group, "dead") == 0 || (q->group && name && strcmp(name, q->group) != 0))
        return;
    q->count++;
    if (output_is_json(&q->out)) {
        record_json(&q->out.json, fields, group);
        output_item_end(&q->out);
        return;
    }
    table_cell(&q->table, record_text(group, "topic"));
    table_cell(&q->table, name);
    table_cellf(&q->table, "%" PRId64, record_integer(group, "dead"));
    table_cellf(&q->table, "%" PRId64, record_integer(group, "unattended"));
    table_cell(&q->table, record_age(age, shunt_value_get(group, "oldest_dead")));
    table_cell(&q->table, record_age(age, shunt_value_get(group, "oldest_unattended")));
}

static void show_all(struct call *call, struct queues *q, const struct shunt_value *topics)
{
    static const char *const headings[] = {
        "TOPIC", "GROUP", ">DEAD", ">UNATTENDED", "OLDEST DEAD", "OLDEST UNATTENDED", NULL};
    output_begin(&q->out, call->form, true);
    table_init(&q->table, headings);
    for (size_t i = 0; i < shunt_value_count(topics); i++) {
        const struct shunt_value *groups = shunt_value_get(shunt_value_at(topics, i), "groups");
        for (size_t k = 0; k < shunt_value_count(groups); k++)
            show_queue(q, shunt_value_at(groups, k));
    }
    if (!output_is_json(&q->out) && q->count && !table_print(&q->table, stdout))
        call_complain("out of memory: not everything is shown");
    table_done(&q->table);
    output_end(&q->out);
}

int dlq_list_queues(struct call *call)
{
    struct shunt_error err = {0};
    struct shunt_value *topics = NULL;
    struct queues queues = {.group = options_text(&call->options, "group", NULL)};
    const struct options *o = &call->options;
    for (size_t i = 0; i < o->values_count; i++) {
        const struct option_row *row = o->values[i].row;
        bool own =
            row >= call->command->options && row < call->command->options + call->command->options_count;
        if (own && strcmp(row->name, "group") != 0) {
            return call_misused(call, "--%s chooses among the dead letters of one topic: name the topic",
                                row->name);
        }
    }
    int code = call_connect(call);
    if (code)
        return code;
    if (shunt_topic_list(call->shunt, call->timeout_ms, &topics, &err))
        return call_failed(call, &err);
    show_all(call, &queues, topics);
    if (queues.count == 0)
        call_note(call, "no queue holds a dead letter");
    shunt_value_free(topics);
    return EXIT_OK;
}
