/* request_connection: HELLO and GOODBYE. */
#include "broker/engine/answer.h"
#include "broker/engine/greet.h"
#include "broker/engine/held.h"
#include "broker/engine/identify.h"
#include "broker/engine/requests.h"
#include "broker/engine/session.h"
#include "broker/engine/state.h"
#include "broker/engine/text.h"
#include "proto/errors.h"

#include <string.h>

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
    bool later = false;
    copy_name(s->client, h->client);
    copy_name(s->host, h->host);
    copy_name(s->build, h->build);
    s->dead_history = asks_for(&h->features, FEATURE_DEAD_HISTORY);
    s->has_producer = h->producer.size > 0;
    if (s->has_producer)
        memcpy(s->producer, h->producer.data, PRODUCER_ID_BYTES);
    s->greeting = (struct greeting){.request_id = st->request_id,
                                    .marks = h->marks,
                                    .within = asks_for(&h->features, FEATURE_WITHIN),
                                    .watches = s->link->own && asks_for(&h->features, FEATURE_WATCH)};
    st->err = identify(s, h->auth, &later, &st->why);
    st->wait_ms = s->greeting.wait_ms;
    if (later)
        flow_login(&s->flow);
    else if (st->err)
        step_answer(st);
    else
        greet(e, st);
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
