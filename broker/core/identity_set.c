/* identity_set: the commands that make, change and delete users and roles.
 *
 * What is asked for is made beside what there is, and takes its place only if an administrator is left who can log in, and not by
 * a token that expires alone: otherwise only somebody who reaches the machine itself could give rights to anybody.
 */
#include "base/array.h"
#include "base/check.h"
#include "broker/core/identity_keep.h"
#include "broker/core/topic_pattern.h"

#include <stdlib.h>

static const char last_administrator[] = "nobody would be left who administers users and can log in, by more "
                                         "than a token that expires: make another administrator first";

static const char bad_role[] = "a role is a name of 1 to 100 bytes and grants, each a pattern and a right";
static const char role_in_use[] = "a user has the role: take it away from those who have it first";

static int refuse(struct ledger *l, int err, const char *why)
{
    ledger_tell_done(l, err, why, 0, 0);
    return 0;
}

/* Whether what is set may be, by what the command expects; 0 or the error. */
static int unexpected(enum presence presence, bool there)
{
    if (there && presence == PRESENCE_MISSING)
        return SHUNT_BAD_ARGUMENT;
    return !there && presence == PRESENCE_THERE ? SHUNT_NOT_FOUND : 0;
}

/* Whether it can be a name, by its length: what characters it has is asked of the request. */
static bool fits(struct slice name)
{
    return name.size > 0 && name.size <= NAME_BYTES_MAX;
}

static bool grants_fit(const struct grant *grants, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!topic_pattern_is_valid(grants[i].pattern) || !grants[i].rights || grants[i].rights > RIGHTS_ALL)
            return false;
    }
    return true;
}

static void keep(char *to, size_t room, struct slice text)
{
    check(text.size < room);
    slice_copy(to, text);
    to[text.size] = 0;
}

/* What is named twice is kept once. */
static bool has_text(const char *texts, size_t each, uint32_t count, struct slice text)
{
    for (uint32_t i = 0; i < count; i++) {
        if (slice_is(text, texts + i * each))
            return true;
    }
    return false;
}

static void keep_grants(struct grants_record *to, const struct grant *grants, uint32_t count)
{
    *to = (struct grants_record){0};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = 0;
        while (at < to->count && !slice_is(grants[i].pattern, to->all[at].pattern))
            at++;
        if (at == to->count) {
            check(at < GRANTS_MAX);
            keep(to->all[at].pattern, sizeof to->all[at].pattern, grants[i].pattern);
            to->count++;
        }
        to->all[at].rights |= grants[i].rights & RIGHTS_ALL;
    }
}

/* ---- users ---- */

static const char *bad_lists(const struct ledger *l, const struct user_command *c, const struct user *u)
{
    if (!fits(c->name))
        return "a user's name has 1 to 100 bytes";
    if (c->given & USER_PASSWORD && c->password.size > VERIFIER_BYTES_MAX)
        return "what a password is verified by has at most 256 bytes";
    if (c->given & USER_GRANTS && !grants_fit(c->grants, c->grants_count))
        return "a grant is a pattern of topic names and at least one right";
    for (uint32_t i = 0; c->given & USER_ROLES && i < c->roles_count; i++) {
        if (!role_find(l, c->roles[i]) && !slice_is(c->roles[i], ROLE_ADMINISTRATOR))
            return "there is no such role: set it first";
    }
    for (uint32_t i = 0; c->given & USER_CERTIFICATES && i < c->certificates_count; i++) {
        const struct user *other = ledger_user_of_certificate(l, c->certificates[i]);
        if (!c->certificates[i].size || c->certificates[i].size > CERTIFICATE_NAME_BYTES_MAX)
            return "a name of a certificate has 1 to 256 bytes";
        if (other && other != u)
            return "another user has one of these names of certificates";
    }
    return NULL;
}

static void change(struct user_record *r, const struct user_command *c)
{
    if (c->given & USER_PASSWORD) {
        explicit_bzero(r->password, sizeof r->password);
        keep(r->password, sizeof r->password, c->password);
    }
    if (c->given & USER_CERTIFICATES) {
        r->certificates_count = 0;
        for (uint32_t i = 0; i < c->certificates_count; i++) {
            size_t each = sizeof *r->certificates;
            if (!has_text(r->certificates[0], each, r->certificates_count, c->certificates[i]))
                keep(r->certificates[r->certificates_count++], each, c->certificates[i]);
        }
    }
    if (c->given & USER_ROLES) {
        r->roles_count = 0;
        for (uint32_t i = 0; i < c->roles_count; i++) {
            if (!has_text(r->roles[0], sizeof *r->roles, r->roles_count, c->roles[i]))
                keep(r->roles[r->roles_count++], sizeof *r->roles, c->roles[i]);
        }
    }
    if (c->given & USER_GRANTS)
        keep_grants(&r->grants, c->grants, c->grants_count);
    if (c->given & USER_DISABLED)
        r->disabled = c->disabled;
}

static void user_free(struct user *u)
{
    explicit_bzero(u->r.password, sizeof u->r.password);
    free(u);
}

