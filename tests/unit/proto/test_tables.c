/* The tables of errors and settings: each number and name once, lookups that find what is there alone. */
#include "proto/errors.h"
#include "proto/policy.h"
#include "tests/unit/base/bytes.h"
#include <criterion/criterion.h>

static const struct {
    int number;
    const char *name;
    bool retry;
} errors[] = {
#define SHUNT_ERROR(name, number, retry, text) {number, #name, retry},
#include "proto/errors.def"
#undef SHUNT_ERROR
};

Test(errors, have_each_number_and_name_once)
{
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        cr_expect_gt(errors[i].number, 0, "%s: 0 is no error", errors[i].name);
        for (size_t j = 0; j < i; j++) {
            cr_expect_neq(errors[i].number, errors[j].number, "%s and %s", errors[i].name, errors[j].name);
            cr_expect_str_neq(errors[i].name, errors[j].name);
        }
    }
}

Test(errors, are_found_by_number)
{
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        cr_expect_str_eq(err_name(errors[i].number), errors[i].name);
        cr_expect_eq(err_may_retry(errors[i].number), errors[i].retry);
        cr_expect(err_known(errors[i].number));
        size_t length = strlen(err_text(errors[i].number));
        cr_expect(length > 0 && err_text(errors[i].number)[length - 1] != '.', "%s: no final stop",
                  errors[i].name);
    }
    static const int unknown[] = {-1, 10, 98, 100, 1 << 30};
    for (size_t i = 0; i < COUNT_OF(unknown); i++) {
        cr_expect(!err_known(unknown[i]));
        cr_expect(!err_may_retry(unknown[i]));
        cr_expect_str_eq(err_name(unknown[i]), "UNKNOWN");
        cr_expect_not_null(err_text(unknown[i]));
    }
    cr_expect(err_known(SHUNT_OK) && !err_may_retry(SHUNT_OK));
}

Test(policy, has_each_field_and_option_once)
{
    for (int i = 0; i < POLICY_COUNT; i++) {
        const struct policy_row *row = &policy_rows[i];
        cr_expect(row->min <= row->initial && row->initial <= row->max, "%s", row->field);
        cr_expect_eq(policy_find(row->field, strlen(row->field)), i, "%s", row->field);
        for (int j = 0; j < i; j++) {
            cr_expect_str_neq(row->field, policy_rows[j].field);
            cr_expect_str_neq(row->option, policy_rows[j].option);
        }
    }
}

Test(policy, finds_whole_names_alone)
{
    cr_expect_eq(policy_find("lease_m", 7), -1);
    cr_expect_eq(policy_find("lease_ms", 7), -1);
    cr_expect_eq(policy_find("lease_msx", 9), -1);
    cr_expect_eq(policy_find("lease_msx", 8), POLICY_lease_ms, "the length counts, not a terminator");
    cr_expect_eq(policy_find("", 0), -1);
    cr_expect_eq(policy_find("Lease_ms", 8), -1);
}

Test(policy, inherits_from_group_to_topic_to_default)
{
    struct policy none = {0}, topic = {0}, own = {0};
    topic.given = 1u << POLICY_lease_ms | 1u << POLICY_max_attempts;
    topic.value[POLICY_lease_ms] = 5000;
    topic.value[POLICY_max_attempts] = 7;
    topic.value[POLICY_backoff_min_ms] = 123; /* not given */
    own.given = 1u << POLICY_lease_ms | 1u << POLICY_expired;
    own.value[POLICY_lease_ms] = 10;
    own.value[POLICY_expired] = 0;
    own.value[POLICY_max_attempts] = 9; /* not given */
    cr_expect_eq(policy_value(&own, &topic, POLICY_lease_ms), 10);
    cr_expect_eq(policy_value(&own, &topic, POLICY_max_attempts), 7);
    cr_expect_eq(policy_value(&own, &topic, POLICY_backoff_min_ms), 1000);
    cr_expect_eq(policy_value(&none, &topic, POLICY_lease_ms), 5000);
    cr_expect_eq(policy_value(NULL, &topic, POLICY_lease_ms), 5000);
    cr_expect_eq(policy_value(NULL, &none, POLICY_lease_ms), 30000);
    topic.given |= 1u << POLICY_expired;
    topic.value[POLICY_expired] = 1;
    cr_expect_eq(policy_value(&own, &topic, POLICY_expired), 0, "a zero that was given counts");
}
