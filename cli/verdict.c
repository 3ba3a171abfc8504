/* verdict: see verdict.h. */
#include "cli/verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "cli/output.h"

#define SHOWN_PROBLEMS_MAX 8 /* in the one line, of which monitoring systems read some KiB; JSON has all */

static const struct {
    const char *name, *word;
    int code;
} levels[] = {
    [LEVEL_OK] = {"ok", "OK", 0},
    [LEVEL_UNKNOWN] = {"unknown", "UNKNOWN", VERDICT_CODE_UNKNOWN},
    [LEVEL_WARNING] = {"warning", "WARNING", 1},
    [LEVEL_CRITICAL] = {"critical", "CRITICAL", 2},
};

void verdict_init(struct verdict *v)
{
    *v = (struct verdict){.oldest = {-1, -1, -1}};
}

void verdict_done(struct verdict *v)
{
    for (size_t i = 0; i < v->count; i++) {
        free(v->problems[i].topic);
        free(v->problems[i].group);
    }
    free(v->problems);
}

int verdict_code(const struct verdict *v)
{
    return levels[v->level].code;
}

static struct verdict_problem *next_problem(struct verdict *v)
{
    if (v->count == v->capacity) {
        size_t capacity = v->capacity ? 2 * v->capacity : 16;
        struct verdict_problem *more = realloc(v->problems, capacity * sizeof *more);
        if (!more)
            return NULL;
        v->problems = more;
        v->capacity = capacity;
    }
    return &v->problems[v->count++];
}

void verdict_add(struct verdict *v, enum verdict_level level, const char *what, const char *topic,
                 const char *group, const char *format, ...)
{
    if (level > v->level)
        v->level = level;
    struct verdict_problem *p = next_problem(v);
    if (!p)
        return;
    *p = (struct verdict_problem){.level = level,
                                  .what = what,
                                  .topic = topic ? strdup(topic) : NULL,
                                  .group = group ? strdup(group) : NULL};
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(p->text, sizeof p->text, format, arguments);
    va_end(arguments);
    utf8_mend(p->text); /* what was cut to fit */
    utf8_flatten(p->text, strlen(p->text));
}

/* What is not there comes last, and before it what has no limit. */
static int64_t beyond_limit(const struct verdict_age *age)
{
    if (age->ms < 0)
        return INT64_MIN;
    return age->crit_ms < 0 ? INT64_MIN / 2 + age->ms : age->ms - age->crit_ms;
}

void verdict_note_age(struct verdict *v, const struct verdict_age *age)
{
    if (beyond_limit(age) > beyond_limit(&v->oldest))
        v->oldest = *age;
}

static int by_level(const void *a, const void *b)
{
    const struct verdict_problem *left = a, *right = b;
    return (int)right->level - (int)left->level;
}

static void sort(struct verdict *v)
{
    if (v->count)
        qsort(v->problems, v->count, sizeof *v->problems, by_level);
}
/* Between the words and the numbers of a plug-in's line stands a bar, so no other may. */
static void put_words(const char *text)
{
    for (; *text; text++)
        (void)putchar(*text == '|' ? '!' : *text);
}

static void print_seconds(const char *before, int64_t ms, const char *unit)
{
    if (ms < 0)
        printf("%s", before);
    else
        printf("%s%" PRId64 ".%03" PRId64 "%s", before, ms / 1000, ms % 1000, unit);
}

void verdict_print_line(struct verdict *v)
{
    sort(v);
    printf("SHUNT %s: ", levels[v->level].word);
    if (v->level == LEVEL_OK) {
        printf("%" PRIu64 " %s, %" PRIu64 " dead %s, %" PRIu64 " of which nobody has looked at", v->groups,
               call_plural(v->groups, "group", "groups"), v->dead, call_plural(v->dead, "letter", "letters"),
               v->unattended);
    }
    for (size_t i = 0; i < v->count && i < SHOWN_PROBLEMS_MAX; i++) {
        const struct verdict_problem *p = &v->problems[i];
        put_words(i ? "; " : "");
        if (p->topic && p->group) {
            put_words(p->topic);
            put_words("/");
            put_words(p->group);
            put_words(": ");
        }
        put_words(p->text);
    }
    if (v->count > SHOWN_PROBLEMS_MAX)
        printf("; and %zu more", v->count - SHOWN_PROBLEMS_MAX);
    if (v->groups) {
        print_seconds(" | oldest_unattended=", v->oldest.ms < 0 ? 0 : v->oldest.ms, "s");
        print_seconds(";", v->oldest.warn_ms, "");
        print_seconds(";", v->oldest.crit_ms, "");
        printf(";0 unattended=%" PRIu64 ";;;0 dead=%" PRIu64 ";;;0 ready=%" PRIu64 ";;;0 in_flight=%" PRIu64
               ";;;0 delayed=%" PRIu64 ";;;0",
               v->unattended, v->dead, v->ready, v->in_flight, v->delayed);
    }
    (void)putchar('\n');
}

static void put_number(struct json *j, const char *key, int64_t value)
{
    json_key(j, key);
    if (value < 0)
        json_null(j);
    else
        json_integer(j, value);
}

static void put_string(struct json *j, const char *key, const char *text)
{
    json_key(j, key);
    json_string(j, text);
}

void verdict_print_json(struct verdict *v, enum call_form form)
{
    struct output out;
    sort(v);
    output_begin(&out, form == FORM_JSONL ? FORM_JSONL : FORM_JSON, false);
    struct json *j = &out.json;
    json_object(j);
    put_string(j, "status", levels[v->level].name);
    put_number(j, "code", levels[v->level].code);
    json_key(j, "problems");
    json_array(j);
    for (size_t i = 0; i < v->count; i++) {
        const struct verdict_problem *p = &v->problems[i];
        json_object(j);
        put_string(j, "status", levels[p->level].name);
        put_string(j, "what", p->what);
        put_string(j, "topic", p->topic);
        put_string(j, "group", p->group);
        put_string(j, "text", p->text);
        json_object_end(j);
    }
    json_array_end(j);
    put_number(j, "groups", (int64_t)v->groups);
    put_number(j, "unattended", (int64_t)v->unattended);
    put_number(j, "oldest_unattended_ms", v->oldest.ms);
    put_number(j, "warn_age_ms", v->oldest.warn_ms);
    put_number(j, "crit_age_ms", v->oldest.crit_ms);
    put_number(j, "dead", (int64_t)v->dead);
    put_number(j, "ready", (int64_t)v->ready);
    put_number(j, "in_flight", (int64_t)v->in_flight);
    put_number(j, "delayed", (int64_t)v->delayed);
    json_object_end(j);
    output_item_end(&out);
    output_end(&out);
}
