/* event_log: see event_log.h. */
#include "broker/event_log.h"

#include <stdio.h>
#include <string.h>

void event_log_init(struct event_log *t, const struct log *log)
{
    *t = (struct event_log){.log = log,
                            .acts.window_ms = -EVENT_LOG_WINDOW_MS,
                            .causes.window_ms = -EVENT_LOG_WINDOW_MS,
                            .breakers.window_ms = -EVENT_LOG_WINDOW_MS,
                            .refusals.window_ms = -EVENT_LOG_WINDOW_MS};
    (void)pthread_mutex_init(&t->lock, NULL); /* cannot fail on Linux */
}

void event_log_done(struct event_log *t)
{
    (void)pthread_mutex_destroy(&t->lock); /* nobody has it */
}

static void number(struct log_line *line, const char *key, uint64_t value)
{
    if (value)
        log_number(line, key, (int64_t)value);
}

/* ---- lines that are counted; with the lock held ---- */

static void tell_suppressed(struct event_log *t, struct event_log_lines *lines)
{
    struct log_line line;
    if (!lines->suppressed)
        return;
    log_begin(&line, t->log, LOG_LEVEL_WARNING, "lines_suppressed");
    log_text(&line, "about",
             lines == &t->acts       ? "administrative acts"
             : lines == &t->causes   ? "causes of dead letters"
             : lines == &t->breakers ? "breakers"
                                     : "refused requests");
    number(&line, "count", lines->suppressed);
    log_end(&line);
    lines->suppressed = 0;
}

/* May one more be written? */
static bool counts(struct event_log *t, struct event_log_lines *lines, int64_t now_ms)
{
    if (now_ms - lines->window_ms >= EVENT_LOG_WINDOW_MS) {
        tell_suppressed(t, lines);
        lines->window_ms = now_ms;
        lines->written = 0;
    }
    bool may = lines->written < EVENT_LOG_LINES_MAX;
    lines->written += may;
    lines->suppressed += !may;
    return may;
}

static void lines_due(struct event_log *t, struct event_log_lines *lines, int64_t now_ms, bool all)
{
    if (all || now_ms - lines->window_ms >= EVENT_LOG_WINDOW_MS)
        tell_suppressed(t, lines);
}

static void tell_act(struct event_log *t, const struct event *event, int64_t now_ms)
{
    struct log_line line;
    bool act = event->kind == EVENT_ACT;
    if (!counts(t, &t->acts, now_ms))
        return;
    log_begin(&line, t->log, LOG_LEVEL_INFO, act ? event->name : "job_done");
    log_text(&line, "kind", act ? NULL : event->name);
    log_text(&line, "topic", event->topic);
    log_text(&line, "group", event->group);
    log_text(&line, "asked", event->asked);
    if (event->job)
        log_number(&line, "count", (int64_t)event->count);
    number(&line, "job", event->job);
    if (event->error_ms)
        log_number(&line, "was_off_ms", event->error_ms);
    log_text(&line, "user", event->user);
    log_text(&line, "client", event->client);
    log_text(&line, "host", event->host);
    log_text(&line, "peer", event->peer);
    log_text(&line, "reason", event->why);
    log_end(&line);
}

static void tell_refused(struct event_log *t, const struct event *event, int64_t now_ms)
{
    struct log_line line;
    if (!counts(t, &t->refusals, now_ms))
        return;
    log_begin(&line, t->log, LOG_LEVEL_WARNING, "request_refused");
    log_text(&line, "user", event->user);
    log_text(&line, "asked", event->asked);
    log_text(&line, "topic", event->topic);
    number(&line, "count", event->count);
    log_text(&line, "client", event->client);
    log_text(&line, "host", event->host);
    log_text(&line, "peer", event->peer);
    log_end(&line);
}

