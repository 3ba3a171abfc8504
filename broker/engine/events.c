/* events: kept while a turn goes on, and told once it is durable. */
#include "broker/engine/events.h"
#include "base/array.h"
#include "broker/engine/request.h"
#include "broker/engine/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Events of one turn; of more deaths than fit, the sum is told without names. */
#define EVENTS_MAX    1024
#define CHANGES_BYTES 512

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

static const char *changes(struct engine *e, const struct policy_change *c)
{
    char text[CHANGES_BYTES];
    int size = 0;
    for (unsigned i = 0; i < POLICY_COUNT; i++) {
        bool set = c->set.given >> i & 1, reset = c->reset >> i & 1;
        if (!set && !reset)
            continue;
        size_t at = (size_t)size < sizeof text ? (size_t)size : sizeof text - 1;
        size += set ? snprintf(text + at, sizeof text - at, "%s%s=%lld", size ? " " : "",
                               policy_rows[i].field, (long long)c->set.value[i])
                    : snprintf(text + at, sizeof text - at, "%s%s=inherit", size ? " " : "",
                               policy_rows[i].field);
    }
    return size ? copy_text(e, text) : NULL;
}

static const struct policy_change *change_of(const struct command *c)
{
    if (c->kind == COMMAND_TOPIC_CREATE || c->kind == COMMAND_TOPIC_UPDATE)
        return &c->topic.change;
    if (c->kind == COMMAND_GROUP_CREATE || c->kind == COMMAND_GROUP_UPDATE)
        return &c->group.change;
    return NULL;
}

void events_act(struct engine *e, const struct step *st)
{
    const char *name = st->request->act;
    struct event *event = name && !st->err ? add(e, EVENT_ACT) : NULL;
    if (!event)
        return;
    const struct session *s = st->session;
    event->name = name;
    event->topic = copy(e, st->topic);
    event->group = copy(e, st->group);
    event->job = st->number;
    event->count = st->count;
    event->client = copy_text(e, s->client);
    event->host = copy_text(e, s->host);
    event->peer = copy_text(e, s->link->peer);
    const struct policy_change *change = change_of(&st->command);
    event->changes = change ? changes(e, change) : NULL;
    event->error_ms = st->command.kind == COMMAND_CLOCK ? e->clock_error_ms : 0;
}

/* ---- what the ledger tells ---- */

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
    if (!same) {
        last = add(e, EVENT_DEAD);
        if (last) {
            last->topic = copy(e, topic);
            last->group = copy(e, name);
        }
    }
    if (!last) {
        l->dead_without_event++;
        return;
    }
    last->count++;
    last->seq = seq;
    last->reason = reason;
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

void events_tell(struct engine *e)
{
    struct event_list *l = &e->events;
    if (l->count) {
        tell(e, false);
        tell(e, true); /* a short job ends before the act that began it is answered */
        l->count = 0;
    }
    if (l->dead_without_event) {
        struct event more = {.kind = EVENT_DEAD, .count = l->dead_without_event};
        l->dead_without_event = 0;
        if (e->config.told)
            e->config.told(e->config.context, &more);
    }
}

void events_done(struct engine *e)
{
    free(e->events.items);
    e->events = (struct event_list){0};
}
