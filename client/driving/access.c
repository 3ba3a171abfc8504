/* access: users, roles and tokens. */
#include "client/driving/admin.h"

#include "base/secret.h"
#include "client/driving/call_run.h"
#include "client/driving/given.h"
#include "client/shunt_access.h"
#include "client/wire/error.h"
#include "client/wire/value.h"
#include "proto/names.h"
#include "proto/token_text.h"

_Static_assert(SHUNT_TOKEN_ROOM == TOKEN_TEXT_BYTES + 1, "a token fits its room");

static int given_name(const char *name, const char *what, struct slice *ret, struct shunt_error *err)
{
    *ret = slice_of(name);
    if (!name)
        return error_set(err, SHUNT_BAD_ARGUMENT, "%s must be named", what);
    if (!name_is_user(*ret))
        return error_set(err, SHUNT_BAD_ARGUMENT, "the name of %s is 1 to 100 of A-Z a-z 0-9 . _ - @", what);
    return 0;
}

/* `texts` NULL: the list is not given. `bytes` holds what they become. fails: BAD_ARGUMENT */
static int given_list(const char *const *texts, size_t count, size_t max, const char *what,
                      struct mpack_buffer *bytes, struct wire_list *ret, struct shunt_error *err)
{
    if (!texts)
        return 0;
    if (count > max)
        return error_set(err, SHUNT_BAD_ARGUMENT, "at most %zu %s", max, what);
    for (size_t i = 0; i < count; i++) {
        struct slice text;
        int rc = given_text(texts[i], what, &text, err);
        if (rc == 0 && !texts[i])
            rc = error_set(err, SHUNT_BAD_ARGUMENT, "one of the %s is NULL", what);
        if (rc != 0)
            return rc;
        mpack_write_str(bytes, text.data, text.size);
    }
    *ret = (struct wire_list){(uint32_t)count, {bytes->data ? (const void *)bytes->data : "", bytes->size}};
    return bytes->failed ? error_set(err, SHUNT_NO_MEMORY, NULL) : 0;
}

static int given_presence(int must_be, struct slice *ret, struct shunt_error *err)
{
    static const char *const words[] = {NULL, "new", "there"};
    if (must_be < SHUNT_MUST_BE_EITHER || must_be > SHUNT_MUST_BE_THERE)
        return error_set(err, SHUNT_BAD_ARGUMENT, "must_be is 0, 1 or 2");
    *ret = slice_of(words[must_be]);
    return 0;
}

/* ---- users ---- */

#define LISTS 3 /* certificates, roles, grants */

static int take_change(const struct shunt_user_change *change, struct user_settings *to,
                       struct mpack_buffer bytes[LISTS], struct shunt_error *err)
{
    static const char *const states[] = {NULL, "enabled", "disabled"};
    struct shunt_user_change given = {0};
    int rc = change ? given_struct(&given, sizeof given, change, err) : 0;
    if (rc == 0)
        rc = given_presence(given.must_be, &to->must_be, err);
    if (rc == 0 && (given.state < 0 || given.state > 2))
        rc = error_set(err, SHUNT_BAD_ARGUMENT, "state is 0, 1 or 2");
    if (rc == 0 && given.verifier && *given.verifier)
        rc = given_text(given.verifier, "the verifier", &to->password, err);
    const struct {
        const char *const *texts;
        size_t count, max;
        const char *what;
        struct wire_list *ret;
    } lists[LISTS] = {{given.certificates, given.certificates_count, USER_CERTIFICATES_MAX,
                       "names of certificates", &to->certificates},
                      {given.roles, given.roles_count, USER_ROLES_MAX, "roles", &to->roles},
                      {given.grants, given.grants_count, GRANTS_MAX, "grants", &to->grants}};
    for (size_t i = 0; rc == 0 && i < LISTS; i++) {
        rc = given_list(lists[i].texts, lists[i].count, lists[i].max, lists[i].what, &bytes[i], lists[i].ret,
                        err);
    }
    if (rc != 0)
        return rc;
    if (given.verifier && !*given.verifier)
        to->password = (struct slice){"", 0};
    to->state = slice_of(states[given.state]);
    return 0;
}

int shunt_user_set(struct shunt *s, const char *user, const struct shunt_user_change *change,
                   int64_t timeout_ms, struct shunt_error *err)
{
    struct call call;
    struct mpack_buffer bytes[LISTS] = {0};
    union request_fields q = {.user_set = {.user = {0}}};
    int rc = given_name(user, "a user", &q.user_set.user, err);
    if (rc == 0)
        rc = take_change(change, &q.user_set.settings, bytes, err);
    if (rc == 0) {
        /* Asked again, it is not new any more by the first time. */
        call_begin(&call, &request_user_set, &q, !slice_is(q.user_set.settings.must_be, "new"));
        rc = call_finish(s, &call, timeout_ms, err);
    }
    for (size_t i = 0; i < LISTS; i++)
        mpack_buffer_done(&bytes[i]);
    return rc;
}

int shunt_user_list(struct shunt *s, const char *after, uint32_t limit, int64_t timeout_ms,
                    struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {.user_list = {.after = slice_of(after), .limit = limit}};
    call_begin(&call, &request_user_list, &q, true);
    return admin_finish_page(s, &call, timeout_ms, ret, err);
}