static void tell_cause(struct event_log *t, const struct event *event, int64_t now_ms)
{
    char fingerprint[17], message[TOPIC_BYTES_MAX + 32];
    struct log_line line;
    if (!counts(t, &t->causes, now_ms))
        return;
    (void)snprintf(fingerprint, sizeof fingerprint, "%016llx", (unsigned long long)event->cause);
    (void)snprintf(message, sizeof message, "%s/%llu", event->topic ? event->topic : "",
                   (unsigned long long)event->seq);
    log_begin(&line, t->log, event->regressed ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
              event->regressed ? "cause_regressed" : "cause_new");
    log_text(&line, "topic", event->topic);
    log_text(&line, "group", event->group);
    log_text(&line, "cause", fingerprint);
    log_text(&line, "title", event->title);
    log_text(&line, "message", message);
    log_end(&line);
}

static void tell_breaker(struct event_log *t, const struct event *event, int64_t now_ms)
{
    struct log_line line;
    if (!counts(t, &t->breakers, now_ms))
        return;
    log_begin(&line, t->log, event->open ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
              event->open ? "breaker_opened" : "breaker_closed");
    log_text(&line, "topic", event->topic);
    log_text(&line, "group", event->group);
    if (event->open)
        log_number(&line, "failed", (int64_t)event->count);
    else
        log_number(&line, "open_ms", event->open_ms);
    log_end(&line);
}

/* ---- dead letters; with the lock held ---- */

static void begin_dead(struct log_line *line, const struct event_log *t, enum event_kind kind)
{
    if (kind == EVENT_DEAD)
        log_begin(line, t->log, LOG_LEVEL_WARNING, "dead_letters");
    else
        log_begin(line, t->log, LOG_LEVEL_WARNING, "dead_letters_overdue");
}

static void tell_dead(struct event_log *t, struct event_log_group *g)
{
    static const char *const reasons[DEAD_REASONS] = DEAD_REASON_NAMES;
    char message[TOPIC_BYTES_MAX + 32];
    struct log_line line;
    (void)snprintf(message, sizeof message, "%s/%llu", g->topic, (unsigned long long)g->seq);
    begin_dead(&line, t, g->kind);
    log_text(&line, "topic", g->topic);
    log_text(&line, "group", g->group);
    log_number(&line, "count", (int64_t)g->count);
    log_text(&line, g->kind == EVENT_DEAD ? "newest" : "oldest", message);
    log_text(&line, "reason", g->kind == EVENT_DEAD ? reasons[g->reason] : NULL);
    log_end(&line);
    g->count = 0;
}

static struct event_log_group *find_group(struct event_log *t, const struct event *event)
{
    for (size_t i = 0; i < t->groups_count; i++) {
        struct event_log_group *g = &t->groups[i];
        if (g->kind == event->kind && strcmp(g->topic, event->topic) == 0 &&
            strcmp(g->group, event->group) == 0)
            return g;
    }
    return NULL;
}

static void add_dead(struct event_log *t, const struct event *event, int64_t now_ms)
{
    struct event_log_group *g = event->topic && event->group ? find_group(t, event) : NULL;
    bool first = !g;
    if (first && event->topic && event->group && t->groups_count < EVENT_LOG_GROUPS_MAX) {
        g = &t->groups[t->groups_count++];
        *g = (struct event_log_group){.kind = event->kind, .window_ms = now_ms};
        (void)snprintf(g->topic, sizeof g->topic, "%s", event->topic);
        (void)snprintf(g->group, sizeof g->group, "%s", event->group);
    }
    if (!g) {
        *(event->kind == EVENT_DEAD ? &t->dead_others : &t->overdue_others) += event->count;
        return;
    }
    if (event->kind == EVENT_DEAD || !g->count)
        g->seq = event->seq;
    g->count += event->count;
    g->reason = event->reason;
    if (first)
        tell_dead(t, g);
}

