/* dlq_move: redrive and purge: both choose dead letters, start a job at the broker, and follow it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/call.h"
#include "cli/dlq.h"
#include "cli/job.h"
#include "cli/output.h"
#include "cli/prompt.h"
#include "cli/record.h"
#include "client/shunt_triage.h"

#define IDS_MAX  1000 /* in one request (PROTOCOL.md section 10) */
#define RATE_MAX 1000000

struct move {
    struct call *call;
    bool purge;
    const char *const *ids;
    size_t ids_count;
    uint64_t count; /* without ids */
    struct dlq_filter filter;
    uint32_t rate, max_fail;
    bool has_max_fail;
    uint64_t canary;
    int64_t spread_ms;
    const char *hold_for_build;
    bool keep_deadline;
    const char *to;   /* the topic that they go to; NULL: back */
    uint64_t job;     /* the last one */
    uint64_t touched; /* by all of them */
};

static const char *done_word(const struct move *m)
{
    return m->purge ? "purged" : m->to ? "moved" : "redriven";
}

/* ---- choosing */

static bool parse_rate(const char *text, uint32_t *ret)
{
    char *end = NULL;
    unsigned long rate = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || (strcmp(end, "/s") != 0 && *end) || rate == 0 || rate > RATE_MAX)
        return false;
    *ret = (uint32_t)rate;
    return true;
}

/* `5%`, `0.5%`: thousandths. */
static bool parse_share(const char *text, uint32_t *ret)
{
    char *end = NULL;
    unsigned long whole = strtoul(text, &end, 10), tenth = 0;
    if (text[0] < '0' || text[0] > '9' || whole > 100)
        return false;
    if (*end == '.' && end[1] >= '0' && end[1] <= '9') {
        tenth = (unsigned long)(end[1] - '0');
        end += 2;
    }
    *ret = (uint32_t)(whole * 10 + tenth);
    return (*end == '\0' || strcmp(end, "%") == 0) && *ret <= 1000;
}

/* How it goes on. A canary of letters that were not chosen by what is wrong with them would tell little. */
static int choose_pace(struct move *m)
{
    const struct call *call = m->call;
    const struct options *o = &call->options;
    const char *rate = options_text(o, "rate", NULL), *share = options_text(o, "max-fail", NULL);
    if (rate && !parse_rate(rate, &m->rate))
        return call_misused(call, "--rate %.40s: must be from 1/s to %d/s", rate, RATE_MAX);
    m->has_max_fail = share != NULL;
    if (share && !parse_share(share, &m->max_fail))
        return call_misused(call, "--max-fail %.40s: must be from 0%% to 100%%, such as 5%% or 0.5%%", share);
    m->hold_for_build = options_text(o, "hold-for-build", NULL);
    bool careful = m->filter.given || m->has_max_fail || m->hold_for_build;
    m->canary = (uint64_t)options_number(o, "canary", careful ? 1 : 0);
    m->spread_ms = options_number(o, "spread", 0);
    m->to = options_text(o, "to", NULL);
    m->keep_deadline = options_flag(o, "keep-deadline");
    return EXIT_OK;
}

static int choose(struct move *m)
{
    const struct call *call = m->call;
    bool all = options_flag(&call->options, "all");
    bool counted = options_flag(&call->options, "count");
    int code = dlq_filter_read(call, &m->filter);
    if (code)
        return code;
    m->ids = (const char *const *)call->options.words + 1;
    m->ids_count = call->options.words_count - 1;
    bool given = m->filter.given && !all && !counted && !m->ids_count;
    if ((m->ids_count > 0) + all + counted + given != 1)
        return call_misused(call, "name the dead letters: give one of ID…, --count N, --all, a filter");
    if (m->ids_count && m->filter.given)
        return call_misused(call, "dead letters that are named are not filtered: give IDs or a filter");
    m->count = counted ? (uint64_t)options_number(&call->options, "count", 0) : SHUNT_ALL;
    return choose_pace(m);
}

/* ---- moving */

static int request(struct move *m, const char *const *ids, size_t ids_count, uint64_t *ret_job,
                   uint64_t *ret_count, struct shunt_error *err)
{
    struct call *call = m->call;
    const struct shunt_dlq_filter *filter = m->filter.given ? &m->filter.is : NULL;
    const struct shunt_redrive how = {.size = sizeof how,
                                      .ids = ids,
                                      .ids_count = ids_count,
                                      .count = m->count,
                                      .filter = filter,
                                      .rate = m->rate,
                                      .canary = m->canary,
                                      .max_fail = m->has_max_fail ? &m->max_fail : NULL,
                                      .spread_ms = m->spread_ms,
                                      .to = m->to,
                                      .hold_for_build = m->hold_for_build,
                                      .keep_deadline = m->keep_deadline};
    if (m->purge && filter) {
        return shunt_dlq_purge_as(call->shunt, call_word(call, 0), call_group(call), m->count, filter,
                                  call->timeout_ms, ret_job, ret_count, err);
    }
    if (m->purge) {
        return shunt_dlq_purge(call->shunt, call_word(call, 0), call_group(call), ids, ids_count, m->count,
                               call->timeout_ms, ret_job, ret_count, err);
    }
    return shunt_dlq_redrive_as(call->shunt, call_word(call, 0), call_group(call), &how, call->timeout_ms,
                                ret_job, ret_count, err);
}

