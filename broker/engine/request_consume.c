/* request_consume: SUBSCRIBE, CREDIT, UNSUBSCRIBE, STARTED. */
#include "broker/engine/answer.h"
#include "broker/engine/leases.h"
#include "broker/engine/requests.h"
#include "broker/engine/session.h"
#include "broker/engine/state.h"
#include "broker/engine/take_up.h"
#include "broker/engine/text.h"
#include "proto/errors.h"
#include "proto/names.h"

#include <stdlib.h>

static int check_credit(uint64_t messages, uint64_t bytes, const char **ret_why)
{
    if (messages <= CREDIT_MESSAGES_MAX && bytes <= CREDIT_BYTES_MAX)
        return 0;
    *ret_why = "credit is at most 65536 messages and 268435456 bytes";
    return SHUNT_BAD_ARGUMENT;
}

static struct subscription *subscribe(struct session *s, struct group *g, uint64_t messages, uint64_t bytes)
{
    struct engine *e = s->engine;
    if (s->subscriptions_count == s->subscriptions_capacity) {
        size_t capacity = s->subscriptions_capacity ? s->subscriptions_capacity * 2 : 2;
        struct subscription **more = realloc(s->subscriptions, capacity * sizeof(struct subscription *));
        if (!more)
            return NULL;
        s->subscriptions = more;
        s->subscriptions_capacity = capacity;
    }
    struct subscription *sub = calloc(1, sizeof *sub);
    if (!sub)
        return NULL;
    sub->member =
        dispatcher_subscribe(e->dispatcher, s->holder, ledger_group_id(g), (uint32_t)messages, bytes);
    if (!sub->member) {
        free(sub);
        return NULL;
    }
    member_set_owner(sub->member, sub);
    sub->magic = SUBSCRIPTION_MAGIC;
    sub->session = s;
    sub->id = s->subscription_next++;
    s->subscriptions[s->subscriptions_count++] = sub;
    e->subscriptions++;
    return sub;
}

int request_subscribe(struct session *s, struct mpack_reader *r, struct step *ret)
{
    struct subscribing *to = &ret->subscribing;
    ret->topic = mpack_read_str(r);
    ret->group = mpack_read_str(r);
    to->messages = mpack_read_uint(r);
    to->bytes = mpack_read_uint(r);
    if (!r->failed && !kept_read(s, r, &to->kept, &ret->why))
        return SHUNT_BAD_ARGUMENT;
    int err = r->failed ? 0 : name_check_topic(ret->topic, &ret->why);
    return err ? err : check_credit(to->messages, to->bytes, &ret->why);
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
        to->made = subscribe(s, g, to->messages, to->bytes);
        to->lease_ms = ledger_group_lease_ms(g);
        st->err = to->made ? 0 : SHUNT_NO_MEMORY;
    }
    if (st->err || !kept_take_up(e, st)) /* otherwise it is answered when that was applied */
        step_answer(st);
}

/* ---- CREDIT and UNSUBSCRIBE ---- */

/* The subscription that the step names. NULL: there is none, which was answered. */
static struct subscription *named(struct engine *e, struct step *st)
{
    uint64_t id = st->crediting.subscription;
    struct subscription *sub = session_subscription(st->session, id);
    if (!sub) {
        st->err = SHUNT_NOT_FOUND;
        st->why = engine_text(e, "subscription %llu is not of this connection, or has ended",
                              (unsigned long long)id);
        step_answer(st);
    }
    return sub;
}

int request_credit(struct session *s, struct mpack_reader *r, struct step *ret)
{
    (void)s;
    ret->crediting.subscription = mpack_read_uint(r);
    ret->crediting.messages = mpack_read_uint(r);
    ret->crediting.bytes = mpack_read_uint(r);
    return 0;
}

void act_credit(struct engine *e, struct step *st)
{
    const struct crediting *to = &st->crediting;
    struct subscription *sub = named(e, st);
    if (!sub)
        return;
    st->err = check_credit(to->messages, to->bytes, &st->why);
    if (!st->err)
        dispatcher_credit(e->dispatcher, sub->member, (uint32_t)to->messages, to->bytes);
    step_answer(st);
}

int request_unsubscribe(struct session *s, struct mpack_reader *r, struct step *ret)
{
    (void)s;
    ret->crediting.subscription = mpack_read_uint(r);
    return 0;
}

void act_unsubscribe(struct engine *e, struct step *st)
{
    struct subscription *sub = named(e, st);
    if (!sub)
        return;
    dispatcher_unsubscribe(e->dispatcher, sub->member, lease_ended, e);
    leases_judge(e);
    session_drop_subscription(st->session, sub);
    step_answer(st);
}

/* ---- STARTED ---- */

int request_started(struct session *s, struct mpack_reader *r, struct step *ret)
{
    struct marking *to = &ret->marking;
    to->subscription = mpack_read_uint(r);
    to->count = mpack_read_array(r);
    to->marks = *r;
    for (uint32_t i = 0; i < to->count && !r->failed; i++)
        (void)mpack_read_uint(r);
    r->failed |= to->count % 2 != 0;
    if (to->count / 2 > FRAME_MESSAGES_MAX) {
        ret->why = engine_text(s->engine, "a STARTED carries at most %d messages", FRAME_MESSAGES_MAX);
        return SHUNT_BAD_ARGUMENT;
    }
    ret->rows = to->count / 2;
    return 0;
}

void mark_started(struct engine *e, struct step *st)
{
    const struct marking *to = &st->marking;
    const struct subscription *sub = session_subscription(st->session, to->subscription);
    struct mpack_reader r = to->marks;
    for (uint32_t i = 0; sub && i < to->count; i += 2) {
        uint64_t seq = mpack_read_uint(&r), token = mpack_read_uint(&r);
        /* A stale mark says nothing about what is held now. */
        (void)dispatcher_started(e->dispatcher, sub->member, seq, token, e->mono_ms, e->wall_ms);
    }
}
