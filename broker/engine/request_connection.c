/* request_connection: HELLO and GOODBYE. */
#include "broker/engine/answer.h"
#include "broker/engine/held.h"
#include "broker/engine/producers.h"
#include "broker/engine/reply.h"
#include "broker/engine/requests.h"
#include "broker/engine/session.h"
#include "broker/engine/state.h"
#include "broker/engine/text.h"
#include "proto/errors.h"

#include <string.h>

static void welcome(struct session *s, uint64_t request_id, bool within)
{
    const struct engine *e = s->engine;
    struct answer a = answer_begin(s, request_id, FIELDS_OF_WELCOME);
    struct mpack_buffer *out = a.out;
    mpack_write_uint(out, PROTOCOL_VERSION_MAX);
    mpack_write_map(out, 7);
    mpack_write_cstr(out, "server");
    mpack_write_cstr(out, "shuntd " SHUNT_VERSION);
    mpack_write_cstr(out, "max_body_bytes");
    mpack_write_uint(out, e->config.limits.max_body_bytes);
    mpack_write_cstr(out, "max_frame_bytes");
    mpack_write_uint(out, FRAME_BYTES_MAX);
    mpack_write_cstr(out, "max_messages");
    mpack_write_uint(out, FRAME_MESSAGES_MAX);
    mpack_write_cstr(out, "dedup_frames");
    mpack_write_uint(out, DEDUP_FRAMES_MAX);
    mpack_write_cstr(out, "now");
    mpack_write_int(out, ledger_shown_ms(e->ledger, e->wall_ms));
    mpack_write_cstr(out, "features");
    mpack_write_array(out, s->dead_history + within);
    if (s->dead_history)
        mpack_write_cstr(out, FEATURE_DEAD_HISTORY);
    if (within)
        mpack_write_cstr(out, FEATURE_WITHIN);
    answer_end(s, request_id, &a, 0, NULL);
}

static void copy_name(char *to, struct slice from)
{
    if (from.size)
        memcpy(to, from.data, from.size);
    to[from.size] = 0;
}

static bool asks_for(const struct wire_list *features, const char *feature)
{
    bool asked = false;
    struct mpack_reader r;
    mpack_read_init(&r, features->bytes.data, features->bytes.size);
    for (uint32_t i = 0; i < features->count; i++)
        asked |= slice_is(mpack_read_str(&r), feature);
    return asked;
}

void act_hello(struct engine *e, struct step *st)
{
    struct session *s = st->session;
    const struct hello_options *h = &st->fields.hello.options;
    copy_name(s->client, h->client);
    copy_name(s->host, h->host);
    copy_name(s->build, h->build);
    s->dead_history = asks_for(&h->features, FEATURE_DEAD_HISTORY);
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
    s->greeted_ms = e->wall_ms;
    welcome(s, st->request_id, asks_for(&h->features, FEATURE_WITHIN));
}

/* It became no other request: its time is over, or it cannot carry that one. */
int make_within(struct session *s, const union request_fields *fields, struct step *ret)
{
    if (!request_fits_within(fields->within.op)) {
        ret->why =
            engine_text(s->engine, "operation %llu within WITHIN", (unsigned long long)fields->within.op);
        return SHUNT_UNSUPPORTED;
    }
    s->engine->requests_expired++;
    return SHUNT_DEADLINE_EXCEEDED;
}

void act_goodbye(struct engine *e, struct step *st)
{
    struct session *s = st->session;
    (void)e;
    session_leave(s, HOLDER_GOODBYE);
    step_answer(st);
    session_close(s);
}
