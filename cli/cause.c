/* cause: see cause.h. */
#include "cli/cause.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/call.h"
#include "cli/columns.h"
#include "cli/dead.h"
#include "cli/json.h"
#include "cli/table.h"
#include "client/shunt_triage.h"

#define HOUR_MS        INT64_C(3600000)
#define BAR_COLUMNS    40
#define HOUR_COLUMNS   27 /* of what stands before a bar, if there are less than ten million deaths */
#define CANDIDATES_MAX 4  /* that are named when the beginning of a fingerprint is of several */

/* ---- which one ---- */

/* The digits in lower case, at most all of them. */
static bool read_digits(const char *given, char *ret)
{
    size_t len = strlen(given);
    if (len == 0 || len > CAUSE_DIGITS)
        return false;
    for (size_t i = 0; i <= len; i++)
        ret[i] = given[i] >= 'A' && given[i] <= 'F' ? (char)(given[i] - 'A' + 'a') : given[i];
    return strspn(ret, "0123456789abcdef") == len;
}

/* Take the only cause that begins with the `digits`. */
static int choose(const struct call *call, const struct shunt_value *causes, const char *digits, char *ret)
{
    char several[CANDIDATES_MAX * (CAUSE_DIGITS + 2) + 1] = "";
    size_t found = 0;
    for (size_t i = 0; i < shunt_value_count(causes); i++) {
        const char *cause = record_text(shunt_value_at(causes, i), "cause");
        if (!cause || strlen(cause) != CAUSE_DIGITS || strncmp(cause, digits, strlen(digits)) != 0)
            continue;
        if (found++ < CANDIDATES_MAX) {
            strcat(several, found > 1 ? ", " : "");
            strcat(several, cause);
        }
    }
    if (found == 0) {
        call_complain(
            "no cause of the dead letters of topic %s begins with %s; `shunt dlq causes %s` lists them",
            call_word(call, 0), digits, call_word(call, 0));
        return EXIT_NOTHING;
    }
    if (found > 1) {
        return call_misused(call, "%s begins %zu causes: %s%s", digits, found, several,
                            found > CANDIDATES_MAX ? ", …" : "");
    }
    memcpy(ret, several, CAUSE_DIGITS + 1);
    return EXIT_OK;
}

int cause_resolve(struct call *call, const char *given, char *ret)
{
    char digits[CAUSE_DIGITS + 1];
    struct shunt_error err = {0};
    struct shunt_value *causes = NULL;
    if (!read_digits(given, digits)) {
        return call_misused(call, "%.60s: a cause is named by the first of its %d hexadecimal digits", given,
                            CAUSE_DIGITS);
    }
    if (strlen(digits) == CAUSE_DIGITS) {
        memcpy(ret, digits, sizeof digits);
        return EXIT_OK;
    }
    if (shunt_dlq_causes(call->shunt, call_word(call, 0), call_group(call), call->timeout_ms, &causes, &err))
        return call_failed(call, &err);
    int code = choose(call, causes, digits, ret);
    shunt_value_free(causes);
    return code;
}

/* ---- what is known of it ---- */

static const struct record_field share_fields[] = {
    {"name", RECORD_TEXT, NULL, NULL},
    {"count", RECORD_COUNT, NULL, NULL},
    {"last", RECORD_TIME, NULL, NULL},
    {0},
};

static const struct record_field cause_fields[] = {
    {"cause", RECORD_TEXT, "cause", NULL},
    {"title", RECORD_TEXT, "title", NULL},
    {"topic", RECORD_TEXT, "topic", NULL},
    {"state", RECORD_TEXT, "state", NULL},
    {"state_since", RECORD_TIME, "state since", NULL},
    {"reason", RECORD_TEXT, "reason", NULL},
    {"count", RECORD_COUNT, "deaths", NULL},
    {"dead", RECORD_COUNT, "dead letters now", NULL},
    {"first", RECORD_TIME, "first death", NULL},
    {"last", RECORD_TIME, "last death", NULL},
    {"unattended", RECORD_FLAG, "unattended", NULL},
    {"attended", RECORD_TIME, "last looked at", NULL},
    {"builds", RECORD_RECORDS, NULL, share_fields},
    {"hosts", RECORD_RECORDS, NULL, share_fields},
    {"samples", RECORD_LIST, NULL, NULL},
    {"owner", RECORD_TEXT, "owner", NULL},
    {"note", RECORD_TEXT, "note", NULL},
    {0},
};

