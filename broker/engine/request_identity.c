/* request_identity: users, roles and tokens. */
#include "broker/core/identity.h"
#include "broker/core/topic_pattern.h"
#include "broker/engine/reply.h"
#include "broker/engine/requests.h"
#include "broker/engine/state.h"
#include "broker/engine/text.h"
#include "broker/engine/transaction.h"
#include "proto/errors.h"
#include "proto/grant_text.h"
#include "proto/names.h"
#include "proto/verifier.h"
#include "tls/sha256.h"

#include <sys/random.h>

static const char *const bad_name = "a user or role is called by 1 to 100 of A-Z a-z 0-9 . _ - @";

/* ---- what is set ---- */

static const char too_costly[] = "a password that one sets oneself has m times t of at most 196608, as "
                                 "m=65536,t=3: an administrator may set more";
_Static_assert(VERIFIER_OWN_COST_MAX == 196608, "too_costly says it in words");

/* False, and it was said why: the word is none. */
static bool presence_of(struct slice word, enum presence *ret)
{
    *ret = slice_is(word, "new") ? PRESENCE_MISSING : slice_is(word, "there") ? PRESENCE_THERE : PRESENCE_ANY;
    return !word.size || *ret != PRESENCE_ANY;
}

/* NULL without memory. */
static struct slice *texts_of(struct session *s, const struct wire_list *list)
{
    struct slice *texts = arena_room(&s->engine->arena, (list->count + 1) * sizeof *texts);
    if (texts)
        request_texts(list, texts);
    return texts;
}

/* `[PATTERN:RIGHT,…, …]`. Returns 0, or the error with what is wrong. */
static int take_grants(struct session *s, const struct wire_list *list, const struct grant **ret,
                       uint32_t *ret_count, struct step *st)
{
    struct slice *texts = texts_of(s, list);
    struct grant *grants = arena_room(&s->engine->arena, (list->count + 1) * sizeof *grants);
    if (!texts || !grants)
        return SHUNT_NO_MEMORY;
    for (uint32_t i = 0; i < list->count; i++) {
        if (!grant_text_read(texts[i], &grants[i].pattern, &grants[i].rights) ||
            !topic_pattern_is_valid(grants[i].pattern)) {
            st->why = engine_text(
                s->engine,
                "grant %s is not PATTERN:RIGHT,RIGHT: a pattern has characters of topic names and `*`, the "
                "rights are publish, consume, look, admin, dlq-look, dlq-consume, dlq-redrive, dlq-purge, "
                "all",
                engine_name(s->engine, texts[i], GRANT_TEXT_BYTES_MAX));
            return SHUNT_BAD_ARGUMENT;
        }
    }
    *ret = grants;
    *ret_count = list->count;
    return 0;
}

static int take_texts(struct session *s, const struct wire_list *list, const struct slice **ret,
                      uint32_t *ret_count)
{
    *ret = texts_of(s, list);
    *ret_count = list->count;
    return *ret ? 0 : SHUNT_NO_MEMORY;
}

/* Who asks, if that is a user. */
static const struct user *asking(const struct session *s)
{
    return s->who.user[0] ? ledger_user_by_id(s->engine->ledger, s->who.id) : NULL;
}

static bool administers(const struct session *s)
{
    const struct user *u = asking(s);
    return !s->who.user[0] || (u && ledger_administers(s->engine->ledger, u));
}

/* What is wrong with the fields that are single words; NULL: nothing. */
static const char *take_words(const struct session *s, const struct user_set_request *q,
                              struct user_command *c)
{
    const struct user_settings *o = &q->settings;
    const char *why = NULL;
    if (!name_is_user(q->user))
        return bad_name;
    if (!presence_of(o->must_be, &c->presence))
        return "must_be is new or there";
    if (o->state.size && !slice_is(o->state, "enabled") && !slice_is(o->state, "disabled"))
        return "state is enabled or disabled";
    struct verifier v;
    if (o->password.size && !verifier_parse(o->password, &v, &why))
        return why;
    if (o->password.size && !administers(s) && (uint64_t)v.memory_kib * v.passes > VERIFIER_OWN_COST_MAX)
        return too_costly;
    c->name = q->user;
    c->given = (o->password.data ? USER_PASSWORD : 0) | (o->certificates.bytes.data ? USER_CERTIFICATES : 0) |
               (o->roles.bytes.data ? USER_ROLES : 0) | (o->grants.bytes.data ? USER_GRANTS : 0) |
               (o->state.size ? USER_DISABLED : 0);
    c->password = o->password;
    c->disabled = slice_is(o->state, "disabled");
    return NULL;
}

int make_user_set(struct session *s, const union request_fields *fields, struct step *ret)
{
    const struct user_set_request *q = &fields->user_set;
    struct user_command *c = &ret->command.user;
    int err = 0;
    *c = (struct user_command){0};
    ret->why = take_words(s, q, c);
    if (ret->why)
        return SHUNT_BAD_ARGUMENT;
    if (c->given & USER_CERTIFICATES)
        err = take_texts(s, &q->settings.certificates, &c->certificates, &c->certificates_count);
    if (!err && c->given & USER_ROLES)
        err = take_texts(s, &q->settings.roles, &c->roles, &c->roles_count);
    if (!err && c->given & USER_GRANTS)
        err = take_grants(s, &q->settings.grants, &c->grants, &c->grants_count, ret);
    for (uint32_t i = 0; !err && i < c->certificates_count; i++) {
        if (name_is_of_certificate(c->certificates[i]))
            continue;
        ret->why = "a certificate is named by what it carries: dns:NAME, email:NAME, uri:NAME or cn:NAME, at "
                   "most 256 bytes";
        err = SHUNT_BAD_ARGUMENT;
    }
    return err;
}

