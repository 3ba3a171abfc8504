/* calls: calls of shunt.h that must succeed, for tests against a real broker. */
#ifndef SHUNT_TESTS_UNIT_CLIENT_CALLS_H
#define SHUNT_TESTS_UNIT_CLIENT_CALLS_H

#include "client/shunt.h"

#include <criterion/criterion.h>

/* The error that they fill in is `err`. */
#define ok(call)                                                                                             \
    do {                                                                                                     \
        int rc_ = (call);                                                                                    \
        cr_assert_eq(rc_, 0, "%s: %s: %s", #call, shunt_error_name(rc_), err.text);                          \
    } while (0)

/* Of each wait for the broker: it never passes unless something is wrong. */
#define WAIT_MS 20000

#endif
