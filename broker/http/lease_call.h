/* lease_call: the calls of the API by which a client works: it leases messages, and answers them by their tokens. One request each. */
#ifndef SHUNT_HTTP_LEASE_CALL_H
#define SHUNT_HTTP_LEASE_CALL_H

#include "broker/http/api_table.h"
#include "broker/http/problem.h"
#include <microhttpd.h>

struct lease_call;
struct loans;
struct peers;

/* Read the call that `match` is, whose parameters and body are good as long as the call is; in `match`, the topic and the group stand
 * first. NULL: `*ret` says why. */
struct lease_call *lease_call_new(struct loans *loans, struct MHD_Connection *connection,
                                  const struct api_match *match, struct slice body, struct problem *ret);
/* Suspend the request until there is an answer. */
void lease_call_begin(struct lease_call *c, struct peers *peers);
/* It was resumed. */
enum MHD_Result lease_call_answer(struct lease_call *c, struct peers *peers);
/* `sent`: the answer has left. Takes NULL. */
void lease_call_free(struct lease_call *c, bool sent);

#endif