int shunt_user_show(struct shunt *s, const char *user, int64_t timeout_ms, struct shunt_value **ret,
                    struct shunt_error *err)
{
    struct call call;
    union request_fields q = {.user_list = {.user = {0}}};
    int rc = given_name(user, "a user", &q.user_list.user, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_user_list, &q, true);
    rc = call_run(s, &call, timeout_ms, err);
    if (rc == 0) {
        uint32_t rows = mpack_read_array(&call.reply);
        struct slice row = rows == 1 ? mpack_read_any(&call.reply) : (struct slice){0};
        rc = row.data && !call.reply.failed ? value_build(row, ret) : SHUNT_PROTOCOL;
        if (rc != 0)
            rc = error_set(err, rc, NULL);
    }
    call_done(&call);
    return rc;
}

int shunt_user_delete(struct shunt *s, const char *user, int64_t timeout_ms, uint64_t *ret_tokens,
                      struct shunt_error *err)
{
    struct call call;
    union request_fields q = {.user_delete = {.user = {0}}};
    int rc = given_name(user, "a user", &q.user_delete.user, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_user_delete, &q, false); /* asked again, it may be gone by the first time */
    return call_finish_uint(s, &call, timeout_ms, ret_tokens, err);
}

/* ---- roles ---- */

int shunt_role_set(struct shunt *s, const char *role, int must_be, const char *const *grants,
                   size_t grants_count, int64_t timeout_ms, struct shunt_error *err)
{
    struct call call;
    struct mpack_buffer bytes = {0};
    union request_fields q = {.role_set = {.role = {0}}};
    struct role_settings *to = &q.role_set.settings;
    int rc = given_name(role, "a role", &q.role_set.role, err);
    if (rc == 0)
        rc = given_presence(must_be, &to->must_be, err);
    if (rc == 0)
        rc = given_list(grants, grants_count, GRANTS_MAX, "grants", &bytes, &to->grants, err);
    if (rc == 0) {
        call_begin(&call, &request_role_set, &q, must_be != SHUNT_MUST_BE_NEW);
        rc = call_finish(s, &call, timeout_ms, err);
    }
    mpack_buffer_done(&bytes);
    return rc;
}

int shunt_role_list(struct shunt *s, const char *after, uint32_t limit, int64_t timeout_ms,
                    struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {.role_list = {.after = slice_of(after), .limit = limit}};
    call_begin(&call, &request_role_list, &q, true);
    return admin_finish_page(s, &call, timeout_ms, ret, err);
}

int shunt_role_delete(struct shunt *s, const char *role, int64_t timeout_ms, struct shunt_error *err)
{
    struct call call;
    union request_fields q = {.role_delete = {.role = {0}}};
    int rc = given_name(role, "a role", &q.role_delete.role, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_role_delete, &q, false);
    return call_finish(s, &call, timeout_ms, err);
}

/* ---- tokens ---- */

/* NULL: nobody is named. */
static int given_user(const char *user, struct slice *ret, struct shunt_error *err)
{
    *ret = (struct slice){0};
    return user ? given_name(user, "a user", ret, err) : 0;
}

int shunt_token_create(struct shunt *s, const char *user, int64_t lifetime_ms, const char *note,
                       int64_t timeout_ms, uint64_t *ret_number, char *ret_text, struct shunt_error *err)
{
    struct call call;
    union request_fields q = {.token_create = {.lifetime_ms = (uint64_t)lifetime_ms}};
    int rc = given_user(user, &q.token_create.user, err);
    if (rc == 0 && (lifetime_ms < 0 || lifetime_ms > DURATION_MS_MAX))
        rc = error_set(err, SHUNT_BAD_ARGUMENT, "a token lasts from 0 ms to %lld", DURATION_MS_MAX);
    if (rc == 0)
        rc = given_text(note, "the note", &q.token_create.note, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_token_create, &q, false);
    rc = call_run(s, &call, timeout_ms, err);
    if (rc == 0) {
        uint64_t number = mpack_read_uint(&call.reply);
        struct slice text = mpack_read_str(&call.reply);
        if (call.reply.failed || text.size != TOKEN_TEXT_BYTES) {
            rc = error_set(err, SHUNT_PROTOCOL, NULL);
        } else {
            memcpy(ret_text, text.data, text.size);
            ret_text[text.size] = 0;
            secret_wipe_lent(text.data,
                             text.size); /* in the block that it came in, where nobody reads it again */
            if (ret_number)
                *ret_number = number;
        }
    }
    call_done(&call);
    return rc;
}

int shunt_token_list(struct shunt *s, const char *user, uint64_t after, uint32_t limit, int64_t timeout_ms,
                     struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    union request_fields q = {.token_list = {.after = after, .limit = limit}};
    int rc = given_user(user, &q.token_list.user, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_token_list, &q, true);
    return admin_finish_page(s, &call, timeout_ms, ret, err);
}

int shunt_token_revoke(struct shunt *s, uint64_t number, const char *user, int64_t timeout_ms,
                       struct shunt_error *err)
{
    struct call call;
    union request_fields q = {.token_revoke = {.token = number}};
    int rc = given_user(user, &q.token_revoke.user, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_token_revoke, &q, false); /* asked again, it may be gone by the first time */
    return call_finish(s, &call, timeout_ms, err);
}

/* ---- oneself ---- */

int shunt_whoami(struct shunt *s, int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    call_begin(&call, &request_whoami, NULL, true);
    return admin_finish_value(s, &call, timeout_ms, ret, err);
}
