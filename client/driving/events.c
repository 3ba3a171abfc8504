/* events: see events.h. */
#include "client/driving/events.h"

#include "client/driving/handle.h"
#include <stdio.h>
#include <string.h>

#define TEXT_BYTES_MAX 1024

void events_add(struct events *e, enum shunt_event_kind kind, const struct url *where,
                const struct shunt_error *error, int64_t wait_ms)
{
    if (!e->callback)
        return;
    if (e->count == EVENTS_MAX)
        e->count--;
    e->kept[e->count++] =
        (struct happened){.kind = kind, .where = *where, .error = *error, .wait_ms = wait_ms};
}

/* One line for a log: what happened, to which broker, and what comes next. */
static void describe(char to[TEXT_BYTES_MAX], const struct happened *h)
{
    char where[URL_TEXT_BYTES];
    switch (h->kind) {
    case SHUNT_CONNECTED:
        (void)snprintf(to, TEXT_BYTES_MAX, "connected to %s", url_text(where, &h->where));
        break;
    case SHUNT_LOST:
        (void)snprintf(to, TEXT_BYTES_MAX, "lost the connection: %s", h->error.text);
        break;
    case SHUNT_RETRYING:
    default:
        (void)snprintf(to, TEXT_BYTES_MAX, "no connection, trying again in %lld ms: %s",
                       (long long)h->wait_ms, h->error.text);
        break;
    }
}

bool events_call_back(struct events *e)
{
    char text[TEXT_BYTES_MAX];
    if (e->count == 0)
        return false;
    /* All state moves on before the call: it may come back here, or never return. */
    struct happened h = e->kept[0];
    memmove(e->kept, e->kept + 1, --e->count * sizeof *e->kept);
    describe(text, &h);
    struct shunt_event event = {.size = sizeof event,
                                .kind = h.kind,
                                .host = h.where.host,
                                .port = h.where.port,
                                .error = h.error.code != 0 ? &h.error : NULL,
                                .wait_ms = h.wait_ms,
                                .text = text};
    if (e->callback)
        e->callback(e->context, &event);
    return true;
}

void shunt_on_event(struct shunt *s, shunt_event_cb *callback, void *context)
{
    s->loop.events.callback = callback;
    s->loop.events.context = context;
    if (!callback)
        s->loop.events.count = 0;
}
