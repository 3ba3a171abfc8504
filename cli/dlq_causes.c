/* dlq_causes: what dead letters died of, in one queue or in all; and one of them, shown or decided about. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "cli/call.h"
#include "cli/cause.h"
#include "cli/dlq.h"
#include "cli/output.h"
#include "cli/table.h"
#include "client/shunt_triage.h"

/* ---- causes ---- */

/* The causes of one queue, as the broker sent them. */
struct queue {
    char *group;
    struct shunt_value *causes;
};

struct row {
    const char *group;
    const struct shunt_value *cause;
    size_t order; /* in which it came */
};

struct gathered {
    struct queue *queues;
    size_t queues_count, queues_room;
    struct row *rows;
    size_t rows_count, rows_room;
};

static void gathered_done(struct gathered *g)
{
    for (size_t i = 0; i < g->queues_count; i++) {
        free(g->queues[i].group);
        shunt_value_free(g->queues[i].causes);
    }
    free(g->queues);
    free(g->rows);
}

static int no_memory(void)
{
    call_complain("out of memory");
    return EXIT_FAILED;
}

static int gather_queue(struct call *call, const char *topic, const char *group, struct gathered *to)
{
    struct shunt_error err = {0};
    struct queue queue = {.group = strdup(group)};
    if (!queue.group || !array_room(&to->queues, &to->queues_room, to->queues_count + 1)) {
        free(queue.group);
        return no_memory();
    }
    if (shunt_dlq_causes(call->shunt, topic, group, call->timeout_ms, &queue.causes, &err)) {
        free(queue.group);
        return call_failed(call, &err);
    }
    to->queues[to->queues_count++] = queue;
    size_t count = shunt_value_count(queue.causes);
    if (!array_room(&to->rows, &to->rows_room, to->rows_count + count + 1))
        return no_memory();
    for (size_t i = 0; i < count; i++) {
        to->rows[to->rows_count] = (struct row){queue.group, shunt_value_at(queue.causes, i), to->rows_count};
        to->rows_count++;
    }
    return EXIT_OK;
}

/* Those of the topic's groups that are named `only` (NULL: all), with letters if `dead`. */
static int gather_topic(struct call *call, const struct shunt_value *topic, const char *only, bool dead,
                        struct gathered *to)
{
    int code = EXIT_OK;
    const struct shunt_value *groups = shunt_value_get(topic, "groups");
    for (size_t i = 0; code == EXIT_OK && i < shunt_value_count(groups); i++) {
        const struct shunt_value *group = shunt_value_at(groups, i);
        const char *name = record_text(group, "group");
        if ((!only || strcmp(name, only) == 0) && (!dead || record_integer(group, "dead") > 0))
            code = gather_queue(call, record_text(topic, "topic"), name, to);
    }
    return code;
}

static int gather_all(struct call *call, const char *only, struct gathered *to)
{
    struct shunt_error err = {0};
    struct shunt_value *topics = NULL;
    int code = EXIT_OK;
    if (shunt_topic_list(call->shunt, call->timeout_ms, &topics, &err))
        return call_failed(call, &err);
    for (size_t i = 0; code == EXIT_OK && i < shunt_value_count(topics); i++)
        code = gather_topic(call, shunt_value_at(topics, i), only, true, to);
    shunt_value_free(topics);
    return code;
}

static int gather(struct call *call, const char *topic, const char *group, struct gathered *to)
{
    struct shunt_error err = {0};
    struct shunt_value *info = NULL;
    if (!topic)
        return gather_all(call, group, to);
    if (group)
        return gather_queue(call, topic, group, to);
    if (shunt_topic_show(call->shunt, topic, call->timeout_ms, &info, &err))
        return call_failed(call, &err);
    int code = gather_topic(call, info, NULL, false, to);
    shunt_value_free(info);
    return code;
}

/* As the broker orders the causes of one queue (PROTOCOL.md section 6). What it has no word for comes last. */
static size_t pressing(const struct shunt_value *cause)
{
    static const char *const states[] = {"regressed", "new", "seen", "muted", "resolved"};
    const char *state = record_text(cause, "state");
    size_t i = 0;
    while (i < sizeof states / sizeof *states && state && strcmp(state, states[i]) != 0)
        i++;
    return i;
}

