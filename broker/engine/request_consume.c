/* request_consume: SUBSCRIBE, CREDIT, UNSUBSCRIBE, STARTED. */
#include "broker/engine/answer.h"
#include "broker/engine/leases.h"
#include "broker/engine/requests.h"
#include "broker/engine/state.h"
#include "broker/engine/subscription.h"
#include "broker/engine/take_up.h"
#include "broker/engine/text.h"
#include "proto/errors.h"
#include "proto/names.h"

int make_subscribe(struct session *s, const union request_fields *fields, struct step *ret)
{
    const struct subscribe_request *q = &fields->subscribe;
    ret->subscribing.messages = q->messages;
    ret->subscribing.bytes = q->bytes;
    kept_make(s, &q->kept, &ret->subscribing.kept);
    return 0;
}

void act_subscribe(struct engine *e, struct step *st)
{
    struct subscribing *to = &st->subscribing;
    struct session *s = st->session;
    struct group *g = NULL;
    if (s->subscriptions_count == SUBSCRIPTIONS_MAX) {
        st->why = "at most 1024 subscriptions on one connection";
        st->err = SHUNT_TOO_MANY;
    } else {
        g = ledger_group(e->ledger, st->topic, st->group, &st->err);
        if (!g)
            st->why = engine_about(e, st->err, st->topic, st->group, HINT_MISSING);
    }
    if (g) {
        to->made = session_subscribe(s, g, to->messages, to->bytes);
        to->lease_ms = ledger_group_lease_ms(g);
        st->err = to->made ? 0 : SHUNT_NO_MEMORY;
        if (to->made) {
            struct slice origin_topic, origin_group;
            to->made->dead = name_is_dlq(st->topic, &origin_topic, &origin_group);
            subscription_tell_build(e, to->made);
        }
    }
    if (st->err || !kept_take_up(e, st)) /* otherwise it is answered when that was applied */
        step_answer(st);
}

/* ---- CREDIT and UNSUBSCRIBE ---- */

/* The subscription of that number. NULL: there is none, which was answered. */
static struct subscription *named(struct engine *e, struct step *st, uint64_t id)
{
    struct subscription *sub = session_subscription(st->session, id);
    if (!sub) {
        st->err = SHUNT_NOT_FOUND;
        st->why = engine_text(e, "subscription %llu is not of this connection, or has ended",
                              (unsigned long long)id);
        step_answer(st);
    }
    return sub;
}

void act_credit(struct engine *e, struct step *st)
{
    const struct credit_request *q = &st->fields.credit;
    const struct subscription *sub = named(e, st, q->sub);
    if (!sub)
        return;
    dispatcher_credit(e->dispatcher, sub->member, (uint32_t)q->messages, q->bytes);
    step_answer(st);
}

void act_unsubscribe(struct engine *e, struct step *st)
{
    struct subscription *sub = named(e, st, st->fields.unsubscribe.sub);
    if (!sub)
        return;
    dispatcher_unsubscribe(e->dispatcher, sub->member, lease_ended, e);
    leases_judge(e);
    session_drop_subscription(st->session, sub);
    step_answer(st);
}

/* ---- STARTED ---- */

int make_started(struct session *s, const union request_fields *fields, struct step *ret)
{
    (void)s;
    ret->fields.started = fields->started;
    ret->rows = fields->started.marks.count;
    return 0;
}

void mark_started(struct engine *e, struct step *st)
{
    const struct started_request *q = &st->fields.started;
    const struct subscription *sub = session_subscription(st->session, q->sub);
    struct mpack_reader r;
    mpack_read_init(&r, q->marks.bytes.data, q->marks.bytes.size);
    for (uint32_t i = 0; sub && i < q->marks.count; i++) {
        uint64_t seq = mpack_read_uint(&r), token = mpack_read_uint(&r);
        /* A stale mark says nothing about what is held now. */
        (void)dispatcher_started(e->dispatcher, sub->member, seq, token, e->mono_ms, e->wall_ms);
    }
}
