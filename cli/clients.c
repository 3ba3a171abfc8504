/* clients: the connections of the broker, and what each holds; the one that holds a message for longest first. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "cli/call.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/record.h"
#include "cli/table.h"
#include "client/shunt.h"

#define PAGE_ROWS            1000
#define SUBSCRIPTION_COLUMNS 72

static const struct record_field subscription_fields[] = {
    {"sub", RECORD_COUNT, NULL, NULL},   {"topic", RECORD_TEXT, NULL, NULL},
    {"group", RECORD_TEXT, NULL, NULL},  {"messages", RECORD_COUNT, NULL, NULL},
    {"bytes", RECORD_COUNT, NULL, NULL}, {"in_flight", RECORD_COUNT, NULL, NULL},
    {"oldest", RECORD_TIME, NULL, NULL}, {0},
};

static const struct record_field fields[] = {
    {"connection", RECORD_COUNT, NULL, NULL},
    {"client", RECORD_TEXT, NULL, NULL},
    {"host", RECORD_TEXT, NULL, NULL},
    {"build", RECORD_TEXT, NULL, NULL},
    {"peer", RECORD_TEXT, NULL, NULL},
    {"since", RECORD_TIME, NULL, NULL},
    {"heard", RECORD_TIME, NULL, NULL},
    {"silent", RECORD_FLAG, NULL, NULL},
    {"in_flight", RECORD_COUNT, NULL, NULL},
    {"oldest", RECORD_TIME, NULL, NULL},
    {"state", RECORD_TEXT, NULL, NULL},
    {"unread", RECORD_FLAG, NULL, NULL},
    {"unsent_bytes", RECORD_COUNT, NULL, NULL},
    {"held_bytes", RECORD_COUNT, NULL, NULL},
    {"subscriptions", RECORD_RECORDS, NULL, subscription_fields},
    {0},
};

struct client {
    const struct shunt_value *row; /* of one of the pages */
    int64_t connection, oldest_ms, now_ms;
};

struct clients {
    struct shunt_value **pages;
    size_t pages_count, pages_capacity;
    struct client *rows;
    size_t count, capacity;
    const char *topic, *group; /* only those that subscribe to it; NULL: to any */
};

static int by_oldest(const void *a, const void *b)
{
    const struct client *x = a, *y = b;
    if (x->oldest_ms != y->oldest_ms)
        return !x->oldest_ms ? 1 : !y->oldest_ms ? -1 : x->oldest_ms < y->oldest_ms ? -1 : 1;
    return (x->connection > y->connection) - (x->connection < y->connection);
}

/* ---- read ---- */

static bool is(const struct shunt_value *record, const char *key, const char *wanted)
{
    const char *text = record_text(record, key);
    return !wanted || (text && strcmp(text, wanted) == 0);
}

/* When the oldest of what it holds was handed out, of the topic and group asked for; 0: it holds nothing of that. False: it does
 * not subscribe to it. */
static bool chosen(const struct clients *c, const struct shunt_value *row, int64_t *ret_oldest_ms)
{
    const struct shunt_value *subscriptions = shunt_value_get(row, "subscriptions");
    bool found = !c->topic;
    *ret_oldest_ms = c->topic ? 0 : record_integer(row, "oldest");
    for (size_t i = 0; c->topic && i < shunt_value_count(subscriptions); i++) {
        const struct shunt_value *one = shunt_value_at(subscriptions, i);
        int64_t oldest_ms = record_integer(one, "oldest");
        if (!is(one, "topic", c->topic) || !is(one, "group", c->group))
            continue;
        found = true;
        if (oldest_ms && (!*ret_oldest_ms || oldest_ms < *ret_oldest_ms))
            *ret_oldest_ms = oldest_ms;
    }
    return found;
}

/* Takes the page, also without memory: then it returns false. */
static bool take(struct clients *c, struct shunt_value *page)
{
    const struct shunt_value *rows = shunt_value_get(page, "rows");
    const int64_t now_ms = record_integer(page, "now");
    if (!array_room(&c->pages, &c->pages_capacity, c->pages_count + 1)) {
        shunt_value_free(page);
        return false;
    }
    c->pages[c->pages_count++] = page;
    for (size_t i = 0; i < shunt_value_count(rows); i++) {
        const struct shunt_value *row = shunt_value_at(rows, i);
        int64_t oldest_ms;
        if (!chosen(c, row, &oldest_ms))
            continue;
        if (!array_room(&c->rows, &c->capacity, c->count + 1))
            return false;
        c->rows[c->count++] = (struct client){row, record_integer(row, "connection"), oldest_ms, now_ms};
    }
    return true;
}

static int read_pages(struct call *call, struct clients *c)
{
    uint64_t after = 0;
    for (bool more = true; more;) {
        struct shunt_error err = {0};
        struct shunt_value *page = NULL;
        if (shunt_client_list(call->shunt, after, PAGE_ROWS, call->timeout_ms, &page, &err))
            return call_failed(call, &err);
        more = record_integer(page, "more") != 0;
        after = (uint64_t)record_integer(page, "next");
        if (!take(c, page)) {
            call_complain("out of memory: there are too many connections to list");
            return EXIT_FAILED;
        }
    }
    if (c->count > 1)
        qsort(c->rows, c->count, sizeof *c->rows, by_oldest);
    return EXIT_OK;
}

