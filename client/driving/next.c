/* next: hand out what was prefetched, marked as started. The quick path, a message whose mark is sent
 * already, makes no system call; the others share one write with the resolutions before them. */
#include "base/check.h"
#include "base/clock.h"
#include "client/driving/handle.h"
#include "client/wire/error.h"
#include "client/wire/marks.h"

/* Resolutions go out at the latest when a quarter of the window waits, so that the broker can send more
 * meanwhile, or after mark-time. */
static bool is_write_due(const struct shunt_consumer *c, int64_t now_us)
{
    return c->open && (4 * (uint64_t)c->open->count >= c->credit_messages ||
                       now_us - c->resolved_us > c->core->settings->mark_time_us);
}

/* Mark and write as needed, then take. */
static struct shunt_delivery *take(struct shunt_consumer *c, int64_t now_us)
{
    struct shunt *s = c->handle;
    if (marks_write(c, now_us) != 0)
        return NULL; /* no memory now */
    loop_send(s, now_us);
    struct shunt_delivery *d = consumer_take(c, now_us);
    if (!d && c->queued.head)
        c->core->marks_waiting = true;
    return d;
}

static int hand_out(struct shunt_consumer *c, struct shunt_delivery *d, int64_t now_us,
                    struct shunt_delivery **ret)
{
    c->returned_us = now_us;
    c->lease_ms = d->lease_ms;
    c->taken++;
    *ret = d;
    return 0;
}

/* Why there is nothing. */
static int nothing(const struct shunt_consumer *c, struct shunt_error *err)
{
    const struct loop *loop = &c->handle->loop;
    if (c->core->phase != CORE_READY && loop->last.code != 0)
        return error_set(err, SHUNT_UNREACHABLE, "%s", loop->last.text);
    return error_set(err, SHUNT_EMPTY, NULL);
}

int shunt_next(struct shunt_consumer *c, int64_t timeout_ms, struct shunt_delivery **ret,
               struct shunt_error *err)
{
    check(c && c->magic == CONSUMER_MAGIC);
    struct shunt *s = c->handle;
    if (handle_is_copy(s) || handle_is_parting(s))
        return handle_usable(s, err);
    int64_t now_us = clock_mono_us();
    marks_next_called(c, now_us);
    struct shunt_delivery *d = is_write_due(c, now_us) ? NULL : consumer_take(c, now_us);
    if (d)
        return hand_out(c, d, now_us, ret);
    if (is_write_due(c, now_us)) {
        loop_wait(s, 0); /* answers to what was sent before, and more messages */
        handle_call_back(s);
    }
    int64_t deadline_us = loop_deadline_us(timeout_ms);
    for (bool waited = false;; waited = true) {
        now_us = clock_mono_us();
        if (handle_is_copy(s)) /* a callback forked, and this is the copy */
            return handle_usable(s, err);
        loop_advance(s, now_us);
        d = take(c, now_us);
        if (d)
            return hand_out(c, d, clock_mono_us(), ret);
        if (c->state == CONSUMER_ENDED)
            return error_set(err, c->end.code, "%s", c->end.text);
        if (waited && now_us >= deadline_us) {
            loop_rest(s);
            return nothing(c, err);
        }
        if (!waited && !c->queued.head)
            consumer_starved(c);
        loop_wait(s, deadline_us);
        handle_call_back(s);
    }
}
