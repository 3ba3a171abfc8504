/* Rules on dead letters: how many there may be, and which are refused. */
#include "tests/unit/core/ledger_rules.h"

Test(ledger_rules, a_group_has_so_many_rules_and_no_more)
{
    struct fixture f;
    start(&f);
    struct rule_command c = rule(0, "A", RULE_MUTE);
    for (unsigned i = 1; i <= RULES_MAX; i++) {
        rule_set(&f, &c);
        cr_assert(f.err == 0 && f.count == 10 * i, "its number");
    }
    rule_set(&f, &c);
    cr_assert_eq(f.err, SHUNT_TOO_MANY);
    c.number = 10 * RULES_MAX; /* one that is there */
    rule_set(&f, &c);
    cr_assert_eq(f.err, 0);
    rule_delete(&f, "t", "default", 10);
    cr_assert_eq(f.err, 0);
    c.number = RULE_NUMBER_MAX;
    rule_set(&f, &c);
    cr_assert_eq(f.err, 0);
    rule_delete(&f, "t", "default", 20);
    c.number = 0;
    rule_set(&f, &c);
    cr_assert_eq(f.err, SHUNT_BAD_ARGUMENT, "no number is left behind the last");
    fixture_done(&f);
}

Test(ledger_rules, all_groups_together_have_so_many_rules_and_no_more)
{
    struct fixture f;
    start(&f);
    f.careless = true;
    uint32_t left = RULES_TOTAL_MAX;
    for (char topic[] = "ta"; left; topic[1]++) {
        topic_create_groups(&f, topic, "a b c d e f g h i j");
        for (char group[] = "a"; group[0] <= 'j' && left; group[0]++) {
            struct rule_command c = rule(0, "A", RULE_MUTE);
            c.topic = text(topic);
            c.group = text(group);
            for (unsigned i = 0; i < RULES_MAX && left; i++, left--)
                rule_set(&f, &c);
            cr_assert_eq(f.err, 0);
        }
    }
    struct rule_command c = rule(0, "A", RULE_MUTE);
    rule_set(&f, &c);
    cr_assert_eq(f.err, SHUNT_TOO_MANY);
    rule_delete(&f, "ta", "a", 10);
    rule_set(&f, &c);
    cr_assert_eq(f.err, 0);
    fixture_done(&f);
}

Test(ledger_rules, one_that_is_not_there_is_neither_turned_off_nor_deleted)
{
    struct fixture f;
    start(&f);
    struct rule_command off = {.topic = text("t"), .group = text("default"), .number = 3, .disabled = true};
    rule_set(&f, &off);
    cr_assert_eq(f.err, SHUNT_NOT_FOUND);
    rule_delete(&f, "t", "default", 3);
    cr_assert_eq(f.err, SHUNT_NOT_FOUND);
    struct rule_command c = rule(1, "A", RULE_MUTE);
    c.topic = text("dlq:t:default");
    rule_set(&f, &c);
    cr_assert_eq(f.err, SHUNT_BAD_ARGUMENT);
    fixture_done(&f);
}
