/* resolve: the public calls that end a delivery. */
#include "base/check.h"
#include "base/clock.h"
#include "base/magic.h"
#include "client/driving/handle.h"
#include "client/wire/error.h"

static int check_delay(enum shunt_outcome outcome, int64_t delay_ms, struct shunt_error *err)
{
    if (outcome > SHUNT_LATE)
        return error_set(err, SHUNT_BAD_ARGUMENT, "there is no outcome %d", (int)outcome);
    if ((outcome == SHUNT_NACK || outcome == SHUNT_RELEASE) && delay_ms != SHUNT_BACKOFF &&
        (delay_ms < 0 || delay_ms > DURATION_MS_MAX))
        return error_set(err, SHUNT_BAD_ARGUMENT, "the delay is negative or over ten years");
    if (outcome == SHUNT_EXTEND && (delay_ms < 1 || delay_ms > DURATION_MS_MAX))
        return error_set(err, SHUNT_BAD_ARGUMENT, "the lease is not from 1 ms to ten years");
    return 0;
}

/* An ack that nobody waits for may be kept back by the broker, up to its own setting, until it can be
 * committed together with something else. */
#define ACK_PATIENCE_MS 100

/* While a handler ran for long, nobody looked at the socket. An answer written into a connection that is gone
 * would be lost; if the loss is known first, it is kept until there is another. */
#define LOOK_US 100000
static void look(struct shunt *s)
{
    if (s->loop.processing)
        return;
    loop_wait(s, 0);
    loop_rest(s);
}

static void look_after_long(struct shunt *s, int64_t now_us)
{
    if (now_us - s->loop.looked_us > LOOK_US)
        look(s);
}

static int queue(struct shunt_delivery *d, enum shunt_outcome outcome, int64_t delay_ms,
                 const struct shunt_failure *failure, struct resolver resolver, struct shunt_error *err)
{
    check(d && d->magic == DELIVERY_MAGIC);
    struct shunt *s = d->consumer->handle;
    struct resolve_entry entry = {.seq = d->seq, .token = d->token, .outcome = outcome, .delay_ms = delay_ms};
    int bad = handle_is_copy(s) ? handle_usable(s, err) : check_delay(outcome, delay_ms, err);
    if (bad != 0) { /* it is taken all the same, so it goes back */
        if (outcome == SHUNT_EXTEND)
            return bad;
        entry.outcome = SHUNT_RELEASE;
        resolver.callback = NULL;
    } else if (outcome == SHUNT_NACK || outcome == SHUNT_REJECT || outcome == SHUNT_LATE) {
        entry.failure = failure;
    }
    int64_t now_us = clock_mono_us();
    look_after_long(s, now_us);
    bool idle = s->core.resolutions.pending == 0 || !s->core.work;
    int rc = delivery_resolve(d, &entry, resolver, now_us);
    if (idle)
        loop_wake(s);
    if (bad != 0)
        return bad;
    return rc != 0 ? error_set(err, rc, NULL) : 0;
}

static int queue_async(struct shunt_delivery *d, enum shunt_outcome outcome, int64_t delay_ms,
                       const struct shunt_failure *failure, struct resolver resolver, struct shunt_error *err)
{
    return queue(d, outcome, outcome == SHUNT_ACK ? ACK_PATIENCE_MS : delay_ms, failure, resolver, err);
}

int client_resolve(struct shunt_delivery *d, enum shunt_outcome outcome, int64_t delay_ms,
                   const struct shunt_failure *failure, shunt_resolved_cb *callback, void *context)
{
    struct resolver resolver = {.callback = callback, .context = context, .until_us = INT64_MAX};
    return queue_async(d, outcome, delay_ms, failure, resolver, NULL);
}

int shunt_resolve_async(struct shunt_delivery *d, enum shunt_outcome outcome, int64_t delay_ms,
                        const struct shunt_failure *failure, shunt_resolved_cb *callback, void *context,
                        struct shunt_error *err)
{
    struct resolver resolver = {.callback = callback, .context = context, .until_us = INT64_MAX};
    if (callback)
        resolver.until_us = core_limit_us(d->consumer->core, clock_mono_coarse_us());
    return queue_async(d, outcome, delay_ms, failure, resolver, err);
}

#define RESOLVING_MAGIC 0xefe1f565u
struct waiting {
    uint32_t magic;
    bool done;
    struct shunt_error error;
};

static void resolved(void *context, const struct shunt_error *err)
{
    struct waiting *w = magic_of(context, waiting, RESOLVING_MAGIC);
    w->done = true;
    if (err)
        w->error = *err;
}

static bool is_done(void *arg)
{
    return magic_of(arg, waiting, RESOLVING_MAGIC)->done;
}

/* The wait is over: nobody may write to the caller's stack any more. */
static void detach(struct core *core, const struct waiting *w)
{
    resolutions_detach(&core->resolutions, NULL, resolved, w);
    for (struct shunt_consumer *c = core->consumers; c; c = c->next) {
        resolutions_detach(&core->resolutions, c->open, resolved, w);
        for (struct shunt_delivery *d = c->held.head; d; d = d->next)
            resolutions_detach(&core->resolutions, d->kept, resolved, w);
        for (struct shunt_delivery *d = c->ending.head; d; d = d->next)
            resolutions_detach(&core->resolutions, d->kept, resolved, w);
    }
}

static int resolve(struct shunt_delivery *d, enum shunt_outcome outcome, int64_t delay_ms,
                   const struct shunt_failure *failure, int64_t timeout_ms, struct shunt_error *err)
{
    struct shunt *s = d->consumer->handle;
    struct waiting w = {.magic = RESOLVING_MAGIC};
    look(s); /* this call makes system calls anyway */
    struct resolver resolver = {.callback = resolved, .context = &w, .until_us = INT64_MAX};
    int rc = queue(d, outcome, delay_ms, failure, resolver, err);
    if (rc != 0)
        return rc;
    rc = loop_until(s, timeout_ms, is_done, &w, err);
    if (!w.done) {
        detach(&s->core, &w);
        if (rc == SHUNT_UNREACHABLE)
            rc = error_set(err, SHUNT_TIMEOUT, NULL);
        if (rc == SHUNT_TIMEOUT && err) /* all but EXTEND are on their way, and the delivery is gone */
            err->may_retry = outcome == SHUNT_EXTEND;
        return rc;
    }
    if (w.error.code != 0 && err)
        *err = w.error;
    return w.error.code;
}

int shunt_ack(struct shunt_delivery *d, int64_t timeout_ms, struct shunt_error *err)
{
    return resolve(d, SHUNT_ACK, 0, NULL, timeout_ms, err);
}

int shunt_nack(struct shunt_delivery *d, int64_t delay_ms, const struct shunt_failure *failure,
               int64_t timeout_ms, struct shunt_error *err)
{
    return resolve(d, SHUNT_NACK, delay_ms, failure, timeout_ms, err);
}

int shunt_reject(struct shunt_delivery *d, const struct shunt_failure *failure, int64_t timeout_ms,
                 struct shunt_error *err)
{
    return resolve(d, SHUNT_REJECT, 0, failure, timeout_ms, err);
}

int shunt_release(struct shunt_delivery *d, int64_t timeout_ms, struct shunt_error *err)
{
    return resolve(d, SHUNT_RELEASE, 0, NULL, timeout_ms, err);
}

int shunt_extend(struct shunt_delivery *d, int64_t lease_ms, int64_t timeout_ms, struct shunt_error *err)
{
    return resolve(d, SHUNT_EXTEND, lease_ms, NULL, timeout_ms, err);
}
