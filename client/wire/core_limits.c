/* core_limits: what has taken longer than the option `request-timeout` ends, and a broker that says nothing is asked.
 *
 * A call is told TIMEOUT once; what it asked for goes its way. The next limit is not looked up each time: `expires_us`
 * is never later than it, so a call that is answered in time costs a comparison. */
#include "client/wire/core.h"
#include "client/wire/error.h"
#include "proto/frame.h"

/* There was no memory to tell somebody. */
#define AGAIN_US 100000

int64_t core_limit_us(struct core *core, int64_t now_us)
{
    if (core->settings->request_timeout_ms == 0)
        return INT64_MAX;
    int64_t until_us = now_us + core->settings->request_timeout_ms * 1000;
    if (until_us < core->expires_us)
        core->expires_us = until_us;
    return until_us;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Why a call that has told nobody anything yet ends now. */
static struct shunt_error no_answer(const struct core *core)
{
    struct shunt_error error;
    bool online = core->phase == CORE_READY;
    error_set(&error, online ? SHUNT_TIMEOUT : SHUNT_UNREACHABLE, "no %s within request-timeout (%lld ms)",
              online ? "answer" : "connection", (long long)core->settings->request_timeout_ms);
    return error;
}

static int64_t expire_calls(struct core *core, int64_t now_us)
{
    int64_t next_us = INT64_MAX;
    struct shunt_error error = no_answer(core);
    for (struct call *call = core->calls.head, *next; call; call = next) {
        next = call->next;
        if (call->notice && call->notice->until_us <= now_us)
            core_end_call(core, call, &error);
        else if (call->notice)
            next_us = earlier(next_us, call->notice->until_us);
    }
    struct call *goodbye = core->goodbye;
    if (goodbye && goodbye->notice->until_us <= now_us)
        core_end_call(core, goodbye, &error);
    else if (goodbye)
        next_us = earlier(next_us, goodbye->notice->until_us);
    return next_us;
}

static int64_t expire_subscriptions(struct core *core, int64_t now_us)
{
    int64_t next_us = INT64_MAX;
    struct shunt_error error = no_answer(core);
    for (struct shunt_consumer *c = core->consumers; c; c = c->next) {
        if (c->decided && c->decided->until_us <= now_us)
            consumer_given_up(c, &error);
        else if (c->decided)
            next_us = earlier(next_us, c->decided->until_us);
    }
    return next_us;
}

/* The answers stand in the frames under way, in each consumer's next one, and with deliveries that are away. */
static int64_t expire_answers(struct core *core, int64_t now_us)
{
    struct resolutions *all = &core->resolutions;
    int64_t next_us = resolutions_expire(all, all->sent.head, now_us);
    for (struct shunt_consumer *c = core->consumers; c; c = c->next) {
        next_us = earlier(next_us, resolutions_expire(all, c->open, now_us));
        for (struct shunt_delivery *d = c->held.head; d; d = d->next)
            next_us = earlier(next_us, resolutions_expire(all, d->kept, now_us));
        for (struct shunt_delivery *d = c->ending.head; d; d = d->next)
            next_us = earlier(next_us, resolutions_expire(all, d->kept, now_us));
    }
    return next_us;
}

void core_expire(struct core *core, int64_t now_us)
{
    if (now_us < core->expires_us)
        return;
    int64_t next_us = earlier(producer_expire(&core->producer, now_us), expire_answers(core, now_us));
    next_us = earlier(next_us, expire_calls(core, now_us));
    next_us = earlier(next_us, expire_subscriptions(core, now_us));
    core->expires_us = next_us <= now_us ? now_us + AGAIN_US : next_us;
}

/* ---- a broker that says nothing ---- */

int64_t core_ping_due_us(const struct core *core)
{
    if (core->settings->ping_interval_ms == 0 || core->phase != CORE_READY)
        return INT64_MAX;
    return (core->pinged_us != 0 ? core->pinged_us : core->heard_us) +
           core->settings->ping_interval_ms * 1000;
}

int core_write_ping(struct core *core, int64_t now_us)
{
    struct mpack_buffer *out = &core->output.bytes;
    if (core->pinged_us != 0 || now_us < core_ping_due_us(core))
        return 0;
    uint64_t end = output_end(&core->output), id = requests_add(&core->requests, WAITER_PING, NULL);
    if (id == 0)
        return SHUNT_NO_MEMORY;
    frame_end(out, request_begin(out, &request_ping, id, NULL));
    int rc = output_check(&core->output, end);
    if (rc == 0)
        core->pinged_us = now_us;
    else
        (void)requests_take(&core->requests, id); /* it was not written */
    return rc;
}

bool core_is_silent(const struct core *core, int64_t now_us)
{
    return core->pinged_us != 0 && now_us >= core_ping_due_us(core);
}
