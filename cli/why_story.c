/* why_story: see why_story.h. What can be said stands in tables, a row for each outcome, reason, state and end. */
#include "cli/why_story.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/call.h"
#include "cli/why_say.h"
#include "client/shunt.h"

/* ---- limits ---- */

static const struct shunt_value *limit_of(const struct story *s, const char *setting)
{
    const struct shunt_value *limits = shunt_value_get(s->group, "limits");
    for (size_t i = 0; i < shunt_value_count(limits); i++) {
        if (is(record_text(shunt_value_at(limits, i), "setting"), setting))
            return shunt_value_at(limits, i);
    }
    return NULL;
}

static const char *source_of(const struct shunt_value *limit)
{
    const char *source = record_text(limit, "source");
    return is(source, "group")   ? "set by the group"
           : is(source, "topic") ? "set by the topic"
                                 : "the default";
}

/* `max-attempts 5, the default`. */
static const char *limit_text(const struct story *s, const char *setting, char text[96])
{
    const struct shunt_value *limit = limit_of(s, setting);
    char name[40], value[32];
    size_t len = strlen(setting);
    bool is_ms = len > 3 && strcmp(setting + len - 3, "_ms") == 0;
    (void)snprintf(name, sizeof name, "%.*s", (int)(is_ms ? len - 3 : len), setting);
    for (char *c = name; *c; c++)
        *c = *c == '_' ? '-' : *c;
    if (is_ms)
        shunt_format_duration(value, record_integer(limit, "value"));
    else
        (void)snprintf(value, sizeof value, "%" PRId64, record_integer(limit, "value"));
    (void)snprintf(text, 96, "%s %s, %s", name, value, source_of(limit));
    return text;
}

/* ---- who ---- */

/* `worker-7 on host-a (build 12)`. */
static const char *consumer_text(const struct shunt_value *record, char text[512])
{
    const char *name = record_text(record, "consumer"), *host = record_text(record, "host");
    const char *build = record_text(record, "build");
    (void)snprintf(text, 512, "%s%s%s%s%s%s", name ? name : "a consumer without a name", host ? " on " : "",
                   host ? host : "", build ? " (build " : "", build ? build : "", build ? ")" : "");
    return text;
}

/* ---- what happened ---- */

/* The rows of the truth table: what happened to a delivery, and why that was charged or not. */
static const struct saying outcomes[] = {
    {"nacked", "failed", "its handler said that it failed"},
    {"rejected", "was rejected", "its handler rejected it, and then it dies whatever max-attempts says"},
    {"released", "was given back",
     "it was given back, or its consumer said goodbye; it waits in front again"},
    {"lease_expired", "its lease ran out",
     "its handler had begun, and no answer came while the lease lasted"},
    {"unstarted", "came back", "no handler had begun on it"},
    {"disconnected", "its consumer was lost", "the connection was lost while this alone was being handled"},
    {"suspected", "its consumer was lost",
     "the connection was lost while several messages were being handled: each of them is a suspect now and "
     "is "
     "handed out alone, so that a second loss has one culprit"},
    {"broker_restart", "the broker restarted", "a restart of the broker is no fault of the message"},
    {"recalled", "was taken back",
     "a message of its key before it, which was out with it, failed; it comes again behind that one"},
    {"ttl_expired", "its time to live was over", "nobody had it when its time to live was over"},
    {"deadline_exceeded", "its deadline passed",
     "its publisher said until when it is needed, and that is no fault of the message or of a handler"},
    {"outage", "failed in an outage",
     "most of the group's latest messages failed, so its breaker was open: no fault of this message"},
    {0},
};

/* Of the attempt's generation, how many were charged up to it; 0: not known, because rows made room. */
static int64_t attempt_number(const struct story *s, const struct shunt_value *history, size_t at)
{
    int64_t generation = record_integer(shunt_value_at(history, at), "generation"), later = 0;
    if (generation != record_integer(s->group, "generation"))
        return 0;
    for (size_t i = at + 1; i < shunt_value_count(history); i++)
        later += record_integer(shunt_value_at(history, i), "charged");
    int64_t number = record_integer(s->group, "attempts") - later;
    return number > 0 ? number : 0;
}

static void tell_verdict(struct story *s, const struct shunt_value *history, size_t at, const char *because)
{
    char limit[96];
    const struct shunt_value *row = shunt_value_at(history, at);
    int64_t number = attempt_number(s, history, at);
    if (!record_integer(row, "charged")) {
        say(s, "", "  not charged: %s", because);
    } else if (number) {
        say(s, "", "  charged as attempt %" PRId64 " (%s): %s", number, limit_text(s, "max_attempts", limit),
            because);
    } else {
        say(s, "", "  charged: %s", because);
    }
}

