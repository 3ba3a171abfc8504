/* identify: the four ways to be somebody. */
#include "broker/engine/identify.h"

#include "base/secret.h"
#include "broker/core/identity.h"
#include "broker/engine/state.h"
#include "broker/engine/text.h"
#include "broker/engine/transaction.h"
#include "broker/login/login.h"
#include "proto/credentials.h"
#include "proto/errors.h"
#include "proto/token_text.h"
#include "tls/sha256.h"

#include <stdlib.h>
#include <string.h>

static const char wrong_password[] = "the name or the password is wrong";
static const char wrong_token[] = "the token is wrong, revoked or expired";

static int refuse(const char **ret_why, int err, const char *why)
{
    *ret_why = why;
    return err;
}

/* From now on it is that user. */
static int be(struct session *s, enum who_how how, const struct user *u)
{
    s->who = (struct who){.how = how, .id = u ? u->id : 0, .seen = ledger_identities(s->engine->ledger)};
    if (u)
        memcpy(s->who.user, u->r.name, sizeof s->who.user);
    return 0;
}

/* The connection, and who may come back with the verdict: nothing can be in the way of that. */
static struct inbox_item *return_ticket(const struct session *s)
{
    struct inbox_item *item = calloc(1, sizeof *item);
    if (!item)
        return NULL;
    item->kind = PORT_LOGIN;
    item->link = s->link;
    link_ref(item->link);
    return item;
}

static int by_password(struct session *s, const struct credentials *c, bool *ret_later, const char **ret_why)
{
    struct engine *e = s->engine;
    const struct user *u = ledger_user(e->ledger, c->user);
    bool can = u && !u->r.disabled && u->r.password[0];
    int64_t retry_ms = 0;
    s->greeting.how = WHO_PASSWORD;
    s->greeting.user = u ? u->id : 0;
    struct inbox_item *item = return_ticket(s);
    if (!item)
        return refuse(ret_why, SHUNT_NO_MEMORY, NULL);
    struct login_attempt attempt = {.peer = slice_of(s->link->peer),
                                    .name = c->user,
                                    .password = c->password,
                                    .verifier = can ? slice_of(u->r.password) : (struct slice){NULL, 0},
                                    .user = can ? u->id : 0,
                                    .changed = can ? u->r.changed : 0,
                                    .now_ms = e->mono_ms,
                                    .context = item};
    enum login_verdict got = login_password(e->config.login, &attempt, &retry_ms);
    if (got == LOGIN_LATER) {
        s->greeting.changed = attempt.changed;
        *ret_later = true;
        return 0;
    }
    link_unref(item->link);
    free(item);
    if (got == LOGIN_RIGHT)
        return be(s, WHO_PASSWORD, u);
    s->greeting.wait_ms = retry_ms;
    if (!retry_ms)
        return refuse(ret_why, SHUNT_TOO_MANY, "too many logins wait to be looked at: try again later");
    return refuse(ret_why, SHUNT_TOO_MANY,
                  engine_text(e, "too many logins from this address have failed: try again in %lld s",
                              (long long)(retry_ms + 999) / 1000));
}

static int by_token(struct session *s, const struct credentials *c, const char **ret_why)
{
    struct engine *e = s->engine;
    struct token_record known;
    uint8_t secret[TOKEN_SECRET_BYTES], hash[TOKEN_HASH_BYTES];
    uint64_t id;
    s->greeting.how = WHO_TOKEN;
    if (!token_text_read(c->token, &id, secret))
        return refuse(ret_why, SHUNT_UNAUTHENTICATED, wrong_token);
    bool hashed = sha256(secret, sizeof secret, hash);
    secret_wipe(secret, sizeof secret);
    if (!hashed)
        return refuse(ret_why, SHUNT_NO_MEMORY, NULL);
    int err = ledger_token(e->ledger, transaction_open(e), id, &known);
    if (err && err != SHUNT_NOT_FOUND)
        engine_die(e, err, "a token cannot be read");
    bool right = !err && secret_equal(hash, known.hash, sizeof hash);
    const struct user *u = right ? ledger_user_by_id(e->ledger, known.user) : NULL;
    s->greeting.user = u ? u->id : 0;
    bool expired = right && known.expires_ms && known.expires_ms <= e->wall_ms;
    if (!u || u->r.disabled || expired)
        return refuse(ret_why, SHUNT_UNAUTHENTICATED, wrong_token);
    (void)be(s, WHO_TOKEN, u);
    s->who.token = id;
    s->who.expires_ms = known.expires_ms;
    return 0;
}

