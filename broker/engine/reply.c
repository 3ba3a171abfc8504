/* reply: frames from the engine to one connection, written straight into its output. */
#include "base/utf8.h"
#include "broker/engine/engine_private.h"
#include "proto/errors.h"
#include "proto/frame.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct mpack_buffer *session_out(struct session *s)
{
    struct engine *e = s->engine;
    if (!s->has_output) {
        s->has_output = true;
        s->output_next = e->outputs;
        e->outputs = s;
    }
    return &s->out;
}

struct mpack_buffer *reply_begin(struct session *s, uint64_t request_id, uint32_t fields, size_t *ret_frame)
{
    struct mpack_buffer *out = session_out(s);
    *ret_frame = frame_begin(out, OP_OK, request_id, fields);
    return out;
}

void reply_ok(struct session *s, uint64_t request_id)
{
    size_t frame;
    if (!request_id) /* it asked for no reply */
        return;
    struct mpack_buffer *out = reply_begin(s, request_id, 0, &frame);
    frame_end(out, frame);
}

void reply_error(struct session *s, uint64_t request_id, int err, const char *why)
{
    struct mpack_buffer *out = session_out(s);
    const char *text = err_text(err);
    size_t frame = frame_begin(out, OP_ERROR, request_id, 4);
    share_count(s, ROWS_OF_ERROR);
    mpack_write_int(out, err);
    mpack_write_cstr(out, err_name(err));
    if (why)
        text = engine_text(s->engine, "%s: %s", text, why);
    mpack_write_cstr(out, text);
    mpack_write_bool(out, err_may_retry(err));
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
    size_t frame = frame_begin(out, OP_CLOSED, 0, 3);
    mpack_write_uint(out, sub);
    mpack_write_int(out, err);
    mpack_write_cstr(out, why ? engine_text(s->engine, "%s: %s", text, why) : text);
    frame_end(out, frame);
}

const char *engine_name(struct engine *e, struct slice name, size_t most)
{
    size_t size = utf8_prefix(name.data, name.size, most);
    char *text = arena_take(&e->arena, size + sizeof "`…`");
    if (!text)
        return "";
    text[0] = '`';
    if (size)
        utf8_clean(text + 1, name.data, size);
    for (char *at = text + 1; at < text + 1 + size; at++) {
        if (*at == '\n' || *at == '\t') /* a message is one line */
            *at = '?';
    }
    memcpy(text + 1 + size, size < name.size ? "…`" : "`", size < name.size ? sizeof "…`" : sizeof "`");
    return text;
}

const char *engine_about(struct engine *e, int err, struct slice topic, struct slice group, const char *hint)
{
    switch (err) {
    case SHUNT_UNKNOWN_TOPIC:
    case SHUNT_TOPIC_EXISTS:
        return engine_text(e, "%s%s", engine_name(e, topic, TOPIC_BYTES_MAX),
                           err == SHUNT_UNKNOWN_TOPIC ? hint : "");
    case SHUNT_UNKNOWN_GROUP:
    case SHUNT_GROUP_EXISTS:
        return engine_text(e, "%s of topic %s%s", engine_name(e, group, NAME_BYTES_MAX),
                           engine_name(e, topic, TOPIC_BYTES_MAX), err == SHUNT_UNKNOWN_GROUP ? hint : "");
    default:
        return NULL;
    }
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

bool request_left_out(struct mpack_reader *r)
{
    return mpack_peek(r) == MPACK_END || mpack_read_is_nil(r);
}

uint64_t request_uint_or_0(struct mpack_reader *r)
{
    return request_left_out(r) ? 0 : mpack_read_uint(r);
}

uint32_t request_limit(struct mpack_reader *r)
{
    uint64_t limit = request_uint_or_0(r);
    return limit == 0 ? PAGE_ROWS_DEFAULT : limit > PAGE_ROWS_MAX ? PAGE_ROWS_MAX : (uint32_t)limit;
}

const char *engine_text(struct engine *e, const char *format, ...)
{
    va_list arguments;
    char *text = arena_take(&e->arena, 512);
    if (!text)
        return "";
    va_start(arguments, format);
    (void)vsnprintf(text, 512, format, arguments); /* longer texts are cut */
    va_end(arguments);
    return text;
}