static void tell_attempt(struct story *s, const struct shunt_value *history, size_t at)
{
    char time[32], took[32], who[512];
    const struct shunt_value *row = shunt_value_at(history, at);
    const struct saying outcome = saying_of(outcomes, record_text(row, "outcome"));
    const char *type = record_text(row, "error_type"), *text = record_text(row, "error_message");
    int64_t leased_ms = record_integer(row, "leased"), took_ms = record_integer(row, "ended") - leased_ms;
    if (leased_ms)
        say(s, time_of(row, "leased", time), "handed out to %s", consumer_text(row, who));
    shunt_format_duration(took, took_ms < 0 ? 0 : took_ms);
    say(s, time_of(row, "ended", time), "%s%s%s%s%s%s%s", outcome.sentence, leased_ms ? " after " : "",
        leased_ms ? took : "", type ? ": " : "", type ? type : "", text ? ": " : "", text ? text : "");
    tell_verdict(s, history, at, outcome.more ? outcome.more : outcome.sentence);
}

/* What came of it, for the redrive that brought it back last. */
static const struct saying redrive_outcomes[] = {
    {"pending", "has no outcome of it yet", NULL},
    {"acked", "counts it as acked", NULL},
    {"failed_same", "counts it as failed: again of the cause that it had died of", NULL},
    {"failed_other", "counts it as failed: of another cause than it had died of", NULL},
    {"gone", "counts it as gone: purged, discarded or deleted", NULL},
    {0},
};

/* By `job`, if that is known: of what an older broker brought back it is not. */
static void tell_redriven(struct story *s, int64_t generation, int64_t job)
{
    const struct shunt_value *redrive = shunt_value_get(s->group, "redrive");
    const struct saying outcome = saying_of(redrive_outcomes, record_text(redrive, "outcome"));
    const char *cause = record_text(shunt_value_get(redrive, "filter"), "cause");
    char by[32] = "";
    if (job && job == record_integer(redrive, "job") && why_tell_brought_back(s, generation))
        return;
    if (job)
        (void)snprintf(by, sizeof by, " by job %" PRId64, job);
    say(s, "", "died, and was redriven%s: generation %" PRId64 " begins, with attempts 0", by, generation);
    if (job && job == record_integer(redrive, "job")) {
        say(s, "", "  job %" PRId64 "%s%s%s %s (`shunt redrive show %" PRId64 "`)", job,
            cause ? ", which takes cause " : "", cause ? cause : "", cause ? "," : "", outcome.sentence, job);
    }
}

static void tell_history(struct story *s)
{
    const struct shunt_value *history = shunt_value_get(s->group, "history");
    int64_t number = 0, generation = 0;
    int64_t died_ms = record_integer(shunt_value_get(s->group, "death"), "died");
    for (size_t i = 0; i < shunt_value_count(history); i++) {
        const struct shunt_value *row = shunt_value_at(history, i);
        int64_t missing = record_integer(row, "number") - number - 1, now = record_integer(row, "generation");
        if (missing > 0)
            say(s, "", "(%" PRId64 " attempts are not kept: they made room for newer ones)", missing);
        if (now > generation) {
            why_tell_edited(s, record_integer(row, "ended"));
            tell_redriven(s, now, record_integer(row, "job"));
        }
        tell_attempt(s, history, i);
        number = record_integer(row, "number");
        generation = now;
    }
    if (record_integer(s->group, "generation") > generation) {
        why_tell_edited(s, died_ms ? died_ms : INT64_MAX);
        tell_redriven(s, record_integer(s->group, "generation"),
                      record_integer(shunt_value_get(s->group, "redrive"), "job"));
    }
}

/* ---- death ---- */

/* Which rule it died by, and the limit that decided. */
static const struct saying reasons[] = {
    {"rejected", "its handler rejected it", NULL},
    {"max_attempts", "it had failed as often as it may", "max_attempts"},
    {"ttl_expired", "its time to live was over before anybody had it", "expired"},
    {"deadline_exceeded", "its deadline passed before it was done", "expired"},
    {"corrupt", "it is damaged in the store, and is not sent", NULL},
    {"predecessor_dead", "a message before it with the same key is dead, and on-dead says that it follows",
     NULL},
    {"operator", "an operator put it there", NULL},
    {0},
};

