/* reply: frames from the engine to one connection, written straight into its output. */
#include "broker/engine/reply.h"
#include "broker/engine/held.h"
#include "broker/engine/outbox.h"
#include "broker/engine/state.h"
#include "broker/engine/text.h"
#include "proto/errors.h"
#include "proto/frame.h"
#include "proto/wire.h"

struct mpack_buffer *reply_begin(struct session *s, uint64_t request_id, uint32_t fields, size_t *ret_frame)
{
    struct mpack_buffer *out = session_out(s);
    *ret_frame = frame_begin(out, OP_OK, request_id, fields);
    return out;
}

int64_t reply_retry_after_ms(const struct engine *e, int err)
{
    return err_has_retry_after(err) ? e->config.limits.retry_after_ms : 0;
}

void reply_error(struct session *s, uint64_t request_id, int err, const char *why)
{
    reply_error_until(s, request_id, err, why, 0);
}

void reply_error_until(struct session *s, uint64_t request_id, int err, const char *why, int64_t wait_ms)
{
    struct mpack_buffer *out = session_out(s);
    const char *text = err_text(err);
    if (!wait_ms)
        wait_ms = reply_retry_after_ms(s->engine, err);
    size_t frame = frame_begin(out, OP_ERROR, request_id, wait_ms ? 5 : 4);
    share_count(s, ROWS_OF_ERROR);
    mpack_write_int(out, err);
    mpack_write_cstr(out, err_name(err));
    if (why)
        text = engine_text(s->engine, "%s: %s", text, why);
    mpack_write_cstr(out, text);
    mpack_write_bool(out, err_may_retry(err));
    if (wait_ms)
        mpack_write_int(out, wait_ms);
    frame_end(out, frame);
}

void reply_broken(struct session *s, uint64_t request_id, const char *why)
{
    reply_error(s, request_id, SHUNT_PROTOCOL, why);
    session_close(s);
}

void reply_closed(struct session *s, uint64_t sub, int err, const char *why)
{
    struct mpack_buffer *out = session_out(s);
    const char *text = err_text(err);
    int64_t wait_ms = reply_retry_after_ms(s->engine, err);
    size_t frame = frame_begin(out, OP_CLOSED, 0, wait_ms ? 4 : 3);
    mpack_write_uint(out, sub);
    mpack_write_int(out, err);
    mpack_write_cstr(out, why ? engine_text(s->engine, "%s: %s", text, why) : text);
    if (wait_ms)
        mpack_write_int(out, wait_ms);
    frame_end(out, frame);
}

void reply_missing(struct session *s, uint64_t request_id, int err, struct slice topic, struct slice group)
{
    reply_error(s, request_id, err, engine_about(s->engine, err, topic, group, HINT_MISSING));
}

struct answer answer_begin(struct session *s, uint64_t request_id, uint32_t fields)
{
    struct answer a = {.before = s->out.size};
    a.out = reply_begin(s, request_id, fields, &a.frame);
    return a;
}

void answer_end(struct session *s, uint64_t request_id, const struct answer *a, int err, const char *why)
{
    if (!err && request_id) {
        frame_end(a->out, a->frame);
        return;
    }
    a->out->size = a->before; /* take the frame back: it failed half-way, or nobody asked for a reply */
    if (err)
        reply_error(s, request_id, err, why);
}
