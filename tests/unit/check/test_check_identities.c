/* check_identities: damage to users, roles and tokens is found and named. */
#include "broker/core/identity.h"
#include "tests/unit/check/check_bench.h"
#include "tests/unit/core/ledger_identities.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

static struct fixture f;

static uint64_t id_of(const char *user)
{
    return ledger_user(f.l, text(user))->id;
}

static void plant_user(uint64_t id, const struct user_record *r)
{
    static uint8_t bytes[RECORD_BYTES_MAX];
    struct key key = key_identity(id);
    plant(&f, TABLE_USER, key, bytes, user_encode(bytes, key_slice(&key), r));
}

/* ann, of the role triage, with a token. Their numbers follow each other. */
static void make(void)
{
    role_set(&f, "triage", "orders", 1);
    user_with_role(&f, "ann", "triage");
    token_add(&f, "ann", 0);
}
DAMAGE(user_unreadable)
{
    make();
    flip(&f, TABLE_USER, key_identity(id_of("ann")));
}
DAMAGE(role_unreadable)
{
    make();
    flip(&f, TABLE_ROLE, key_identity(id_of("ann") - 1));
}
DAMAGE(token_unreadable)
{
    make();
    flip(&f, TABLE_TOKEN, key_identity(id_of("ann") + 1));
}
DAMAGE(user_lost)
{
    make();
    uproot(&f, TABLE_USER, key_identity(id_of("ann")));
}
DAMAGE(role_lost)
{
    make();
    uproot(&f, TABLE_ROLE, key_identity(id_of("ann") - 1));
}
DAMAGE(user_of_a_number_to_come)
{
    plant_user(1000, &(struct user_record){.name = "bob"});
}
DAMAGE(users_of_one_name)
{
    make();
    plant_user(id_of("ann") + 1, &(struct user_record){.name = "ann"});
}
DAMAGE(keys_of_other_sizes)
{
    plant_empty(&f, TABLE_USER, key_id(1));
    plant_empty(&f, TABLE_ROLE, key_id_seq(1, 1));
    plant_empty(&f, TABLE_TOKEN, key_id(1));
}

static const struct damage damages[] = {
    CASE(user_unreadable, "checksum: user 2\n"),
    CASE(role_unreadable, "checksum: role 1\nmissing: user ann: its role triage\n"),
    CASE(token_unreadable, "checksum: token 3\n"),
    CASE(user_lost, "orphan: token 3: its user 2 is not there\n"),
    CASE(role_lost, "missing: user ann: its role triage\n"),
    CASE(user_of_a_number_to_come, "catalogue: user 1000: its number was not given out\n"),
    CASE(users_of_one_name, "catalogue: ann: two users have this name\n"),
    CASE(keys_of_other_sizes, "orphan: role: a row with a key of 12 bytes\n"
                              "orphan: user: a row with a key of 4 bytes\n"
                              "orphan: token: a row with a key of 4 bytes\n"),
};

ParameterizedTestParameters(check_identities, damage_is_reported_as_what_it_is)
{
    static size_t rows[sizeof damages / sizeof damages[0]];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        rows[i] = i;
    return cr_make_param_array(size_t, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(size_t *row, check_identities, damage_is_reported_as_what_it_is)
{
    bench_expect_damage(&f, &damages[*row]);
}

Test(check_identities, users_roles_and_tokens_as_they_are_made_are_no_damage)
{
    uint64_t problems;
    bench_init(&f);
    make();
    token_revoke(&f, f.count, "");
    user_with_role(&f, "bob", ROLE_ADMINISTRATOR);
    token_add(&f, "bob", T0 + 100000);
    user_delete(&f, "ann");
    char *report = bench_check(&f, &problems);
    cr_assert_eq(problems, 0, "%s", report);
    free(report);
    bench_done(&f);
}
