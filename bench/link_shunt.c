/* link_shunt: the driver for shunt itself, on its public client. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/link.h"
#include "client/shunt.h"

#define OPEN_MS 30000

struct link {
    struct shunt *shunt;
    struct shunt_consumer *consumer; /* NULL: publishes */
    struct shunt_message *message;
    struct link_events events;
};

/* What a failing handler would say: a type, a line, and a stack of about a screen. */
static const struct shunt_failure failure = {
    .type = "bad_order",
    .message = "line 17: `quantity` is -3, which is less than 1",
    .stack =
        "order_check (order.c:117)\norder_read (order.c:61)\nhandle (worker.c:40)\nmain (worker.c:88)\n"};

static bool set_number(struct shunt_options *o, const char *key, uint64_t value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return shunt_options_set(o, key, text) == 0;
}

static void on_published(void *context, uint64_t seq, const struct shunt_error *err)
{
    void **promise = context;
    struct link *l = promise[0];
    (void)seq;
    l->events.confirmed(l->events.context, context, !err);
}

static void on_resolved(void *context, const struct shunt_error *err)
{
    struct link *l = context;
    l->events.resolved(l->events.context, 1, !err);
}

static struct shunt_options *options_for(const struct link_role *role)
{
    struct shunt_options *o = shunt_options_new();
    bool ok = o != NULL;
    if (role->consumes) {
        ok = ok && set_number(o, "prefetch", role->window) &&
             shunt_options_set(o, "prefetch-bytes", "64MiB") == 0;
    } else {
        ok = ok && set_number(o, "window", role->window);
    }
    if (ok)
        return o;
    shunt_options_free(o);
    return NULL;
}

static void link_shunt_close(struct link *l)
{
    if (!l)
        return;
    shunt_message_free(l->message);
    shunt_close(l->shunt, 1000);
    free(l);
}

static int connect_link(struct link *l, const struct link_role *role, const struct shunt_options *o,
                        struct shunt_error *err)
{
    int code = shunt_open(role->address, role->consumes ? NULL : o, &l->shunt, err);
    if (code == 0)
        code = shunt_connect(l->shunt, OPEN_MS, err);
    if (code == 0 && role->consumes)
        code = shunt_subscribe(l->shunt, role->topic, role->group, o, OPEN_MS, &l->consumer, err);
    return code;
}

static struct link *link_shunt_open(const struct link_role *role, char *why)
{
    struct shunt_error err = {.text = "out of memory"};
    struct link *l = calloc(1, sizeof *l);
    struct shunt_options *o = options_for(role);
    bool ok = l && o && (l->message = shunt_message_new());
    if (ok) {
        l->events = role->events;
        ok = connect_link(l, role, o, &err) == 0;
    }
    shunt_options_free(o);
    if (ok) {
        (void)shunt_fd(l->shunt); /* from here on it is driven by its descriptor */
        return l;
    }
    (void)snprintf(why, WHY_BYTES, "shunt: %.250s", err.text);
    link_shunt_close(l);
    return NULL;
}

static int link_shunt_fd(const struct link *l)
{
    return shunt_fd(l->shunt);
}

/* A promise's first word is the link's: the library gives back one pointer only. */
static bool link_shunt_publish(struct link *l, const struct outgoing *m)
{
    void **promise = m->promise;
    promise[0] = l;
    shunt_message_body(l->message, m->body, m->bytes);
    if (shunt_message_delay(l->message, m->delay_ms) != 0 ||
        (m->key && shunt_message_key(l->message, m->key, strlen(m->key)) != 0))
        return false;
    return shunt_publish_async(l->shunt, m->topic, l->message, on_published, promise, NULL) == 0;
}

static enum shunt_outcome outcome_of(enum link_verdict verdict)
{
    return verdict == LINK_ACK ? SHUNT_ACK : verdict == LINK_NACK ? SHUNT_NACK : SHUNT_REJECT;
}

static void handle_one(struct link *l, struct shunt_delivery *d)
{
    size_t bytes = 0;
    const void *body = shunt_delivery_body(d, &bytes);
    enum link_verdict verdict = l->events.arrived(l->events.context, body, bytes);
    int code = shunt_resolve_async(d, outcome_of(verdict), SHUNT_BACKOFF,
                                   verdict == LINK_ACK ? NULL : &failure, on_resolved, l, NULL);
    if (code != 0)
        l->events.resolved(l->events.context, 1, false);
}

static bool link_shunt_process(struct link *l, char *why)
{
    struct shunt_error err;
    struct shunt_delivery *d = NULL;
    if (shunt_process(l->shunt, &err) != 0) {
        (void)snprintf(why, WHY_BYTES, "shunt: %.250s", err.text);
        return false;
    }
    if (!l->consumer)
        return true;
    int code = 0;
    while ((code = shunt_next(l->consumer, 0, &d, &err)) == 0)
        handle_one(l, d);
    if (code == SHUNT_EMPTY || code == SHUNT_UNREACHABLE)
        return true;
    (void)snprintf(why, WHY_BYTES, "shunt: %.250s", err.text);
    return false;
}

const struct link_driver link_shunt = {
    .name = "shunt",
    .durability = "confirms when the commit is on disk (its journal, one flush)",
    .open = link_shunt_open,
    .close = link_shunt_close,
    .fd = link_shunt_fd,
    .publish = link_shunt_publish,
    .process = link_shunt_process,
};
