/* consumer_write: the frames of a subscription. */
#include "client/wire/core.h"
#include "client/wire/keep.h"
#include "proto/frame.h"
#include "proto/request.h"

/* One that stood is wanted again however long that takes. */
static int write_subscribe(struct shunt_consumer *c, int64_t now_us)
{
    struct core *core = c->core;
    uint64_t end = output_end(&core->output);
    uint64_t id = requests_add(&core->requests, WAITER_SUBSCRIBE, c);
    if (id == 0)
        return SHUNT_NO_MEMORY;
    const union request_fields q = {.subscribe = {.topic = slice_of(c->topic),
                                                  .group = slice_of(c->group),
                                                  .messages = c->credit_messages,
                                                  .bytes = c->credit_bytes,
                                                  .kept = {.count = keep_count(c)}}};
    uint64_t timeout_ms = c->was_active ? REQUEST_NO_LIMIT : core_within_ms(core, c->until_us, now_us);
    size_t frame = request_begin_within(&core->output.bytes, timeout_ms, &request_subscribe, id, &q);
    keep_write(c, q.subscribe.kept.count, &core->output.bytes);
    frame_end(&core->output.bytes, frame);
    int rc = output_check(&core->output, end);
    if (rc != 0) {
        (void)requests_take(&core->requests, id); /* it was not written */
        keep_lost(c);
        return rc;
    }
    c->request_id = id;
    c->state = CONSUMER_ASKED;
    return 0;
}

static int write_credit(struct shunt_consumer *c)
{
    struct mpack_buffer *out = &c->core->output.bytes;
    uint64_t end = output_end(&c->core->output);
    const union request_fields q = {
        .credit = {.sub = c->sub, .messages = c->credit_messages, .bytes = c->credit_bytes}};
    frame_end(out, request_begin(out, &request_credit, 0, &q));
    int rc = output_check(&c->core->output, end);
    if (rc == 0)
        c->credit_changed = false;
    return rc;
}

int consumer_write_resolution(struct shunt_consumer *c)
{
    struct core *core = c->core;
    struct resolution *r = c->open;
    uint64_t end = output_end(&core->output);
    uint64_t id = requests_add(&core->requests, WAITER_RESOLVE, r);
    if (id == 0)
        return SHUNT_NO_MEMORY;
    const union request_fields q = {
        .resolve = {.sub = c->sub, .entries = {r->count, {r->entries.data, r->entries.size}}}};
    frame_end(&core->output.bytes, request_begin(&core->output.bytes, &request_resolve, id, &q));
    int rc = output_check(&core->output, end);
    if (rc != 0) {
        (void)requests_take(&core->requests, id); /* it was not written */
        return rc;
    }
    r->id = id;
    r->begins_at = end;
    resolution_sent(&core->resolutions, r);
    c->open = NULL;
    return 0;
}

void consumer_write_unsubscribe(struct shunt_consumer *c)
{
    struct mpack_buffer *out = &c->core->output.bytes;
    uint64_t end = output_end(&c->core->output);
    const union request_fields q = {.unsubscribe = {.sub = c->sub}};
    frame_end(out, request_begin(out, &request_unsubscribe, 0, &q));
    (void)output_check(&c->core->output,
                       end); /* without memory the broker gives the messages back when their leases end */
}

int consumer_write(struct shunt_consumer *c, int64_t now_us)
{
    int rc = 0;
    if (c->state == CONSUMER_WANTED && now_us >= c->retry_at_us)
        return write_subscribe(c, now_us);
    if (c->state != CONSUMER_ACTIVE)
        return 0;
    if (c->open)
        rc = consumer_write_resolution(c);
    if (rc == 0 && c->credit_changed)
        rc = write_credit(c);
    return rc;
}