const struct user *identify_certificate(const struct session *s, const char **ret_why)
{
    const struct user *found = NULL;
    *ret_why = s->link->names ? "no user has a name that the certificate carries" : CREDENTIALS_WANTED;
    for (const char *name = s->link->names; name && *name; name += strlen(name) + 1) {
        const struct user *u = ledger_user_of_certificate(s->engine->ledger, slice_of(name));
        if (u && found && u != found) {
            *ret_why = "the certificate carries names of two users";
            return NULL;
        }
        found = u ? u : found;
    }
    return found;
}

static int by_certificate(struct session *s, const char **ret_why)
{
    const struct user *found = identify_certificate(s, ret_why);
    s->greeting.how = WHO_CERTIFICATE;
    s->greeting.user = found ? found->id : 0;
    if (!found || found->r.disabled)
        return SHUNT_UNAUTHENTICATED;
    *ret_why = NULL;
    return be(s, WHO_CERTIFICATE, found);
}

/* What came of it, for the figures and the log. */
static int count(struct session *s, int err, const char *why)
{
    static const char *const hows[] = {
        [WHO_PASSWORD] = "password", [WHO_TOKEN] = "token", [WHO_CERTIFICATE] = "certificate"};
    struct engine *e = s->engine;
    const struct user *u = s->greeting.user ? ledger_user_by_id(e->ledger, s->greeting.user) : NULL;
    if (!err) {
        e->logins += s->who.how >= WHO_PASSWORD;
        return 0;
    }
    e->logins_failed++;
    const struct login_notice notice = {.how = s->greeting.how >= WHO_PASSWORD ? hows[s->greeting.how]
                                                                               : "nothing",
                                        .user = u ? u->r.name : "",
                                        .client = s->client,
                                        .peer = s->link->peer,
                                        .why = why ? why : err_text(err),
                                        .mono_ms = e->mono_ms};
    if (e->config.refused)
        e->config.refused(e->config.context, &notice);
    return err;
}

int identify(struct session *s, struct slice auth, bool *ret_later, const char **ret_why)
{
    struct credentials c;
    *ret_later = false;
    if (!s->engine->config.login)
        return be(s, s->link->local ? WHO_LOCAL : WHO_ANYBODY, NULL);
    int err = credentials_read(auth, &c, ret_why) ? 0 : SHUNT_BAD_ARGUMENT;
    if (!err && c.mechanism == MECHANISM_PASSWORD)
        err = by_password(s, &c, ret_later, ret_why);
    else if (!err && c.mechanism == MECHANISM_TOKEN)
        err = by_token(s, &c, ret_why);
    else if (!err && s->link->local)
        err = be(s, WHO_LOCAL, NULL);
    else if (!err)
        err = by_certificate(s, ret_why);
    secret_wipe_lent(auth.data, auth.size); /* in the chunk that the net thread read it into */
    return *ret_later ? 0 : count(s, err, *ret_why);
}

int identify_end(struct session *s, struct login_ticket *ticket, const char **ret_why)
{
    struct engine *e = s->engine;
    bool right = login_end(e->config.login, ticket, e->mono_ms) == LOGIN_RIGHT;
    const struct user *u = right ? ledger_user_by_id(e->ledger, s->greeting.user) : NULL;
    bool same = u && !u->r.disabled && u->r.changed == s->greeting.changed;
    return count(s, same ? be(s, WHO_PASSWORD, u) : refuse(ret_why, SHUNT_UNAUTHENTICATED, wrong_password),
                 wrong_password);
}

void identify_answered(void *engine, struct login_ticket *ticket)
{
    struct inbox_item *item = login_context(ticket);
    item->ticket = ticket;
    engine_post(engine, item);
}
