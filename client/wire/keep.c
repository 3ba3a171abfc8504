/* keep: what a consumer has over a lost connection. Its handlers run on; the next SUBSCRIBE asks the broker
 * for their messages, and for those that were fetched ahead, which are ours again unless somebody else has
 * got them meanwhile. */
#include "client/wire/keep.h"

#include "client/wire/core.h"
#include "client/wire/delivery.h"
#include "client/wire/error.h"

/* Those that are held, those whose answer is kept, those that wait in the queue. */
static const struct delivery_list *list(const struct shunt_consumer *c, enum delivery_place place)
{
    return place == DELIVERY_HELD ? &c->held : place == DELIVERY_ENDING ? &c->ending : &c->queued;
}

static struct shunt_delivery *first(const struct shunt_consumer *c)
{
    static const enum delivery_place order[] = {DELIVERY_HELD, DELIVERY_ENDING, DELIVERY_QUEUED};
    struct shunt_delivery *d = NULL;
    for (size_t i = 0; !d && i < sizeof order / sizeof *order; i++)
        d = list(c, order[i])->head;
    return d;
}

static struct shunt_delivery *after(const struct shunt_delivery *d)
{
    const struct shunt_consumer *c = d->consumer;
    if (d->next || d->place == DELIVERY_QUEUED)
        return d->next;
    return d->place == DELIVERY_HELD && c->ending.head ? c->ending.head : c->queued.head;
}

/* ---- answers ---- */

/* The answer that waits has had no effect, or nobody can tell. */
static void end_kept(struct shunt_delivery *d, int code)
{
    struct shunt_error error;
    if (!d->kept)
        return;
    error_set(&error, code, NULL);
    resolution_failed(&d->consumer->core->resolutions, d->kept, false, &error);
    d->kept = NULL;
}

int keep_answer(struct shunt_delivery *d, const struct resolve_entry *entry, struct resolver resolver)
{
    struct resolutions *all = &d->consumer->core->resolutions;
    struct resolution *r = resolution_new(all);
    int rc = !r ? SHUNT_NO_MEMORY : resolution_add(all, r, entry, resolver);
    if (rc != 0) {
        if (r)
            resolution_drop(all, r);
        if (entry->outcome != SHUNT_EXTEND)
            delivery_free(d);
        return rc;
    }
    end_kept(d, SHUNT_DISCONNECTED); /* an earlier EXTEND, which this one replaces */
    d->kept = r;
    if (entry->outcome != SHUNT_EXTEND)
        delivery_move(d, DELIVERY_ENDING);
    return 0;
}

/* ---- asking ---- */

uint32_t keep_count(const struct shunt_consumer *c)
{
    uint32_t count = 0;
    for (const struct shunt_delivery *d = first(c); d && count < KEPT_MAX; d = after(d))
        count += !d->stale;
    return count;
}

void keep_write(struct shunt_consumer *c, uint32_t count, struct mpack_buffer *out)
{
    uint32_t asked = 0;
    for (struct shunt_delivery *d = first(c); d && asked < count; d = after(d)) {
        if (d->stale)
            continue;
        d->asked = ++asked;
        mpack_write_uint(out, d->seq);
        mpack_write_uint(out, d->token);
        mpack_write_bool(out, d->marked_at != 0);
    }
}

void keep_lost(struct shunt_consumer *c)
{
    for (struct shunt_delivery *d = first(c); d; d = after(d)) {
        d->asked = 0;
        if (d->place == DELIVERY_QUEUED)
            d->marked_at = 0; /* no handler runs on it: whatever was said, it is not started */
    }
}

void keep_go_on(struct shunt_delivery *d, uint64_t token, int64_t lease_ms, int64_t now_us)
{
    d->token = token;
    d->epoch = d->consumer->epoch;
    d->stale = false;
    d->lease_ms = lease_ms;
    d->deadline_us = now_us + lease_ms * 1000;
}

/* What was answered meanwhile goes to the broker now. */
static void send_kept(struct shunt_delivery *d)
{
    struct shunt_consumer *c = d->consumer;
    struct resolutions *all = &c->core->resolutions;
    struct resolution *kept = d->kept;
    if (!kept)
        return;
    if (!c->open)
        c->open = resolution_new(all);
    if (!c->open || resolution_move(all, kept, c->open, d->token) != 0) {
        end_kept(d, SHUNT_STALE); /* without memory its lease runs out */
        return;
    }
    d->kept = NULL;
    c->core->work = true;
}

static void settle(struct shunt_delivery *d, uint64_t token, int64_t lease_ms, int64_t now_us)
{
    d->asked = 0;
    if (token != 0) {
        keep_go_on(d, token, lease_ms, now_us);
        d->deliveries++;
        if (d->place == DELIVERY_QUEUED) { /* as one that has just come */
            d->tag = NULL;
            consumer_arrived(d->consumer);
        }
        d->marked_at = d->marked_at != 0; /* the broker knows by SUBSCRIBE */
        send_kept(d);
    } else {
        d->stale = true;
        end_kept(d, SHUNT_STALE);
    }
    if (d->place == DELIVERY_ENDING || (d->place == DELIVERY_QUEUED && token == 0))
        delivery_free(d);
}

int keep_answered(struct shunt_consumer *c, struct mpack_reader *reply, int64_t lease_ms, int64_t now_us)
{
    uint64_t tokens[KEPT_MAX];
    uint32_t count = 0;
    if (mpack_peek(reply) == MPACK_ARRAY) /* else the broker is older than this */
        count = mpack_read_array(reply);
    if (count > KEPT_MAX)
        return SHUNT_PROTOCOL;
    for (uint32_t i = 0; i < count; i++)
        tokens[i] = mpack_read_uint(reply);
    if (reply->failed)
        return SHUNT_PROTOCOL;
    for (struct shunt_delivery *d = first(c), *next; d; d = next) {
        next = after(d);
        settle(d, d->asked > 0 && d->asked <= count ? tokens[d->asked - 1] : 0, lease_ms, now_us);
    }
    return 0;
}

void keep_end(struct shunt_consumer *c)
{
    for (struct shunt_delivery *d = c->held.head; d; d = d->next)
        end_kept(d, SHUNT_STALE);
    while (c->ending.head) {
        end_kept(c->ending.head, SHUNT_STALE);
        delivery_free(c->ending.head);
    }
}
