/* subscribe: the public calls that begin, tune and end a subscription, and the worker's view of what it
 * holds. */
#include "base/clock.h"
#include "base/magic.h"
#include "client/driving/call_run.h"
#include "client/driving/handle.h"
#include "client/wire/delivery.h"
#include "client/wire/error.h"
#include "client/wire/marks.h"
#include "client/wire/options.h"
#include "proto/names.h"
#include <stdlib.h>
#include <string.h>

#define PREFETCH       64
#define PREFETCH_BYTES (16 * 1024 * 1024)

static int check_names(const char *topic, const char *group, struct shunt_error *err)
{
    const char *why = NULL;
    if (!topic)
        return error_set(err, SHUNT_BAD_ARGUMENT, "a topic must be named");
    int rc = name_check_topic(slice_of(topic), &why);
    if (rc != 0)
        return error_set(err, rc, "topic \"%.220s\": %s", topic, why);
    rc = name_check(slice_of(group), &why);
    return rc != 0 ? error_set(err, rc, "group \"%.110s\": %s", group, why) : 0;
}

static bool is_decided(void *arg)
{
    const struct shunt_consumer *c = magic_of(arg, shunt_consumer, CONSUMER_MAGIC);
    return c->state == CONSUMER_ACTIVE || c->state == CONSUMER_ENDED;
}

/* A consumer that waits to be subscribed. */
static int begin(struct shunt *s, const char *topic, const char *group, const struct shunt_options *options,
                 struct shunt_consumer **ret, struct shunt_error *err)
{
    static const char *const keys[] = {"prefetch", "prefetch-bytes", NULL};
    int64_t messages = PREFETCH, bytes = PREFETCH_BYTES;
    int rc = handle_usable(s, err);
    group = group ? group : "default";
    if (rc != 0 || (rc = check_names(topic, group, err)) != 0 ||
        (rc = options_allow(options, keys, err)) != 0 ||
        (rc = options_count(options, "prefetch", 0, CREDIT_MESSAGES_MAX, &messages, err)) != 0 ||
        (rc = options_size(options, "prefetch-bytes", 1, CREDIT_BYTES_MAX, &bytes, err)) != 0)
        return rc;
    struct shunt_consumer *c = consumer_new(&s->core, topic, group, (uint64_t)messages, (uint64_t)bytes);
    if (!c)
        return error_set(err, SHUNT_NO_MEMORY, NULL);
    c->handle = s;
    c->credit_grows = !options_get(options, "prefetch");
    *ret = c;
    return 0;
}

int shunt_subscribe(struct shunt *s, const char *topic, const char *group,
                    const struct shunt_options *options, int64_t timeout_ms, struct shunt_consumer **ret,
                    struct shunt_error *err)
{
    struct shunt_consumer *c = NULL;
    int rc = begin(s, topic, group, options, &c, err);
    if (!c)
        return rc;
    c->until_us = loop_deadline_us(timeout_ms);
    rc = loop_until(s, timeout_ms, is_decided, c, err);
    if (rc == 0 && c->state == CONSUMER_ENDED)
        rc = error_set(err, c->end.code, "%s", c->end.text);
    if (rc != 0) {
        consumer_free(c, false, clock_mono_us());
        return rc;
    }
    *ret = c;
    return 0;
}

int shunt_subscribe_async(struct shunt *s, const char *topic, const char *group,
                          const struct shunt_options *options, shunt_done_cb *callback, void *context,
                          struct shunt_consumer **ret, struct shunt_error *err)
{
    struct shunt_consumer *c = NULL;
    struct notice *notice = notice_new(callback, context, INT64_MAX);
    int rc = notice ? begin(s, topic, group, options, &c, err) : error_set(err, SHUNT_NO_MEMORY, NULL);
    if (!c) {
        free(notice);
        return rc;
    }
    notice->until_us = core_limit_us(&s->core, clock_mono_us());
    c->until_us = notice->until_us;
    c->decided = notice;
    loop_wake(s);
    *ret = c;
    return 0;
}

void shunt_unsubscribe(struct shunt_consumer *c, int64_t timeout_ms)
{
    if (!c)
        return;
    struct shunt *s = c->handle;
    bool told = false;
    if (c->state == CONSUMER_ACTIVE && timeout_ms != 0) {
        struct call call;
        const union request_fields q = {.unsubscribe = {.sub = c->sub}};
        call_begin(&call, &request_unsubscribe, &q, false);
        call.bound = true;
        (void)call_finish(s, &call, timeout_ms, NULL); /* the broker gives the messages back in any case */
        told = true;
    }
    consumer_free(c, told, clock_mono_us());
    if (!told)
        client_send(s);
}

