/* policy: the settings of topics and groups as one table, made from policy.def. */
#ifndef SHUNT_PROTO_POLICY_H
#define SHUNT_PROTO_POLICY_H

#include "proto/limits.h"
#include <stddef.h>
#include <stdint.h>

enum policy_field {
#define SHUNT_POLICY(field, option, unit, min, max, initial, scope, text) POLICY_##field,
#include "proto/policy.def"
#undef SHUNT_POLICY
    POLICY_COUNT
};

enum policy_unit { UNIT_COUNT, UNIT_DURATION, UNIT_SIZE, UNIT_CHOICE };
enum policy_scope { SCOPE_TOPIC, SCOPE_GROUP };

struct policy_row {
    const char *field;
    const char *option;
    enum policy_unit unit;
    int64_t min, max, initial;
    enum policy_scope scope;
    const char *text;
};

/* Values of `order`. */
enum policy_order { ORDER_NONE = 0, ORDER_KEY = 1 };
/* Values of `on_dead`. */
enum policy_on_dead { ON_DEAD_CONTINUE = 0, ON_DEAD_BLOCK = 1, ON_DEAD_FOLLOW = 2 };
/* Values of `breaker`. */
enum policy_breaker { BREAKER_OFF = 0, BREAKER_ON = 1 };

/* Values of `fair`. */
enum policy_fair { FAIR_NONE = 0, FAIR_KEY = 1 };

/* What a value of a CHOICE is called; NULL: it is none of it, or the field is no choice. */
const char *policy_choice(enum policy_field field, int64_t value);

/* One row per policy_field, in that order. */
extern const struct policy_row policy_rows[POLICY_COUNT];

/* A set of values, some of them given. A value not given is the parent's: group -> topic -> initial. */
struct policy {
    uint32_t given; /* bit i: value[i] was set */
    int64_t value[POLICY_COUNT];
};

/* A change of settings: fields in `reset` go back to what they inherit. */
struct policy_change {
    struct policy set;
    uint32_t reset;
};

_Static_assert(POLICY_COUNT <= 32, "one bit per field");

/* The field named `field` (wire name, `len` bytes, not terminated), or -1. */
int policy_find(const char *field, size_t len);

/* The value in force for a group whose own settings are `own` (may be NULL) in a topic with `topic`. */
int64_t policy_value(const struct policy *own, const struct policy *topic, enum policy_field field);

#endif
