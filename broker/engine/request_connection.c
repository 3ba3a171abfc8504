/* request_connection: HELLO and GOODBYE. */
#include "base/utf8.h"
#include "broker/engine/answer.h"
#include "broker/engine/held.h"
#include "broker/engine/producers.h"
#include "broker/engine/reply.h"
#include "broker/engine/requests.h"
#include "broker/engine/session.h"
#include "broker/engine/state.h"
#include "proto/errors.h"

#include <string.h>

static bool key_is(struct slice key, const char *name)
{
    return key.size == strlen(name) && !memcmp(key.data, name, key.size);
}

/* A name for the attempt ledger. Refused when too long or not UTF-8. */
static int read_name(struct mpack_reader *r, struct slice *ret, const char **ret_why)
{
    *ret = mpack_read_str(r);
    if (ret->size > CLIENT_NAME_BYTES_MAX) {
        *ret_why = "client, host and build are at most 128 bytes each";
        return SHUNT_TOO_LARGE;
    }
    if (!utf8_valid(ret->data, ret->size) || memchr(ret->data, 0, ret->size)) {
        *ret_why = "client, host and build are UTF-8 without NUL";
        return SHUNT_BAD_ARGUMENT;
    }
    return 0;
}

static int read_producer(struct mpack_reader *r, struct slice *ret, const char **ret_why)
{
    *ret = mpack_read_bin(r);
    if (!r->failed && ret->size != PRODUCER_ID_BYTES) {
        *ret_why = "producer is 16 bytes";
        return SHUNT_BAD_ARGUMENT;
    }
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

static int read_option(struct slice key, struct mpack_reader *r, struct hello *ret, const char **ret_why)
{
    if (key_is(key, "client"))
        return read_name(r, &ret->client, ret_why);
    if (key_is(key, "host"))
        return read_name(r, &ret->host, ret_why);
    if (key_is(key, "build"))
        return read_name(r, &ret->build, ret_why);
    if (key_is(key, "producer"))
        return read_producer(r, &ret->producer, ret_why);
    if (key_is(key, "auth"))
        return read_auth(r, ret_why);
    if (key_is(key, "marks"))
        ret->marks = mpack_read_bool(r);
    else if (key_is(key, "features"))
        read_features(r);
    else
        (void)mpack_read_any(r); /* a key of a later version */
    return 0;
}

int request_hello(struct session *s, struct mpack_reader *r, struct step *ret)
{
    (void)s;
    int err = 0;
    uint64_t version_min = mpack_read_uint(r), version_max = mpack_read_uint(r);
    ret->hello.marks = true;
    if (!r->failed && (version_min > PROTOCOL_VERSION_MAX || version_max < PROTOCOL_VERSION_MIN)) {
        ret->why = "this server speaks version 1";
        return SHUNT_VERSION_MISMATCH;
    }
    uint32_t options = request_left_out(r) ? 0 : mpack_read_map(r);
    for (uint32_t i = 0; !err && !r->failed && i < options; i++) {
        struct slice key = mpack_read_str(r);
        err = read_option(key, r, &ret->hello, &ret->why);
    }
    return err;
}

/* ---- what they do ---- */

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

static void copy_name(char *to, struct slice from)
{
    if (from.size)
        memcpy(to, from.data, from.size);
    to[from.size] = 0;
}

void act_hello(struct engine *e, struct step *st)
{
    struct session *s = st->session;
    const struct hello *h = &st->hello;
    copy_name(s->client, h->client);
    copy_name(s->host, h->host);
    copy_name(s->build, h->build);
    s->has_producer = h->producer.size > 0;
    if (s->has_producer)
        memcpy(s->producer, h->producer.data, PRODUCER_ID_BYTES);
    if (!s->has_producer || producer_seat(s))
        s->holder = dispatcher_connect(e->dispatcher, h->marks);
    if (!s->holder) {
        st->err = SHUNT_NO_MEMORY;
        step_answer(st);
        return;
    }
    holder_set_owner(s->holder, s);
    dispatcher_caught_up(e->dispatcher, s->holder, e->mono_ms);
    s->greeted = true;
    welcome(s, st->request_id);
}

void act_goodbye(struct engine *e, struct step *st)
{
    struct session *s = st->session;
    (void)e;
    session_leave(s, HOLDER_GOODBYE);
    step_answer(st);
    session_close(s);
}
