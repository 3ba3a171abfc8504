/* catalog: the fields are those of PROTOCOL.md section 5, in an order for reading. */
#include "cli/catalog.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/call.h"
#include "cli/output.h"
#include "cli/table.h"
#include "client/shunt.h"

const struct record_field catalog_group_fields[] = {
    {"topic", RECORD_TEXT, "topic", NULL},
    {"group", RECORD_TEXT, "group", NULL},
    {"paused", RECORD_FLAG, "paused", NULL},
    {"breaker", RECORD_TEXT, "breaker", NULL},
    {"breaker_since", RECORD_TIME, "breaker since", NULL},
    {"breaker_until", RECORD_TIME, "breaker pauses until", NULL},
    {"breaker_trips", RECORD_COUNT, "breaker opened", NULL},
    {"ready", RECORD_COUNT, "ready", NULL},
    {"in_flight", RECORD_COUNT, "in flight", NULL},
    {"delayed", RECORD_COUNT, "delayed", NULL},
    {"dead", RECORD_COUNT, "dead", NULL},
    {"unattended", RECORD_COUNT, "of them unattended", NULL},
    {"acked", RECORD_COUNT, "acked", NULL},
    {"expired", RECORD_COUNT, "expired", NULL},
    {"expired_unattended", RECORD_COUNT, "of them unattended", NULL},
    {"slo_breaches", RECORD_COUNT, "unattended too long", NULL},
    {"discarded", RECORD_COUNT, "discarded", NULL},
    {"purged", RECORD_COUNT, "purged", NULL},
    {"moved", RECORD_COUNT, "moved to other topics", NULL},
    {"redriven", RECORD_COUNT, "redriven", NULL},
    {"published", RECORD_COUNT, "published", NULL},
    {"deliveries", RECORD_COUNT, "deliveries", NULL},
    {"parked", RECORD_COUNT, "wait for their key", NULL},
    {"blocked_keys", RECORD_COUNT, "blocked keys", NULL},
    {"blocked_messages", RECORD_COUNT, "wait behind them", NULL},
    {"consumers", RECORD_COUNT, "consumers", NULL},
    {"oldest_ready", RECORD_TIME, "oldest ready", NULL},
    {"oldest_dead", RECORD_TIME, "oldest dead", NULL},
    {"oldest_unattended", RECORD_TIME, "oldest unattended", NULL},
    {"oldest_blocked", RECORD_TIME, "oldest blocked", NULL},
    {"dlq", RECORD_TEXT, "dead-letter queue", NULL},
    {"policy", RECORD_POLICY, "settings", NULL},
    {"own", RECORD_LIST, NULL, NULL},
    {0},
};

const struct record_field catalog_topic_fields[] = {
    {"topic", RECORD_TEXT, "topic", NULL},
    {"created", RECORD_TIME, "created", NULL},
    {"messages", RECORD_COUNT, "messages stored", NULL},
    {"bytes", RECORD_SIZE, "bytes stored", NULL},
    {"published", RECORD_COUNT, "published", NULL},
    {"policy", RECORD_POLICY, "settings", NULL},
    {"groups", RECORD_RECORDS, NULL, catalog_group_fields},
    {0},
};

uint64_t catalog_sum(const struct shunt_value *groups, const char *key)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < shunt_value_count(groups); i++)
        sum += (uint64_t)record_integer(shunt_value_at(groups, i), key);
    return sum;
}

static void finish(struct table *t)
{
    if (!table_print(t, stdout))
        call_complain("out of memory: not everything is shown");
    table_done(t);
}

static void show_lines(const struct record_field *fields, const struct shunt_value *value)
{
    struct table t;
    table_init_plain(&t);
    record_lines(&t, fields, value);
    finish(&t);
}

static void show_json(const struct call *call, const struct record_field *fields,
                      const struct shunt_value *value)
{
    struct output out;
    output_begin(&out, call->form, false);
    record_json(&out.json, fields, value);
    output_item_end(&out);
    output_end(&out);
}

