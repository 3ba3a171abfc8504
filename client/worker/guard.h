/* guard: call a handler that may throw. No exception passes: what comes out of the handler becomes a REJECT
 * whose failure names the exception's class, and the caller goes on as after any other message. */
#ifndef SHUNT_CLIENT_WORKER_GUARD_H
#define SHUNT_CLIENT_WORKER_GUARD_H

#include "client/worker/verdict.h"

/* Returns what the handler returned, not looked at; SHUNT_REJECT with a failure in `v` if it threw. The end
 * of a thread by pthread_exit() or pthread_cancel() is no exception, and passes. */
int guard_call(shunt_handler *handler, void *context, const struct shunt_delivery *d,
               struct shunt_verdict *v);

#endif