static int move_some(struct move *m, const char *const *ids, size_t ids_count)
{
    struct shunt_error err = {0};
    uint64_t count = 0;
    if (request(m, ids, ids_count, &m->job, &count, &err))
        return call_failed(m->call, &err);
    if (options_flag(&m->call->options, "no-wait")) {
        m->touched += count;
        return EXIT_OK;
    }
    int code = job_follow(m->call, m->job, done_word(m), options_flag(&m->call->options, "watch"), &count);
    m->touched += count;
    return code;
}

static int move_all(struct move *m)
{
    int code = EXIT_OK;
    if (m->ids_count == 0)
        return move_some(m, NULL, 0);
    for (size_t i = 0; code == EXIT_OK && i < m->ids_count; i += IDS_MAX)
        code = move_some(m, m->ids + i, m->ids_count - i < IDS_MAX ? m->ids_count - i : IDS_MAX);
    return code;
}

static void tell(const struct move *m)
{
    struct output out;
    output_begin(&out, m->call->form, false);
    if (output_is_json(&out)) {
        json_object(&out.json);
        json_key(&out.json, "job");
        m->job ? json_unsigned(&out.json, m->job) : json_null(&out.json);
        json_key(&out.json, done_word(m));
        json_unsigned(&out.json, m->touched);
        json_object_end(&out.json);
        output_item_end(&out);
    } else if (m->touched == 0) {
        call_note(m->call, "there is nothing to %s", m->purge ? "purge" : "redrive");
    } else if (options_flag(&m->call->options, "no-wait")) {
        call_note(m->call, "job %" PRIu64 ": %" PRIu64 " %s are being %s", m->job, m->touched,
                  call_plural(m->touched, "dead letter", "dead letters"), done_word(m));
    } else {
        call_note(m->call, "%s %" PRIu64 " %s", done_word(m), m->touched,
                  call_plural(m->touched, "dead letter", "dead letters"));
    }
    output_end(&out);
}

static int finish(struct move *m)
{
    int code = move_all(m);
    if (code && !m->touched)
        return code;
    tell(m);
    if (code)
        return EXIT_PARTLY;
    if (m->touched == 0)
        return EXIT_NOTHING;
    if (m->ids_count > m->touched) {
        call_note(m->call, "%" PRIu64 " of the %zu named dead letters were not there",
                  m->ids_count - m->touched, m->ids_count);
        return EXIT_PARTLY;
    }
    return EXIT_OK;
}

/* ---- the commands */

static int check_together(const struct move *m, bool dry, bool edit)
{
    const struct call *call = m->call;
    if (dry && m->ids_count)
        return call_misused(call, "--dry-run goes with --count N, --all or a filter, not with IDs");
    if (edit && m->ids_count != 1)
        return call_misused(call, "--edit goes with one ID: letters are edited one by one");
    if (!edit && options_flag(&call->options, "body-file"))
        return call_misused(call, "--body-file goes with --edit");
    return EXIT_OK;
}

int dlq_run_redrive(struct call *call)
{
    struct move m = {.call = call};
    bool dry = options_flag(&call->options, "dry-run"), edit = options_flag(&call->options, "edit");
    int code = dlq_take_topic(call, 1);
    if (code == EXIT_OK)
        code = choose(&m);
    if (code == EXIT_OK)
        code = check_together(&m, dry, edit);
    if (code == EXIT_OK)
        code = call_connect(call);
    if (code == EXIT_OK && edit)
        code = dlq_edit_letter(call, m.ids[0], false);
    if (code == EXIT_OK)
        code = dlq_filter_resolve(call, &m.filter);
    if (code == EXIT_OK && dry)
        return dlq_dry_run(call, &m.filter, m.count);
    return code ? code : finish(&m);
}

/* How many a purge would take at most, from what the group has now; UINT64_MAX: one may not look. */
static int look(const struct move *m, uint64_t *ret)
{
    struct call *call = m->call;
    struct shunt_error err = {0};
    struct shunt_value *group = NULL;
    if (shunt_group_show(call->shunt, call_word(call, 0), call_group(call), call->timeout_ms, &group, &err)) {
        *ret = UINT64_MAX;
        return err.code == SHUNT_FORBIDDEN ? EXIT_OK : call_failed(call, &err);
    }
    uint64_t dead = (uint64_t)record_integer(group, "dead");
    uint64_t wanted = m->ids_count ? m->ids_count : m->count;
    *ret = wanted < dead ? wanted : dead;
    shunt_value_free(group);
    return EXIT_OK;
}

int dlq_run_purge(struct call *call)
{
    struct move m = {.call = call, .purge = true};
    uint64_t count = 0;
    int code = dlq_take_topic(call, 1);
    if (code == EXIT_OK)
        code = choose(&m);
    if (code == EXIT_OK)
        code = call_connect(call);
    if (code == EXIT_OK)
        code = dlq_filter_resolve(call, &m.filter);
    if (code == EXIT_OK)
        code = look(&m, &count);
    if (code)
        return code;
    if (count == 0) {
        tell(&m);
        return EXIT_NOTHING;
    }
    if (count == UINT64_MAX && !m.ids_count && m.count == SHUNT_ALL) {
        code = prompt_confirm(call, "purging %s of group %s of topic %s for good",
                              m.filter.given ? "the dead letters that the filter names" : "all dead letters",
                              call_group(call), call_word(call, 0));
        return code ? code : finish(&m);
    }
    if (count == UINT64_MAX)
        count = m.ids_count ? m.ids_count : m.count;
    code = prompt_confirm(call, "purging %s%" PRIu64 " %s of group %s of topic %s for good",
                          m.filter.given ? "those that the filter names, at most " : "", count,
                          call_plural(count, "dead letter", "dead letters"), call_group(call),
                          call_word(call, 0));
    return code ? code : finish(&m);
}
