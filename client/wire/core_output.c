/* core_output: what goes to the socket next, and the calls back. Everything but PUBLISH is written to one
 * buffer; PUBLISH frames are sent from their batches, without a copy. Only one of the two can be cut in the
 * middle, and that one goes on first. */
#include "client/wire/core.h"
#include "client/wire/marks.h"
#include "proto/frame.h"

#define TURN_BYTES (1024u * 1024) /* enough for one system call; more would only seal batches early */

/* What gives something back is done whether somebody waits for that or not. */
static size_t begin_call(struct core *core, const struct call *call, int64_t now_us)
{
    struct mpack_buffer *out = &core->output.bytes;
    bool gives_back = call->op == OP_GOODBYE || call->op == OP_UNSUBSCRIBE;
    uint64_t timeout_ms = gives_back ? REQUEST_NO_LIMIT : core_within_ms(core, call->until_us, now_us);
    if (timeout_ms == REQUEST_NO_LIMIT)
        return frame_begin(out, call->op, call->id, call->fields);
    const union request_fields outside = {.within = {.timeout_ms = timeout_ms, .op = call->op}};
    size_t frame = frame_begin(out, OP_WITHIN, call->id, 2 + call->fields);
    (void)request_within.write(out, &outside); /* its two fields */
    return frame;
}

static int write_call(struct core *core, struct call *call, int64_t now_us)
{
    uint64_t end = output_end(&core->output);
    call->id = requests_add(&core->requests, WAITER_CALL, call);
    if (call->id == 0)
        return SHUNT_NO_MEMORY;
    size_t frame = begin_call(core, call, now_us);
    mpack_write_raw(&core->output.bytes, call->request.data, call->request.size);
    frame_end(&core->output.bytes, frame);
    int rc = output_check(&core->output, end);
    if (rc == 0) {
        call->state = CALL_SENT;
        if (call->tries++ == 0)
            budget_call(&core->patience.budget, core->patience.seen_us);
    } else {
        (void)requests_take(&core->requests, call->id); /* it was not written */
    }
    return rc;
}

/* Those whose time has not come wait on. */
static int write_calls(struct core *core, int64_t now_us)
{
    int rc = 0;
    int64_t next_us = INT64_MAX;
    for (struct call *call = core->calls.head; call && rc == 0; call = call->next) {
        if (call->state != CALL_QUEUED)
            continue;
        if (call->after_us <= now_us)
            rc = write_call(core, call, now_us);
        else if (call->after_us < next_us)
            next_us = call->after_us;
    }
    if (rc == 0)
        core->patience.calls_at_us = next_us;
    return rc;
}

/* Write what waits to be written; without memory the rest waits for the next turn. */
static void write_work(struct core *core, int64_t now_us)
{
    int rc = 0;
    for (struct shunt_consumer *c = core->consumers; c && rc == 0; c = c->next)
        rc = consumer_write(c, now_us);
    if (rc == 0)
        rc = write_calls(core, now_us);
    if (rc == 0)
        rc = core_write_ping(core, now_us);
    core->work = rc != 0;
}

static struct iovec piece(uint8_t *data, size_t size)
{
    return (struct iovec){.iov_base = data, .iov_len = size};
}

int core_output(struct core *core, int64_t now_us, struct iovec *pieces, int max)
{
    struct producer *p = &core->producer;
    int count = 0;
    core->patience.seen_us = now_us;
    if (core->phase == CORE_OFFLINE)
        return 0;
    bool publishes = core->phase == CORE_READY && !core->leaving && !patience_holds(core, now_us);
    if (core->phase == CORE_READY && (core->work || now_us >= core_due_us(core)))
        write_work(core, now_us);
    struct batch *b = NULL;
    if (p->unsent && p->unsent_offset > 0) {
        b = p->unsent;
        size_t begin = b->begin + p->unsent_offset;
        pieces[count++] = piece(b->bytes.data + begin, b->bytes.size - begin);
    }
    if (output_left(&core->output) > 0)
        pieces[count++] = piece(core->output.bytes.data + core->output.sent, output_left(&core->output));
    size_t bytes = 0;
    while (publishes && count < max && bytes < TURN_BYTES) {
        b = producer_next(p, &core->requests, b);
        if (!b)
            break;
        batch_head(b, core_within_ms(core, b->until_us, now_us));
        pieces[count++] = piece(b->bytes.data + b->begin, b->bytes.size - b->begin);
        bytes += b->bytes.size - b->begin;
    }
    return count;
}

static size_t sent_of_batch(struct core *core, size_t size)
{
    struct producer *p = &core->producer;
    size_t left = p->unsent->bytes.size - p->unsent->begin - p->unsent_offset;
    size_t part = size < left ? size : left;
    producer_written(p, part);
    return part;
}

/* Consumers that waited for their mark to be taken by the socket. */
static void tell_marked(struct core *core)
{
    core->marks_waiting = false;
    for (struct shunt_consumer *c = core->consumers; c; c = c->next) {
        if (!c->queued.head)
            continue;
        if (marks_done(c->queued.head))
            c->arrived = core->arrivals = true;
        else
            core->marks_waiting = true;
    }
}

void core_taken(struct core *core, size_t size)
{
    if (size > 0 && core->producer.unsent && core->producer.unsent_offset > 0)
        size -= sent_of_batch(core, size);
    size_t left = output_left(&core->output), part = size < left ? size : left;
    output_taken(&core->output, part);
    size -= part;
    while (size > 0)
        size -= sent_of_batch(core, size);
}

void core_sent(struct core *core, size_t size)
{
    core_taken(core, size);
    output_arrived(&core->output);
    if (core->marks_waiting)
        tell_marked(core);
}

bool core_has_output(const struct core *core)
{
    if (core->phase == CORE_OFFLINE)
        return false;
    return output_left(&core->output) > 0 ||
           (core->phase == CORE_READY &&
            (core->work || (!core->patience.held && producer_may_write(&core->producer))));
}

int64_t core_due_us(const struct core *core)
{
    int64_t due_us = core_ping_due_us(core), later_us = patience_due_us(core);
    if (core->phase == CORE_READY && later_us < due_us)
        due_us = later_us;
    for (const struct shunt_consumer *c = core->consumers; c && core->phase == CORE_READY; c = c->next) {
        if (c->state == CONSUMER_WANTED && c->retry_at_us < due_us)
            due_us = c->retry_at_us;
    }
    return due_us;
}

bool core_has_work(const struct core *core)
{
    for (const struct shunt_consumer *c = core->consumers; c; c = c->next) {
        if (c->state != CONSUMER_ENDED)
            return true;
    }
    return core->calls.count > 0 || producer_has_unwritten(&core->producer) ||
           core->producer.sealed.count > 0;
}

bool core_has_callbacks(const struct core *core)
{
    return core->producer.finished.head || core->told.head || core->resolutions.finished.head ||
           core->arrivals;
}

static bool call_back_arrival(struct core *core)
{
    struct shunt_consumer *c = core->arrivals ? core->consumers : NULL;
    while (c && !c->arrived)
        c = c->next;
    core->arrivals = c != NULL;
    if (!c)
        return false;
    c->arrived = false;
    if (c->callback)
        c->callback(c->context, c); /* may free it, and any other: the next look is a new one */
    return true;
}

bool core_call_back(struct core *core)
{
    return producer_call_back(&core->producer) || resolutions_call_back(&core->resolutions) ||
           notice_call_back(&core->told) || call_back_arrival(core);
}
