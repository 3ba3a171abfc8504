/* login_header: what Authorization says, as HELLO's `auth`. */
#include "broker/http/login_header.h"

#include "proto/credentials.h"
#include "proto/limits.h"
#include <criterion/criterion.h>
#include <string.h>

static struct credentials read_it(const char *value, struct login_header *h)
{
    struct credentials c;
    const char *why = NULL;
    login_header_read(value, NULL, h);
    cr_assert(credentials_read(login_header_auth(h), &c, &why), "%s: %s", value, why);
    return c;
}

Test(login_header, a_user_with_a_password)
{
    struct login_header h;
    struct credentials c = read_it("Basic YW5uOmE6Yg==", &h); /* ann:a:b */
    cr_assert_eq(c.mechanism, MECHANISM_PASSWORD);
    cr_assert(slice_is(c.user, "ann"));
    cr_assert(slice_is(c.password, "a:b"), "a password may hold a colon");
    c = read_it("bAsIc   YW5uOg==", &h); /* ann: */
    cr_assert(slice_is(c.password, ""));
    login_header_done(&h);
    for (size_t i = 0; i < sizeof h.auth; i++)
        cr_assert_eq(h.auth[i], 0);
}

Test(login_header, a_token)
{
    struct login_header h;
    struct credentials c = read_it("Bearer shunt_abc", &h);
    cr_assert_eq(c.mechanism, MECHANISM_TOKEN);
    cr_assert(slice_is(c.token, "shunt_abc"));
}

Test(login_header, white_space_behind_it_is_dropped)
{
    struct login_header h;
    cr_assert(slice_is(read_it("Bearer shunt_abc \t ", &h).token, "shunt_abc"));
    cr_assert(slice_is(read_it("Basic YW5uOmE6Yg==\t", &h).password, "a:b"));
    cr_assert_eq(read_it("Basic  \t ", &h).mechanism, MECHANISM_NONE);
}

Test(login_header, what_cannot_be_understood_is_no_login)
{
    static const char *const values[] = {
        NULL,       "",           "Basic",          "Basic ",        "Basic !!!!",
        "Basic YQ", "Basic YW5u", "Digest x=\"y\"", "BasicYW5uOmE=", "Bear x"};
    struct login_header h;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        cr_assert_eq(read_it(values[i], &h).mechanism, MECHANISM_NONE, "%s", values[i] ? values[i] : "none");
}

Test(login_header, one_that_is_longer_than_any_is_no_login)
{
    char value[6 + 2000] = "Bearer ";
    struct login_header h;
    memset(value + 7, 'x', PASSWORD_BYTES_MAX);
    cr_assert_eq(read_it(value, &h).token.size, PASSWORD_BYTES_MAX);
    value[7 + PASSWORD_BYTES_MAX] = 'x';
    cr_assert_eq(read_it(value, &h).mechanism, MECHANISM_NONE);
    memcpy(value, "Basic ", 6);
    memset(value + 6, 'A', sizeof value - 7);
    cr_assert_eq(read_it(value, &h).mechanism, MECHANISM_NONE);
}

Test(login_header, the_same_credentials_have_the_same_hash)
{
    struct login_header a, b;
    login_header_read("Bearer x", NULL, &a);
    login_header_read("bearer  x", NULL, &b);
    cr_assert_arr_eq(a.hash, b.hash, sizeof a.hash);
    login_header_read("Bearer y", NULL, &b);
    cr_assert_neq(memcmp(a.hash, b.hash, sizeof a.hash), 0);
    login_header_read(NULL, NULL, &a);
    login_header_read("Digest", NULL, &b);
    cr_assert_arr_eq(a.hash, b.hash, sizeof a.hash);
}

Test(login_header, by_a_certificate_its_names_tell_who_it_is)
{
    static const char one[] = "dns:a\0cn:b\0", other[] = "dns:a\0cn:c\0", joined[] = "dns:acn:b\0";
    struct login_header a, b;
    login_header_read(NULL, one, &a);
    cr_assert_eq(a.auth_size, 0, "HELLO says nothing then");
    login_header_read(NULL, one, &b);
    cr_assert_arr_eq(a.hash, b.hash, sizeof a.hash);
    login_header_read(NULL, other, &b);
    cr_assert_arr_neq(a.hash, b.hash, sizeof a.hash);
    login_header_read(NULL, joined, &b);
    cr_assert_arr_neq(a.hash, b.hash, sizeof a.hash);
    login_header_read(NULL, NULL, &b);
    cr_assert_arr_neq(a.hash, b.hash, sizeof a.hash, "one without a certificate is somebody else");
}
