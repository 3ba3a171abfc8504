/* credentials: the map of HELLO's `auth`. */
#include "proto/credentials.h"

#include "proto/limits.h"

static bool fail(const char **ret_why, const char *why)
{
    *ret_why = why;
    return false;
}

/* Whether what its mechanism needs is there. */
static bool is_whole(const struct credentials *c, struct slice mechanism, const char **ret_why)
{
    if (slice_is(mechanism, "password")) {
        if (!c->user.data || !c->password.data)
            return fail(ret_why, "auth of the mechanism password needs user and password, as strings");
        if (c->password.size > PASSWORD_BYTES_MAX)
            return fail(ret_why, "a password is at most 1024 bytes long");
        return true;
    }
    if (slice_is(mechanism, "token"))
        return c->token.data || fail(ret_why, "auth of the mechanism token needs token, as a string");
    return fail(ret_why, "the mechanisms of auth are password and token");
}
_Static_assert(PASSWORD_BYTES_MAX == 1024, "is_whole() says the limit in words");

bool credentials_read(struct slice map, struct credentials *ret, const char **ret_why)
{
    *ret = (struct credentials){.mechanism = MECHANISM_NONE};
    if (!map.size)
        return true;
    struct mpack_reader r;
    struct slice mechanism = {NULL, 0};
    mpack_read_init(&r, map.data, map.size);
    uint32_t pairs = mpack_read_map(&r);
    for (uint32_t i = 0; i < pairs && !r.failed; i++) {
        struct slice key = mpack_read_str(&r);
        struct slice *value = slice_is(key, "mechanism")  ? &mechanism
                              : slice_is(key, "user")     ? &ret->user
                              : slice_is(key, "password") ? &ret->password
                              : slice_is(key, "token")    ? &ret->token
                                                          : NULL;
        if (value && mpack_peek(&r) == MPACK_STR)
            *value = mpack_read_str(&r);
        else if (value)
            return fail(ret_why, "mechanism, user, password and token of auth are strings");
        else
            (void)mpack_read_any(&r);
    }
    if (r.failed)
        return fail(ret_why, "auth is not a map as it must be");
    if (!is_whole(ret, mechanism, ret_why))
        return false;
    ret->mechanism = slice_is(mechanism, "password") ? MECHANISM_PASSWORD : MECHANISM_TOKEN;
    return true;
}

static void write_pair(struct mpack_buffer *to, const char *key, struct slice value)
{
    mpack_write_cstr(to, key);
    mpack_write_str(to, value.data, value.size);
}

void credentials_write(struct mpack_buffer *to, const struct credentials *c)
{
    switch (c->mechanism) {
    case MECHANISM_NONE:
        break;
    case MECHANISM_PASSWORD:
        mpack_write_map(to, 3);
        write_pair(to, "mechanism", slice_of("password"));
        write_pair(to, "user", c->user);
        write_pair(to, "password", c->password);
        break;
    case MECHANISM_TOKEN:
        mpack_write_map(to, 2);
        write_pair(to, "mechanism", slice_of("token"));
        write_pair(to, "token", c->token);
        break;
    }
}
