/* stats: the broker's numbers, once or again and again. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/call.h"
#include "cli/columns.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/record.h"
#include "cli/signals.h"
#include "cli/table.h"
#include "client/shunt.h"

#define WATCH_DEFAULT_MS   2000
#define WATCH_HEADING_ROWS 20 /* the heading comes again, for a screen that scrolls */

static const struct record_field silent_fields[] = {
    {"client", RECORD_TEXT, NULL, NULL},
    {"host", RECORD_TEXT, NULL, NULL},
    {"peer", RECORD_TEXT, NULL, NULL},
    {"silent_ms", RECORD_SPAN, NULL, NULL},
    {0},
};

static const struct record_field fields[] = {
    {"server", RECORD_TEXT, "server", NULL},
    {"uptime_ms", RECORD_SPAN, "up for", NULL},
    {"connections", RECORD_COUNT, "connections", NULL},
    {"silent_consumers", RECORD_COUNT, "silent consumers", NULL},
    {"clock_error_ms", RECORD_COUNT, NULL, NULL}, /* see clock_line() */
    {"silent", RECORD_RECORDS, NULL, silent_fields},
    {"topics", RECORD_COUNT, "topics", NULL},
    {"groups", RECORD_COUNT, "groups", NULL},
    {"published", RECORD_COUNT, "published", NULL},
    {"ready", RECORD_COUNT, "ready", NULL},
    {"in_flight", RECORD_COUNT, "in flight", NULL},
    {"delayed", RECORD_COUNT, "delayed", NULL},
    {"dead", RECORD_COUNT, "dead", NULL},
    {"unattended", RECORD_COUNT, "of them unattended", NULL},
    {"breakers_open", RECORD_COUNT, "breakers open", NULL},
    {"causes", RECORD_COUNT, "causes of the dead", NULL},
    {"causes_shared", RECORD_COUNT, NULL, NULL}, /* see shared_line() */
    {"acked", RECORD_COUNT, "acked", NULL},
    {"deliveries", RECORD_COUNT, "deliveries", NULL},
    {"conservation_error", RECORD_COUNT, "conservation error", NULL},
    {"requests_expired", RECORD_COUNT, "requests expired", NULL},
    {"commits", RECORD_COUNT, "commits", NULL},
    {"applied_index", RECORD_COUNT, "applied index", NULL},
    {"store_bytes", RECORD_MAP, "store bytes", NULL},
    {"store_limit", RECORD_TEXT, "store limit", NULL},
    {"memory_bytes", RECORD_SIZE, "memory", NULL},
    {"full", RECORD_FLAG, "full", NULL},
    {0},
};

/* Consumers that are handed nothing, for a lease of theirs ran out and nothing has come from them since. */
static void silent_lines(struct table *t, const struct shunt_value *silent)
{
    char span[32];
    for (size_t i = 0; i < shunt_value_count(silent); i++) {
        const struct shunt_value *one = shunt_value_at(silent, i);
        const char *client = record_text(one, "client"), *host = record_text(one, "host");
        const char *peer = record_text(one, "peer");
        table_cell(t, i == 0 ? "silent" : "");
        table_cellf(t, "%s%s%s at %s: nothing came from it for %s", client ? client : "",
                    host && *host ? " on " : "", host ? host : "", peer ? peer : "?",
                    shunt_format_duration(span, record_integer(one, "silent_ms")));
    }
}

static void shared_line(struct table *t, int64_t groups)
{
    if (groups == 0)
        return;
    table_cell(t, "causes beyond the limit");
    table_cellf(t, "of %" PRId64 " %s: there they share one, `causes beyond the limit`", groups,
                call_plural((uint64_t)groups, "group", "groups"));
}

#define CLOCK_ERROR_MS_MIN 1000 /* less is no news */

static void clock_line(struct table *t, int64_t error_ms)
{
    char span[32];
    if (error_ms < CLOCK_ERROR_MS_MIN && error_ms > -CLOCK_ERROR_MS_MIN)
        return;
    table_cell(t, "clock");
    table_cellf(t, "%s %s the machine's: `shunt clock set` puts it right",
                shunt_format_duration(span, error_ms < 0 ? -error_ms : error_ms),
                error_ms < 0 ? "behind" : "ahead of");
}

