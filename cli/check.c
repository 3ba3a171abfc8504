/* check: one verdict on the broker, for a monitoring system that runs commands (docs/cli.md, "Checking"): has a dead
 * letter waited for too long without anybody looking, and what else is wrong? */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "cli/call.h"
#include "cli/command.h"
#include "cli/login.h"
#include "cli/record.h"
#include "cli/verdict.h"
#include "client/shunt.h"

#define AGE_MS_MAX     3153600000000ll /* a hundred years */
#define SLO_MS_DEFAULT 300000          /* for a broker that is too old to have the setting dlq-slo */
#define CLOCK_MS_MAX   60000 /* clocks differ; a death further in the future than this is worth a word */

struct check {
    struct call *call;
    struct verdict verdict;
    int64_t warn_ms, crit_ms; /* -1: not given */
    int64_t now_ms;           /* as the broker shows times */
};

/* Whatever a broker says, times stay so small that their sums and differences are numbers. */
static int64_t bounded(int64_t ms, int64_t min_ms)
{
    return ms < min_ms ? min_ms : ms > AGE_MS_MAX ? AGE_MS_MAX : ms;
}

/* ---- judging */

/* The options hold for every group. If only one is given, the warning comes at half of the critical age; if none is,
 * the group's dlq-slo is the critical age. */
static struct verdict_age limits_of(const struct check *c, const struct shunt_value *group)
{
    const struct shunt_value *slo = shunt_value_get(shunt_value_get(group, "policy"), "dlq_slo_ms");
    int64_t slo_ms = slo ? bounded(shunt_value_integer(slo), 0) : SLO_MS_DEFAULT;
    struct verdict_age age = {-1, c->warn_ms, c->crit_ms};
    if (age.warn_ms < 0 && age.crit_ms < 0 && slo_ms > 0)
        age.crit_ms = slo_ms;
    if (age.crit_ms < 0 && age.warn_ms >= 0)
        age.crit_ms = 2 * age.warn_ms;
    if (age.warn_ms < 0 && age.crit_ms >= 0)
        age.warn_ms = age.crit_ms / 2;
    return age;
}

static void judge_age(struct check *c, const struct shunt_value *group, uint64_t count, int64_t died_ms)
{
    const char *topic = record_text(group, "topic"), *name = record_text(group, "group");
    struct verdict_age age = limits_of(c, group);
    char span[32], limit[32];
    age.ms = c->now_ms - bounded(died_ms, 0);
    if (age.ms < -CLOCK_MS_MAX) {
        verdict_add(&c->verdict, LEVEL_WARNING, "clock", topic, name,
                    "a message died %s in the future: is this machine's clock right?",
                    shunt_format_duration(span, -age.ms));
    }
    if (age.ms < 0)
        age.ms = 0;
    verdict_note_age(&c->verdict, &age);
    if (age.crit_ms < 0 || age.ms < age.warn_ms)
        return;
    bool late = age.ms >= age.crit_ms;
    verdict_add(&c->verdict, late ? LEVEL_CRITICAL : LEVEL_WARNING, "unattended", topic, name,
                "nobody has looked at %" PRIu64 " dead %s, the oldest died %s ago (limit %s)", count,
                call_plural(count, "letter", "letters"),
                shunt_format_duration(span, age.ms < 1000 ? age.ms : age.ms / 1000 * 1000),
                shunt_format_duration(limit, late ? age.crit_ms : age.warn_ms));
}

static void judge_breaker(struct check *c, const struct shunt_value *group)
{
    const char *state = record_text(group, "breaker");
    char span[32];
    if (!state || strcmp(state, "off") == 0 || strcmp(state, "closed") == 0)
        return;
    int64_t open_ms = c->now_ms - bounded(record_integer(group, "breaker_since"), 0);
    verdict_add(
        &c->verdict, LEVEL_WARNING, "breaker", record_text(group, "topic"), record_text(group, "group"),
        "its breaker opened %s ago because most of its messages failed: see to what its consumers need",
        shunt_format_duration(span, open_ms < 0 ? 0 : open_ms / 1000 * 1000));
}

