/* rules: what the broker does by itself with dead letters. */
#include "client/driving/admin.h"
#include "client/driving/call_run.h"
#include "client/driving/given.h"
#include "client/wire/error.h"

static int take_rule(const struct shunt_rule *rule, struct rule_set_request *q, struct shunt_error *err)
{
    struct shunt_rule given = {0};
    int rc = rule ? given_struct(&given, sizeof given, rule, err)
                  : error_set(err, SHUNT_BAD_ARGUMENT, "say what the rule is");
    if (rc == 0)
        rc = given_filter(given.filter, &q->filter, err);
    if (rc == 0)
        rc = given_text(given.action, "the action", &q->options.action, err);
    if (rc == 0)
        rc = given_text(given.to, "the topic", &q->options.to, err);
    if (rc == 0 && (given.wait_ms < 0 || given.wait_max_ms < 0))
        rc = error_set(err, SHUNT_BAD_ARGUMENT, "wait_ms and wait_max_ms are times from 0 on");
    if (rc != 0)
        return rc;
    q->rule = given.number;
    q->options.times = given.times;
    q->options.wait_ms = (uint64_t)given.wait_ms;
    q->options.wait_max_ms = (uint64_t)given.wait_max_ms;
    q->options.disabled = given.disabled != 0;
    return 0;
}

int shunt_rule_set(struct shunt *s, const char *topic, const char *group, const struct shunt_rule *rule,
                   int64_t timeout_ms, uint64_t *ret_number, struct shunt_error *err)
{
    struct call call;
    group = admin_group(group);
    union request_fields q = {.rule_set = {.topic = slice_of(topic), .group = slice_of(group)}};
    int rc = admin_names(topic, false, group, err);
    if (rc == 0)
        rc = take_rule(rule, &q.rule_set, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_rule_set, &q, q.rule_set.rule != 0); /* two without a number are two rules */
    return call_finish_uint(s, &call, timeout_ms, ret_number, err);
}

int shunt_rule_list(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms,
                    struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    group = admin_group(group);
    const union request_fields q = {.rule_list = {.topic = slice_of(topic), .group = slice_of(group)}};
    int rc = admin_names(topic, false, group, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_rule_list, &q, true);
    return admin_finish_value(s, &call, timeout_ms, ret, err);
}

int shunt_rule_delete(struct shunt *s, const char *topic, const char *group, uint64_t number,
                      int64_t timeout_ms, struct shunt_error *err)
{
    struct call call;
    group = admin_group(group);
    const union request_fields q = {
        .rule_delete = {.topic = slice_of(topic), .group = slice_of(group), .rule = number}};
    int rc = admin_names(topic, false, group, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_rule_delete, &q, false); /* asked again, it may be gone by the first time */
    return call_finish(s, &call, timeout_ms, err);
}

int shunt_rule_test(struct shunt *s, const char *topic, const char *group, uint64_t number,
                    const struct shunt_dlq_filter *filter, uint64_t after, uint32_t limit, int64_t timeout_ms,
                    struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    group = admin_group(group);
    union request_fields q = {.rule_test = {.topic = slice_of(topic),
                                            .group = slice_of(group),
                                            .rule = number,
                                            .after = after,
                                            .limit = limit}};
    int rc = admin_names(topic, false, group, err);
    if (rc == 0)
        rc = given_filter(filter, &q.rule_test.filter, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_rule_test, &q, true);
    return admin_finish_page(s, &call, timeout_ms, ret, err);
}
