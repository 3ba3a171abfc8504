/* hello: who we are, which version we speak, and what the server allows. */
#include "client/wire/hello.h"
#include "client/wire/error.h"
#include "proto/frame.h"
#include "proto/wire.h"
#include <string.h>

static uint32_t write_name(struct mpack_buffer *out, const char *key, const char *name)
{
    if (name[0] == '\0')
        return 0;
    mpack_write_cstr(out, key);
    mpack_write_cstr(out, name);
    return 1;
}

int hello_write(struct core *core)
{
    struct mpack_buffer *out = &core->output.bytes;
    const struct settings *s = core->settings;
    uint64_t end = output_end(&core->output);
    uint64_t id = requests_add(&core->requests, WAITER_HELLO, NULL);
    if (id == 0)
        return SHUNT_NO_MEMORY;
    size_t frame = frame_begin(out, OP_HELLO, id, 3);
    mpack_write_uint(out, PROTOCOL_VERSION_MIN);
    mpack_write_uint(out, PROTOCOL_VERSION_MAX);
    size_t options = mpack_write_map_open(out);
    uint32_t count = write_name(out, "client", s->client);
    count += write_name(out, "host", s->host);
    count += write_name(out, "build", s->build);
    if (s->idempotent) {
        mpack_write_cstr(out, "producer");
        mpack_write_bin(out, core->producer.id, sizeof core->producer.id);
        count++;
    }
    if (!s->marks) {
        mpack_write_cstr(out, "marks");
        mpack_write_bool(out, false);
        count++;
    }
    mpack_patch_map(out, options, count);
    frame_end(out, frame);
    return output_check(&core->output, end);
}

static uint64_t read_limit(struct mpack_reader *r, uint64_t least, uint64_t most)
{
    uint64_t v = mpack_read_uint(r);
    return v < least ? least : v > most ? most : v;
}

static void read_info(struct mpack_reader *r, struct server_limits *ret)
{
    uint32_t count = mpack_read_map(r);
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        struct slice key = mpack_read_str(r);
        if (slice_is(key, "max_body_bytes"))
            ret->body_bytes = read_limit(r, 0, BODY_BYTES_MAX);
        else if (slice_is(key, "max_frame_bytes"))
            ret->frame_bytes = read_limit(r, 1024, FRAME_BYTES_MAX);
        else if (slice_is(key, "max_messages"))
            ret->messages = (uint32_t)read_limit(r, 1, FRAME_MESSAGES_MAX);
        else if (slice_is(key, "dedup_frames"))
            ret->dedup_frames = (uint32_t)read_limit(r, 2, DEDUP_FRAMES_MAX);
        else
            (void)mpack_read_any(r); /* not needed here */
    }
}

int hello_answered(struct core *core, struct mpack_reader *reply, struct shunt_error *err)
{
    uint64_t version = mpack_read_uint(reply);
    struct server_limits limits = core->producer.limits;
    read_info(reply, &limits);
    if (reply->failed)
        return SHUNT_PROTOCOL;
    if (version < PROTOCOL_VERSION_MIN || version > PROTOCOL_VERSION_MAX) {
        struct shunt_error error;
        error_set(&error, SHUNT_VERSION_MISMATCH, NULL);
        return hello_refused(core, &error, err);
    }
    core->producer.limits = limits;
    core->phase = CORE_READY;
    core->work = true;
    return 0;
}

int hello_refused(struct core *core, const struct shunt_error *error, struct shunt_error *err)
{
    if (error->code == SHUNT_UNAUTHENTICATED || error->code == SHUNT_FORBIDDEN ||
        error->code == SHUNT_VERSION_MISMATCH)
        core->fatal = *error;
    if (err)
        *err = *error;
    return error->code;
}