/* A group whose window ended without a further death is forgotten: its next one has a line at once. */
static void groups_due(struct event_log *t, int64_t now_ms, bool all)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->groups_count; i++) {
        struct event_log_group *g = &t->groups[i];
        bool over = all || now_ms - g->window_ms >= EVENT_LOG_WINDOW_MS;
        bool quiet = over && !g->count;
        if (over && g->count) {
            tell_dead(t, g);
            g->window_ms = now_ms;
        }
        if (!quiet && kept != i)
            t->groups[kept] = *g;
        kept += !quiet;
    }
    t->groups_count = kept;
}

static void others_due(const struct event_log *t, enum event_kind kind, uint64_t *count)
{
    struct log_line line;
    if (!*count)
        return;
    begin_dead(&line, t, kind);
    log_text(&line, "of", "further groups");
    number(&line, "count", *count);
    log_end(&line);
    *count = 0;
}

/* ---- room; with the lock held ---- */

static void tell_space(const struct event_log *t, const struct event *event)
{
    struct log_line line;
    bool full = event->kind == EVENT_FULL;
    log_begin(&line, t->log, full ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, full ? "store_full" : "store_has_room");
    bool disk = event->limit && strcmp(event->limit, "disk") == 0;
    log_text(&line, "limit", event->limit);
    log_number(&line, "free", (int64_t)event->free_bytes);
    log_number(&line, "kept", (int64_t)event->reserve_bytes);
    log_number(&line, "map", (int64_t)event->map_bytes);
    log_number(&line, "map_max", (int64_t)event->map_bytes_max);
    log_text(&line, "why",
             !full  ? NULL
             : disk ? "less is free than is kept, and the disk gives no more: publishes, new topics and new "
                      "groups are refused with NO_SPACE; make room on the disk, consume or purge"
                    : "less is free than is kept, and map-size-max is reached: publishes, new topics and new "
                      "groups are refused with NO_SPACE; consume, purge or raise map-size-max");
    log_end(&line);
}

/* ---- clock; with the lock held ---- */

static void tell_clock(const struct event_log *t, const struct event *event)
{
    struct log_line line;
    log_begin(&line, t->log, LOG_LEVEL_WARNING, "clock_off");
    log_number(&line, "ahead_ms", event->error_ms);
    log_text(&line, "why",
             "the store's time is not that of this machine: see to the machine's clock, then run `shunt "
             "clock set`");
    log_end(&line);
}

/* ---- public ---- */

void event_log_write(struct event_log *t, const struct event *event, int64_t now_ms)
{
    (void)pthread_mutex_lock(&t->lock); /* not held by this thread: cannot fail */
    switch (event->kind) {
    case EVENT_ACT:
    case EVENT_JOB_DONE:
        tell_act(t, event, now_ms);
        break;
    case EVENT_CAUSE:
        tell_cause(t, event, now_ms);
        break;
    case EVENT_BREAKER:
        tell_breaker(t, event, now_ms);
        break;
    case EVENT_DEAD:
    case EVENT_OVERDUE:
        add_dead(t, event, now_ms);
        break;
    case EVENT_FULL:
    case EVENT_ROOM:
        tell_space(t, event);
        break;
    case EVENT_CLOCK:
        tell_clock(t, event);
        break;
    case EVENT_REFUSED:
        tell_refused(t, event, now_ms);
        break;
    }
    (void)pthread_mutex_unlock(&t->lock);
}

void event_log_due(struct event_log *t, int64_t now_ms, bool all)
{
    (void)pthread_mutex_lock(&t->lock);
    lines_due(t, &t->acts, now_ms, all);
    lines_due(t, &t->causes, now_ms, all);
    lines_due(t, &t->breakers, now_ms, all);
    lines_due(t, &t->refusals, now_ms, all);
    groups_due(t, now_ms, all);
    others_due(t, EVENT_DEAD, &t->dead_others);
    others_due(t, EVENT_OVERDUE, &t->overdue_others);
    (void)pthread_mutex_unlock(&t->lock);
}
