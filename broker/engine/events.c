/* events: kept while a turn goes on, and told once it is durable. */
#include "broker/engine/events.h"
#include "base/array.h"
#include "broker/engine/request.h"
#include "broker/engine/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Events of one turn; of more deaths than fit, the sum is told without names. */
#define EVENTS_MAX 1024

static struct event *add(struct engine *e, enum event_kind kind)
{
    struct event_list *l = &e->events;
    if (!e->config.told || l->count >= EVENTS_MAX)
        return NULL;
    if (!array_room(&l->items, &l->capacity, l->count + 1))
        return NULL; /* a log without memory has gaps */
    l->items[l->count] = (struct event){.kind = kind};
    return &l->items[l->count++];
}

/* A copy that lives as long as the turn; NULL for an empty one, and without memory. */
static const char *copy(struct engine *e, struct slice s)
{
    char *text = s.size ? arena_take(&e->arena, s.size + 1) : NULL;
    if (text)
        memcpy(text, s.data, s.size);
    return text;
}

static const char *copy_text(struct engine *e, const char *s)
{
    return copy(e, slice_of(s));
}

/* ---- acts ---- */

static void copy_actor(struct engine *e, struct event *event, const struct actor *by)
{
    event->user = copy(e, by->user);
    event->client = copy(e, by->client);
    event->host = copy(e, by->host);
    event->peer = copy(e, by->peer);
}

/* The commands of command.def that are about users, roles and tokens stand together. */
static bool is_about_access(enum command_kind kind)
{
    return kind >= COMMAND_USER_SET && kind <= COMMAND_TOKEN_REVOKE;
}

void events_act(struct engine *e, const struct step *st)
{
    struct event *event = st->request->act && !st->err ? add(e, EVENT_ACT) : NULL;
    if (!event)
        return;
    const struct actor *by = st->command.by;
    event->name = st->request->act;
    event->topic = copy(e, st->topic);
    event->group = copy(e, st->group);
    event->job = st->number;
    event->count = st->count;
    event->asked = copy(e, by->asked);
    copy_actor(e, event, by);
    event->why = copy(e, by->reason);
    event->access = is_about_access(st->command.kind);
    event->error_ms = st->command.kind == COMMAND_CLOCK ? e->clock_error_ms : 0;
}

void events_refused(struct engine *e, const struct command *c)
{
    struct event *event = add(e, EVENT_REFUSED);
    if (!event)
        return;
    event->topic = copy(e, c->refusal.topic);
    event->count = c->refusal.count;
    event->asked = copy(e, c->by->asked);
    copy_actor(e, event, c->by);
}

/* ---- what the ledger tells ---- */

/* One about dead letters of that group; NULL: there is none any more, or no room. */
static struct event *add_of_group(struct engine *e, enum event_kind kind, uint32_t group)
{
    struct slice topic, name;
    ledger_group_names(e->ledger, group, &topic, &name);
    struct event *event = topic.size ? add(e, kind) : NULL;
    if (event) {
        event->topic = copy(e, topic);
        event->group = copy(e, name);
    }
    return event;
}

void events_died(struct engine *e, uint32_t group, uint64_t seq, enum dead_reason reason)
{
    struct event_list *l = &e->events;
    struct event *last = l->count ? &l->items[l->count - 1] : NULL;
    struct slice topic, name;
    ledger_group_names(e->ledger, group, &topic, &name);
    if (!topic.size) /* the same batch deleted it, which is told */
        return;
    bool same = last && last->kind == EVENT_DEAD && last->topic && last->reason == reason &&
                slice_is(topic, last->topic) && slice_is(name, last->group);
    if (!same)
        last = add_of_group(e, EVENT_DEAD, group);
    if (!last) {
        l->dead_without_event++;
        return;
    }
    last->count++;
    last->seq = seq;
    last->reason = reason;
}

void events_cause(struct engine *e, const struct result *r)
{
    struct event *event = add_of_group(e, EVENT_CAUSE, r->cause.group);
    if (!event)
        return;
    event->cause = r->cause.fingerprint;
    event->seq = r->cause.seq;
    event->title = copy_text(e, r->cause.title);
    event->regressed = r->cause.state == CAUSE_REGRESSED;
}

void events_overdue(struct engine *e, const struct result *r)
{
    struct event *event = add_of_group(e, EVENT_OVERDUE, r->overdue.group);
    if (!event) { /* or the same batch deleted the group, which matters little */
        e->events.overdue_without_event += r->overdue.count;
        return;
    }
    event->count = r->overdue.count;
    event->seq = r->overdue.seq;
    event->died_ms = ledger_shown_ms(e->ledger, r->overdue.died_ms);
}

void events_breaker(struct engine *e, const struct result *r)
{
    struct event *event = add_of_group(e, EVENT_BREAKER, r->breaker.group);
    if (!event)
        return;
    event->open = r->breaker.open;
    event->count = r->breaker.failed;
    event->open_ms = r->breaker.open_ms;
}

void events_job_ended(struct engine *e, const struct result *r)
{
    struct event *event = add(e, EVENT_JOB_DONE);
    if (!event)
        return;
    event->name = r->job_ended.kind;
    event->topic = copy_text(e, r->job_ended.topic);
    event->group = copy_text(e, r->job_ended.group);
    event->job = r->job_ended.job;
    event->count = r->job_ended.done;
}

/* ---- room ---- */

void events_space(struct engine *e, const struct store_usage *usage)
{
    bool full = e->room.fullness >= STORE_FULL;
    if (full == e->events.told_full)
        return;
    struct event *event = add(e, full ? EVENT_FULL : EVENT_ROOM);
    if (!event)
        return;
    e->events.told_full = full;
    event->limit = room_cause_name(e->room.cause);
    event->free_bytes = usage->free_bytes;
    event->reserve_bytes = e->room.reserve_bytes;
    event->map_bytes = usage->map_bytes;
    event->map_bytes_max = usage->map_bytes_max;
}

/* ---- clock ---- */

#define CLOCK_TOLD_MS 60000 /* less is no news: it follows the machine's clock by 1/64 */

void events_clock(struct engine *e)
{
    int64_t error_ms = wall_clock_error_ms(&e->clock);
    bool off = error_ms >= CLOCK_TOLD_MS || error_ms <= -CLOCK_TOLD_MS;
    struct event *event = off ? add(e, EVENT_CLOCK) : NULL;
    if (event)
        event->error_ms = error_ms;
}

/* ---- telling ---- */

static void tell(struct engine *e, bool jobs)
{
    for (size_t i = 0; i < e->events.count; i++) {
        if ((e->events.items[i].kind == EVENT_JOB_DONE) == jobs)
            e->config.told(e->config.context, &e->events.items[i]);
    }
}

static void tell_nameless(const struct engine *e, enum event_kind kind, uint64_t *count)
{
    struct event more = {.kind = kind, .count = *count};
    *count = 0;
    if (more.count && e->config.told)
        e->config.told(e->config.context, &more);
}

void events_tell(struct engine *e)
{
    struct event_list *l = &e->events;
    if (l->count) {
        tell(e, false);
        tell(e, true); /* a short job ends before the act that began it is answered */
        l->count = 0;
    }
    if (l->dead_without_event | l->overdue_without_event) {
        tell_nameless(e, EVENT_DEAD, &l->dead_without_event);
        tell_nameless(e, EVENT_OVERDUE, &l->overdue_without_event);
    }
}

void events_done(struct engine *e)
{
    free(e->events.items);
    e->events = (struct event_list){0};
}
