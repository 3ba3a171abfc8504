/* Users, roles and tokens by shunt_access.h, against a real shuntd. */
#include "client/shunt_access.h"

#include "broker.h"
#include "calls.h"
#include <string.h>

static struct broker broker;
static struct shunt *s;
static struct shunt_error err;

static const char verifier[] =
    "$argon2id$v=19$m=65536,t=3,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g";

static void setup(void)
{
    broker_start(&broker);
    ok(shunt_open(broker.url, NULL, &s, &err));
}

static void teardown(void)
{
    shunt_close(s, 1000);
    broker_stop(&broker);
}

TestSuite(access, .init = setup, .fini = teardown, .timeout = 60);

static const struct shunt_value *member(const struct shunt_value *map, const char *key)
{
    const struct shunt_value *is = shunt_value_get(map, key);
    cr_assert_not_null(is, "no %s", key);
    return is;
}

static void is_text(const struct shunt_value *value, const char *text)
{
    cr_assert_str_eq(shunt_value_text(value, NULL), text);
}

Test(access, a_user_is_made_with_roles_and_grants_shown_listed_and_deleted)
{
    const char *const grants[] = {"orders.*:look,publish", "mail:all"}, *const roles[] = {"triage"},
                      *const certificates[] = {"dns:ann.example"};
    const struct shunt_user_change ann = {.size = sizeof ann,
                                          .must_be = SHUNT_MUST_BE_NEW,
                                          .verifier = verifier,
                                          .certificates = certificates,
                                          .certificates_count = 1,
                                          .roles = roles,
                                          .roles_count = 1,
                                          .grants = grants,
                                          .grants_count = 2};
    struct shunt_value *user = NULL, *page = NULL;
    uint64_t tokens = 7;
    cr_assert_eq(shunt_user_set(s, "ann@shop", &ann, WAIT_MS, &err), SHUNT_BAD_ARGUMENT, "no such role");
    ok(shunt_role_set(s, "triage", SHUNT_MUST_BE_NEW, grants, 1, WAIT_MS, &err));
    ok(shunt_user_set(s, "ann@shop", &ann, WAIT_MS, &err));
    cr_assert_eq(shunt_user_set(s, "ann@shop", &ann, WAIT_MS, &err), SHUNT_BAD_ARGUMENT, "it is there");
    ok(shunt_user_show(s, "ann@shop", WAIT_MS, &user, &err));
    is_text(member(user, "user"), "ann@shop");
    is_text(shunt_value_at(member(user, "grants"), 0), "orders.*:publish,look");
    is_text(shunt_value_at(member(user, "grants"), 1), "mail:all");
    is_text(shunt_value_at(member(user, "roles"), 0), "triage");
    is_text(shunt_value_at(member(user, "certificates"), 0), "dns:ann.example");
    cr_assert(shunt_value_integer(member(user, "password")) &&
              !shunt_value_integer(member(user, "disabled")));
    shunt_value_free(user);
    const struct shunt_user_change off = {
        .size = sizeof off, .must_be = SHUNT_MUST_BE_THERE, .state = 2, .verifier = "", .grants = grants};
    ok(shunt_user_set(s, "ann@shop", &off, WAIT_MS, &err));
    ok(shunt_user_list(s, NULL, 10, WAIT_MS, &page, &err));
    const struct shunt_value *row = shunt_value_at(member(page, "rows"), 0);
    cr_assert(!shunt_value_integer(member(row, "password")) && shunt_value_integer(member(row, "disabled")));
    cr_assert_eq(shunt_value_count(member(row, "grants")), 0, "an empty list takes all away");
    cr_assert_eq(shunt_value_count(member(row, "roles")), 1, "and what is not given stays");
    shunt_value_free(page);
    ok(shunt_user_delete(s, "ann@shop", WAIT_MS, &tokens, &err));
    cr_assert_eq(tokens, 0);
    cr_assert_eq(shunt_user_show(s, "ann@shop", WAIT_MS, &user, &err), SHUNT_NOT_FOUND);
    cr_assert_eq(shunt_user_set(s, "ann@shop", &off, WAIT_MS, &err), SHUNT_NOT_FOUND);
    cr_assert_eq(shunt_user_delete(s, "ann@shop", WAIT_MS, NULL, &err), SHUNT_NOT_FOUND);
}

Test(access, roles_are_listed_with_the_one_that_is_built_in)
{
    const char *const grants[] = {"*:look"};
    struct shunt_value *page = NULL;
    ok(shunt_role_set(s, "viewer", SHUNT_MUST_BE_EITHER, grants, 1, WAIT_MS, &err));
    ok(shunt_role_set(s, "Zero", SHUNT_MUST_BE_EITHER, NULL, 0, WAIT_MS, &err));
    ok(shunt_role_list(s, NULL, 2, WAIT_MS, &page, &err));
    const struct shunt_value *rows = member(page, "rows");
    cr_assert(shunt_value_count(rows) == 2 && shunt_value_integer(member(page, "more")));
    is_text(member(shunt_value_at(rows, 0), "role"), "Zero");
    is_text(member(shunt_value_at(rows, 1), "role"), "administrator");
    cr_assert(shunt_value_integer(member(shunt_value_at(rows, 1), "built_in")));
    is_text(shunt_value_at(member(shunt_value_at(rows, 1), "grants"), 0), "*:all");
    shunt_value_free(page);
    ok(shunt_role_list(s, "administrator", 2, WAIT_MS, &page, &err));
    cr_assert_eq(shunt_value_count(member(page, "rows")), 1);
    is_text(member(shunt_value_at(member(page, "rows"), 0), "role"), "viewer");
    shunt_value_free(page);
    cr_assert_eq(shunt_role_set(s, "administrator", SHUNT_MUST_BE_EITHER, grants, 1, WAIT_MS, &err),
                 SHUNT_FORBIDDEN);
    cr_assert_eq(shunt_role_delete(s, "administrator", WAIT_MS, &err), SHUNT_FORBIDDEN);
    ok(shunt_role_delete(s, "viewer", WAIT_MS, &err));
    cr_assert_eq(shunt_role_delete(s, "viewer", WAIT_MS, &err), SHUNT_NOT_FOUND);
}

