/* marks: telling the broker that a handler now runs, before it does.
 *
 * A message that was marked is charged when its worker dies, so a mark should cover no more than the one in
 * the handler's hands; but a mark for each message costs a write for each. So a mark covers as many messages
 * as the handler has lately finished within `mark-time`. A handler that takes longer is marked message by
 * message. */
#include "client/wire/marks.h"

#include "client/wire/core.h"
#include "client/wire/delivery.h"
#include "proto/frame.h"
#include "proto/request.h"

/* Weight of the latest handler time in the average is 1/8. A single time counts as 8 x mark-time at most:
 * that is what brings the average over mark-time at once, so one slow message is enough to be careful, and a
 * few fast ones to trust again. */
#define SMOOTHING 8

void marks_next_called(struct shunt_consumer *c, int64_t now_us)
{
    if (c->returned_us == 0)
        return;
    int64_t mark_time_ns = c->core->settings->mark_time_us * 1000;
    int64_t took_ns = (now_us - c->returned_us) * 1000;
    c->returned_us = 0;
    if (took_ns > mark_time_ns * SMOOTHING)
        took_ns = mark_time_ns * SMOOTHING;
    if (c->handler_ns < 0)
        c->handler_ns = mark_time_ns;
    c->handler_ns += (took_ns - c->handler_ns) / SMOOTHING;
}

size_t marks_cover(const struct shunt_consumer *c)
{
    int64_t mark_time_ns = c->core->settings->mark_time_us * 1000;
    if (c->handler_ns < 0)
        return 1;
    int64_t messages = mark_time_ns / (c->handler_ns > 0 ? c->handler_ns : 1);
    if (messages > FRAME_MESSAGES_MAX)
        messages = FRAME_MESSAGES_MAX;
    return messages > 1 ? (size_t)messages : 1;
}

bool marks_done(const struct shunt_delivery *d)
{
    const struct core *core = d->consumer->core;
    if (delivery_away(d))
        return false; /* it may not be ours any more */
    return !core->settings->marks || (d->marked_at != 0 && d->marked_at <= core->output.reached);
}

/* STARTED for `count` deliveries from `d` on. */
static int write_started(struct shunt_delivery *d, uint32_t count, int64_t now_us)
{
    struct shunt_consumer *c = d->consumer;
    struct mpack_buffer *out = &c->core->output.bytes;
    int rc = consumer_write(c, now_us); /* what came before is resolved before */
    if (rc != 0)
        return rc;
    uint64_t end = output_end(&c->core->output);
    const union request_fields q = {.started = {.sub = c->sub, .marks = {.count = count}}};
    size_t frame = request_begin(out, &request_started, 0, &q);
    struct shunt_delivery *each = d;
    for (uint32_t i = 0; i < count; i++, each = each->next) {
        mpack_write_uint(out, each->seq);
        mpack_write_uint(out, each->token);
    }
    frame_end(out, frame);
    rc = output_check(&c->core->output, end);
    each = d;
    for (uint32_t i = 0; rc == 0 && i < count; i++, each = each->next) {
        each->marked_at = output_end(&c->core->output);
        each->deadline_us = now_us + each->lease_ms * 1000;
    }
    return rc;
}

int marks_write(struct shunt_consumer *c, int64_t now_us)
{
    struct shunt_delivery *d = c->queued.head;
    if (!d || c->marks_explicit || !c->core->settings->marks || d->marked_at != 0 || delivery_away(d))
        return 0;
    size_t cover = marks_cover(c);
    uint32_t count = 0;
    for (struct shunt_delivery *each = d; each && count < cover && now_us < each->deadline_us;
         each = each->next)
        count++;
    return count > 0 ? write_started(d, count, now_us) : 0;
}

int marks_write_one(struct shunt_delivery *d, int64_t now_us)
{
    if (d->marked_at != 0 || !d->consumer->core->settings->marks)
        return 0;
    return write_started(d, 1, now_us);
}