static void show_lines(const struct shunt_value *stats)
{
    struct table t;
    table_init_plain(&t);
    record_lines(&t, fields, stats);
    silent_lines(&t, shunt_value_get(stats, "silent"));
    shared_line(&t, record_integer(stats, "causes_shared"));
    clock_line(&t, record_integer(stats, "clock_error_ms"));
    if (!table_print(&t, stdout))
        call_complain("out of memory: not everything is shown");
    table_done(&t);
}

static int show_once(struct call *call)
{
    struct shunt_error err = {0};
    struct shunt_value *stats = NULL;
    struct output out;
    if (shunt_stats(call->shunt, call->timeout_ms, &stats, &err))
        return call_failed(call, &err);
    output_begin(&out, call->form, false);
    if (output_is_json(&out)) {
        record_json(&out.json, fields, stats);
        output_item_end(&out);
    } else {
        show_lines(stats);
    }
    output_end(&out);
    shunt_value_free(stats);
    return EXIT_OK;
}

/* ---- watching */

struct sample {
    int64_t at_ms;
    int64_t published;
    int64_t deliveries;
    int64_t acked;
};

static int64_t per_second(int64_t now, int64_t before, int64_t passed_ms)
{
    return passed_ms > 0 ? (now - before) * 1000 / passed_ms : 0;
}

#define WATCH_CELLS 8
#define CELL_BYTES  32

/* How rows are laid out, the widest first. Numbers are whole in each. */
enum watch_layout { WATCH_WIDE, WATCH_NARROW, WATCH_BLOCKS };

static const char *const watch_headings[WATCH_CELLS] = {"TIME",  "PUBLISHED/S", "DELIVERED/S", "ACKED/S",
                                                        "READY", "IN FLIGHT",   "DELAYED",     "DEAD"};
static const int watch_widths[][WATCH_CELLS] = {{24, 12, 12, 12, 10, 10, 10, 10}, {9, 11, 11, 7, 7, 9, 7, 7}};

struct watch {
    struct sample last;
    uint64_t rows;
    enum watch_layout layout; /* of the last row */
    uint64_t since_heading;
};

static void fill_cells(char cells[WATCH_CELLS][CELL_BYTES], const struct shunt_value *stats, struct watch *w)
{
    const struct sample now = {clock_mono_ms(), record_integer(stats, "published"),
                               record_integer(stats, "deliveries"), record_integer(stats, "acked")};
    const int64_t passed_ms = w->rows == 0 ? 0 : now.at_ms - w->last.at_ms;
    const int64_t numbers[] = {per_second(now.published, w->last.published, passed_ms),
                               per_second(now.deliveries, w->last.deliveries, passed_ms),
                               per_second(now.acked, w->last.acked, passed_ms),
                               record_integer(stats, "ready"),
                               record_integer(stats, "in_flight"),
                               record_integer(stats, "delayed"),
                               record_integer(stats, "dead")};
    shunt_format_time(cells[0], clock_wall_ms());
    for (size_t i = 1; i < WATCH_CELLS; i++)
        (void)snprintf(cells[i], CELL_BYTES, "%" PRId64, numbers[i - 1]);
    w->last = now;
}

/* `12:20:46Z` of `2026-11-29T12:20:46.123Z`. */
static void shorten_time(char *time)
{
    (void)memmove(time, time + 11, 8);
    (void)strcpy(time + 8, "Z");
}

static size_t line_columns(char cells[WATCH_CELLS][CELL_BYTES], const int *widths)
{
    size_t columns = (size_t)widths[0];
    for (size_t i = 1; i < WATCH_CELLS; i++) {
        size_t size = strlen(cells[i]), width = (size_t)widths[i];
        columns += 1 + (size > width ? size : width);
    }
    return columns;
}

