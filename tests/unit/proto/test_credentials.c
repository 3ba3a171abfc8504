/* credentials: what HELLO's `auth` may be. */
#include "proto/credentials.h"

#include "proto/limits.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void round_trip(const struct credentials *c)
{
    struct mpack_buffer b = {0};
    struct credentials got;
    const char *why = NULL;
    credentials_write(&b, c);
    cr_assert(credentials_read((struct slice){b.data, b.size}, &got, &why), "%s", why);
    cr_assert_eq(got.mechanism, c->mechanism);
    cr_assert(slice_equal(got.user, c->user));
    cr_assert(slice_equal(got.password, c->password));
    cr_assert(slice_equal(got.token, c->token));
    mpack_buffer_done(&b);
}

Test(credentials, what_is_written_is_read)
{
    round_trip(&(struct credentials){.mechanism = MECHANISM_NONE});
    round_trip(&(struct credentials){.mechanism = MECHANISM_TOKEN, .token = slice_of("shunt_x")});
    round_trip(&(struct credentials){
        .mechanism = MECHANISM_PASSWORD, .user = slice_of("ann"), .password = slice_of("p\xc3\xa4ss")});
}

Test(credentials, a_password_ends_at_its_limit)
{
    static char longest[PASSWORD_BYTES_MAX + 1];
    struct credentials c = {.mechanism = MECHANISM_PASSWORD, .user = slice_of("ann")}, got;
    const char *why = NULL;
    memset(longest, 'x', sizeof longest);
    c.password = (struct slice){longest, PASSWORD_BYTES_MAX};
    round_trip(&c);
    c.password.size++;
    struct mpack_buffer b = {0};
    credentials_write(&b, &c);
    cr_assert_not(credentials_read((struct slice){b.data, b.size}, &got, &why));
    cr_assert_not_null(strstr(why, "1024"));
    mpack_buffer_done(&b);
}

static const char *refused(const struct mpack_buffer *b)
{
    struct credentials got;
    const char *why = NULL;
    cr_assert_not(credentials_read((struct slice){b->data, b->size}, &got, &why));
    return why;
}

Test(credentials, what_is_missing_or_of_another_type_is_refused)
{
    struct mpack_buffer b = {0};
    mpack_write_map(&b, 0);
    cr_assert_not_null(strstr(refused(&b), "mechanisms"));
    b.size = 0;
    mpack_write_map(&b, 2);
    mpack_write_cstr(&b, "mechanism");
    mpack_write_cstr(&b, "password");
    mpack_write_cstr(&b, "user");
    mpack_write_cstr(&b, "ann");
    cr_assert_not_null(strstr(refused(&b), "needs user and password"));
    b.size = 0;
    mpack_write_map(&b, 2);
    mpack_write_cstr(&b, "mechanism");
    mpack_write_cstr(&b, "token");
    mpack_write_cstr(&b, "token");
    mpack_write_uint(&b, 1);
    cr_assert_not_null(strstr(refused(&b), "strings"));
    mpack_buffer_done(&b);
}

Test(credentials, keys_of_a_later_version_are_passed_over)
{
    struct mpack_buffer b = {0};
    struct credentials got;
    const char *why = NULL;
    mpack_write_map(&b, 3);
    mpack_write_cstr(&b, "realm");
    mpack_write_array(&b, 1);
    mpack_write_uint(&b, 1);
    mpack_write_cstr(&b, "mechanism");
    mpack_write_cstr(&b, "token");
    mpack_write_cstr(&b, "token");
    mpack_write_cstr(&b, "t");
    cr_assert(credentials_read((struct slice){b.data, b.size}, &got, &why), "%s", why);
    cr_assert(slice_is(got.token, "t"));
    mpack_buffer_done(&b);
}