static void forget(struct clients *c)
{
    for (size_t i = 0; i < c->pages_count; i++)
        shunt_value_free(c->pages[i]);
    free(c->pages);
    free(c->rows);
}

/* ---- shown ---- */

/* `orders:default 3 of 100`: what it holds, and may hold. */
static void subscriptions_cell(struct table *t, const struct shunt_value *list)
{
    char text[400] = "";
    size_t size = 0, shown = 0, count = shunt_value_count(list);
    for (; shown < count && size < SUBSCRIPTION_COLUMNS; shown++) {
        const struct shunt_value *one = shunt_value_at(list, shown);
        size += (size_t)snprintf(text + size, sizeof text - size, "%s%.120s:%.100s %" PRId64 " of %" PRId64,
                                 shown ? ", " : "", record_text(one, "topic"), record_text(one, "group"),
                                 record_integer(one, "in_flight"), record_integer(one, "messages"));
    }
    if (!count)
        table_cell(t, NULL);
    else if (shown < count)
        table_cellf(t, "%s, and %zu more", text, count - shown);
    else
        table_cell(t, text);
}

/* What is not as it should be. */
static void state_cell(struct table *t, const struct shunt_value *row)
{
    const char *state = record_text(row, "state");
    bool silent = record_integer(row, "silent") != 0, unread = record_integer(row, "unread") != 0;
    table_cellf(t, "%s%s%s", state ? state : "?", silent ? ", silent" : "", unread ? ", does not read" : "");
}

static void age_cell(struct table *t, int64_t now_ms, int64_t then_ms)
{
    char text[32];
    int64_t ms = now_ms > then_ms ? now_ms - then_ms : 0;
    table_cell(t, then_ms ? shunt_format_duration(text, ms < 1000 ? ms : ms / 1000 * 1000) : NULL);
}

static void show_row(struct table *t, const struct client *c)
{
    char size[32];
    table_cellf(t, "%" PRId64, c->connection);
    table_cell(t, record_text(c->row, "client"));
    table_cell(t, record_text(c->row, "host"));
    table_cell(t, record_text(c->row, "build"));
    table_cell(t, record_text(c->row, "peer"));
    age_cell(t, c->now_ms, record_integer(c->row, "since"));
    age_cell(t, c->now_ms, record_integer(c->row, "heard"));
    table_cellf(t, "%" PRId64, record_integer(c->row, "in_flight"));
    age_cell(t, c->now_ms, c->oldest_ms);
    table_cell(t, shunt_format_size(size, record_integer(c->row, "unsent_bytes")));
    state_cell(t, c->row);
    subscriptions_cell(t, shunt_value_get(c->row, "subscriptions"));
}

static void show(const struct call *call, const struct clients *c)
{
    static const char *const headings[] = {
        ">CONNECTION", "~CLIENT", "--~HOST",   "--~BUILD", "-PEER",          ">FOR", "->HEARD AGO",
        ">HOLDS",      ">OLDEST", "-->UNSENT", "STATE",    "~SUBSCRIPTIONS", NULL};
    struct output out;
    struct table t;
    output_begin(&out, call->form, true);
    table_init(&t, headings);
    for (size_t i = 0; i < c->count; i++) {
        if (output_is_json(&out)) {
            record_json(&out.json, fields, c->rows[i].row);
            output_item_end(&out);
        } else {
            show_row(&t, &c->rows[i]);
        }
    }
    if (!output_is_json(&out) && c->count && !table_print(&t, stdout))
        call_complain("out of memory: not everything is shown");
    table_done(&t);
    output_end(&out);
}

static int run(struct call *call)
{
    struct clients c = {.topic = call_word(call, 0), .group = call_word(call, 1)};
    int code = call_connect(call);
    if (code == EXIT_OK)
        code = read_pages(call, &c);
    if (code == EXIT_OK) {
        show(call, &c);
        if (!c.count && c.topic) {
            call_note(call, "nobody subscribes to %s%s%s", c.topic, c.group ? ":" : "",
                      c.group ? c.group : "");
        }
    }
    forget(&c);
    return code;
}

static const struct command commands[] = {
    {.noun = "clients",
     .usage = "[TOPIC [GROUP]]",
     .text = "list the connections, and what each holds",
     .about = "All of them, or those that subscribe to TOPIC, or to GROUP of it. The one that holds a "
              "message for longest comes\n"
              "first, then those that hold nothing, as they came. `shunt group holders` shows the messages.",
     .examples = "  shunt clients\n  shunt clients orders default\n  shunt clients -o json | jq '.[] | "
                 "select(.silent)'\n",
     .words_max = 2,
     .run = run},
};

const struct command_set clients_set = {"clients", "list the connections, and what each holds", commands, 1};