static void judge_group(struct check *c, const struct shunt_value *group)
{
    /* A broker that is too old to know what was looked at: then each dead letter counts. */
    bool knows = shunt_value_get(group, "oldest_unattended") != NULL;
    const struct shunt_value *oldest = shunt_value_get(group, knows ? "oldest_unattended" : "oldest_dead");
    uint64_t unattended = (uint64_t)record_integer(group, knows ? "unattended" : "dead");
    uint64_t ready = (uint64_t)record_integer(group, "ready");
    uint64_t delayed = (uint64_t)record_integer(group, "delayed");
    uint64_t waiting = ready + delayed;
    struct verdict *v = &c->verdict;
    v->groups++;
    v->dead += (uint64_t)record_integer(group, "dead");
    v->unattended += unattended;
    v->ready += ready;
    v->delayed += delayed;
    v->in_flight += (uint64_t)record_integer(group, "in_flight");
    if (shunt_value_type(oldest) == SHUNT_INTEGER)
        judge_age(c, group, unattended, shunt_value_integer(oldest));
    if (record_integer(group, "paused") && waiting > 0) {
        verdict_add(v, LEVEL_WARNING, "paused", record_text(group, "topic"), record_text(group, "group"),
                    "paused, and %" PRIu64 " %s", waiting,
                    call_plural(waiting, "message waits", "messages wait"));
    }
    judge_breaker(c, group);
}

static void judge_broker(struct check *c, const struct shunt_value *stats)
{
    uint64_t off = (uint64_t)record_integer(stats, "conservation_error");
    const char *limit = record_text(stats, "store_limit");
    if (off) {
        verdict_add(&c->verdict, LEVEL_CRITICAL, "conservation", NULL, NULL,
                    "the broker has lost count of %" PRIu64 " %s, which is a bug in shunt", off,
                    call_plural(off, "message", "messages"));
    }
    if (record_integer(stats, "full")) {
        verdict_add(&c->verdict, LEVEL_CRITICAL, "full", NULL, NULL,
                    "publishing is refused because the store is full (%s)", limit ? limit : "?");
    }
}

/* ---- asking */

/* A broker that is away, or hangs, is as bad as can be; anything else that keeps from asking is an error of the check. */
static void judge_failure(struct check *c, const struct shunt_error *err)
{
    bool away = call_is_outage(err->code) || err->code == SHUNT_TIMEOUT;
    verdict_add(&c->verdict, away ? LEVEL_CRITICAL : LEVEL_UNKNOWN, away ? "unreachable" : "failed", NULL,
                NULL, "%s (%s)", err->text[0] ? err->text : shunt_error_text(err->code),
                shunt_error_name(err->code));
}

static bool ask_broker(struct check *c, struct shunt_error *err)
{
    struct call *call = c->call;
    struct shunt_value *stats = NULL;
    struct shunt_options *options = shunt_options_new();
    login_by_environment(call->url, options);
    int opened = shunt_open(call->url, options, &call->shunt, err);
    shunt_options_free(options);
    if (opened || shunt_connect(call->shunt, call->timeout_ms, err) ||
        shunt_stats(call->shunt, call->timeout_ms, &stats, err))
        return false;
    c->now_ms = clock_wall_ms() + bounded(record_integer(stats, "clock_error_ms"), -AGE_MS_MAX);
    judge_broker(c, stats);
    shunt_value_free(stats);
    return true;
}

static bool ask_group(struct check *c, const char *topic, const char *group, struct shunt_error *err)
{
    struct shunt_value *found = NULL;
    if (shunt_group_show(c->call->shunt, topic, group, c->call->timeout_ms, &found, err))
        return false;
    judge_group(c, found);
    shunt_value_free(found);
    return true;
}

static void judge_groups(struct check *c, const struct shunt_value *groups)
{
    for (size_t i = 0; i < shunt_value_count(groups); i++)
        judge_group(c, shunt_value_at(groups, i));
}