int make_role_set(struct session *s, const union request_fields *fields, struct step *ret)
{
    const struct role_set_request *q = &fields->role_set;
    struct role_command *c = &ret->command.role;
    *c = (struct role_command){.name = q->role};
    if (!name_is_user(q->role))
        ret->why = bad_name;
    else if (!presence_of(q->settings.must_be, &c->presence))
        ret->why = "must_be is new or there";
    if (ret->why)
        return SHUNT_BAD_ARGUMENT;
    return q->settings.grants.bytes.data
               ? take_grants(s, &q->settings.grants, &c->grants, &c->grants_count, ret)
               : 0;
}

int make_user_delete(struct session *s, const union request_fields *fields, struct step *ret)
{
    (void)s;
    ret->command.identity.name = fields->user_delete.user;
    return 0;
}

int make_role_delete(struct session *s, const union request_fields *fields, struct step *ret)
{
    (void)s;
    ret->command.identity.name = fields->role_delete.role;
    return 0;
}

/* ---- tokens ---- */

/* Whose tokens a request is about that names nobody: of a user who administers nobody, one's own; empty: everybody's. */
static struct slice whose(const struct session *s, struct slice named)
{
    return named.size || administers(s) ? named : slice_of(s->who.user);
}

/* The secret is made here, and told when the token is stored: nobody can choose a weak one. */
int make_token_create(struct session *s, const union request_fields *fields, struct step *ret)
{
    const struct token_create_request *q = &fields->token_create;
    struct token_command *c = &ret->command.token;
    struct engine *e = s->engine;
    uint8_t *secret = arena_room(&e->arena, TOKEN_SECRET_BYTES + SHA256_BYTES);
    *c = (struct token_command){.user = q->user.size ? q->user : slice_of(s->who.user), .note = q->note};
    if (!c->user.size) {
        ret->why = "say whose token it is: nobody is logged in here";
        return SHUNT_BAD_ARGUMENT;
    }
    if (!secret)
        return SHUNT_NO_MEMORY;
    if (getrandom(secret, TOKEN_SECRET_BYTES, GRND_NONBLOCK) != TOKEN_SECRET_BYTES ||
        !sha256(secret, TOKEN_SECRET_BYTES, secret + TOKEN_SECRET_BYTES)) {
        ret->why = "the system gives no random bytes now";
        return SHUNT_UNAVAILABLE;
    }
    c->secret = (struct slice){secret, TOKEN_SECRET_BYTES};
    c->hash = (struct slice){secret + TOKEN_SECRET_BYTES, SHA256_BYTES};
    c->expires_ms = q->lifetime_ms ? e->wall_ms + (int64_t)q->lifetime_ms : 0;
    return 0;
}

int make_token_revoke(struct session *s, const union request_fields *fields, struct step *ret)
{
    const struct token_revoke_request *q = &fields->token_revoke;
    ret->command.token_name = (struct token_name_command){.id = q->token, .user = whose(s, q->user)};
    return 0;
}

/* ---- looking ---- */

void look_users(struct engine *e, struct step *st)
{
    const struct user_list_request *q = &st->fields.user_list;
    struct view v = transaction_view(e);
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_USERS);
    int err = view_users(&v, q->after, q->limit, q->user, a.out);
    answer_end(st->session, st->request_id, &a, err,
               err == SHUNT_NOT_FOUND ? engine_no_user(e, q->user) : NULL);
}

void look_roles(struct engine *e, struct step *st)
{
    const struct role_list_request *q = &st->fields.role_list;
    struct view v = transaction_view(e);
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_ROLES);
    answer_end(st->session, st->request_id, &a, view_roles(&v, q->after, q->limit, a.out), NULL);
}

void look_tokens(struct engine *e, struct step *st)
{
    const struct token_list_request *q = &st->fields.token_list;
    struct slice user = whose(st->session, q->user);
    struct view v = transaction_view(e);
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_TOKENS);
    int err = view_tokens(&v, q->after, q->limit, user, a.out);
    answer_end(st->session, st->request_id, &a, err, err == SHUNT_NOT_FOUND ? engine_no_user(e, user) : NULL);
}

void look_who(struct engine *e, struct step *st)
{
    static const char *const hows[] = {[WHO_ANYBODY] = "anybody",
                                       [WHO_LOCAL] = "local",
                                       [WHO_PASSWORD] = "password",
                                       [WHO_TOKEN] = "token",
                                       [WHO_CERTIFICATE] = "certificate"};
    const struct who *who = &st->session->who;
    const struct user *u = asking(st->session);
    struct view v = transaction_view(e);
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_WHO);
    int err = who->user[0] && !u ? SHUNT_UNAUTHENTICATED /* it was deleted */
                                 : view_who(&v, hows[who->how], u, who->token, who->expires_ms, a.out);
    answer_end(st->session, st->request_id, &a, err, NULL);
}
