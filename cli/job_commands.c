/* job_commands: what the broker does in the background: listed, shown, watched, paused, resumed, cancelled. `shunt redrive` and
 * `shunt job` are one table of commands; the first lists the redrives alone. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/call.h"
#include "cli/command.h"
#include "cli/job.h"
#include "cli/output.h"
#include "cli/record.h"
#include "cli/table.h"
#include "client/shunt_triage.h"

#define PAGE_ROWS 500

static const struct record_field fields[] = {
    {"job", RECORD_COUNT, "job", NULL},
    {"kind", RECORD_TEXT, "kind", NULL},
    {"state", RECORD_TEXT, "state", NULL},
    {"phase", RECORD_TEXT, "phase", NULL},
    {"why", RECORD_TEXT, "because", NULL},
    {"topic", RECORD_TEXT, "topic", NULL},
    {"group", RECORD_TEXT, "group", NULL},
    {"total", RECORD_COUNT, "of", NULL},
    {"done", RECORD_COUNT, "done", NULL},
    {"outcomes", RECORD_MAP, "outcomes", NULL},
    {"filter", RECORD_MAP, NULL, NULL},
    {"rate", RECORD_COUNT, "rate", NULL},
    {"canary", RECORD_COUNT, "canary", NULL},
    {"max_fail", RECORD_COUNT, "max fail (thousandths)", NULL},
    {"spread_ms", RECORD_SPAN, "spread", NULL},
    {"to", RECORD_TEXT, "to topic", NULL},
    {"hold_for_build", RECORD_TEXT, "waits for build", NULL},
    {"keep_deadline", RECORD_FLAG, NULL, NULL},
    {"begun", RECORD_TIME, "begun", NULL},
    {"ended", RECORD_TIME, "ended", NULL},
    {0},
};

static bool is_redrive(const char *word)
{
    return word && strcmp(word, "redrive") == 0;
}

/* ---- list ---- */

static void list_row(struct output *out, struct table *t, const struct shunt_value *job)
{
    static const char *const columns[] = {"acked", "failed_same", "failed_other", "gone", "pending"};
    const struct shunt_value *outcomes = shunt_value_get(job, "outcomes");
    char text[32];
    if (output_is_json(out)) {
        record_json(&out->json, fields, job);
        output_item_end(out);
        return;
    }
    table_cellf(t, "%" PRId64, record_integer(job, "job"));
    table_cell(t, record_text(job, "kind"));
    table_cell(t, record_text(job, "phase"));
    table_cellf(t, "%s:%s", record_text(job, "topic"), record_text(job, "group"));
    table_cellf(t, "%" PRId64, record_integer(job, "done"));
    table_cellf(t, "%" PRId64, record_integer(job, "total"));
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        if (shunt_value_type(outcomes) == SHUNT_MAP)
            table_cellf(t, "%" PRId64, record_integer(outcomes, columns[i]));
        else
            table_cell(t, NULL);
    }
    table_cell(t, record_age(text, shunt_value_get(job, "begun")));
    table_cell(t, record_text(job, "why"));
}

static int list_pages(struct call *call, struct output *out, struct table *t, size_t *ret_rows)
{
    uint64_t after = 0;
    for (bool more = true; more;) {
        struct shunt_error err = {0};
        struct shunt_value *page = NULL;
        if (shunt_job_list(call->shunt, after, PAGE_ROWS, call->timeout_ms, &page, &err))
            return call_failed(call, &err);
        const struct shunt_value *rows = shunt_value_get(page, "rows");
        for (size_t i = 0; i < shunt_value_count(rows); i++) {
            const struct shunt_value *job = shunt_value_at(rows, i);
            after = (uint64_t)record_integer(job, "job");
            if (is_redrive(call->command->noun) && !is_redrive(record_text(job, "kind")))
                continue;
            list_row(out, t, job);
            ++*ret_rows;
        }
        more = record_integer(page, "more") != 0 && shunt_value_count(rows) > 0;
        shunt_value_free(page);
    }
    return EXIT_OK;
}

static int run_list(struct call *call)
{
    static const char *const headings[] = {">JOB",     "-KIND",       "PHASE", "TOPIC:GROUP", ">DONE",
                                           ">OF",      ">ACKED",      ">SAME", ">OTHER",      "-->GONE",
                                           ">PENDING", "--BEGUN AGO", "~WHY",  NULL};
    struct output out;
    struct table t;
    size_t rows = 0;
    int code = call_connect(call);
    if (code)
        return code;
    output_begin(&out, call->form, true);
    table_init(&t, headings);
    code = list_pages(call, &out, &t, &rows);
    if (!output_is_json(&out) && rows && !table_print(&t, stdout))
        call_complain("out of memory: not everything is shown");
    table_done(&t);
    output_end(&out);
    if (!rows && !code)
        call_note(call, "no %s runs, and none is remembered", call->command->noun);
    return code;
}

/* ---- one of them ---- */

