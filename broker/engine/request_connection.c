/* request_connection: HELLO, GOODBYE, PING. */
#include "base/utf8.h"
#include "broker/engine/engine_private.h"
#include "proto/errors.h"

#include <string.h>

static bool key_is(struct slice key, const char *name)
{
    return key.size == strlen(name) && !memcmp(key.data, name, key.size);
}

/* A name for the attempt ledger. Refused when too long or not UTF-8. */
static int copy_name(char *to, struct slice from, const char **ret_why)
{
    if (from.size > CLIENT_NAME_BYTES_MAX) {
        *ret_why = "client, host and build are at most 128 bytes each";
        return SHUNT_TOO_LARGE;
    }
    if (!utf8_valid(from.data, from.size) || memchr(from.data, 0, from.size)) {
        *ret_why = "client, host and build are UTF-8 without NUL";
        return SHUNT_BAD_ARGUMENT;
    }
    memcpy(to, from.data, from.size);
    to[from.size] = 0;
    return 0;
}

static int read_producer(struct session *s, struct mpack_reader *r, const char **ret_why)
{
    struct slice id = mpack_read_bin(r);
    if (r->failed)
        return 0;
    if (id.size != PRODUCER_ID_BYTES) {
        *ret_why = "producer is 16 bytes";
        return SHUNT_BAD_ARGUMENT;
    }
    s->has_producer = true;
    memcpy(s->producer, id.data, id.size);
    return 0;
}

static int read_auth(struct mpack_reader *r, const char **ret_why)
{
    if (mpack_peek(r) != MPACK_MAP)
        r->failed = true;
    if (mpack_read_any(r).size > AUTH_BYTES_MAX) {
        *ret_why = "auth is at most 4096 bytes";
        return SHUNT_TOO_LARGE;
    }
    return 0;
}

/* None is defined yet, so none is granted. */
static void read_features(struct mpack_reader *r)
{
    uint32_t count = mpack_read_array(r);
    for (uint32_t i = 0; i < count && !r->failed; i++)
        (void)mpack_read_str(r);
}

static int read_option(struct session *s, struct slice key, struct mpack_reader *r, bool *marks,
                       const char **ret_why)
{
    if (key_is(key, "client"))
        return copy_name(s->client, mpack_read_str(r), ret_why);
    if (key_is(key, "host"))
        return copy_name(s->host, mpack_read_str(r), ret_why);
    if (key_is(key, "build"))
        return copy_name(s->build, mpack_read_str(r), ret_why);
    if (key_is(key, "producer"))
        return read_producer(s, r, ret_why);
    if (key_is(key, "auth"))
        return read_auth(r, ret_why);
    if (key_is(key, "marks"))
        *marks = mpack_read_bool(r);
    else if (key_is(key, "features"))
        read_features(r);
    else
        (void)mpack_read_any(r); /* a key of a later version */
    return 0;
}

static void welcome(struct session *s, uint64_t request_id)
{
    const struct engine *e = s->engine;
    struct answer a = answer_begin(s, request_id, 2);
    struct mpack_buffer *out = a.out;
    mpack_write_uint(out, PROTOCOL_VERSION_MAX);
    mpack_write_map(out, 7);
    mpack_write_cstr(out, "server");
    mpack_write_cstr(out, "shuntd " SHUNT_VERSION);
    mpack_write_cstr(out, "max_body_bytes");
    mpack_write_uint(out, e->config.max_body_bytes);
    mpack_write_cstr(out, "max_frame_bytes");
    mpack_write_uint(out, FRAME_BYTES_MAX);
    mpack_write_cstr(out, "max_messages");
    mpack_write_uint(out, FRAME_MESSAGES_MAX);
    mpack_write_cstr(out, "dedup_frames");
    mpack_write_uint(out, DEDUP_FRAMES_MAX);
    mpack_write_cstr(out, "now");
    mpack_write_int(out, ledger_shown_ms(e->ledger, e->wall_ms));
    mpack_write_cstr(out, "features");
    mpack_write_array(out, 0);
    answer_end(s, request_id, &a, 0, NULL);
}

void request_hello(struct session *s, unsigned op, uint64_t request_id, struct mpack_reader *r)
{
    (void)op; /* one only */
    bool marks = true;
    const char *why = NULL;
    int err = 0;
    uint64_t version_min = mpack_read_uint(r), version_max = mpack_read_uint(r);
    gather_flush(s->engine);
    if (s->greeted) {
        reply_broken(s, request_id, "HELLO comes once");
        return;
    }
    if (!r->failed && (version_min > PROTOCOL_VERSION_MAX || version_max < PROTOCOL_VERSION_MIN)) {
        reply_error(s, request_id, SHUNT_VERSION_MISMATCH, "this server speaks version 1");
        s->closing = true;
        return;
    }
    uint32_t options = request_left_out(r) ? 0 : mpack_read_map(r);
    for (uint32_t i = 0; !err && !r->failed && i < options; i++) {
        struct slice key = mpack_read_str(r);
        err = read_option(s, key, r, &marks, &why);
    }
    if (r->failed)
        return;
    if (err) {
        reply_error(s, request_id, err, why);
        s->closing = true;
        return;
    }
    if (!s->has_producer || producer_seat(s))
        s->holder = dispatcher_connect(s->engine->dispatcher, marks);
    if (!s->holder) {
        reply_error(s, request_id, SHUNT_NO_MEMORY, NULL);
        s->closing = true;
        return;
    }
    holder_set_owner(s->holder, s);
    dispatcher_caught_up(s->engine->dispatcher, s->holder, s->engine->mono_ms);
    s->greeted = true;
    welcome(s, request_id);
}

void request_goodbye(struct session *s, unsigned op, uint64_t request_id, struct mpack_reader *r)
{
    (void)op;
    (void)r; /* no fields */
    session_leave(s, HOLDER_GOODBYE);
    gather_flush(s->engine);
    reply_ok(s, request_id);
    s->closing = true;
    (void)session_out(s); /* the close goes out even where no reply was asked for */
}

void request_ping(struct session *s, unsigned op, uint64_t request_id, struct mpack_reader *r)
{
    (void)op;
    (void)r;
    gather_flush(s->engine);
    reply_ok(s, request_id);
}
