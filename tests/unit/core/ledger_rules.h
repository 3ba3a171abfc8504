/* ledger_rules: rules on the dead letters of a fixture. */
#ifndef SHUNT_TESTS_LEDGER_RULES_H
#define SHUNT_TESTS_LEDGER_RULES_H

#include "broker/core/rule.h"
#include "proto/errors.h"
#include "tests/unit/core/ledger_redrive.h"

#define MINUTE 60000

static inline struct group *the_group(struct fixture *f)
{
    return fixture_group(f, "t", "default");
}

static inline const struct group_counts *counts(struct fixture *f)
{
    return &the_group(f)->r.counts;
}

static inline struct rule_command rule(uint32_t number, const char *type, enum rule_action action)
{
    return (struct rule_command){.topic = text("t"),
                                 .group = text("default"),
                                 .number = number,
                                 .define = true,
                                 .filter.type = text(type),
                                 .action = action,
                                 .times = 2,
                                 .wait_ms = MINUTE,
                                 .wait_max_ms = 90000};
}

static inline void set(struct fixture *f, uint32_t number, const char *type, enum rule_action action)
{
    struct rule_command c = rule(number, type, action);
    rule_set(f, &c);
    cr_assert_eq(f->err, 0);
}

static inline const struct rule_record *rule_of(struct fixture *f, uint32_t number)
{
    const struct rule *r = rule_find(the_group(f), number);
    cr_assert_not_null(r, "rule %u", number);
    return &r->r;
}

static inline void start(struct fixture *f)
{
    fixture_init(f);
    f->quiet = true;
    topic_create(f, "t", settings(POLICY_max_attempts, 1, POLICY_history_after_ms, 3600000, -1));
}

#endif
