/* review: see review.h. */
#include "broker/engine/review.h"
#include "broker/core/identity.h"
#include "broker/engine/gate.h"
#include "broker/engine/held.h"
#include "broker/engine/identify.h"
#include "broker/engine/leases.h"
#include "broker/engine/outbox.h"
#include "broker/engine/reply.h"
#include "broker/engine/session.h"
#include "broker/engine/state.h"
#include "broker/engine/subscription.h"
#include "broker/engine/text.h"
#include "broker/engine/transaction.h"
#include "proto/errors.h"
#include "proto/names.h"

/* What is wrong with who it was when it logged in; NULL: nothing. */
static const char *no_longer(struct engine *e, const struct session *s, const struct user **ret)
{
    const struct user *u = *ret = gate_user(e, &s->who);
    const char *name = engine_name(e, slice_of(s->who.user), NAME_BYTES_MAX), *why;
    struct token_record token;
    if (!u)
        return gate_why_nobody(e, &s->who);
    if (s->who.how == WHO_CERTIFICATE && identify_certificate(s, &why) != u)
        return engine_text(e, "user %s no longer has a name that the certificate carries", name);
    if (s->who.how != WHO_TOKEN)
        return NULL;
    int err = ledger_token(e->ledger, transaction_open(e), s->who.token, &token);
    if (err && err != SHUNT_NOT_FOUND)
        engine_die(e, err, "a token cannot be read");
    bool good = !err && token.user == u->id && (!token.expires_ms || token.expires_ms > e->wall_ms);
    return good ? NULL
                : engine_text(e, "token %llu of user %s was revoked or has expired",
                              (unsigned long long)s->who.token, name);
}

static void end_session(struct session *s, const char *why)
{
    reply_closed(s, 0, SHUNT_UNAUTHENTICATED, why);
    session_leave(s, HOLDER_GOODBYE);
    session_close(s);
}

static void end_subscription(struct session *s, struct subscription *sub, struct slice topic)
{
    struct engine *e = s->engine;
    struct slice origin, group;
    if (name_is_dlq(topic, &origin, &group))
        topic = origin;
    const char *user = engine_name(e, slice_of(s->who.user), NAME_BYTES_MAX);
    reply_closed(s, sub->id, SHUNT_FORBIDDEN,
                 engine_text(e, "user %s has no right `%s` on topic %s any more", user,
                             sub->dead ? "dlq-consume" : "consume", engine_name(e, topic, TOPIC_BYTES_MAX)));
    dispatcher_unsubscribe(e->dispatcher, sub->member, lease_ended, e);
    leases_judge(e);
    session_drop_subscription(s, sub);
}

static void look_at(struct session *s)
{
    struct engine *e = s->engine;
    const struct user *u;
    const char *why = no_longer(e, s, &u);
    if (why) {
        end_session(s, why);
        return;
    }
    for (size_t i = s->subscriptions_count; i-- > 0;) {
        struct subscription *sub = s->subscriptions[i];
        struct slice topic, group;
        ledger_group_names(e->ledger, member_group(sub->member), &topic, &group);
        if (!gate_lets(e, u, NEED_CONSUME, topic))
            end_subscription(s, sub, topic);
    }
}

void review_sessions(struct engine *e)
{
    uint64_t now = ledger_identities(e->ledger);
    e->review = false;
    if (e->identities == now)
        return;
    e->identities = now;
    for (struct session *s = e->sessions.head; s; s = s->next) {
        if (!s->greeted || !who_is_asked(&s->who) || s->who.seen == now || !flow_may(&s->flow, FLOW_GO_ON))
            continue;
        s->who.seen = now;
        look_at(s);
        session_count_output(s);
        e->urgent = true;
    }
}