static enum watch_layout lay_out(char cells[WATCH_CELLS][CELL_BYTES])
{
    size_t columns = columns_of_terminal(stdout);
    enum watch_layout layout = WATCH_WIDE;
    while (layout < WATCH_BLOCKS && line_columns(cells, watch_widths[layout]) > columns)
        layout++;
    return layout;
}

static void print_heading(const int *widths)
{
    for (size_t i = 0; i < WATCH_CELLS; i++)
        printf("%s%*s", i ? " " : "", i ? widths[i] : -widths[i], watch_headings[i]);
    putchar('\n');
}

static void print_line(char cells[WATCH_CELLS][CELL_BYTES], const int *widths)
{
    for (size_t i = 0; i < WATCH_CELLS; i++)
        printf("%s%*s", i ? " " : "", i ? widths[i] : -widths[i], cells[i]);
    putchar('\n');
}

static void print_block(char cells[WATCH_CELLS][CELL_BYTES])
{
    struct table t;
    table_init_plain(&t);
    for (size_t i = 0; i < WATCH_CELLS; i++) {
        table_cell(&t, watch_headings[i]);
        table_cell(&t, cells[i]);
    }
    putchar('\n');
    (void)table_print(&t, stdout); /* without memory a row is missing, and the next one comes soon */
    table_done(&t);
}

static void watch_row(const struct shunt_value *stats, struct watch *w)
{
    char cells[WATCH_CELLS][CELL_BYTES];
    fill_cells(cells, stats, w);
    enum watch_layout layout = lay_out(cells);
    if (layout == WATCH_BLOCKS) {
        print_block(cells);
    } else {
        if (w->rows == 0 || layout != w->layout || w->since_heading == WATCH_HEADING_ROWS) {
            print_heading(watch_widths[layout]);
            w->since_heading = 0;
        }
        if (layout == WATCH_NARROW)
            shorten_time(cells[0]);
        print_line(cells, watch_widths[layout]);
        w->since_heading++;
    }
    w->layout = layout;
    w->rows++;
}

static int watch(struct call *call, int signal_fd, int64_t pause_ms)
{
    struct watch w = {0};
    struct output out;
    int code = EXIT_OK;
    output_begin(&out, call->form, true);
    while (code == EXIT_OK) {
        struct shunt_error err = {0};
        struct shunt_value *stats = NULL;
        if (shunt_stats(call->shunt, call->timeout_ms, &stats, &err)) {
            code = call_failed(call, &err);
            break;
        }
        if (output_is_json(&out)) {
            record_json(&out.json, fields, stats);
            output_item_end(&out);
        } else {
            watch_row(stats, &w);
        }
        shunt_value_free(stats);
        if (fflush(stdout))
            break; /* call_end_output() tells */
        struct pollfd stop = {.fd = signal_fd, .events = POLLIN};
        if (poll(&stop, 1, clock_poll_ms(clock_deadline(pause_ms))) > 0)
            break;
    }
    output_end(&out);
    return code;
}

static int run_stats(struct call *call)
{
    int code = call_connect(call);
    if (code || !options_flag(&call->options, "watch"))
        return code ? code : show_once(call);
    int signal_fd = signals_open();
    if (signal_fd < 0) {
        call_complain("cannot wait for signals");
        return EXIT_FAILED;
    }
    code = watch(call, signal_fd, options_number(&call->options, "watch", WATCH_DEFAULT_MS));
    (void)close(signal_fd);
    return code;
}

static const struct option_row rows[] = {
    {"watch", 0, "[D]", OPTION_DURATION, WORDS_ONE, 100, 86400000,
     "print again every D (default: 2s), with rates, until interrupted"},
};

static const struct command commands[] = {{
    .noun = "stats",
    .usage = "[--watch [D]]",
    .text = "show the broker's numbers over all topics",
    .examples = "  shunt stats\n  shunt stats --watch 1s\n  shunt stats -o json | jq .dead\n",
    .options = rows,
    .options_count = sizeof rows / sizeof *rows,
    .run = run_stats,
}};

const struct command_set stats_set = {"stats", "show the broker's numbers", commands, 1};
