/* holders: `group holders`: which consumer holds which message of a group, the one that is held longest first.
 *
 * The broker lists them in order of number, a page at a time. All pages are read, and of their rows the oldest are kept: at
 * most twice as many as are to be shown, however many are in flight. */
#include "cli/holders.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "cli/call.h"
#include "cli/output.h"
#include "cli/record.h"
#include "cli/table.h"
#include "client/shunt.h"

#define PAGE_ROWS  1000
#define TEXT_BYTES 160 /* a name of HELLO has at most 128 bytes, an address fewer */

/* What is said of the time in which it was listed: `now_ms` is the broker's. */
struct held {
    uint64_t seq;
    int64_t attempts, deliveries, generation, connection;
    int64_t leased_ms, started_ms, until_ms, now_ms; /* 0: nil */
    bool silent;
    char consumer[TEXT_BYTES], host[TEXT_BYTES], build[TEXT_BYTES], peer[TEXT_BYTES]; /* empty: nil */
};

struct oldest {
    struct held *rows;
    size_t count, capacity, most;
    uint64_t seen; /* in flight in all */
};

/* ---- the oldest of them ---- */

/* One that nobody is known to hold comes last. */
static int by_age(const void *a, const void *b)
{
    const struct held *x = a, *y = b;
    if (x->leased_ms != y->leased_ms)
        return !x->leased_ms ? 1 : !y->leased_ms ? -1 : x->leased_ms < y->leased_ms ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static void cut(struct oldest *o)
{
    if (o->count > 1)
        qsort(o->rows, o->count, sizeof *o->rows, by_age);
    if (o->count > o->most)
        o->count = o->most;
}

static void copy_text(char to[TEXT_BYTES], const struct shunt_value *row, const char *key)
{
    const char *text = record_text(row, key);
    (void)snprintf(to, TEXT_BYTES, "%s",
                   text ? text : ""); /* a longer one is none of this protocol, and is cut */
}

/* False without memory. */
static bool add(struct oldest *o, const struct shunt_value *row, int64_t now_ms)
{
    o->seen++;
    if (o->count == 2 * o->most)
        cut(o);
    if (!array_room(&o->rows, &o->capacity, o->count + 1))
        return false;
    struct held *to = &o->rows[o->count++];
    *to = (struct held){.seq = (uint64_t)record_integer(row, "seq"),
                        .attempts = record_integer(row, "attempts"),
                        .deliveries = record_integer(row, "deliveries"),
                        .generation = record_integer(row, "generation"),
                        .connection = record_integer(row, "connection"),
                        .leased_ms = record_integer(row, "leased"),
                        .started_ms = record_integer(row, "started"),
                        .until_ms = record_integer(row, "until"),
                        .now_ms = now_ms,
                        .silent = record_integer(row, "silent") != 0};
    copy_text(to->consumer, row, "consumer");
    copy_text(to->host, row, "host");
    copy_text(to->build, row, "build");
    copy_text(to->peer, row, "peer");
    return true;
}

static int no_memory(void)
{
    call_complain("out of memory: a smaller --limit needs less");
    return EXIT_FAILED;
}

static int read_pages(struct call *call, struct oldest *o)
{
    uint64_t after = 0;
    for (bool more = true; more;) {
        struct shunt_error err = {0};
        struct shunt_value *page = NULL;
        bool room = true;
        if (shunt_group_holders(call->shunt, call_word(call, 0), call_word(call, 1), after, PAGE_ROWS,
                                call->timeout_ms, &page, &err))
            return call_failed(call, &err);
        const struct shunt_value *rows = shunt_value_get(page, "rows");
        for (size_t i = 0; i < shunt_value_count(rows) && room; i++)
            room = add(o, shunt_value_at(rows, i), record_integer(page, "now"));
        more = record_integer(page, "more") != 0;
        after = (uint64_t)record_integer(page, "next");
        shunt_value_free(page);
        if (!room)
            return no_memory();
    }
    cut(o);
    return EXIT_OK;
}

/* ---- shown ---- */

static void json_time(struct json *j, const char *key, int64_t ms)
{
    char text[32];
    json_key(j, key);
    json_string(j, ms ? shunt_format_time(text, ms) : NULL);
}

static void json_name(struct json *j, const char *key, const char *text)
{
    json_key(j, key);
    json_string(j, *text ? text : NULL);
}

static void json_number(struct json *j, const char *key, int64_t value)
{
    json_key(j, key);
    json_integer(j, value);
}

static void json_span(struct json *j, const char *key, int64_t from_ms, int64_t to_ms)
{
    json_key(j, key);
    if (from_ms && to_ms)
        json_integer(j, to_ms > from_ms ? to_ms - from_ms : 0);
    else
        json_null(j);
}

static void show_json(struct json *j, const char *id, const struct held *h)
{
    json_object(j);
    json_name(j, "message", id);
    json_number(j, "attempts", h->attempts);
    json_number(j, "deliveries", h->deliveries);
    json_number(j, "generation", h->generation);
    json_key(j, "connection");
    if (h->connection)
        json_integer(j, h->connection);
    else
        json_null(j);
    json_name(j, "consumer", h->consumer);
    json_name(j, "host", h->host);
    json_name(j, "build", h->build);
    json_name(j, "peer", h->peer);
    json_time(j, "leased", h->leased_ms);
    json_time(j, "started", h->started_ms);
    json_time(j, "until", h->until_ms);
    json_span(j, "held_ms", h->leased_ms, h->now_ms);
    json_span(j, "left_ms", h->now_ms, h->until_ms);
    json_key(j, "silent");
    json_bool(j, h->silent);
    json_object_end(j);
}

/* Of ages of which nobody reads the milliseconds. */
static void span_cell(struct table *t, int64_t from_ms, int64_t to_ms)
{
    char text[32];
    int64_t ms = to_ms > from_ms ? to_ms - from_ms : 0;
    table_cell(t, from_ms && to_ms ? shunt_format_duration(text, ms < 1000 ? ms : ms / 1000 * 1000) : NULL);
}

static void show_row(struct table *t, const char *id, const struct held *h)
{
    table_cell(t, id);
    span_cell(t, h->leased_ms, h->now_ms);
    span_cell(t, h->started_ms, h->now_ms);
    span_cell(t, h->now_ms, h->until_ms);
    table_cellf(t, "%" PRId64, h->attempts);
    table_cellf(t, "%" PRId64, h->deliveries);
    table_cellf(t, "%s%s", *h->consumer ? h->consumer : "-", h->silent ? " (silent)" : "");
    table_cell(t, *h->host ? h->host : NULL);
    table_cell(t, *h->build ? h->build : NULL);
    table_cell(t, *h->peer ? h->peer : NULL);
}

static void show(struct call *call, const struct oldest *o)
{
    static const char *const headings[] = {
        "MESSAGE",   ">HELD FOR", ">STARTED AGO", ">LEASE LEFT", ">ATTEMPTS", "-->DELIVERIES",
        "~CONSUMER", "--~HOST",   "-~BUILD",      "-PEER",       NULL};
    char id[512];
    struct output out;
    struct table t;
    output_begin(&out, call->form, true);
    table_init(&t, headings);
    for (size_t i = 0; i < o->count; i++) {
        (void)snprintf(id, sizeof id, "%.400s/%" PRIu64, call_word(call, 0), o->rows[i].seq);
        if (output_is_json(&out)) {
            show_json(&out.json, id, &o->rows[i]);
            output_item_end(&out);
        } else {
            show_row(&t, id, &o->rows[i]);
        }
    }
    if (!output_is_json(&out) && o->count && !table_print(&t, stdout))
        call_complain("out of memory: not everything is shown");
    table_done(&t);
    output_end(&out);
}

static void note_rest(const struct call *call, const struct oldest *o)
{
    if (!o->seen) {
        call_note(call, "nothing of group %s of topic %s is in flight", call_word(call, 1),
                  call_word(call, 0));
    } else if (o->seen > o->count) {
        call_note(call, "these are held longest; %" PRIu64 " more are in flight, and --limit N shows more",
                  o->seen - o->count);
    }
}

int holders_run(struct call *call)
{
    struct oldest o = {.most = (size_t)options_number(&call->options, "limit", HOLDERS_ROWS_DEFAULT)};
    int code = call_connect(call);
    if (code == EXIT_OK)
        code = read_pages(call, &o);
    if (code == EXIT_OK) {
        show(call, &o);
        note_rest(call, &o);
    }
    free(o.rows);
    return code;
}
