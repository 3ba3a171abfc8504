/* lease_input: what the bodies of the calls by which a client works say. */
#ifndef SHUNT_HTTP_LEASE_INPUT_H
#define SHUNT_HTTP_LEASE_INPUT_H

#include "broker/http/api_table.h"
#include "broker/http/problem.h"
#include "proto/request.h"
#include <jansson.h>

struct lease_input {
    uint64_t messages, wait_ms, lease_ms; /* of a lease, with their defaults */
    struct wire_entry entry;              /* of an answer, but for `seq` and `token` … */
    const char *token;                    /* … which this names */
};

/* Read the body of this call. Texts lie in the object that is returned, which is the caller's; NULL: `*ret_problem` says what is
 * wrong. */
json_t *lease_input_read(enum api_what what, struct slice body, struct lease_input *ret,
                         struct problem *ret_problem);

#endif
