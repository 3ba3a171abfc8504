/* consumer: the life of a subscription, and the answers to what came on it. */
#include "client/wire/consumer.h"

#include "base/check.h"
#include "base/list.h"
#include "client/wire/core.h"
#include "client/wire/delivery.h"
#include "client/wire/error.h"
#include "client/wire/keep.h"

#include <stdlib.h>
#include <string.h>

#define OPEN_BYTES_MAX (1024u * 1024) /* of resolutions in one frame, about */

struct shunt_consumer *consumer_new(struct core *core, const char *topic, const char *group,
                                    uint64_t messages, uint64_t bytes)
{
    struct shunt_consumer *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    check(strlen(topic) < sizeof c->topic && strlen(group) < sizeof c->group);
    c->magic = CONSUMER_MAGIC;
    memcpy(c->topic, topic, strlen(topic) + 1);
    memcpy(c->group, group, strlen(group) + 1);
    c->core = core;
    c->epoch = 1;
    c->credit_messages = messages;
    c->credit_bytes = bytes;
    c->handler_ns = -1;
    c->until_us = INT64_MAX;
    c->backoff = (struct backoff){.min_ms = core->settings->reconnect_min_ms,
                                  .max_ms = core->settings->reconnect_max_ms};
    c->next = core->consumers;
    core->consumers = c;
    core->work = true;
    return c;
}

static void drop_queued(struct shunt_consumer *c)
{
    while (c->queued.head)
        delivery_free(c->queued.head);
}

/* What is there from now on is of an older epoch. */
static void end_epoch(struct shunt_consumer *c)
{
    c->epoch++;
    keep_lost(c);
    if (c->open) {
        struct shunt_error error;
        error_set(&error, SHUNT_STALE, NULL);
        resolution_failed(&c->core->resolutions, c->open, false, &error);
        c->open = NULL;
    }
}

/* `error` is NULL if it stands. */
static void tell_decided(struct shunt_consumer *c, const struct shunt_error *error)
{
    struct notice *notice = c->decided;
    if (!notice)
        return;
    c->decided = NULL;
    if (error)
        notice->error = *error;
    list_append(&c->core->told, notice);
}

int consumer_subscribed(struct shunt_consumer *c, struct mpack_reader *reply, int64_t now_us)
{
    check(c->state == CONSUMER_ASKED);
    uint64_t sub = mpack_read_uint(reply);
    int64_t lease_ms = mpack_read_int(reply); /* for what is kept: each delivery brings its own */
    if (reply->failed || lease_ms < 0 || lease_ms > DURATION_MS_MAX)
        return SHUNT_PROTOCOL;
    c->sub = sub;
    c->state = CONSUMER_ACTIVE;
    c->was_active = true;
    tell_decided(c, NULL);
    backoff_reset(&c->backoff);
    c->core->work = true; /* credit may have changed meanwhile */
    return keep_answered(c, reply, lease_ms, now_us);
}

void consumer_ended(struct shunt_consumer *c, const struct shunt_error *error)
{
    c->state = CONSUMER_ENDED;
    c->end = *error;
    tell_decided(c, error);
    end_epoch(c);
    drop_queued(c);
    keep_end(c);
    consumer_arrived(c);
}

/* An answer that comes after all must not leave a subscription that nobody knows. */
static void abandon(struct shunt_consumer *c)
{
    if (c->state == CONSUMER_ASKED)
        requests_change(&c->core->requests, c->request_id, WAITER_ABANDONED_SUBSCRIBE, NULL);
}

void consumer_given_up(struct shunt_consumer *c, const struct shunt_error *error)
{
    abandon(c);
    consumer_ended(c, error);
}

void consumer_refused(struct shunt_consumer *c, const struct shunt_error *error, int64_t wait_ms,
                      int64_t now_us)
{
    if (!c->was_active || !error->may_retry) {
        consumer_ended(c, error);
        return;
    }
    keep_lost(c);
    c->state = CONSUMER_WANTED;
    c->retry_at_us = now_us + wait_ms * 1000 + backoff_next_us(&c->backoff, &c->core->random);
    c->core->work = true;
}

void consumer_lost(struct shunt_consumer *c)
{
    if (c->state == CONSUMER_ENDED)
        return;
    c->state = CONSUMER_WANTED;
    c->retry_at_us = 0;
    c->credit_changed = false; /* SUBSCRIBE carries it */
    end_epoch(c);
    c->core->work = true;
}

void consumer_free(struct shunt_consumer *c, bool told, int64_t now_us)
{
    struct core *core = c->core;
    check(c->magic == CONSUMER_MAGIC);
    if (c->state == CONSUMER_ACTIVE) {
        (void)consumer_write(c, now_us); /* what could not be written ends as STALE below */
        if (!told)
            consumer_write_unsubscribe(c);
    }
    abandon(c);
    struct shunt_error error;
    error_set(&error, SHUNT_CLOSED, NULL);
    tell_decided(c, &error);
    end_epoch(c);
    drop_queued(c);
    keep_end(c);
    while (c->held.head)
        delivery_free(c->held.head);
    for (size_t i = 0; i < c->slabs_count; i++)
        free(c->slabs[i]);
    free(c->slabs);
    struct shunt_consumer **link = &core->consumers;
    while (*link != c)
        link = &(*link)->next;
    *link = c->next;
    c->magic = 0;
    free(c);
}

/* ---- resolving ---- */

static int add_resolution(struct shunt_consumer *c, const struct resolve_entry *entry,
                          struct resolver resolver, int64_t now_us)
{
    struct resolutions *all = &c->core->resolutions;
    if (c->open && (c->open->count == FRAME_MESSAGES_MAX || c->open->entries.size > OPEN_BYTES_MAX)) {
        int rc = consumer_write_resolution(c);
        if (rc != 0)
            return rc;
    }
    bool first = !c->open;
    if (first && !(c->open = resolution_new(all)))
        return SHUNT_NO_MEMORY;
    int rc = resolution_add(all, c->open, entry, resolver);
    if (rc != 0 && first) {
        resolution_drop(all, c->open);
        c->open = NULL;
    }
    if (rc == 0 && first)
        c->resolved_us = now_us;
    c->core->work = true;
    return rc;
}

int delivery_resolve(struct shunt_delivery *d, const struct resolve_entry *entry, struct resolver resolver,
                     int64_t now_us)
{
    check(d->magic == DELIVERY_MAGIC);
    if (delivery_away(d))
        return keep_answer(d, entry, resolver);
    int rc = delivery_stale(d) ? SHUNT_STALE : add_resolution(d->consumer, entry, resolver, now_us);
    if (entry->outcome != SHUNT_EXTEND)
        delivery_free(d);
    else if (rc == 0)
        d->deadline_us = now_us + entry->delay_ms * 1000;
    return rc;
}

void consumer_starved(struct shunt_consumer *c)
{
    int64_t window_ns = (int64_t)c->credit_messages * c->handler_ns;
    bool used_up = 2 * c->taken >= c->credit_messages;
    c->taken = 0;
    if (!c->credit_grows || !used_up || c->handler_ns < 0 || 2 * c->credit_messages > CREDIT_GROWN_MAX)
        return;
    if (2 * window_ns > c->lease_ms * 1000000 / 8)
        return;
    c->credit_messages *= 2;
    c->credit_changed = true;
}
