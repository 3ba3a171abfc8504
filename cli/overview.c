/* overview: every group of every topic in one line, what needs somebody first, as the console's first page has it
 * (console/src/lib/attention.js judges by the same order). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "cli/call.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/record.h"
#include "cli/table.h"
#include "client/shunt.h"

#define PAGE_ROWS 1000

/* What a group needs somebody for, the most urgent first; the names are those of JSON. */
enum state { OVERDUE, BREAKER, UNATTENDED, BLOCKED, PAUSED_WAITING, NO_CONSUMER, PAUSED, LOOKED_AT, WELL };

static const struct {
    const char *name, *words;
} states[] = {
    [OVERDUE] = {"overdue", "overdue"},
    [BREAKER] = {"breaker", "breaker"},
    [UNATTENDED] = {"unattended", "new dead letters"},
    [BLOCKED] = {"blocked", "keys blocked"},
    [PAUSED_WAITING] = {"paused", "paused"},
    [NO_CONSUMER] = {"no_consumer", "no consumer"},
    [PAUSED] = {"paused", "paused"},
    [LOOKED_AT] = {"looked_at", "looked at"},
    [WELL] = {"well", "well"},
};

/* The broker leaves out what is 0, false or nil; the counts are shown as 0 again. */
static const struct record_field fields[] = {
    {"ready", RECORD_COUNT, NULL, NULL},
    {"in_flight", RECORD_COUNT, NULL, NULL},
    {"delayed", RECORD_COUNT, NULL, NULL},
    {"dead", RECORD_COUNT, NULL, NULL},
    {"unattended", RECORD_COUNT, NULL, NULL},
    {"causes_new", RECORD_COUNT, NULL, NULL},
    {"blocked_keys", RECORD_COUNT, NULL, NULL},
    {"slo_breaches", RECORD_COUNT, NULL, NULL},
    {"published", RECORD_COUNT, NULL, NULL},
    {"acked", RECORD_COUNT, NULL, NULL},
    {"consumers", RECORD_COUNT, NULL, NULL},
    {"paused", RECORD_FLAG, NULL, NULL},
    {"breaker", RECORD_TEXT, NULL, NULL},
    {"breaker_until", RECORD_TIME, NULL, NULL},
    {"oldest_ready", RECORD_TIME, NULL, NULL},
    {"oldest_dead", RECORD_TIME, NULL, NULL},
    {"oldest_unattended", RECORD_TIME, NULL, NULL},
    {"oldest_blocked", RECORD_TIME, NULL, NULL},
    {"dlq_slo_ms", RECORD_SPAN, NULL, NULL},
    {0},
};

struct glance {
    const struct shunt_value *row; /* of one of the pages */
    const char *topic, *group, *breaker;
    enum state state;
    const struct shunt_value *since; /* since when it is so; NULL: that is not known */
    int64_t now_ms;                  /* of its page, by the broker's clock */
};

struct overview {
    struct shunt_value **pages;
    size_t pages_count, pages_capacity;
    struct glance *rows;
    size_t count, capacity;
};

/* ---- judged ---- */

static bool is_overdue(const struct shunt_value *row, int64_t now_ms)
{
    int64_t slo_ms = record_integer(row, "dlq_slo_ms"), oldest_ms = record_integer(row, "oldest_unattended");
    return slo_ms > 0 && oldest_ms > 0 && now_ms - oldest_ms > slo_ms;
}

static enum state state_of(const struct shunt_value *row, int64_t now_ms)
{
    if (is_overdue(row, now_ms))
        return OVERDUE;
    if (record_text(row, "breaker")) /* of one that is not closed */
        return BREAKER;
    if (record_integer(row, "unattended"))
        return UNATTENDED;
    if (record_integer(row, "blocked_keys"))
        return BLOCKED;
    if (record_integer(row, "paused"))
        return record_integer(row, "ready") ? PAUSED_WAITING : PAUSED;
    if (record_integer(row, "ready") && !record_integer(row, "consumers"))
        return NO_CONSUMER;
    return record_integer(row, "dead") ? LOOKED_AT : WELL;
}

static const struct shunt_value *since_of(const struct shunt_value *row, enum state state)
{
    static const char *const keys[] = {
        [OVERDUE] = "oldest_unattended",
        [UNATTENDED] = "oldest_unattended",
        [BLOCKED] = "oldest_blocked",
        [PAUSED_WAITING] = "oldest_ready",
        [NO_CONSUMER] = "oldest_ready",
        [LOOKED_AT] = "oldest_dead",
        [WELL] = NULL,
    };
    return keys[state] ? shunt_value_get(row, keys[state]) : NULL;
}

/* What needs somebody first; among equals what has waited longest, then by name. */
static int by_need(const void *a, const void *b)
{
    const struct glance *x = a, *y = b;
    int64_t x_ms = x->since ? shunt_value_integer(x->since) : INT64_MAX;
    int64_t y_ms = y->since ? shunt_value_integer(y->since) : INT64_MAX;
    if (x->state != y->state)
        return x->state < y->state ? -1 : 1;
    if (x_ms != y_ms)
        return x_ms < y_ms ? -1 : 1;
    int order = strcmp(x->topic, y->topic);
    return order ? order : strcmp(x->group, y->group);
}

/* ---- read ---- */

