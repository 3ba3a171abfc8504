/* shunt_access.h: users, roles and tokens: who may do what with a broker. Goes with shunt.h.
 *
 * All that stands at the top of shunt.h holds here too. Every call waits up to `timeout_ms`. Answers are trees of values, whose
 * keys are in PROTOCOL.md section 12. Unless it says otherwise, a call is an administrator's.
 *
 * A struct that is passed in begins with `size`, its sizeof as the caller was compiled. Members that are added later stand at
 * the end, and are then known not to be there; NULL and 0 always mean "not given".
 * fails: BAD_ARGUMENT if `size` is no struct's size; UNSUPPORTED if a member is given that this library does not know, or the
 * broker is too old to have users.
 */
#ifndef SHUNT_ACCESS_H
#define SHUNT_ACCESS_H

#include "shunt.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ users */

/* Whether what is set by its name has to be new, or there already. */
enum shunt_must_be { SHUNT_MUST_BE_EITHER = 0, SHUNT_MUST_BE_NEW = 1, SHUNT_MUST_BE_THERE = 2 };

/* What changes of a user; the rest stays as it is. A list takes the place of the one before: with a pointer and a count of 0
 * there is nothing left in it. */
struct shunt_user_change {
    size_t size;
    int must_be; /* an enum shunt_must_be */
    int state;   /* 1: it can log in; 2: it cannot, and has no rights */
    /* What its password is verified by: the PHC string of Argon2id, version 19, with m 19456 to 262144 KiB, t 2 to 10, p 1 to 4, a
     * salt of 16 to 64 random bytes and a hash of 32. It is made where the password is known, which the broker is never told.
     * Empty: it has no password. */
    const char *verifier;
    const char *const
        *certificates; /* names that its client certificates carry: dns:NAME, email:NAME, uri:NAME, cn:NAME */
    size_t certificates_count; /* at most 8 */
    const char *const *roles;  /* that there are; `administrator` is built in */
    size_t roles_count;        /* at most 16 */
    const char *const
        *grants; /* of its own: PATTERN:RIGHT,RIGHT, as in orders.*:publish,look; `all` is every right */
    size_t grants_count; /* at most 64 */
};

/* Make a user, or change it. A user may change its own password, and nothing else of itself.
 * fails: BAD_ARGUMENT (a name, a grant or a verifier that can be none; no such role; another user's certificate; it is there and
 * must be new), NOT_FOUND (it must be there), TOO_MANY, NO_SPACE, FORBIDDEN (nobody would be left who administers users) */
SHUNT_API int shunt_user_set(struct shunt *s, const char *user, const struct shunt_user_change *change,
                             int64_t timeout_ms, struct shunt_error *err);
/* One page of the users in order of name, from the one after `after` (NULL: the first) on: a MAP {rows: LIST, more: BOOL}. */
SHUNT_API int shunt_user_list(struct shunt *s, const char *after, uint32_t limit, int64_t timeout_ms,
                              struct shunt_value **ret, struct shunt_error *err);
/* One of them: a MAP. fails: NOT_FOUND */
SHUNT_API int shunt_user_show(struct shunt *s, const char *user, int64_t timeout_ms, struct shunt_value **ret,
                              struct shunt_error *err);
/* Its tokens go with it; ret_tokens (may be NULL) is how many it had.
 * fails: NOT_FOUND, FORBIDDEN (nobody would be left who administers users) */
SHUNT_API int shunt_user_delete(struct shunt *s, const char *user, int64_t timeout_ms, uint64_t *ret_tokens,
                                struct shunt_error *err);

/* ------------------------------------------------------------------ roles */

/* Make a role, or change it: these are all its grants, as those of a user; at most 64. Users that have it have them at once.
 * fails: BAD_ARGUMENT, NOT_FOUND (it must be there), TOO_MANY, NO_SPACE, FORBIDDEN (the built-in role; nobody would be left
 * who administers users) */
SHUNT_API int shunt_role_set(struct shunt *s, const char *role, int must_be, const char *const *grants,
                             size_t grants_count, int64_t timeout_ms, struct shunt_error *err);
/* One page, as of users. */
SHUNT_API int shunt_role_list(struct shunt *s, const char *after, uint32_t limit, int64_t timeout_ms,
                              struct shunt_value **ret, struct shunt_error *err);
/* fails: NOT_FOUND, BAD_ARGUMENT (a user has it), FORBIDDEN (the built-in role) */
SHUNT_API int shunt_role_delete(struct shunt *s, const char *role, int64_t timeout_ms,
                                struct shunt_error *err);

/* ------------------------------------------------------------------ tokens */

#define SHUNT_TOKEN_ROOM 63 /* a token's text and its terminator */

/* Give a user (NULL: oneself) a token, by which it logs in for `lifetime_ms` (0: until it is revoked). ret_number (may be NULL)
 * names it; `ret_text`, of SHUNT_TOKEN_ROOM bytes, is the token, which nobody can be told again: wipe it when it has been kept.
 * `note` (may be NULL, at most 128 bytes) is for people. It is not tried again after a lost connection: a token that nobody knows
 * may then be there, which the list shows.
 * fails: NOT_FOUND (no such user), TOO_MANY (100 of a user, 10000 in all), TOO_LARGE, BAD_ARGUMENT, NO_SPACE */
SHUNT_API int shunt_token_create(struct shunt *s, const char *user, int64_t lifetime_ms, const char *note,
                                 int64_t timeout_ms, uint64_t *ret_number, char *ret_text,
                                 struct shunt_error *err);
/* One page of the tokens, without what is secret, in order of number: a MAP {rows: LIST, more: BOOL, next: INTEGER}. `user`
 * NULL: those of all users, or, for who is no administrator, one's own. `after` is 0 for the first page and then `next`. */
SHUNT_API int shunt_token_list(struct shunt *s, const char *user, uint64_t after, uint32_t limit,
                               int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err);
/* Take it away: connections that logged in by it are closed. `user` NULL: whosever it is. fails: NOT_FOUND */
SHUNT_API int shunt_token_revoke(struct shunt *s, uint64_t number, const char *user, int64_t timeout_ms,
                                 struct shunt_error *err);

/* ------------------------------------------------------------------ oneself */

/* The user of this connection, and what it may do: a MAP. Everybody may ask. */
SHUNT_API int shunt_whoami(struct shunt *s, int64_t timeout_ms, struct shunt_value **ret,
                           struct shunt_error *err);

#ifdef __cplusplus
}
#endif

#endif
