/* delivered: a message as it comes on a subscription: taken in, queued, handed out. Its bytes stay in the
 * block they came in. */
#include "base/array.h"
#include "base/check.h"
#include "client/wire/core.h"
#include "client/wire/delivery.h"
#include "client/wire/keep.h"
#include "client/wire/marks.h"

#include <stdlib.h>
#include <string.h>

#define SLAB_DELIVERIES 64
#define ID_BYTES_MORE   22 /* "/", 20 digits, end */

/* Deliveries come from slabs of the consumer; each has room for its id behind it. */
static bool add_slab(struct shunt_consumer *c)
{
    size_t stride = sizeof(struct shunt_delivery) + strlen(c->topic) + ID_BYTES_MORE;
    stride = (stride + _Alignof(struct shunt_delivery) - 1) & ~(_Alignof(struct shunt_delivery) - 1);
    char *slab = array_room(&c->slabs, &c->slabs_capacity, c->slabs_count + 1)
                     ? malloc(stride * SLAB_DELIVERIES)
                     : NULL;
    if (!slab)
        return false;
    c->slabs[c->slabs_count++] = slab;
    for (size_t i = 0; i < SLAB_DELIVERIES; i++) {
        struct shunt_delivery *d = (void *)(slab + i * stride);
        d->next = c->spare;
        c->spare = d;
    }
    return true;
}

/* A map, or nil. */
static void read_dead(struct shunt_delivery *d, struct mpack_reader *r)
{
    const char *from = (const char *)r->at;
    bool is_map = mpack_peek(r) == MPACK_MAP;
    (void)mpack_read_any(r);
    if (is_map && !r->failed)
        d->dead = (struct slice){from, (size_t)((const char *)r->at - from)};
}

/* How long the message's deadline is off, if it has one that is in force. Until the caller knows the time, that is all that `expires_us` says. */
static void read_remaining(struct shunt_delivery *d, struct mpack_reader *r)
{
    if (mpack_read_is_nil(r))
        return;
    uint64_t ms = mpack_read_uint(r);
    d->expires_us = ms < (uint64_t)DEADLINE_MS_MAX ? (int64_t)ms * 1000 : INT64_MAX;
}

/* [ seq, token, attempts, deliveries, generation, published, lease_ms, message, dead, remaining ] */
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
    if (fields > 8)
        read_dead(d, r);
    d->expires_us = INT64_MAX;
    if (fields > 9)
        read_remaining(d, r);
    for (uint32_t i = 10; i < fields; i++)
        (void)mpack_read_any(r); /* fields of later versions */
    return r->failed ? SHUNT_PROTOCOL : 0;
}

/* ---- handed out again ---- */

static struct shunt_delivery *find(struct shunt_delivery *d, uint64_t seq)
{
    while (d && d->seq != seq)
        d = d->next;
    return d;
}

/* `d`, just read and in no list, is of a message that is held or queued already: that one goes on as this
 * delivery, or makes room for it. True: the first; `d` is not needed. fails: NO_MEMORY in *ret_err. */
static bool merge(struct shunt_delivery *d, int64_t now_us, int *ret_err)
{
    struct shunt_consumer *c = d->consumer;
    struct shunt_delivery *running = find(c->held.head, d->seq);
    struct shunt_delivery *waiting = !running ? find(c->queued.head, d->seq) : NULL;
    if (waiting)
        delivery_free(waiting); /* its lease ran out: this one counts */
    if (!running)
        return false;
    bool marked = running->marked_at != 0;
    keep_go_on(running, d->token, d->lease_ms, now_us);
    running->attempts = d->attempts;
    running->deliveries = d->deliveries;
    running->generation = d->generation;
    running->marked_at = 0;
    if (marked)
        *ret_err = marks_write_one(running, now_us);
    c->core->work = true;
    return true;
}

/* ---- in and out ---- */

int consumer_delivered(struct shunt_consumer *c, struct mpack_reader *r, struct block *block, int64_t now_us)
{
    check(c->state == CONSUMER_ACTIVE);
    if (!c->spare && !add_slab(c))
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
    d->magic = DELIVERY_MAGIC;
    d->consumer = c;
    d->epoch = c->epoch;
    d->deadline_us = now_us + d->lease_ms * 1000;
    if (d->expires_us != INT64_MAX)
        d->expires_us += now_us;
    if (d->token > 1 && merge(d, now_us, &rc)) {
        d->next = spare;
        return rc;
    }
    if (c->spare == d) /* else what it replaces was put before it */
        c->spare = spare;
    else
        c->spare->next = spare;
    d->block = block;
    block_hold(block);
    delivery_put(d);
    consumer_arrived(c);
    return 0;
}

/* The broker gives nothing more to who let a lease run out, before it hears something. */
static void consumer_speak(struct shunt_consumer *c)
{
    c->credit_changed = c->state == CONSUMER_ACTIVE;
    c->core->work = true;
}

/* It will not be begun. Without memory to say so its lease runs out, uncharged. */
static void give_up(struct shunt_delivery *d, enum shunt_outcome outcome, int64_t now_us)
{
    const struct resolve_entry entry = {.seq = d->seq, .token = d->token, .outcome = outcome};
    struct shunt_consumer *c = d->consumer;
    if (delivery_resolve(d, &entry, (struct resolver){.until_us = INT64_MAX}, now_us) != 0)
        consumer_speak(c);
    c->core->work = true;
}

struct shunt_delivery *consumer_take(struct shunt_consumer *c, int64_t now_us)
{
    if (c->queued.head && delivery_away(c->queued.head))
        return NULL;
    struct shunt_delivery *d;
    while ((d = c->queued.head) && (now_us >= d->deadline_us || now_us >= d->expires_us)) {
        if (now_us < d->deadline_us) {
            give_up(d, SHUNT_LATE, now_us);
        } else if (delivery_may_last(d)) {
            /* when it ends there we would be silent, whatever we said before */
            give_up(d, SHUNT_RELEASE, now_us);
        } else {
            delivery_free(d);
            consumer_speak(c);
        }
    }
    if (!d || (!c->marks_explicit && !marks_done(d)))
        return NULL;
    delivery_move(d, DELIVERY_HELD);
    return d;
}
