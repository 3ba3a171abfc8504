/* check_rules: damage to rules on dead letters, and to what they are to do, is found and named. */
#include "tests/unit/check/check_bench.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

static struct fixture f;

/* Rule 10 of orders/default, and a letter, 2, that it acts on in the end. */
static void plant_rule(void)
{
    const struct rule_command c = {.topic = text("orders"),
                                   .group = text("default"),
                                   .define = true,
                                   .action = RULE_REDRIVE,
                                   .times = 1,
                                   .wait_ms = 1,
                                   .wait_max_ms = 1};
    rule_set(&f, &c);
    fail(&f, "orders", "default", 3, ATTEMPT_REJECTED);
}
DAMAGE(rule_unreadable)
{
    plant_rule();
    flip(&f, TABLE_RULE, key_id_seq(DEFAULT, 10));
}
DAMAGE(rule_of_no_group)
{
    plant_empty(&f, TABLE_RULE, key_id_seq(77, 2));
}
DAMAGE(rule_with_a_large_number)
{
    plant_empty(&f, TABLE_RULE, key_id_seq(DEFAULT, RULE_NUMBER_MAX + 1));
}
DAMAGE(rule_of_an_id_to_come)
{
    static uint8_t bytes[RECORD_BYTES_MAX];
    const struct rule_record r = {.id = 1000};
    struct key key = key_id_seq(DEFAULT, 3);
    plant(&f, TABLE_RULE, key, bytes, rule_encode(bytes, key_slice(&key), &r));
}
DAMAGE(rule_due_lost)
{
    plant_rule();
    uproot(&f, TABLE_DUE, key_due(DEFAULT, DUE_RULED, T0 + f.now_ms + 1, 2));
}
DAMAGE(rule_due_of_another_letter)
{
    plant_rule();
    plant_empty(&f, TABLE_DUE, key_due(DEFAULT, DUE_RULED, 5, 1));
    plant_empty(&f, TABLE_DUE, key_due(DEFAULT, DUE_RULED, 5, 9));
}

static const struct damage damages[] = {
    CASE(rule_unreadable, "checksum: orders/default: rule 10\n"),
    CASE(rule_of_no_group, "orphan: rule 77/2: its group is not there\n"),
    CASE(rule_with_a_large_number, "orphan: rule: a row with a malformed key of 12 bytes\n"),
    CASE(rule_of_an_id_to_come,
         "catalogue: orders/default: rule 3 has the id 1000, which was not given out\n"),
    CASE(rule_due_lost,
         "missing: dlq:orders:default/2: a rule acts on it at 1000011 ms, and no due row says so\n"),
    CASE(rule_due_of_another_letter, "orphan: orders/default: a due row of dead letter 1 that a rule acts on "
                                     "at 5 ms, which does not say so\n"
                                     "orphan: orders/default: a due row of dead letter 9 that a rule acts on "
                                     "at 5 ms, which is not there\n"),
};

ParameterizedTestParameters(check_rules, damage_is_reported_as_what_it_is)
{
    static size_t rows[sizeof damages / sizeof damages[0]];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        rows[i] = i;
    return cr_make_param_array(size_t, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(size_t *row, check_rules, damage_is_reported_as_what_it_is)
{
    bench_expect_damage(&f, &damages[*row]);
}
