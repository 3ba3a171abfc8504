/* greet: the answer to HELLO. */
#include "broker/engine/greet.h"

#include "base/big_endian.h"
#include "broker/engine/answer.h"
#include "broker/engine/gate.h"
#include "broker/engine/held.h"
#include "broker/engine/identify.h"
#include "broker/engine/producers.h"
#include "broker/engine/reply.h"
#include "broker/engine/state.h"
#include "broker/engine/text.h"
#include "proto/errors.h"
#include "tls/sha256.h"

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

/* Producers of two users are two, whatever they call themselves: otherwise one could take the other's place, and have answers kept
 * under the other's name. */
static bool own_producer(struct session *s)
{
    uint8_t named[8 + PRODUCER_ID_BYTES], hash[SHA256_BYTES];
    if (!s->who.user[0])
        return true;
    put_be64(named, s->who.id);
    memcpy(named + 8, s->producer, PRODUCER_ID_BYTES);
    if (!sha256(named, sizeof named, hash))
        return false;
    memcpy(s->producer, hash, PRODUCER_ID_BYTES);
    return true;
}

/* It is known who it is: seat and holder are its own now. */
void greet(struct engine *e, struct step *st)
{
    struct session *s = st->session;
    if (s->greeting.watches && !gate_sees_all(s)) {
        st->err = SHUNT_FORBIDDEN;
        st->why = engine_text(e, "user `%s` has not the rights `look` and `dlq-look` on all topics (`*`)",
                              s->who.user);
        step_answer(st);
        return;
    }
    st->err = quotas_begin(s, &st->why);
    if (st->err) {
        step_answer(st);
        return;
    }
    if (!s->has_producer || (own_producer(s) && producer_seat(s)))
        s->holder = dispatcher_connect(e->dispatcher, s->greeting.marks);
    if (!s->holder) {
        st->err = SHUNT_NO_MEMORY;
        step_answer(st);
        return;
    }
    holder_set_owner(s->holder, s);
    dispatcher_caught_up(e->dispatcher, s->holder, e->mono_ms);
    s->greeted = true;
    s->greeted_ms = e->wall_ms;
    welcome(s, st->request_id, s->greeting.within);
}

void greet_verified(struct engine *e, struct step *st)
{
    struct session *s = st->session;
    const char *why = NULL;
    int err = identify_end(s, st->ticket, &why);
    if (s->flow.requests != REQUESTS_LOGIN) /* it is gone, or the server stops */
        return;
    flow_logged_in(&s->flow);
    st->request_id = s->greeting.request_id;
    st->err = err;
    st->why = why;
    if (err)
        step_answer(st);
    else
        greet(e, st);
    session_go_on(s);
}