static void tell_death(struct story *s)
{
    const struct shunt_value *death = shunt_value_get(s->group, "death");
    const struct saying reason = saying_of(reasons, record_text(death, "reason"));
    const char *cause = record_text(death, "cause"), *title = record_text(death, "cause_title");
    char time[32], limit[96];
    if (!reason.word)
        return;
    bool shown = is(reason.more, "max_attempts");
    say(s, time_of(death, "died", time), "died, because %s%s%s%s: dead letter %s", reason.sentence,
        shown ? " (" : "", shown ? limit_text(s, reason.more, limit) : "", shown ? ")" : "",
        record_text(death, "id"));
    if (cause) {
        say(s, "", "  of cause %s (%s)%s%s", cause,
            record_text(death, "cause_state") ? record_text(death, "cause_state") : "gone", title ? ": " : "",
            title ? title : "");
    }
    line(s, "",
         record_integer(death, "attended") ? "  somebody has looked at it" : "  nobody has looked at it");
    why_tell_ruled(s, death);
}

/* ---- now, and next ---- */

static void tell_ready(struct story *s)
{
    static const struct saying nexts[] = {
        {"hand_out", "a consumer of the group is given it in its turn", NULL},
        {"alone", "it is a suspect: a connection that holds nothing else is given it, alone", NULL},
        {"consumer", "nothing, until a consumer of the group connects", NULL},
        {"resume", "nothing, until the group is resumed: it is paused", NULL},
        {"breaker", "nothing, until the group's breaker closes: most of its latest messages failed", NULL},
        {"room", "nothing, until the store has room: it is too full to hand anything out", NULL},
        {0},
    };
    char time[32];
    const char *next = record_text(s->group, "next");
    uint64_t ready = (uint64_t)record_integer(s->group, "ready");
    uint64_t consumers = (uint64_t)record_integer(s->group, "consumers");
    say(s, "now", "ready since %s; the group has %" PRIu64 " %s ready and %" PRIu64 " %s connected",
        time_of(s->group, "since", time), ready, call_plural(ready, "message", "messages"), consumers,
        call_plural(consumers, "consumer", "consumers"));
    if (is(next, "key")) {
        why_tell_waits(s, shunt_value_get(s->group, "waits_for"));
        return;
    }
    line(s, "next", saying_of(nexts, next).sentence);
    if (is(next, "resume"))
        say(s, "do", "shunt group resume %s %s", s->topic, s->name);
    else if (is(next, "consumer"))
        say(s, "do", "shunt work %s -g %s -- COMMAND", s->topic, s->name);
    else if (is(next, "room"))
        line(s, "do", "shunt stats");
    else
        say(s, "do", "shunt group show %s %s", s->topic, s->name);
}

static void tell_in_flight(struct story *s)
{
    const struct shunt_value *holder = shunt_value_get(s->group, "holder");
    char time[32], who[512], limit[96];
    const char *peer = record_text(holder, "peer");
    if (shunt_value_type(holder) != SHUNT_MAP) {
        line(s, "now", "in flight; the broker no longer knows to whom");
        return;
    }
    bool begun = shunt_value_type(shunt_value_get(holder, "started")) == SHUNT_INTEGER;
    say(s, time_of(holder, "leased", time), "handed out to %s, from %s", consumer_text(holder, who),
        peer ? peer : "an unknown address");
    say(s, "now", "in flight: delivery %" PRId64 "; %s%s", record_integer(s->group, "deliveries"),
        begun ? "its handler runs" : "its handler has not begun",
        record_integer(holder, "silent")
            ? ", and nothing has come from that consumer since a lease of it ran out"
            : "");
    say(s, "next", "its answer; or at %s its lease ends (%s), which is %s", time_of(holder, "until", time),
        limit_text(s, "lease_ms", limit), begun ? "charged" : "not charged, because no handler has begun");
    say(s, "", "if that is charged, it is attempt %" PRId64 " (%s)", record_integer(s->group, "attempts") + 1,
        limit_text(s, "max_attempts", limit));
    say(s, "do", "shunt group show %s %s", s->topic, s->name);
}

static void tell_delayed(struct story *s)
{
    char time[32], min[96], max[96];
    bool failed = record_integer(s->group, "attempts_total") > 0;
    say(s, "now", "delayed until %s", time_of(s->group, "until", time));
    if (failed) {
        say(s, "", "  back-off after a failure, unless its consumer named the delay (%s; %s)",
            limit_text(s, "backoff_min_ms", min), limit_text(s, "backoff_max_ms", max));
        if (record_integer(limit_of(s, "backoff_floor_ms"), "value") > 0)
            say(s, "", "  and no less (%s)", limit_text(s, "backoff_floor_ms", min));
    }
    line(s, "next", "it is ready then");
    say(s, "do", "shunt group show %s %s", s->topic, s->name);
}