/* Takes the page, also without memory: then it returns false. */
static bool take(struct overview *o, struct shunt_value *page)
{
    const struct shunt_value *rows = shunt_value_get(page, "rows");
    if (!array_room(&o->pages, &o->pages_capacity, o->pages_count + 1)) {
        shunt_value_free(page);
        return false;
    }
    o->pages[o->pages_count++] = page;
    for (size_t i = 0; i < shunt_value_count(rows); i++) {
        if (!array_room(&o->rows, &o->capacity, o->count + 1))
            return false;
        struct glance *g = &o->rows[o->count++];
        const char *topic, *group;
        *g = (struct glance){.row = shunt_value_at(rows, i), .now_ms = record_integer(page, "now")};
        topic = record_text(g->row, "topic"), group = record_text(g->row, "group");
        g->topic = topic ? topic : "", g->group = group ? group : "";
        g->breaker = record_text(g->row, "breaker");
        g->state = state_of(g->row, g->now_ms);
        g->since = since_of(g->row, g->state);
    }
    return true;
}

static int read_pages(struct call *call, struct overview *o)
{
    const char *after = NULL;
    for (bool more = true; more;) {
        struct shunt_error err = {0};
        struct shunt_value *page = NULL;
        if (shunt_overview(call->shunt, after, PAGE_ROWS, call->timeout_ms, &page, &err))
            return call_failed(call, &err);
        after = record_text(page, "next"); /* lives as long as the page */
        more = record_integer(page, "more") != 0 && after;
        if (!take(o, page)) {
            call_complain("out of memory: there are too many groups to list");
            return EXIT_FAILED;
        }
    }
    if (o->count > 1)
        qsort(o->rows, o->count, sizeof *o->rows, by_need);
    return EXIT_OK;
}

static void forget(struct overview *o)
{
    for (size_t i = 0; i < o->pages_count; i++)
        shunt_value_free(o->pages[i]);
    free(o->pages);
    free(o->rows);
}

/* ---- shown ---- */

static void show_json(struct output *out, const struct glance *g)
{
    struct json *j = &out->json;
    char time[32];
    json_object(j);
    json_key(j, "topic");
    json_string(j, g->topic);
    json_key(j, "group");
    json_string(j, g->group);
    json_key(j, "state");
    json_string(j, states[g->state].name);
    json_key(j, "since");
    json_string(j, record_time(time, g->since));
    for (const struct record_field *f = fields; f->key; f++) {
        const struct shunt_value *value = shunt_value_get(g->row, f->key);
        json_key(j, f->key);
        if (f->kind == RECORD_COUNT)
            json_integer(j, shunt_value_integer(value));
        else if (f->kind == RECORD_FLAG)
            json_bool(j, shunt_value_integer(value) != 0);
        else if (f->kind == RECORD_TIME)
            json_string(j, record_time(time, value));
        else
            record_value(j, value);
    }
    json_object_end(j);
    output_item_end(out);
}

static void state_cell(struct table *t, const struct glance *g)
{
    if (g->state != BREAKER)
        table_cell(t, states[g->state].words);
    else if (strcmp(g->breaker, "half_open") == 0)
        table_cell(t, "breaker half open");
    else
        table_cellf(t, "breaker %s", strcmp(g->breaker, "ramp") == 0 ? "recovering" : g->breaker);
}

static void age_cell(struct table *t, const struct glance *g)
{
    char text[32];
    int64_t ms = g->since ? g->now_ms - shunt_value_integer(g->since) : 0;
    ms = ms < 0 ? 0 : ms;
    table_cell(t, g->since ? shunt_format_duration(text, ms < 1000 ? ms : ms / 1000 * 1000) : NULL);
}

static void show_row(struct table *t, const struct glance *g)
{
    static const char *const counts[] = {"ready", "in_flight", "delayed", "dead", "unattended", "consumers"};
    table_cell(t, g->topic);
    table_cell(t, g->group);
    state_cell(t, g);
    age_cell(t, g);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        table_cellf(t, "%" PRId64, record_integer(g->row, counts[i]));
}

static void show(const struct call *call, const struct overview *o)
{
    static const char *const headings[] = {"TOPIC",       "GROUP",       "STATE",     ">FOR",
                                           ">READY",      ">IN FLIGHT",  "->DELAYED", ">DEAD",
                                           ">UNATTENDED", "->CONSUMERS", NULL};
    struct output out;
    struct table t;
    output_begin(&out, call->form, true);
    table_init(&t, headings);
    for (size_t i = 0; i < o->count; i++) {
        if (output_is_json(&out))
            show_json(&out, &o->rows[i]);
        else
            show_row(&t, &o->rows[i]);
    }
    if (!output_is_json(&out) && o->count && !table_print(&t, stdout))
        call_complain("out of memory: not everything is shown");
    table_done(&t);
    output_end(&out);
}

static int run(struct call *call)
{
    struct overview o = {0};
    int code = call_connect(call);
    if (code == EXIT_OK)
        code = read_pages(call, &o);
    if (code == EXIT_OK) {
        show(call, &o);
        if (!o.count)
            call_note(call, "there are no topics");
    }
    forget(&o);
    return code;
}

static const struct command commands[] = {
    {.noun = "overview",
     .usage = "",
     .text = "show every group in a few numbers, what needs somebody first",
     .about = "One line for each group of each topic. What needs somebody comes first: dead letters that "
              "nobody has\n"
              "looked at for longer than dlq-slo, a breaker that is not closed, dead letters that nobody has "
              "looked\n"
              "at, keys that dead letters hold, a pause or no consumer while messages wait; last what is "
              "well. FOR\n"
              "says for how long it has been so. Dead-letter queues are not listed.",
     .examples = "  shunt overview\n  shunt overview -o json | jq '.[] | select(.unattended > 0) | .topic'\n",
     .run = run},
};

const struct command_set overview_set = {"overview", "show every group in a few numbers", commands, 1};
