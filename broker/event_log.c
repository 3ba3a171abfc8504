/* event_log: see event_log.h. */
#include "broker/event_log.h"

#include <stdio.h>
#include <string.h>

void event_log_init(struct event_log *t, const struct log *log)
{
    *t = (struct event_log){.log = log, .acts_window_ms = -EVENT_LOG_WINDOW_MS};
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

/* ---- acts; with the lock held ---- */

static void tell_suppressed(struct event_log *t)
{
    struct log_line line;
    if (!t->acts_suppressed)
        return;
    log_begin(&line, t->log, LOG_LEVEL_WARNING, "lines_suppressed");
    log_text(&line, "about", "administrative acts");
    number(&line, "count", t->acts_suppressed);
    log_end(&line);
    t->acts_suppressed = 0;
}

static void tell_act(struct event_log *t, const struct event *event, int64_t now_ms)
{
    struct log_line line;
    bool act = event->kind == EVENT_ACT;
    if (now_ms - t->acts_window_ms >= EVENT_LOG_WINDOW_MS) {
        tell_suppressed(t);
        t->acts_window_ms = now_ms;
        t->acts = 0;
    }
    if (t->acts >= EVENT_LOG_ACTS_MAX) {
        t->acts_suppressed++;
        return;
    }
    t->acts++;
    log_begin(&line, t->log, LOG_LEVEL_INFO, act ? event->name : "job_done");
    log_text(&line, "kind", act ? NULL : event->name);
    log_text(&line, "topic", event->topic);
    log_text(&line, "group", event->group);
    log_text(&line, "changes", event->changes);
    if (event->job)
        log_number(&line, "count", (int64_t)event->count);
    number(&line, "job", event->job);
    if (event->error_ms)
        log_number(&line, "was_off_ms", event->error_ms);
    log_text(&line, "client", event->client);
    log_text(&line, "host", event->host);
    log_text(&line, "peer", event->peer);
    log_end(&line);
}

/* ---- dead letters; with the lock held ---- */

static void tell_dead(struct event_log *t, struct event_log_group *g)
{
    static const char *const reasons[DEAD_REASONS] = DEAD_REASON_NAMES;
    char newest[TOPIC_BYTES_MAX + 32];
    struct log_line line;
    (void)snprintf(newest, sizeof newest, "%s/%llu", g->topic, (unsigned long long)g->seq);
    log_begin(&line, t->log, LOG_LEVEL_WARNING, "dead_letters");
    log_text(&line, "topic", g->topic);
    log_text(&line, "group", g->group);
    log_number(&line, "count", (int64_t)g->count);
    log_text(&line, "newest", newest);
    log_text(&line, "reason", reasons[g->reason]);
    log_end(&line);
    g->count = 0;
}

static struct event_log_group *find_group(struct event_log *t, const struct event *event)
{
    for (size_t i = 0; i < t->groups_count; i++) {
        if (strcmp(t->groups[i].topic, event->topic) == 0 && strcmp(t->groups[i].group, event->group) == 0)
            return &t->groups[i];
    }
    return NULL;
}

static void add_dead(struct event_log *t, const struct event *event, int64_t now_ms)
{
    struct event_log_group *g = event->topic && event->group ? find_group(t, event) : NULL;
    bool first = !g;
    if (first && event->topic && event->group && t->groups_count < EVENT_LOG_GROUPS_MAX) {
        g = &t->groups[t->groups_count++];
        *g = (struct event_log_group){.window_ms = now_ms};
        (void)snprintf(g->topic, sizeof g->topic, "%s", event->topic);
        (void)snprintf(g->group, sizeof g->group, "%s", event->group);
    }
    if (!g) {
        t->dead_others += event->count;
        return;
    }
    g->count += event->count;
    g->seq = event->seq;
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

static void others_due(struct event_log *t)
{
    struct log_line line;
    if (!t->dead_others)
        return;
    log_begin(&line, t->log, LOG_LEVEL_WARNING, "dead_letters");
    log_text(&line, "of", "further groups");
    number(&line, "count", t->dead_others);
    log_end(&line);
    t->dead_others = 0;
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
    case EVENT_DEAD:
        add_dead(t, event, now_ms);
        break;
    case EVENT_FULL:
    case EVENT_ROOM:
        tell_space(t, event);
        break;
    case EVENT_CLOCK:
        tell_clock(t, event);
        break;
    }
    (void)pthread_mutex_unlock(&t->lock);
}

void event_log_due(struct event_log *t, int64_t now_ms, bool all)
{
    (void)pthread_mutex_lock(&t->lock);
    if (all || now_ms - t->acts_window_ms >= EVENT_LOG_WINDOW_MS)
        tell_suppressed(t);
    groups_due(t, now_ms, all);
    others_due(t);
    (void)pthread_mutex_unlock(&t->lock);
}
