/* consumer_write: the frames of a subscription. */
#include "client/wire/core.h"
#include "client/wire/keep.h"
#include "proto/frame.h"
#include "proto/wire.h"

static int write_subscribe(struct shunt_consumer *c)
{
    struct core *core = c->core;
    uint64_t end = output_end(&core->output);
    uint64_t id = requests_add(&core->requests, WAITER_SUBSCRIBE, c);
    if (id == 0)
        return SHUNT_NO_MEMORY;
    uint32_t kept = keep_count(c);
    size_t frame = frame_begin(&core->output.bytes, OP_SUBSCRIBE, id, 4u + (kept > 0));
    mpack_write_cstr(&core->output.bytes, c->topic);
    mpack_write_cstr(&core->output.bytes, c->group);
    mpack_write_uint(&core->output.bytes, c->credit_messages);
    mpack_write_uint(&core->output.bytes, c->credit_bytes);
    if (kept > 0)
        keep_write(c, &core->output.bytes);
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
    size_t frame = frame_begin(out, OP_CREDIT, 0, 3);
    mpack_write_uint(out, c->sub);
    mpack_write_uint(out, c->credit_messages);
    mpack_write_uint(out, c->credit_bytes);
    frame_end(out, frame);
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
    size_t frame = frame_begin(&core->output.bytes, OP_RESOLVE, id, 2);
    mpack_write_uint(&core->output.bytes, c->sub);
    mpack_write_array(&core->output.bytes, r->count);
    mpack_write_raw(&core->output.bytes, r->entries.data, r->entries.size);
    frame_end(&core->output.bytes, frame);
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
    size_t frame = frame_begin(out, OP_UNSUBSCRIBE, 0, 1);
    mpack_write_uint(out, c->sub);
    frame_end(out, frame);
    (void)output_check(&c->core->output,
                       end); /* without memory the broker gives the messages back when their leases end */
}

int consumer_write(struct shunt_consumer *c, int64_t now_us)
{
    int rc = 0;
    if (c->state == CONSUMER_WANTED && now_us >= c->retry_at_us)
        return write_subscribe(c);
    if (c->state != CONSUMER_ACTIVE)
        return 0;
    if (c->open)
        rc = consumer_write_resolution(c);
    if (rc == 0 && c->credit_changed)
        rc = write_credit(c);
    return rc;
}