/* `u` NULL: a new one. */
static struct user *user_changed(struct ledger *l, const struct user *u, const struct user_command *c)
{
    struct user *next = calloc(1, sizeof *next);
    if (!next)
        return NULL;
    if (u) {
        *next = *u;
    } else {
        next->r.created_ms = l->now_ms;
        keep(next->r.name, sizeof next->r.name, c->name);
    }
    change(&next->r, c);
    return next;
}

int apply_user_set(struct ledger *l, const struct user_command *c)
{
    struct user *u = user_find(l, c->name);
    int err = unexpected(c->presence, u != NULL);
    if (err)
        return refuse(l, err, u ? "there is a user of that name" : NULL);
    if (!u && l->users_count >= USERS_MAX)
        return refuse(l, SHUNT_TOO_MANY, "there are at most 1000 users: delete one");
    if (!u && ledger_is_full(l))
        return refuse(l, SHUNT_NO_SPACE, NULL);
    const char *why = bad_lists(l, c, u);
    if (why)
        return refuse(l, SHUNT_BAD_ARGUMENT, why);
    struct user *next = user_changed(l, u, c);
    if (!next || (!u && !user_insert(l, next))) {
        free(next);
        return SHUNT_NO_MEMORY;
    }
    if (u) {
        struct user **place = &l->users[user_position(l, c->name)];
        enum kept kept = administrators_kept(l);
        *place = next;
        if (administrators_kept(l) < kept) {
            *place = u;
            user_free(next);
            return refuse(l, SHUNT_FORBIDDEN, last_administrator);
        }
        user_free(u);
    } else {
        next->id = l->meta.job_next++;
    }
    ledger_tell_done(l, 0, NULL, 0, 0);
    return user_write(l, next);
}

int apply_user_delete(struct ledger *l, struct slice name)
{
    struct user *u = user_find(l, name);
    if (!u)
        return refuse(l, SHUNT_NOT_FOUND, NULL);
    size_t at = user_position(l, name), tokens = u->tokens;
    enum kept kept = administrators_kept(l);
    array_remove(l->users, &l->users_count, at);
    if (administrators_kept(l) < kept) {
        array_insert(l->users, &l->users_count, at);
        l->users[at] = u;
        return refuse(l, SHUNT_FORBIDDEN, last_administrator);
    }
    int err = tokens_delete(l, u);
    if (!err)
        err = identity_delete(l, TABLE_USER, u->id);
    user_free(u);
    ledger_tell_done(l, 0, NULL, 0, tokens);
    return err;
}

/* ---- roles ---- */

int apply_role_set(struct ledger *l, const struct role_command *c)
{
    struct role *r = role_find(l, c->name);
    int err = unexpected(c->presence, r != NULL);
    if (slice_is(c->name, ROLE_ADMINISTRATOR))
        return refuse(l, SHUNT_FORBIDDEN, "the role `administrator` is built in: it cannot be changed");
    if (err)
        return refuse(l, err, r ? "there is a role of that name" : NULL);
    if (!fits(c->name) || !grants_fit(c->grants, c->grants_count))
        return refuse(l, SHUNT_BAD_ARGUMENT, bad_role);
    if (!r && l->roles_count >= ROLES_MAX)
        return refuse(l, SHUNT_TOO_MANY, "there are at most 256 roles: delete one");
    if (!r && ledger_is_full(l))
        return refuse(l, SHUNT_NO_SPACE, NULL);
    struct role *next = calloc(1, sizeof *next);
    if (!next)
        return SHUNT_NO_MEMORY;
    next->id = r ? r->id : 0;
    next->r.created_ms = r ? r->r.created_ms : l->now_ms;
    keep(next->r.name, sizeof next->r.name, c->name);
    keep_grants(&next->r.grants, c->grants, c->grants_count);
    if (r) {
        struct role **place = &l->roles[role_position(l, c->name)];
        enum kept kept = administrators_kept(l);
        *place = next;
        if (administrators_kept(l) < kept) {
            *place = r;
            free(next);
            return refuse(l, SHUNT_FORBIDDEN, last_administrator);
        }
        free(r);
    } else if (role_insert(l, next)) {
        next->id = l->meta.job_next++;
    } else {
        free(next);
        return SHUNT_NO_MEMORY;
    }
    ledger_tell_done(l, 0, NULL, 0, 0);
    return role_write(l, next);
}

int apply_role_delete(struct ledger *l, struct slice name)
{
    struct role *r = role_find(l, name);
    if (slice_is(name, ROLE_ADMINISTRATOR))
        return refuse(l, SHUNT_FORBIDDEN, "the role `administrator` is built in: it cannot be deleted");
    if (!r)
        return refuse(l, SHUNT_NOT_FOUND, NULL);
    for (size_t i = 0; i < l->users_count; i++) {
        const struct user_record *u = &l->users[i]->r;
        if (has_text(u->roles[0], sizeof *u->roles, u->roles_count, name))
            return refuse(l, SHUNT_BAD_ARGUMENT, role_in_use);
    }
    size_t at = role_position(l, name);
    uint64_t id = r->id;
    array_remove(l->roles, &l->roles_count, at);
    free(r);
    ledger_tell_done(l, 0, NULL, 0, 0);
    return identity_delete(l, TABLE_ROLE, id);
}
