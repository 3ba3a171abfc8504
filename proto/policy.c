/* policy: the table of settings, and which of a group's, a topic's and the initial value is in force. */
#include "proto/policy.h"

#include <string.h>

const struct policy_row policy_rows[POLICY_COUNT] = {
#define SHUNT_POLICY(field, option, unit, min, max, initial, scope, text)                                    \
    {#field, option, UNIT_##unit, min, max, initial, SCOPE_##scope, text},
#include "proto/policy.def"
#undef SHUNT_POLICY
};

#define POLICY_CHOICES_MAX 3

/* By value; NULL behind the last. */
static const char *const policy_choices[POLICY_COUNT][POLICY_CHOICES_MAX] = {
    [POLICY_expired] = {"dlq", "discard"},
    [POLICY_order] = {"none", "key"},
    [POLICY_on_dead] = {"continue", "block", "follow"},
    [POLICY_fair] = {"none", "key"},
    [POLICY_breaker] = {"off", "on"},
};

const char *policy_choice(enum policy_field field, int64_t value)
{
    return value >= 0 && value < POLICY_CHOICES_MAX ? policy_choices[field][value] : NULL;
}

#define SHUNT_POLICY(field, option, unit, min, max, initial, scope, text)                                    \
    _Static_assert((min) <= (initial) && (initial) <= (max), #field ": the default lies within the bounds");
#include "proto/policy.def"
#undef SHUNT_POLICY

int policy_find(const char *field, size_t len)
{
    for (int i = 0; i < POLICY_COUNT; i++) {
        const char *name = policy_rows[i].field;
        if (strlen(name) == len && memcmp(name, field, len) == 0)
            return i;
    }
    return -1;
}

int64_t policy_value(const struct policy *own, const struct policy *topic, enum policy_field field)
{
    if (own && (own->given >> field & 1))
        return own->value[field];
    if (topic->given >> field & 1)
        return topic->value[field];
    return policy_rows[field].initial;
}