static void list_json(const struct call *call, const struct record_field *fields,
                      const struct shunt_value *values)
{
    struct output out;
    output_begin(&out, call->form, true);
    for (size_t i = 0; i < shunt_value_count(values); i++) {
        record_json(&out.json, fields, shunt_value_at(values, i));
        output_item_end(&out);
    }
    output_end(&out);
}

static void count_cell(struct table *t, const struct shunt_value *value, const char *key)
{
    table_cellf(t, "%" PRId64, record_integer(value, key));
}

static void group_table(const struct shunt_value *groups)
{
    static const char *const headings[] = {"GROUP",  ">READY",        ">IN FLIGHT", ">DELAYED",
                                           ">DEAD",  ">UNATTENDED",   "-->DONE",    ">CONSUMERS",
                                           "PAUSED", "-OLDEST READY", NULL};
    char age[32];
    struct table t;
    table_init(&t, headings);
    for (size_t i = 0; i < shunt_value_count(groups); i++) {
        const struct shunt_value *group = shunt_value_at(groups, i);
        table_cell(&t, record_text(group, "group"));
        count_cell(&t, group, "ready");
        count_cell(&t, group, "in_flight");
        count_cell(&t, group, "delayed");
        count_cell(&t, group, "dead");
        count_cell(&t, group, "unattended");
        table_cellf(&t, "%" PRId64,
                    record_integer(group, "acked") + record_integer(group, "expired") +
                        record_integer(group, "discarded") + record_integer(group, "purged") +
                        record_integer(group, "moved"));
        count_cell(&t, group, "consumers");
        table_cell(&t, record_integer(group, "paused") ? "yes" : "no");
        table_cell(&t, record_age(age, shunt_value_get(group, "oldest_ready")));
    }
    finish(&t);
}

void catalog_show_topic(const struct call *call, const struct shunt_value *topic)
{
    if (call->form != FORM_TABLE) {
        show_json(call, catalog_topic_fields, topic);
        return;
    }
    show_lines(catalog_topic_fields, topic);
    fputc('\n', stdout);
    group_table(shunt_value_get(topic, "groups"));
}

void catalog_show_group(const struct call *call, const struct shunt_value *group)
{
    if (call->form == FORM_TABLE)
        show_lines(catalog_group_fields, group);
    else
        show_json(call, catalog_group_fields, group);
}

void catalog_list_topics(const struct call *call, const struct shunt_value *topics)
{
    static const char *const headings[] = {"TOPIC",      "->GROUPS", ">MESSAGES", "->BYTES", ">READY",
                                           ">IN FLIGHT", ">DELAYED", ">DEAD",     NULL};
    char size[32];
    if (call->form != FORM_TABLE) {
        list_json(call, catalog_topic_fields, topics);
        return;
    }
    struct table t;
    table_init(&t, headings);
    for (size_t i = 0; i < shunt_value_count(topics); i++) {
        const struct shunt_value *topic = shunt_value_at(topics, i);
        const struct shunt_value *groups = shunt_value_get(topic, "groups");
        static const char *const sums[] = {"ready", "in_flight", "delayed", "dead"};
        table_cell(&t, record_text(topic, "topic"));
        table_cellf(&t, "%zu", shunt_value_count(groups));
        count_cell(&t, topic, "messages");
        table_cell(&t, shunt_format_size(size, record_integer(topic, "bytes")));
        for (size_t k = 0; k < sizeof sums / sizeof *sums; k++)
            table_cellf(&t, "%" PRIu64, catalog_sum(groups, sums[k]));
    }
    finish(&t);
}

void catalog_list_groups(const struct call *call, const struct shunt_value *groups)
{
    if (call->form == FORM_TABLE)
        group_table(groups);
    else
        list_json(call, catalog_group_fields, groups);
}
