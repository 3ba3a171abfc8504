/* report: every form has the same columns, from one table. */
#include "bench/report.h"

#include <inttypes.h>
#include <stdio.h>

#include "bench/disk.h"

struct column {
    const char *key;
    const char *heading; /* NULL: not in the table for people */
    int width;           /* negative: left-aligned */
    bool text;
    void (*write)(const struct result *r, char *to, size_t bytes); /* writes nothing if it is not known */
};

#define TEXT_COLUMN(name, expression)                                                                        \
    static void name(const struct result *r, char *to, size_t bytes)                                         \
    {                                                                                                        \
        (void)snprintf(to, bytes, "%s", (expression));                                                       \
    }
#define NUMBER_COLUMN(name, known, format, expression)                                                       \
    static void name(const struct result *r, char *to, size_t bytes)                                         \
    {                                                                                                        \
        if (known)                                                                                           \
            (void)snprintf(to, bytes, format, (expression));                                                 \
    }

TEXT_COLUMN(write_workload, r->workload)
TEXT_COLUMN(write_server, r->server)
NUMBER_COLUMN(write_body, true, "%" PRIu32, r->body_bytes)
NUMBER_COLUMN(write_window, true, "%" PRIu32, r->window)
NUMBER_COLUMN(write_publishers, true, "%u", r->publishers)
NUMBER_COLUMN(write_consumers, true, "%u", r->consumers)
NUMBER_COLUMN(write_wanted, r->rate_wanted > 0, "%.0f", r->rate_wanted)
NUMBER_COLUMN(write_messages, true, "%" PRIu64, r->messages)
NUMBER_COLUMN(write_seconds, true, "%.3f", r->seconds)
NUMBER_COLUMN(write_rate, true, "%.0f", r->rate)
TEXT_COLUMN(write_latency_of, r->latency_of)
NUMBER_COLUMN(write_p50, r->p50_us > 0, "%.0f", r->p50_us)
NUMBER_COLUMN(write_p99, r->p50_us > 0, "%.0f", r->p99_us)
NUMBER_COLUMN(write_p999, r->p50_us > 0, "%.0f", r->p999_us)
NUMBER_COLUMN(write_max, r->p50_us > 0, "%.0f", r->max_us)
NUMBER_COLUMN(write_failed, true, "%" PRIu64, r->failed)
NUMBER_COLUMN(write_cpu, r->usage_known, "%.2f", r->cpu_us)
NUMBER_COLUMN(write_anon, r->usage_known, "%.1f", r->anon_mib)
NUMBER_COLUMN(write_disk, r->usage_known, "%.0f", r->disk_bytes)
NUMBER_COLUMN(write_disk_ratio, r->usage_known, "%.2f", r->disk_bytes / r->body_bytes)
NUMBER_COLUMN(write_flush, r->flush_messages > 0, "%.2f", r->flush_messages)
NUMBER_COLUMN(write_flush_late, r->flush_messages > 0, "%.1f", r->flush_late_us)
NUMBER_COLUMN(write_store, r->store_bytes > 0, "%.1f", r->store_bytes)
NUMBER_COLUMN(write_page, r->store_bytes > 0, "%.1f", r->page_messages)
NUMBER_COLUMN(write_memory, r->memory_bytes != 0, "%.1f", r->memory_bytes)
NUMBER_COLUMN(write_commit, r->commit_messages > 0, "%.0f", r->commit_messages)
TEXT_COLUMN(write_floor, r->floor)
NUMBER_COLUMN(write_floor_rate, r->floor[0], "%.0f", r->floor_rate)
NUMBER_COLUMN(write_floor_ratio, r->floor[0], "%.2f", r->floor_ratio)
TEXT_COLUMN(write_disk_name, ((void)r, disk_name()))
TEXT_COLUMN(write_against, r->against)
NUMBER_COLUMN(write_against_ratio, r->against[0], "%.2f", r->against_ratio)

