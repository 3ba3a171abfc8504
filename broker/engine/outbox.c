/* outbox: what a turn has to send leaves for the net thread, once it is durable. */
#include "broker/engine/outbox.h"
#include "base/check.h"
#include "broker/engine/state.h"
#include "proto/errors.h"

#include <stdlib.h>

/* It grew by doubling; what may wait for long takes its own size. */
static void trim(struct mpack_buffer *b)
{
    if (b->capacity - b->size < 1024 || b->capacity - b->size < b->size / 8)
        return;
    uint8_t *data = b->size ? realloc(b->data, b->size) : NULL;
    if (!data)
        return; /* then it stays as it is */
    b->data = data;
    b->capacity = b->size;
}

static struct outbox_item *outbox_item(struct engine *e, struct session *s)
{
    struct outbox_item *item = calloc(1, sizeof *item);
    if (!item || s->out.failed)
        engine_die(e, SHUNT_NO_MEMORY, "no memory for output");
    item->link = s->link;
    link_ref(s->link);
    if (!s->out_secret)
        trim(&s->out);
    item->bytes = s->out;
    item->secret = s->out_secret;
    s->out_secret = false;
    item->close = s->flow.requests == REQUESTS_CLOSING;
    item->ask = s->ask;
    s->ask = FLOW_ASK_NOTHING;
    item->ask_ms = s->ask_ms;
    s->ask_ms = 0;
    s->out = (struct mpack_buffer){0};
    e->out_bytes -= s->out_counted;
    s->out_counted = 0;
    flow_unsent(&s->link->account, item->bytes.size);
    return item;
}

bool outbox_fill(struct engine *e)
{
    struct outbox_item *first = NULL, **tail = &first;
    while (!ring_empty(&e->outputs)) {
        struct session *s = ring_of(e->outputs.next, struct session, output);
        ring_remove(&s->output);
        if (s->flow.requests == REQUESTS_GONE)
            continue;
        *tail = outbox_item(e, s);
        tail = &(*tail)->next;
    }
    if (!first)
        return false;
    (void)pthread_mutex_lock(&e->mutex);
    *e->outbox_tail = first;
    e->outbox_tail = tail;
    (void)pthread_mutex_unlock(&e->mutex);
    return true;
}

struct outbox_item *engine_take(struct engine *e)
{
    check(e->magic == ENGINE_MAGIC);
    (void)pthread_mutex_lock(&e->mutex);
    struct outbox_item *items = e->outbox;
    e->outbox = NULL;
    e->outbox_tail = &e->outbox;
    (void)pthread_mutex_unlock(&e->mutex);
    return items;
}
