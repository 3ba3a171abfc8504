/* work_idle: see work_idle.h. */
#include "cli/work_idle.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/call.h"
#include "cli/record.h"
#include "client/shunt.h"

/* With --drain: others hold, or wait for, what is left. */
#define DRAIN_MS_MIN 10
#define DRAIN_MS_MAX 500
/* Without: whether the group is paused is only news. */
#define NEWS_MS 30000
/* For so long one question keeps us from hearing a signal. */
#define ANSWER_MS 500

void work_idle_init(struct work_idle *i, struct call *call, bool drain)
{
    *i = (struct work_idle){.call = call, .drain = drain, .unanswered_at_ms = CLOCK_NEVER};
    work_idle_busy(i);
}

void work_idle_busy(struct work_idle *i)
{
    i->idle = false;
    i->pause_ms = DRAIN_MS_MIN;
}

static uint64_t waiting(const struct shunt_value *group)
{
    return (uint64_t)(record_integer(group, "ready") + record_integer(group, "delayed"));
}

static void tell_pause(struct work_idle *i, const struct shunt_value *group)
{
    const char *topic = call_word(i->call, 0);
    bool paused = record_integer(group, "paused") != 0;
    if (paused && !i->told_paused) {
        char what[400];
        (void)snprintf(
            what, sizeof what,
            "group %s of topic %s is paused, %" PRIu64 " %s: `shunt group resume %s %s` lets it go on",
            call_group(i->call), topic, waiting(group),
            call_plural(waiting(group), "message waits", "messages wait"), topic, call_group(i->call));
        if (i->drain)
            call_complain("%s", what);
        else
            call_note(i->call, "%s", what);
    } else if (!paused && i->told_paused) {
        call_note(i->call, "group %s of topic %s is resumed", call_group(i->call), topic);
    }
    i->told_paused = paused;
}

/* All that is left waits for dead letters of its keys. */
static bool is_blocked(const struct shunt_value *group)
{
    return record_integer(group, "blocked_keys") && !record_integer(group, "in_flight") &&
           !record_integer(group, "delayed") &&
           record_integer(group, "ready") == record_integer(group, "parked");
}

static void tell_blocked(const struct call *call, const struct shunt_value *group)
{
    uint64_t keys = (uint64_t)record_integer(group, "blocked_keys");
    call_complain("group %s of topic %s: %" PRIu64 " %s behind dead letters of %" PRIu64
                  " %s: `shunt dlq list %s -g %s` shows them",
                  call_group(call), call_word(call, 0), waiting(group),
                  call_plural(waiting(group), "message waits", "messages wait"), keys,
                  call_plural(keys, "key", "keys"), call_word(call, 0), call_group(call));
}

/* No answer: one that is late may come with the next question; without one for the time of a call it is over.
 */
static enum idle_verdict judge_silence(struct work_idle *i, const struct shunt_error *err, int *ret_code)
{
    int64_t now_ms = clock_mono_ms();
    if (i->unanswered_at_ms == CLOCK_NEVER)
        i->unanswered_at_ms = now_ms;
    if (!i->drain || now_ms - i->unanswered_at_ms < i->call->timeout_ms)
        return IDLE_GO_ON;
    *ret_code = call_failed(i->call, err);
    return IDLE_FAILED;
}

static enum idle_verdict ask(struct work_idle *i, int *ret_code)
{
    struct call *call = i->call;
    struct shunt_error err = {0};
    struct shunt_value *group = NULL;
    int64_t wait_ms = call->timeout_ms < ANSWER_MS ? call->timeout_ms : ANSWER_MS;
    int code = shunt_group_show(call->shunt, call_word(call, 0), call_group(call), wait_ms, &group, &err);
    if (code == SHUNT_TIMEOUT || call_is_outage(code))
        return judge_silence(i, &err, ret_code);
    if (code) {
        *ret_code = call_failed(call, &err);
        return IDLE_FAILED;
    }
    i->unanswered_at_ms = CLOCK_NEVER;
    enum idle_verdict verdict = IDLE_GO_ON;
    if (i->drain && waiting(group) + (uint64_t)record_integer(group, "in_flight") == 0) {
        verdict = IDLE_DRAINED;
    } else {
        tell_pause(i, group);
        if (i->drain && i->told_paused) {
            verdict = IDLE_PAUSED;
        } else if (i->drain && is_blocked(group)) {
            tell_blocked(call, group);
            verdict = IDLE_PAUSED;
        }
    }
    shunt_value_free(group);
    return verdict;
}

enum idle_verdict work_idle_look(struct work_idle *i, bool connected, int *ret_code)
{
    if (!i->idle) {
        i->idle = true;
        i->look_at_ms = clock_deadline(DRAIN_MS_MIN);
        if (!i->drain && i->look_at_ms < i->news_at_ms)
            i->look_at_ms = i->news_at_ms;
        return IDLE_GO_ON;
    }
    if (clock_mono_ms() < i->look_at_ms)
        return IDLE_GO_ON;
    i->news_at_ms = clock_deadline(NEWS_MS);
    i->look_at_ms = i->drain ? clock_deadline(i->pause_ms) : i->news_at_ms;
    i->pause_ms = i->pause_ms * 2 < DRAIN_MS_MAX ? i->pause_ms * 2 : DRAIN_MS_MAX;
    if (connected)
        return ask(i, ret_code);
    struct shunt_error lost = {.code = SHUNT_UNREACHABLE};
    return judge_silence(i, &lost, ret_code);
}
