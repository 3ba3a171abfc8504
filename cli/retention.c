/* retention: see retention.h. */
#include "cli/retention.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/call.h"
#include "cli/prompt.h"
#include "cli/record.h"
#include "client/shunt.h"

#define PAGE_ROWS 1000

struct retention {
    struct call *call;
    const char *topic;
    const char *text; /* as it was given */
    int64_t keep_ms;  /* the new one; 0: for ever */
    uint64_t count;   /* dead letters that go */
    uint64_t looked;
    bool more;
};

static bool has_own(const struct shunt_value *group)
{
    const struct shunt_value *own = shunt_value_get(group, "own");
    for (size_t i = 0; i < shunt_value_count(own); i++) {
        if (strcmp(shunt_value_text(shunt_value_at(own, i), NULL), "dlq_retention_ms") == 0)
            return true;
    }
    return false;
}

/* Oldest death first: the first that stays ends the count. */
static int count_group(struct retention *r, const struct shunt_value *group)
{
    const struct call *call = r->call;
    int64_t before_ms = clock_wall_ms() - r->keep_ms;
    uint64_t after = 0;
    bool more = r->keep_ms > 0 && record_integer(group, "dead") > 0;
    while (more && !r->more) {
        struct shunt_error err = {0};
        struct shunt_value *page = NULL;
        if (shunt_dlq_list(call->shunt, r->topic, record_text(group, "group"), after, PAGE_ROWS,
                           call->timeout_ms, &page, &err))
            return call_failed(call, &err);
        const struct shunt_value *rows = shunt_value_get(page, "rows");
        more = record_integer(page, "more") != 0 && shunt_value_count(rows) > 0;
        for (size_t i = 0; i < shunt_value_count(rows); i++) {
            const struct shunt_value *row = shunt_value_at(rows, i);
            after = (uint64_t)record_integer(row, "seq");
            if (record_integer(row, "died") > before_ms) {
                more = false;
                break;
            }
            r->count++;
        }
        r->looked += shunt_value_count(rows);
        r->more = more && r->looked >= RETENTION_COUNT_MAX;
        shunt_value_free(page);
    }
    return EXIT_OK;
}

static int count_topic(struct retention *r)
{
    struct shunt_error err = {0};
    struct shunt_value *topic = NULL;
    int code = EXIT_OK;
    if (shunt_topic_show(r->call->shunt, r->topic, r->call->timeout_ms, &topic, &err))
        return call_failed(r->call, &err);
    const struct shunt_value *groups = shunt_value_get(topic, "groups");
    for (size_t i = 0; code == EXIT_OK && i < shunt_value_count(groups); i++) {
        if (!has_own(shunt_value_at(groups, i)))
            code = count_group(r, shunt_value_at(groups, i));
    }
    shunt_value_free(topic);
    return code;
}

/* What a group has when it inherits: the topic's. */
static int read_inherited(struct retention *r)
{
    struct shunt_error err = {0};
    struct shunt_value *topic = NULL;
    if (shunt_topic_show(r->call->shunt, r->topic, r->call->timeout_ms, &topic, &err))
        return call_failed(r->call, &err);
    r->keep_ms = record_integer(shunt_value_get(topic, "policy"), "dlq_retention_ms");
    shunt_value_free(topic);
    return EXIT_OK;
}

static int count_one(struct retention *r, const char *name)
{
    struct shunt_error err = {0};
    struct shunt_value *group = NULL;
    int code = strcmp(r->text, "inherit") == 0 ? read_inherited(r) : EXIT_OK;
    if (code)
        return code;
    if (shunt_group_show(r->call->shunt, r->topic, name, r->call->timeout_ms, &group, &err))
        return call_failed(r->call, &err);
    code = count_group(r, group);
    shunt_value_free(group);
    return code;
}

int retention_confirm(struct call *call, const char *topic, const char *group)
{
    char text[32];
    struct retention r = {
        .call = call, .topic = topic, .text = options_text(&call->options, "dlq-retention", NULL)};
    /* What is no duration is refused by the change itself; a topic that inherits keeps them for ever. */
    if (!r.text ||
        (shunt_parse_duration(r.text, &r.keep_ms, NULL) && (strcmp(r.text, "inherit") != 0 || !group)))
        return EXIT_OK;
    int code = group ? count_one(&r, group) : count_topic(&r);
    if (code || r.count == 0)
        return code;
    char whose[256];
    (void)snprintf(whose, sizeof whose, "%s%s%stopic %s", group ? "group " : "", group ? group : "",
                   group ? " of " : "", topic);
    return prompt_confirm(call,
                          "with a retention of %s, %" PRIu64 "%s %s of %s will be dropped at once, for good",
                          shunt_format_duration(text, r.keep_ms), r.count, r.more ? " or more" : "",
                          call_plural(r.count, "dead letter", "dead letters"), whose);
}
