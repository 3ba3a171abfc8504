/* hello: who we are, which version we speak, and what the server allows. */
#include "client/wire/hello.h"
#include "base/secret.h"
#include "client/wire/error.h"
#include "proto/frame.h"
#include "proto/request.h"

/* What is asked for, as the elements of the list: strs of fewer than 32 bytes begin with 0xa0 and their length. */
static const char features[] = "\xac" FEATURE_DEAD_HISTORY "\xa6" FEATURE_WITHIN;
_Static_assert(sizeof FEATURE_DEAD_HISTORY - 1 == 0xac - 0xa0 && sizeof FEATURE_WITHIN - 1 == 0xa6 - 0xa0,
               "the lengths of the features");

static void write_auth(struct mpack_buffer *to, const struct auth *a)
{
    struct credentials c = {.mechanism = a->mechanism, .user = slice_of(a->user)};
    if (a->mechanism == MECHANISM_TOKEN)
        c.token = slice_of(a->secret);
    else
        c.password = slice_of(a->secret);
    credentials_write(to, &c);
}

int hello_write(struct core *core)
{
    struct mpack_buffer *out = &core->output.bytes;
    const struct settings *s = core->settings;
    uint64_t end = output_end(&core->output);
    uint64_t id = requests_add(&core->requests, WAITER_HELLO, NULL);
    if (id == 0)
        return SHUNT_NO_MEMORY;
    struct mpack_buffer auth = {0};
    write_auth(&auth, &s->auth);
    union request_fields q = {.hello = {.version_min = PROTOCOL_VERSION_MIN,
                                        .version_max = PROTOCOL_VERSION_MAX,
                                        .options = {.client = slice_of(s->client),
                                                    .host = slice_of(s->host),
                                                    .build = slice_of(s->build),
                                                    .marks = s->marks,
                                                    .auth = {auth.data, auth.size},
                                                    .features = {2, {features, sizeof features - 1}}}}};
    if (s->idempotent)
        q.hello.options.producer = (struct slice){core->producer.id, sizeof core->producer.id};
    frame_end(out, request_begin(out, &request_hello, id, &q));
    bool whole = !auth.failed;
    secret_wipe(auth.data, auth.size);
    mpack_buffer_done(&auth);
    if (!whole)
        return SHUNT_NO_MEMORY;
    return output_check(&core->output, end);
}

static uint64_t read_limit(struct mpack_reader *r, uint64_t least, uint64_t most)
{
    uint64_t v = mpack_read_uint(r);
    return v < least ? least : v > most ? most : v;
}

static bool has_within(struct mpack_reader *r)
{
    bool found = false;
    uint32_t count = mpack_read_array(r);
    for (uint32_t i = 0; i < count && !r->failed; i++)
        found |= slice_is(mpack_read_str(r), FEATURE_WITHIN);
    return found;
}

static void read_info(struct mpack_reader *r, struct server_limits *ret, bool *ret_within)
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
        else if (slice_is(key, "features"))
            *ret_within = has_within(r);
        else
            (void)mpack_read_any(r); /* not needed here */
    }
}

int hello_answered(struct core *core, struct mpack_reader *reply, struct shunt_error *err)
{
    uint64_t version = mpack_read_uint(reply);
    struct server_limits limits = core->producer.limits;
    bool within = false;
    read_info(reply, &limits, &within);
    if (reply->failed)
        return SHUNT_PROTOCOL;
    if (version < PROTOCOL_VERSION_MIN || version > PROTOCOL_VERSION_MAX) {
        struct shunt_error error;
        error_set(&error, SHUNT_VERSION_MISMATCH, NULL);
        return hello_refused(core, &error, err);
    }
    core->producer.limits = limits;
    core->within = within;
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
