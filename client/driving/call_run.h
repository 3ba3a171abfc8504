/* call_run: ask, wait, read the answer. */
#ifndef SHUNT_CLIENT_DRIVING_CALL_RUN_H
#define SHUNT_CLIENT_DRIVING_CALL_RUN_H

#include "client/wire/call.h"

/* Queue it, wait for the answer, and read it from c->reply if 0 is returned; call_done() in any case.
 * fails: what the broker says; UNREACHABLE, TIMEOUT, DISCONNECTED, CLOSED, NO_MEMORY. */
int call_run(struct shunt *s, struct call *c, int64_t timeout_ms, struct shunt_error *err);
/* The same for a request whose answer has no fields of interest: runs and frees it. */
int call_finish(struct shunt *s, struct call *c, int64_t timeout_ms, struct shunt_error *err);
/* The same for an answer of one uint; ret may be NULL. */
int call_finish_uint(struct shunt *s, struct call *c, int64_t timeout_ms, uint64_t *ret,
                     struct shunt_error *err);

#endif