static bool ask_groups(struct check *c, const char *topic, struct shunt_error *err)
{
    struct shunt_value *found = NULL;
    if (topic ? shunt_group_list(c->call->shunt, topic, c->call->timeout_ms, &found, err)
              : shunt_topic_list(c->call->shunt, c->call->timeout_ms, &found, err))
        return false;
    if (topic)
        judge_groups(c, found);
    for (size_t i = 0; !topic && i < shunt_value_count(found); i++)
        judge_groups(c, shunt_value_get(shunt_value_at(found, i), "groups"));
    shunt_value_free(found);
    return true;
}

static void ask(struct check *c, const char *topic, const char *group)
{
    struct shunt_error err = {0};
    if (!ask_broker(c, &err) || !(group ? ask_group(c, topic, group, &err) : ask_groups(c, topic, &err)))
        judge_failure(c, &err);
}

static int run_check(struct call *call)
{
    const struct options *o = &call->options;
    const char *topic = call_word(call, 0), *group = options_text(o, "group", NULL);
    const char *format = options_text(o, "format", call->form == FORM_TABLE ? "nagios" : "json");
    bool json = strcmp(format, "json") == 0;
    struct check c = {.call = call,
                      .warn_ms = options_number(o, "warn-age", -1),
                      .crit_ms = options_number(o, "crit-age", -1)};
    if (!json && strcmp(format, "nagios") != 0)
        return call_misused(call, "--format %.40s: must be nagios or json", format);
    if (c.crit_ms >= 0 && c.warn_ms > c.crit_ms)
        return call_misused(call, "--warn-age is longer than --crit-age");
    if (group && !topic)
        return call_misused(call, "--group needs a TOPIC");
    verdict_init(&c.verdict);
    ask(&c, topic, group);
    if (json)
        verdict_print_json(&c.verdict, call->form);
    else
        verdict_print_line(&c.verdict);
    int code = verdict_code(&c.verdict);
    verdict_done(&c.verdict);
    return code;
}

static const struct option_row rows[] = {
    {"group", 'g', "GROUP", OPTION_TEXT, WORDS_NONE, 0, 0,
     "only this group of TOPIC (default: all its groups)"},
    {"warn-age", 0, "D", OPTION_DURATION, WORDS_NONE, 0, AGE_MS_MAX,
     "warn of a dead letter that nobody has looked at for so long (default: half of --crit-age)"},
    {"crit-age", 0, "D", OPTION_DURATION, WORDS_NONE, 0, AGE_MS_MAX,
     "the age that is critical (default: twice --warn-age; without both, the group's dlq-slo)"},
    {"format", 0, "nagios|json", OPTION_TEXT, WORDS_NONE, 0, 0,
     "one line with performance data, or an object (default: nagios; json with -o json)"},
};

static const struct command commands[] = {{
    .noun = "check",
    .usage = "[TOPIC] [-g GROUP] [--warn-age D] [--crit-age D] [--format nagios|json]",
    .text = "judge the broker for a monitoring system that runs commands, as Nagios does",
    .about =
        "Judged are dead letters that nobody has looked at, of TOPIC or of all topics; groups that are\n"
        "paused while messages wait, and those whose breaker is open; whether the store is full, and\n"
        "whether messages are lost count of.\n"
        "Exit codes are a plug-in's: 0 ok, 1 warning, 2 critical (also if the broker cannot be reached),\n"
        "3 unknown (nothing could be judged: no such topic, an option that is not valid).",
    .examples = "  shunt check\n  shunt check orders -g default --warn-age 10m --crit-age 1h\n"
                "  shunt check --format json | jq .problems\n",
    .options = rows,
    .options_count = sizeof rows / sizeof *rows,
    .words_max = 1,
    .no_verdict = VERDICT_CODE_UNKNOWN,
    .run = run_check,
}};

const struct command_set check_set = {"check", "judge the broker for a monitoring system", commands, 1};