Test(access, a_token_is_told_once_listed_without_its_secret_and_revoked)
{
    char text[SHUNT_TOKEN_ROOM], other[SHUNT_TOKEN_ROOM];
    struct shunt_value *page = NULL;
    uint64_t number = 0, tokens = 0;
    cr_assert_eq(shunt_token_create(s, NULL, 0, NULL, WAIT_MS, &number, text, &err), SHUNT_BAD_ARGUMENT,
                 "nobody is logged in");
    cr_assert_eq(shunt_token_create(s, "bob", 0, NULL, WAIT_MS, &number, text, &err), SHUNT_NOT_FOUND);
    ok(shunt_user_set(s, "bob", NULL, WAIT_MS, &err));
    ok(shunt_token_create(s, "bob", 3600000, "for the shop", WAIT_MS, &number, text, &err));
    ok(shunt_token_create(s, "bob", 0, NULL, WAIT_MS, NULL, other, &err));
    cr_assert(!strncmp(text, "shunt_", 6) && strlen(text) == 62 && strcmp(text, other) != 0);
    ok(shunt_token_list(s, "bob", 0, 10, WAIT_MS, &page, &err));
    const struct shunt_value *row = shunt_value_at(member(page, "rows"), 0);
    cr_assert_eq(shunt_value_count(member(page, "rows")), 2);
    cr_assert_eq((uint64_t)shunt_value_integer(member(row, "token")), number);
    is_text(member(row, "user"), "bob");
    is_text(member(row, "note"), "for the shop");
    cr_assert_eq(shunt_value_integer(member(row, "expires")) - shunt_value_integer(member(row, "created")),
                 3600000);
    cr_assert_eq(shunt_value_count(row), 5, "and no secret");
    shunt_value_free(page);
    cr_assert_eq(shunt_token_revoke(s, number, "ann", WAIT_MS, &err), SHUNT_NOT_FOUND, "it is not hers");
    ok(shunt_token_revoke(s, number, NULL, WAIT_MS, &err));
    cr_assert_eq(shunt_token_revoke(s, number, NULL, WAIT_MS, &err), SHUNT_NOT_FOUND);
    cr_assert_eq(shunt_token_list(s, "nobody", 0, 0, WAIT_MS, &page, &err), SHUNT_NOT_FOUND);
    ok(shunt_user_delete(s, "bob", WAIT_MS, &tokens, &err));
    cr_assert_eq(tokens, 1);
}

Test(access, who_is_asked_without_authentication_is_anybody)
{
    struct shunt_value *who = NULL;
    ok(shunt_whoami(s, WAIT_MS, &who, &err));
    is_text(member(who, "how"), "anybody");
    cr_assert(shunt_value_type(member(who, "user")) == SHUNT_NIL);
    cr_assert(shunt_value_integer(member(who, "administrator")) &&
              shunt_value_count(member(who, "rights")) == 8);
    shunt_value_free(who);
}

Test(access, what_cannot_be_is_refused_before_or_by_the_broker)
{
    const char *const no_right[] = {"orders"}, *const no_pattern[] = {"a b:look"}, *const wrong[] = {"a:eat"},
                      *const none[] = {NULL}, *many[65];
    const struct shunt_user_change bad[] = {
        {.size = sizeof bad[0], .grants = no_right, .grants_count = 1},
        {.size = sizeof bad[0], .grants = no_pattern, .grants_count = 1},
        {.size = sizeof bad[0], .grants = wrong, .grants_count = 1},
        {.size = sizeof bad[0], .grants = none, .grants_count = 1},
        {.size = sizeof bad[0], .grants = many, .grants_count = 65},
        {.size = sizeof bad[0], .verifier = "secret"},
        {.size = sizeof bad[0], .certificates = no_right, .certificates_count = 1},
        {.size = sizeof bad[0], .must_be = 3},
        {.size = sizeof bad[0], .state = 3},
        {.size = 0},
    };
    for (size_t i = 0; i < sizeof many / sizeof *many; i++)
        many[i] = "a:look";
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(shunt_user_set(s, "u", &bad[i], WAIT_MS, &err), SHUNT_BAD_ARGUMENT, "%zu", i);
    cr_assert_eq(shunt_user_set(s, NULL, NULL, WAIT_MS, &err), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_user_set(s, "a b", NULL, WAIT_MS, &err), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_user_set(s, "", NULL, WAIT_MS, &err), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_role_set(s, "r", 9, NULL, 0, WAIT_MS, &err), SHUNT_BAD_ARGUMENT);
    ok(shunt_user_set(s, "u", NULL, WAIT_MS, &err));
    char text[SHUNT_TOKEN_ROOM], note[130];
    memset(note, 'n', sizeof note - 1);
    note[129] = 0;
    cr_assert_eq(shunt_token_create(s, "u", -1, NULL, WAIT_MS, NULL, text, &err), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_token_create(s, "u", 0, note, WAIT_MS, NULL, text, &err), SHUNT_TOO_LARGE);
}