static void tell_dead(struct story *s)
{
    const struct shunt_value *death = shunt_value_get(s->group, "death");
    const char *cause = record_text(death, "cause"), *id = record_text(death, "id");
    char time[32], limit[96];
    bool leaves = shunt_value_type(shunt_value_get(s->group, "until")) == SHUNT_INTEGER;
    say(s, "now", "dead; its time to live stands still");
    if (leaves) {
        say(s, "next", "it is dropped at %s (%s), unless somebody decides before",
            time_of(s->group, "until", time), limit_text(s, "dlq_retention_ms", limit));
    } else {
        say(s, "next", "it stays until somebody decides (%s: for ever)",
            limit_text(s, "dlq_retention_ms", limit));
    }
    if (cause)
        command(s, "dlq cause", cause);
    command(s, "dlq show", id);
    command(s, "dlq redrive", id);
}

/* How it ended, and the setting that decided that. */
static const struct saying ends[] = {
    {"acked", "acknowledged", NULL},
    {"expired", "dropped by the retention of its DLQ", "dlq_retention_ms"},
    {"discarded", "dropped, because its time to live was over and the group discards such messages", NULL},
    {"purged", "purged by an operator", NULL},
    {"moved", "sent to another topic, and replaced there", NULL},
    {0},
};

static void tell_done(struct story *s)
{
    const struct shunt_value *end = shunt_value_get(s->group, "end");
    const struct saying how = saying_of(ends, record_text(end, "how"));
    char time[32], who[512], limit[96];
    if (!how.word) {
        line(s, "now",
             "done: acknowledged, purged, or dropped by a time to live or a retention; which is not known");
        say(s, "",
            "  what failed at least once is remembered for %s after its end; this message never failed, or "
            "that time is over",
            limit_text(s, "history_after_ms", limit));
        say(s, "do", "shunt group update %s %s --history-after D", s->topic, s->name);
        return;
    }
    const char *by = record_text(end, "consumer") ? consumer_text(end, who) : record_text(end, "moved_to");
    if (!why_tell_ended_by_rule(s, end)) {
        say(s, time_of(s->group, "since", time), "%s%s%s%s%s%s", how.sentence, by ? " by " : "", by ? by : "",
            how.more ? " (" : "", how.more ? limit_text(s, how.more, limit) : "", how.more ? ")" : "");
    }
    line(s, "now", "done");
    say(s, "next", "this is forgotten at %s (%s)", time_of(s->group, "until", time),
        limit_text(s, "history_after_ms", limit));
}

static void tell_not_yet(struct story *s)
{
    line(s, "now", "no message of this number has been published yet");
}

static void tell_before(struct story *s)
{
    line(s, "now", "not this group's: it was published before the group was made, or the group begins later");
}

static const struct {
    const char *state;
    void (*tell)(struct story *s);
} states[] = {
    {"ready", tell_ready}, {"in_flight", tell_in_flight}, {"delayed", tell_delayed}, {"dead", tell_dead},
    {"done", tell_done},   {"not_yet", tell_not_yet},     {"before", tell_before},
};

static void tell_group(const struct shunt_value *why, const struct shunt_value *group)
{
    char time[32];
    struct story s = {
        .group = group, .topic = record_text(why, "topic"), .name = record_text(group, "group")};
    const char *state = record_text(group, "state");
    printf("%s in group %s: ", record_text(why, "message"), s.name);
    for (const char *c = state; c && *c; c++)
        putchar(*c == '_' ? ' ' : *c);
    putchar('\n');
    table_init_plain(&s.lines);
    if (!is(state, "not_yet") && !is(state, "before") && *time_of(why, "published", time))
        line(&s, time, "published");
    if (shunt_value_type(shunt_value_get(why, "due")) == SHUNT_INTEGER)
        say(&s, "", "  scheduled for %s by its publisher", time_of(why, "due", time));
    tell_history(&s);
    tell_death(&s);
    why_tell_edited(&s, INT64_MAX);
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        if (is(state, states[i].state))
            states[i].tell(&s);
    }
    if (shunt_value_type(shunt_value_get(group, "expires")) == SHUNT_INTEGER)
        say(&s, "", "its time to live is over at %s", time_of(group, "expires", time));
    if (!table_print(&s.lines, stdout))
        call_complain("out of memory: not everything is shown");
    table_done(&s.lines);
}

void why_story_print(const struct shunt_value *why)
{
    const struct shunt_value *groups = shunt_value_get(why, "groups");
    for (size_t i = 0; i < shunt_value_count(groups); i++) {
        if (i)
            putchar('\n');
        tell_group(why, shunt_value_at(groups, i));
    }
    if (record_integer(why, "more"))
        puts("\nThere are further groups than fit into one answer: name one with -g.");
}
