/* publish: the public calls that publish. */
#include "base/clock.h"
#include "base/magic.h"
#include "client/driving/admin.h"
#include "client/driving/call_run.h"
#include "client/driving/handle.h"
#include "client/wire/error.h"

static int add(struct shunt *s, const char *topic, const struct shunt_message *m, struct promise promise,
               struct shunt_error *err)
{
    bool full = false;
    int rc = handle_usable(s, err);
    if (rc == 0 && (!topic || !m))
        rc = error_set(err, SHUNT_BAD_ARGUMENT, !topic ? "a topic must be named" : "there is no message");
    if (rc == 0)
        rc = producer_add(&s->core.producer, topic, m, promise, &full, err);
    if (rc != 0)
        return rc;
    if (full && producer_may_write(&s->core.producer) && !s->loop.blocked)
        client_send(s); /* while the broker works on this one, the next one fills */
    else if (s->core.producer.open.count == 1 && s->core.producer.open.head->count == 1)
        loop_wake(s);
    return 0;
}

int shunt_publish_async(struct shunt *s, const char *topic, const struct shunt_message *m,
                        shunt_published_cb *callback, void *context, struct shunt_error *err)
{
    struct promise promise = {callback, context, core_limit_us(&s->core, clock_mono_coarse_us()), 0};
    return add(s, topic, m, promise, err);
}

#define PUBLISHING_MAGIC 0xf2084097u
struct waiting {
    uint32_t magic;
    struct shunt *s;
    bool done;
    uint64_t seq;
    struct shunt_error error;
};

static void published(void *context, uint64_t seq, const struct shunt_error *err)
{
    struct waiting *w = magic_of(context, waiting, PUBLISHING_MAGIC);
    w->done = true;
    w->seq = seq;
    if (err)
        w->error = *err;
}

static bool is_done(void *arg)
{
    return magic_of(arg, waiting, PUBLISHING_MAGIC)->done;
}

static bool has_room(void *arg)
{
    const struct waiting *w = magic_of(arg, waiting, PUBLISHING_MAGIC);
    return w->s->core.producer.messages < (int64_t)w->seq; /* fewer than when it was full */
}

/* Queue the message, waiting for room in the window if need be. */
static int queue(struct shunt *s, const char *topic, const struct shunt_message *m, struct waiting *w,
                 int64_t deadline_us, struct shunt_error *err)
{
    struct promise promise = {published, w, INT64_MAX, deadline_us}; /* it has a limit of its own */
    int rc;
    while ((rc = add(s, topic, m, promise, err)) == SHUNT_BUSY) {
        w->seq = (uint64_t)s->core.producer.messages;
        rc = loop_until(s, admin_left_ms(deadline_us), has_room, w, err);
        if (rc != 0)
            return rc;
    }
    return rc;
}

int shunt_publish(struct shunt *s, const char *topic, const struct shunt_message *m, int64_t timeout_ms,
                  uint64_t *ret_seq, struct shunt_error *err)
{
    struct waiting w = {.magic = PUBLISHING_MAGIC, .s = s};
    int64_t deadline_us = loop_deadline_us(timeout_ms);
    int rc = queue(s, topic, m, &w, deadline_us, err);
    if (rc != 0)
        return rc;
    rc = loop_until(s, admin_left_ms(deadline_us), is_done, &w, err);
    if (!w.done) {
        bool never = producer_withdraw(&s->core.producer, published, &w);
        if (never && s->core.patience.held) {
            if (err)
                *err = s->core.patience.why;
            return s->core.patience.why.code;
        }
        if (never || (rc != SHUNT_UNREACHABLE && rc != SHUNT_TIMEOUT))
            return rc;
        rc = error_set(err, SHUNT_TIMEOUT, "no answer in time: the message may be stored, now or later");
        if (err)
            err->may_retry = false; /* it would be there twice: the library goes on sending this one */
        return rc;
    }
    if (w.error.code != 0) {
        if (err)
            *err = w.error;
        return w.error.code;
    }
    if (ret_seq)
        *ret_seq = w.seq;
    return 0;
}

static bool is_flushed(void *arg)
{
    const struct shunt *s = magic_of(arg, shunt, HANDLE_MAGIC);
    return s->core.producer.messages == 0 && s->core.resolutions.pending == 0;
}

int shunt_flush(struct shunt *s, int64_t timeout_ms, struct shunt_error *err)
{
    int rc = handle_usable(s, err);
    if (rc != 0)
        return rc;
    rc = loop_until(s, timeout_ms, is_flushed, s, err);
    if (rc == SHUNT_UNREACHABLE) {
        rc = error_set(err, SHUNT_TIMEOUT, "not all was answered in time: %.400s",
                       s->loop.last.code != 0 ? s->loop.last.text : "no connection");
    }
    struct shunt_error *failure = &s->core.producer.failure;
    if (rc == 0 && failure->code != 0) {
        rc = failure->code;
        if (err)
            *err = *failure;
        failure->code = 0;
    }
    return rc;
}

int shunt_producer_last(struct shunt *s, int64_t timeout_ms, uint64_t *ret_number, struct shunt_error *err)
{
    struct call call;
    int rc = handle_usable(s, err);
    if (rc == 0 && !s->settings.numbered)
        rc = error_set(err, SHUNT_BAD_ARGUMENT, "the handle has no option `producer`");
    if (rc != 0)
        return rc;
    call_begin(&call, &request_producer, NULL, true);
    return call_finish_uint(s, &call, timeout_ms, ret_number, err);
}