static const struct column columns[] = {
    {"workload", "WORKLOAD", -16, true, write_workload},
    {"server", "SERVER", -10, true, write_server},
    {"body_bytes", "BODY", 6, false, write_body},
    {"window", "WINDOW", 7, false, write_window},
    {"publishers", "PUB", 5, false, write_publishers},
    {"consumers", "CON", 4, false, write_consumers},
    {"rate_wanted", NULL, 0, false, write_wanted},
    {"messages", NULL, 0, false, write_messages},
    {"seconds", NULL, 0, false, write_seconds},
    {"rate", "MSG/S", 9, false, write_rate},
    {"latency_of", NULL, 0, true, write_latency_of},
    {"p50_us", "P50 US", 8, false, write_p50},
    {"p99_us", "P99", 8, false, write_p99},
    {"p999_us", "P99.9", 8, false, write_p999},
    {"max_us", NULL, 0, false, write_max},
    {"failed", NULL, 0, false, write_failed},
    {"cpu_us", "CPU US", 7, false, write_cpu},
    {"anon_mib", "ANON MIB", 9, false, write_anon},
    {"disk_bytes", NULL, 0, false, write_disk},
    {"disk_ratio", "DISK ×", 7, false, write_disk_ratio},
    {"flush_messages", "A FLUSH", 8, false, write_flush},
    {"flush_late_us", NULL, 0, false, write_flush_late},
    {"store_bytes", "STORE B", 8, false, write_store},
    {"page_messages", "A PAGE", 7, false, write_page},
    {"memory_bytes", NULL, 0, false, write_memory},
    {"commit_messages", "A COMMIT", 9, false, write_commit},
    {"floor", "FLOOR", -24, true, write_floor},
    {"floor_rate", NULL, 9, false, write_floor_rate},
    {"floor_ratio", "OF FLOOR", 9, false, write_floor_ratio},
    {"against", "AGAINST", -16, true, write_against},
    {"against_ratio", "×", 6, false, write_against_ratio},
    {"disk", NULL, 0, true, write_disk_name},
};
#define COLUMNS (sizeof columns / sizeof *columns)

static unsigned added; /* so that JSON knows where commas go */

static void cell(const struct column *c, const struct result *r, char *to, size_t bytes)
{
    to[0] = 0;
    c->write(r, to, bytes);
}

/* Characters, not bytes, count for the width. */
static void pad(const char *text, int width)
{
    int characters = 0;
    for (const char *p = text; *p; p++)
        characters += (*p & 0xc0) != 0x80;
    int blanks = (width < 0 ? -width : width) - characters;
    if (blanks < 0)
        blanks = 0;
    printf(" %*s%s%*s", width < 0 ? 0 : blanks, "", text, width < 0 ? blanks : 0, "");
}

static void table_row(const struct result *r)
{
    char text[64];
    for (size_t i = 0; i < COLUMNS; i++) {
        if (columns[i].heading) {
            cell(&columns[i], r, text, sizeof text);
            pad(text, columns[i].width);
        }
    }
    printf("\n");
}

static void tsv_row(const struct result *r)
{
    char text[64];
    for (size_t i = 0; i < COLUMNS; i++) {
        cell(&columns[i], r, text, sizeof text);
        printf("%s%s", i ? "\t" : "", text);
    }
    printf("\n");
}

static void json_row(const struct result *r)
{
    char text[64];
    printf("%s\n  {", added ? "," : "");
    bool first = true;
    for (size_t i = 0; i < COLUMNS; i++) {
        cell(&columns[i], r, text, sizeof text);
        if (!text[0])
            continue;
        printf(columns[i].text ? "%s\"%s\": \"%s\"" : "%s\"%s\": %s", first ? "" : ", ", columns[i].key,
               text);
        first = false;
    }
    printf("}");
}

void report_begin(enum form form)
{
    if (form == FORM_JSON)
        printf("[");
    if (form == FORM_TABLE && disk_warning())
        printf("%s\n\n", disk_warning());
    for (size_t i = 0; form == FORM_TSV && i < COLUMNS; i++)
        printf("%s%s", i ? "\t" : "", columns[i].key);
    for (size_t i = 0; form == FORM_TABLE && i < COLUMNS; i++) {
        if (columns[i].heading)
            pad(columns[i].heading, columns[i].width);
    }
    if (form != FORM_JSON)
        printf("\n");
    (void)fflush(stdout);
}

void report_add(enum form form, const struct result *r)
{
    if (form == FORM_TABLE)
        table_row(r);
    else if (form == FORM_TSV)
        tsv_row(r);
    else
        json_row(r);
    added++;
    (void)fflush(stdout);
}

void report_end(enum form form)
{
    if (form == FORM_JSON)
        printf("\n]\n");
    (void)fflush(stdout);
}
