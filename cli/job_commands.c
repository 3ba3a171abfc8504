/* job_commands: looking at and ending what the broker does in the background. */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/call.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/record.h"
#include "cli/table.h"
#include "client/shunt.h"

static const struct record_field fields[] = {
    {"job", RECORD_COUNT, "job", NULL},    {"kind", RECORD_TEXT, "kind", NULL},
    {"state", RECORD_TEXT, "state", NULL}, {"topic", RECORD_TEXT, "topic", NULL},
    {"group", RECORD_TEXT, "group", NULL}, {"total", RECORD_COUNT, "of", NULL},
    {"done", RECORD_COUNT, "done", NULL},  {"begun", RECORD_TIME, "begun", NULL},
    {"ended", RECORD_TIME, "ended", NULL}, {0},
};

/* 0, and told, if the word is no number of a job. */
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
        table_init_plain(&t, 2);
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

static int run_cancel(struct call *call)
{
    struct shunt_error err = {0};
    uint64_t id = read_id(call);
    int code = id ? call_connect(call) : EXIT_USAGE;
    if (code)
        return code;
    if (shunt_job_cancel(call->shunt, id, call->timeout_ms, &err))
        return call_failed(call, &err);
    call_note(call, "job %" PRIu64 " is stopped; what it has done stays done", id);
    return show(call, id);
}

static const struct command commands[] = {
    {.noun = "job",
     .verb = "show",
     .usage = "JOB",
     .text = "show the progress of a redrive, a purge or a deletion",
     .about = "The broker remembers the last 100 jobs that are done.",
     .examples = "  shunt job show 17\n  shunt job show 17 -o json | jq .done\n",
     .words_min = 1,
     .words_max = 1,
     .run = run_show},
    {.noun = "job",
     .verb = "cancel",
     .usage = "JOB",
     .text = "stop a redrive or a purge where it is",
     .about = "What it has done stays done; messages that it has not reached stay as they were.",
     .examples = "  shunt job cancel 17\n",
     .words_min = 1,
     .words_max = 1,
     .run = run_cancel},
};

const struct command_set job_set = {"job", "show and stop jobs: redrives, purges, deletions", commands,
                                    sizeof commands / sizeof *commands};