int shunt_unsubscribe_async(struct shunt_consumer *c, shunt_done_cb *callback, void *context,
                            struct shunt_error *err)
{
    struct shunt *s = c->handle;
    struct core *core = &s->core;
    int rc = handle_usable(s, err);
    if (rc != 0)
        return rc;
    int64_t until_us = core_limit_us(core, clock_mono_us());
    const union request_fields q = {.unsubscribe = {.sub = c->sub}};
    struct call *call = call_new(&request_unsubscribe, &q, false, notice_new(callback, context, until_us));
    if (!call)
        return error_set(err, SHUNT_NO_MEMORY, NULL);
    call->bound = true;
    bool active = c->state == CONSUMER_ACTIVE;
    consumer_free(c, true, clock_mono_us()); /* its answers go out before */
    if (active) {
        core_queue_call(core, call);
        client_send(s);
    } else {
        const struct shunt_error none = {0};
        core_end_call(core, call, &none); /* the broker holds nothing of it */
        loop_wake(s);
    }
    return 0;
}

int shunt_credit(struct shunt_consumer *c, uint32_t messages, uint64_t bytes, struct shunt_error *err)
{
    if (messages > CREDIT_MESSAGES_MAX || bytes > CREDIT_BYTES_MAX) {
        return error_set(err, SHUNT_BAD_ARGUMENT, "at most %d messages and %u bytes", CREDIT_MESSAGES_MAX,
                         CREDIT_BYTES_MAX);
    }
    if (c->state == CONSUMER_ENDED)
        return error_set(err, c->end.code, "%s", c->end.text);
    c->credit_grows = false;
    c->credit_messages = messages;
    c->credit_bytes = bytes;
    c->credit_changed = c->state != CONSUMER_WANTED; /* SUBSCRIBE will carry it */
    c->core->work = true;
    loop_wake(c->handle);
    return 0;
}

void shunt_on_arrival(struct shunt_consumer *c, shunt_arrived_cb *callback, void *context)
{
    c->callback = callback;
    c->context = context;
    if (c->queued.head || c->state == CONSUMER_ENDED) {
        c->arrived = c->core->arrivals = true; /* what came before is told of as well */
        loop_wake(c->handle);
    }
}

/* ---- for the worker ---- */

void client_mark_explicitly(struct shunt_consumer *c)
{
    c->marks_explicit = true;
}

int client_mark(struct shunt_delivery *d)
{
    if (delivery_stale(d) || delivery_away(d))
        return SHUNT_STALE;
    return marks_write_one(d, clock_mono_us());
}

bool client_marked(const struct shunt_delivery *d)
{
    return marks_done(d);
}

bool client_stale(const struct shunt_delivery *d)
{
    return delivery_stale(d);
}

struct shunt_delivery *client_held_first(const struct shunt_consumer *c)
{
    return c->held.head;
}

struct shunt_delivery *client_held_next(const struct shunt_delivery *d)
{
    return d->next;
}

size_t client_held_count(const struct shunt_consumer *c)
{
    return c->held.count;
}

static void give_back(struct shunt_delivery *d)
{
    struct resolve_entry entry = {.seq = d->seq, .token = d->token, .outcome = SHUNT_RELEASE};
    /* A release that cannot be queued is one the broker makes by itself. */
    (void)delivery_resolve(d, &entry, (struct resolver){0}, clock_mono_us());
}

void client_release_held(struct shunt_consumer *c,
                         bool (*keep)(void *context, const struct shunt_delivery *d), void *context)
{
    for (struct shunt_delivery *d = c->held.head, *next; d; d = next) {
        next = d->next;
        if (!keep || !keep(context, d))
            give_back(d);
    }
    while (c->queued.head) {
        if (delivery_away(c->queued.head))
            delivery_free(c->queued.head); /* nobody asks for it any more, so that it goes to others */
        else
            give_back(c->queued.head);
    }
    loop_wake(c->handle);
}

struct shunt *client_of(const struct shunt_consumer *c)
{
    return c->handle;
}

struct shunt_consumer *client_consumer_of(const struct shunt_delivery *d)
{
    return d->consumer;
}

void client_set_tag(struct shunt_delivery *d, void *tag)
{
    d->tag = tag;
}

void *client_tag(const struct shunt_delivery *d)
{
    return d->tag;
}
