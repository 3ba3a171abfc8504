/* Rules on dead letters by shunt_triage.h, against a real shuntd. */
#include "client/shunt_triage.h"

#include "broker.h"
#include "calls.h"
#include <string.h>

static struct broker broker;
static struct shunt *s;
static struct shunt_error err;

static void setup(void)
{
    struct shunt_options *o = shunt_options_new();
    broker_start(&broker);
    ok(shunt_open(broker.url, NULL, &s, &err));
    ok(shunt_options_set(o, "max-attempts", "1"));
    ok(shunt_topic_create(s, "orders", o, WAIT_MS, &err));
    shunt_options_free(o);
}

static void teardown(void)
{
    shunt_close(s, 1000);
    broker_stop(&broker);
}

TestSuite(rules, .init = setup, .fini = teardown, .timeout = 60);

static void die(const char *type)
{
    const struct shunt_failure failure = {.type = type, .message = "it did not work"};
    struct shunt_message *m = shunt_message_new();
    struct shunt_consumer *c = NULL;
    struct shunt_delivery *d = NULL;
    ok(shunt_publish(s, "orders", m, WAIT_MS, NULL, &err));
    shunt_message_free(m);
    ok(shunt_subscribe(s, "orders", NULL, NULL, WAIT_MS, &c, &err));
    ok(shunt_next(c, WAIT_MS, &d, &err));
    ok(shunt_reject(d, &failure, WAIT_MS, &err));
    shunt_unsubscribe(c, WAIT_MS);
}

/* Member of the rule at that place of the listing. */
static int64_t number(size_t place, const char *key)
{
    struct shunt_value *rules = NULL;
    ok(shunt_rule_list(s, "orders", NULL, WAIT_MS, &rules, &err));
    const struct shunt_value *rule = shunt_value_at(rules, place);
    cr_assert_not_null(rule, "no rule %zu", place);
    int64_t is = shunt_value_integer(shunt_value_get(rule, key));
    shunt_value_free(rules);
    return is;
}

Test(rules, one_is_set_listed_tested_turned_off_and_deleted)
{
    const struct shunt_dlq_filter a = {.size = sizeof a, .type = "A"};
    struct shunt_rule rule = {.size = sizeof rule, .filter = &a, .action = "mute"};
    struct shunt_value *page = NULL;
    uint64_t set = 0;
    ok(shunt_rule_set(s, "orders", NULL, &rule, WAIT_MS, &set, &err));
    cr_assert_eq(set, 10);
    die("A");
    die("B");
    cr_assert_eq(number(0, "matched"), 1);
    ok(shunt_rule_test(s, "orders", NULL, 10, NULL, 0, 0, WAIT_MS, &page, &err));
    const struct shunt_value *rows = shunt_value_get(page, "rows");
    cr_assert_eq(shunt_value_count(rows), 1);
    cr_assert_eq(shunt_value_integer(shunt_value_get(shunt_value_at(rows, 0), "count")), 1);
    shunt_value_free(page);
    ok(shunt_rule_test(s, "orders", NULL, 0, NULL, 0, 1, WAIT_MS, &page, &err));
    cr_assert_eq(shunt_value_integer(shunt_value_get(page, "more")), 1);
    shunt_value_free(page);
    rule = (struct shunt_rule){.size = sizeof rule, .number = 10, .disabled = 1};
    ok(shunt_rule_set(s, "orders", NULL, &rule, WAIT_MS, NULL, &err));
    cr_assert_eq(number(0, "disabled"), 1);
    cr_assert_eq(number(0, "matched"), 1, "it is what it was");
    ok(shunt_rule_delete(s, "orders", NULL, 10, WAIT_MS, &err));
    cr_assert_eq(shunt_rule_delete(s, "orders", NULL, 10, WAIT_MS, &err), SHUNT_NOT_FOUND);
}

Test(rules, what_cannot_be_one_is_refused)
{
    const struct shunt_dlq_filter since = {.size = sizeof since, .since_ms = 1};
    struct shunt_rule rule = {.size = sizeof rule, .action = "redrive", .times = 20, .wait_ms = 86400000};
    ok(shunt_rule_set(s, "orders", NULL, &rule, WAIT_MS, NULL, &err));
    cr_assert(number(0, "times") == 20 && number(0, "wait_max_ms") == 86400000);
    rule.times = 21;
    cr_assert_eq(shunt_rule_set(s, "orders", NULL, &rule, WAIT_MS, NULL, &err), SHUNT_BAD_ARGUMENT);
    rule = (struct shunt_rule){.size = sizeof rule, .action = "redrive", .wait_ms = -1};
    cr_assert_eq(shunt_rule_set(s, "orders", NULL, &rule, WAIT_MS, NULL, &err), SHUNT_BAD_ARGUMENT);
    rule = (struct shunt_rule){.size = sizeof rule, .action = "mute", .filter = &since};
    cr_assert_eq(shunt_rule_set(s, "orders", NULL, &rule, WAIT_MS, NULL, &err), SHUNT_BAD_ARGUMENT);
    rule = (struct shunt_rule){.action = "mute"};
    cr_assert_eq(shunt_rule_set(s, "orders", NULL, &rule, WAIT_MS, NULL, &err), SHUNT_BAD_ARGUMENT,
                 "no size");
    cr_assert_eq(shunt_rule_set(s, "orders", NULL, NULL, WAIT_MS, NULL, &err), SHUNT_BAD_ARGUMENT);
    struct {
        struct shunt_rule rule;
        int later;
    } newer = {.rule = {.size = sizeof newer, .action = "mute"}, .later = 1};
    cr_assert_eq(shunt_rule_set(s, "orders", NULL, &newer.rule, WAIT_MS, NULL, &err), SHUNT_UNSUPPORTED);
}