static uint64_t read_id(const struct call *call)
{
    const char *word = call_word(call, 0);
    char *end = NULL;
    uint64_t id = strtoull(word, &end, 10);
    if (word[0] >= '1' && word[0] <= '9' && *end == '\0')
        return id;
    (void)call_misused(call, "%.40s: not the number of a job, as redrive and purge print it", word);
    return 0;
}

static int show(struct call *call, uint64_t id)
{
    struct shunt_error err = {0};
    struct shunt_value *job = NULL;
    struct output out;
    if (shunt_job_show(call->shunt, id, call->timeout_ms, &job, &err))
        return call_failed(call, &err);
    output_begin(&out, call->form, false);
    if (output_is_json(&out)) {
        record_json(&out.json, fields, job);
        output_item_end(&out);
    } else {
        struct table t;
        table_init_plain(&t);
        record_lines(&t, fields, job);
        if (!table_print(&t, stdout))
            call_complain("out of memory: not everything is shown");
        table_done(&t);
    }
    output_end(&out);
    shunt_value_free(job);
    return EXIT_OK;
}

static int run_show(struct call *call)
{
    uint64_t id = read_id(call);
    int code = id ? call_connect(call) : EXIT_USAGE;
    return code ? code : show(call, id);
}

static int run_watch(struct call *call)
{
    uint64_t id = read_id(call);
    int code = id ? call_connect(call) : EXIT_USAGE;
    if (code)
        return code;
    code = job_follow(call, id, is_redrive(call->command->noun) ? "redriven" : "done", true, NULL);
    int shown = code == EXIT_OK || code == EXIT_PARTLY ? show(call, id) : EXIT_OK;
    return code ? code : shown;
}

typedef int change_fn(struct shunt *s, uint64_t job, int64_t timeout_ms, struct shunt_error *err);

static int change(struct call *call, change_fn *what, const char *told)
{
    struct shunt_error err = {0};
    uint64_t id = read_id(call);
    int code = id ? call_connect(call) : EXIT_USAGE;
    if (code)
        return code;
    if (what(call->shunt, id, call->timeout_ms, &err))
        return call_failed(call, &err);
    call_note(call, "job %" PRIu64 " %s", id, told);
    return show(call, id);
}

static int run_pause(struct call *call)
{
    return change(call, shunt_job_pause, "waits until it is resumed");
}

static int run_resume(struct call *call)
{
    return change(call, shunt_job_resume, "goes on");
}

static int run_cancel(struct call *call)
{
    return change(call, shunt_job_cancel, "is stopped; what it has done stays done");
}

/* Those of a noun, of which `what` (`are`, if many) are told. */
#define COMMANDS(noun_, what, are)                                                                           \
    {                                                                                                        \
        {.noun = noun_,                                                                                      \
         .verb = "list",                                                                                     \
         .usage = "",                                                                                        \
         .text = are " that run, and the last ones that ran",                                                \
         .about =                                                                                            \
             "DONE of OF messages are dealt with. Of those that a redrive gave back, SAME and OTHER "        \
             "failed again, of the\nsame cause or of another one; GONE were purged or deleted; PENDING "     \
             "have no outcome yet.",                                                                         \
         .examples = "  shunt " noun_ " list\n  shunt " noun_ " list -o jsonl\n",                            \
         .run = run_list},                                                                                   \
            JOB_COMMAND(noun_, "show", what ": how far it is, and what came of it",                          \
                        "The broker remembers the last 100 jobs that are done.", run_show),                  \
            JOB_COMMAND(                                                                                     \
                noun_, "watch", "wait until it is done; of a redrive, until each message has an outcome",    \
                "Exits 2 if it stopped by itself. It goes on, whatever happens to who watches.", run_watch), \
            JOB_COMMAND(noun_, "pause", "let a redrive or a purge wait, also over a restart of the broker",  \
                        NULL, run_pause),                                                                    \
            JOB_COMMAND(noun_, "resume", "let it go on",                                                     \
                        "However long it waited, its rate lets no more than one second's worth go at once.", \
                        run_resume),                                                                         \
            JOB_COMMAND(noun_, "cancel", "stop a redrive or a purge where it is",                            \
                        "What it has done stays done; messages that it has not reached stay as they were.",  \
                        run_cancel),                                                                         \
    }
#define JOB_COMMAND(noun_, verb_, text_, about_, run_)                                                       \
    {                                                                                                        \
        .noun = noun_, .verb = verb_, .usage = "JOB", .text = text_, .about = about_,                        \
        .examples = "  shunt " noun_ " " verb_ " 17\n", .words_min = 1, .words_max = 1, .run = run_          \
    }

static const struct command redrive_commands[] = COMMANDS("redrive", "one redrive", "redrives");
static const struct command job_commands[] = COMMANDS("job", "a redrive, a purge or a deletion", "jobs");

const struct command_set redrive_set = {"redrive", "list, watch, pause and stop redrives", redrive_commands,
                                        sizeof redrive_commands / sizeof *redrive_commands};
const struct command_set job_set = {"job", "list, watch, pause and stop jobs: redrives, purges, deletions",
                                    job_commands, sizeof job_commands / sizeof *job_commands};
