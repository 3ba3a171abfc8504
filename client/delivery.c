/* delivery: one message as it came: taken in, queued, handed out, freed. Its bytes stay in the block they
 * came in. */
#include "client/core.h"
#include "proto/wire.h"
#include <stdlib.h>
#include <string.h>

#define SLAB_DELIVERIES 64
#define ID_BYTES_MORE   22 /* "/", 20 digits, end */

static void list_put(struct delivery_list *list, struct shunt_delivery *d)
{
    d->next = NULL;
    d->prev = list->tail;
    if (list->tail != NULL)
        list->tail->next = d;
    else
        list->head = d;
    list->tail = d;
    list->count++;
}

static void list_take(struct delivery_list *list, struct shunt_delivery *d)
{
    if (d->prev != NULL)
        d->prev->next = d->next;
    else
        list->head = d->next;
    if (d->next != NULL)
        d->next->prev = d->prev;
    else
        list->tail = d->prev;
    list->count--;
}

/* Deliveries come from slabs of the consumer; each has room for its id behind it. */
static bool add_slab(struct shunt_consumer *c)
{
    size_t stride = sizeof(struct shunt_delivery) + strlen(c->topic) + ID_BYTES_MORE;
    stride = (stride + _Alignof(struct shunt_delivery) - 1) & ~(_Alignof(struct shunt_delivery) - 1);
    void **slabs = realloc(c->slabs, (c->slabs_count + 1) * sizeof *slabs);
    if (slabs == NULL)
        return false;
    c->slabs = slabs;
    char *slab = malloc(stride * SLAB_DELIVERIES);
    if (slab == NULL)
        return false;
    c->slabs[c->slabs_count++] = slab;
    for (size_t i = 0; i < SLAB_DELIVERIES; i++) {
        struct shunt_delivery *d = (void *)(slab + i * stride);
        d->next = c->spare;
        c->spare = d;
    }
    return true;
}

/* [ seq, token, attempts, deliveries, generation, published, lease_ms, message, dead ] */
static int read_delivery(struct shunt_delivery *d, struct mpack_reader *r)
{
    const char *why = NULL;
    uint32_t fields = mpack_read_array(r);
    d->seq = mpack_read_uint(r);
    d->token = mpack_read_uint(r);
    d->attempts = (uint32_t)mpack_read_uint(r);
    d->deliveries = (uint32_t)mpack_read_uint(r);
    d->generation = (uint32_t)mpack_read_uint(r);
    d->published_ms = mpack_read_int(r);
    d->lease_ms = mpack_read_int(r);
    if (r->failed || fields < 8 || d->lease_ms < 0 || d->lease_ms > DURATION_MS_MAX)
        return SHUNT_PROTOCOL;
    if (message_read(r, BODY_BYTES_MAX, &d->message, &why) != 0)
        return SHUNT_PROTOCOL;
    for (uint32_t i = 8; i < fields; i++)
        (void)mpack_read_any(r); /* `dead`, and fields of later versions */
    return r->failed ? SHUNT_PROTOCOL : 0;
}

int consumer_delivered(struct shunt_consumer *c, struct mpack_reader *r, struct block *block, int64_t now_us)
{
    if (c->spare == NULL && !add_slab(c))
        return SHUNT_NO_MEMORY;
    struct shunt_delivery *d = c->spare;
    struct shunt_delivery *spare = d->next;
    memset(d, 0, sizeof *d);
    d->id[0] = '\0';
    int rc = read_delivery(d, r);
    if (rc != 0) {
        d->next = spare;
        return rc;
    }
    d->consumer = c;
    d->epoch = c->epoch;
    d->deadline_us = now_us + d->lease_ms * 1000;
    if (d->token > 1 && keep_merge(d, now_us, &rc)) {
        d->next = spare;
        return rc;
    }
    if (c->spare == d) /* else what it replaces was put before it */
        c->spare = spare;
    else
        c->spare->next = spare;
    d->block = block;
    block_hold(block);
    list_put(&c->queued, d);
    consumer_arrived(c);
    return 0;
}

static struct delivery_list *list_of(const struct shunt_delivery *d)
{
    struct shunt_consumer *c = d->consumer;
    return d->place == DELIVERY_HELD ? &c->held : d->place == DELIVERY_QUEUED ? &c->queued : &c->ending;
}

void delivery_move(struct shunt_delivery *d, enum delivery_place to)
{
    list_take(list_of(d), d);
    d->place = to;
    list_put(list_of(d), d);
}

void delivery_free(struct shunt_delivery *d)
{
    struct shunt_consumer *c = d->consumer;
    list_take(list_of(d), d);
    block_drop(d->block);
    d->next = c->spare;
    c->spare = d;
}

bool delivery_stale(const struct shunt_delivery *d)
{
    return d->stale || d->consumer->state == CONSUMER_ENDED;
}

bool delivery_away(const struct shunt_delivery *d)
{
    return !delivery_stale(d) && (d->epoch != d->consumer->epoch || d->consumer->state != CONSUMER_ACTIVE);
}

/* The broker gives nothing more to who let a lease run out, before it hears something. */
static void consumer_speak(struct shunt_consumer *c)
{
    c->credit_changed = c->state == CONSUMER_ACTIVE;
    c->core->work = true;
}

struct shunt_delivery *consumer_take(struct shunt_consumer *c, int64_t now_us)
{
    if (c->queued.head != NULL && delivery_away(c->queued.head))
        return NULL;
    while (c->queued.head != NULL && now_us >= c->queued.head->deadline_us) {
        delivery_free(c->queued.head);
        consumer_speak(c);
    }
    struct shunt_delivery *d = c->queued.head;
    if (d == NULL || (!c->marks_explicit && !marks_done(d)))
        return NULL;
    delivery_move(d, DELIVERY_HELD);
    return d;
}