static const struct record_field whole_fields[] = {
    {"hours_until", RECORD_TIME, NULL, NULL},
    {"hours", RECORD_LIST, NULL, NULL},
    {0},
};

static void members(struct json *j, const struct shunt_value *cause, const char *group)
{
    json_object(j);
    json_key(j, "group");
    json_string(j, group);
    record_members(j, cause_fields, cause);
}

void cause_json(struct json *j, const struct shunt_value *cause, const char *group)
{
    members(j, cause, group);
    json_object_end(j);
}

void cause_whole_json(struct json *j, const struct shunt_value *cause, const char *group)
{
    members(j, cause, group);
    record_members(j, whole_fields, cause);
    json_key(j, "example");
    record_json(j, dead_attempt_fields, shunt_value_get(cause, "example"));
    json_object_end(j);
}

static void print(struct table *t)
{
    if (!table_print(t, stdout))
        call_complain("out of memory: not everything is shown");
    table_done(t);
}

/* Builds or hosts. Those that are not counted by name are the rest. */
static void show_shares(const struct shunt_value *cause, const char *key, const char *what)
{
    const char *const headings[] = {what, ">DEATHS", "LAST", NULL};
    const struct shunt_value *shares = shunt_value_get(cause, key);
    int64_t rest = record_integer(cause, "count");
    char text[32];
    struct table t;
    table_init(&t, headings);
    for (size_t i = 0; i < shunt_value_count(shares); i++) {
        const struct shunt_value *share = shunt_value_at(shares, i);
        rest -= record_integer(share, "count");
        table_cell(&t, record_text(share, "name"));
        table_cellf(&t, "%" PRId64, record_integer(share, "count"));
        table_cell(&t, record_time(text, shunt_value_get(share, "last")));
    }
    if (rest > 0) {
        table_cell(&t, shunt_value_count(shares) ? "others, or none" : "none known");
        table_cellf(&t, "%" PRId64, rest);
        table_cell(&t, NULL);
    }
    putchar('\n');
    print(&t);
}

/* From the first hour with a death to the last one. */
static void show_hours(const struct shunt_value *cause)
{
    static const char *const headings[] = {"HOUR", ">DEATHS", "", NULL};
    static const char bar[BAR_COLUMNS + 1] = "########################################";
    const struct shunt_value *hours = shunt_value_get(cause, "hours");
    size_t count = shunt_value_count(hours), first = 0;
    int64_t until_ms = record_integer(cause, "hours_until"), most = 0;
    struct table t;
    while (first < count && shunt_value_integer(shunt_value_at(hours, first)) == 0)
        first++;
    for (size_t i = first; i < count; i++) {
        int64_t deaths = shunt_value_integer(shunt_value_at(hours, i));
        most = deaths > most ? deaths : most;
    }
    if (most == 0)
        return;
    size_t terminal = columns_of_terminal(stdout),
           room = terminal > HOUR_COLUMNS ? terminal - HOUR_COLUMNS : 1;
    int64_t widest = room < BAR_COLUMNS ? (int64_t)room : BAR_COLUMNS;
    table_init(&t, headings);
    for (size_t i = first; i < count; i++) {
        char time[32];
        int64_t deaths = shunt_value_integer(shunt_value_at(hours, i));
        int64_t columns = deaths * widest / most;
        shunt_format_time(time, until_ms - (int64_t)(count - 1 - i) * HOUR_MS);
        table_cellf(&t, "%.16sZ", time); /* to the minute, as everywhere else in UTC */
        table_cellf(&t, "%" PRId64, deaths);
        table_cellf(&t, "%.*s", deaths && columns == 0 ? 1 : (int)columns, bar);
    }
    putchar('\n');
    print(&t);
}

static void show_samples(const struct shunt_value *cause)
{
    const struct shunt_value *samples = shunt_value_get(cause, "samples");
    puts("\nsamples:");
    for (size_t i = 0; i < shunt_value_count(samples); i++)
        printf("  %s\n", shunt_value_text(shunt_value_at(samples, i), NULL));
}

void cause_show(const struct shunt_value *cause)
{
    const struct shunt_value *example = shunt_value_get(cause, "example");
    struct table t;
    table_init_plain(&t);
    record_lines(&t, cause_fields, cause);
    print(&t);
    show_shares(cause, "builds", "BUILD");
    show_shares(cause, "hosts", "HOST");
    show_hours(cause);
    show_samples(cause);
    puts("\nexample, of the first that died:");
    table_init_plain(&t);
    record_lines(&t, dead_attempt_fields, example);
    print(&t);
    dead_stack(example);
}