static int more_pressing(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int64_t dead_x = record_integer(x->cause, "dead"), dead_y = record_integer(y->cause, "dead");
    size_t state_x = pressing(x->cause), state_y = pressing(y->cause);
    if ((dead_x > 0) != (dead_y > 0))
        return dead_x > 0 ? -1 : 1;
    if (state_x != state_y)
        return state_x < state_y ? -1 : 1;
    if (dead_x != dead_y)
        return dead_x > dead_y ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* The build that died of it last. */
static void build_cell(struct table *t, const struct shunt_value *cause)
{
    const struct shunt_value *builds = shunt_value_get(cause, "builds"), *last = NULL;
    size_t count = shunt_value_count(builds);
    for (size_t i = 0; i < count; i++) {
        const struct shunt_value *build = shunt_value_at(builds, i);
        if (!last || record_integer(build, "last") > record_integer(last, "last"))
            last = build;
    }
    if (count > 1)
        table_cellf(t, "%s +%zu", record_text(last, "name"), count - 1);
    else
        table_cell(t, record_text(last, "name"));
}

static void print_table(struct call *call, const struct gathered *g)
{
    /* What the command line names is in no column. */
    static const char *const headings[] = {"TOPIC",   "GROUP",   "CAUSE", "STATE",     ">DEAD",
                                           ">DEATHS", "--FIRST", "LAST",  "-ATTENDED", "-~BUILD",
                                           "-~OWNER", "~TITLE",  NULL};
    size_t skipped = !call_word(call, 0) ? 0 : options_flag(&call->options, "group") ? 2 : 1;
    struct table t;
    table_init(&t, headings + skipped);
    for (size_t i = 0; i < g->rows_count; i++) {
        const struct shunt_value *cause = g->rows[i].cause;
        char text[32];
        if (skipped < 1)
            table_cell(&t, record_text(cause, "topic"));
        if (skipped < 2)
            table_cell(&t, g->rows[i].group);
        table_cell(&t, record_text(cause, "cause"));
        table_cell(&t, record_text(cause, "state"));
        table_cellf(&t, "%" PRId64, record_integer(cause, "dead"));
        table_cellf(&t, "%" PRId64, record_integer(cause, "count"));
        table_cell(&t, record_time(text, shunt_value_get(cause, "first")));
        table_cell(&t, record_age(text, shunt_value_get(cause, "last")));
        table_cell(&t, record_integer(cause, "unattended") ? "no" : "yes");
        build_cell(&t, cause);
        table_cell(&t, record_text(cause, "owner"));
        table_cell(&t, record_text(cause, "title"));
    }
    if (!table_print(&t, stdout))
        call_complain("out of memory: not everything is shown");
    table_done(&t);
}

int dlq_run_causes(struct call *call)
{
    struct gathered g = {0};
    struct output out;
    int code = call_connect(call);
    if (code)
        return code;
    code = gather(call, call_word(call, 0), options_text(&call->options, "group", NULL), &g);
    if (code == EXIT_OK && g.queues_count > 1)
        qsort(g.rows, g.rows_count, sizeof *g.rows, more_pressing);
    if (code == EXIT_OK && call->form == FORM_TABLE)
        print_table(call, &g);
    if (code == EXIT_OK && call->form != FORM_TABLE) {
        output_begin(&out, call->form, true);
        for (size_t i = 0; i < g.rows_count; i++) {
            cause_json(&out.json, g.rows[i].cause, g.rows[i].group);
            output_item_end(&out);
        }
        output_end(&out);
    }
    gathered_done(&g);
    return code;
}

/* ---- cause ---- */

static int decide(struct call *call, const char *cause)
{
    struct shunt_error err = {0};
    const struct shunt_cause_change change = {
        .size = sizeof change,
        .state = options_text(&call->options, "state", NULL),
        .owner = options_text(&call->options, "owner", NULL),
        .note = options_text(&call->options, "note", NULL),
    };
    if (!change.state && !change.owner && !change.note)
        return EXIT_OK;
    if (shunt_cause_update(call->shunt, call_word(call, 0), call_group(call), cause, &change,
                           call->timeout_ms, NULL, &err))
        return call_failed(call, &err);
    return EXIT_OK;
}

static int show(struct call *call, const char *digits)
{
    struct shunt_error err = {0};
    struct shunt_value *cause = NULL;
    if (shunt_dlq_cause(call->shunt, call_word(call, 0), call_group(call), digits, call->timeout_ms, &cause,
                        &err))
        return call_failed(call, &err);
    if (call->form == FORM_TABLE) {
        cause_show(cause);
    } else {
        struct output out;
        output_begin(&out, call->form, false);
        cause_whole_json(&out.json, cause, call_group(call));
        output_item_end(&out);
        output_end(&out);
    }
    shunt_value_free(cause);
    dlq_attend(call, digits, NULL);
    return EXIT_OK;
}

int dlq_run_cause(struct call *call)
{
    char digits[CAUSE_DIGITS + 1];
    int code = call_connect(call);
    if (code == EXIT_OK)
        code = cause_resolve(call, call_word(call, 1), digits);
    if (code == EXIT_OK)
        code = decide(call, digits);
    return code ? code : show(call, digits);
}
