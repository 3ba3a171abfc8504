/* shunt_worker.h: a program that only handles messages. Included by shunt.h. */
#ifndef SHUNT_WORKER_H
#define SHUNT_WORKER_H

#include "shunt_consumer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Takes what a handler says beyond its outcome. Lent for the call. */
struct shunt_verdict;
/* copied */
SHUNT_API void shunt_verdict_failure(struct shunt_verdict *v, const struct shunt_failure *failure);
/* for NACK and RELEASE */
SHUNT_API void shunt_verdict_delay(struct shunt_verdict *v, int64_t delay_ms);

/* Handle one message and return its outcome. With isolation `fork` this runs in a child process. */
typedef enum shunt_outcome shunt_handler(void *context, const struct shunt_delivery *d,
                                         struct shunt_verdict *v);

/* Consume until SIGTERM or SIGINT, shunt_worker_stop(), or (with `drain`) nothing is left; then give back the messages that were not started.
 * options  may be NULL; keys:
 *   isolation   none|fork: run the handler here, or in standing child processes     (default none)
 *   workers     children with isolation fork                                        (default 1)
 *   timeout     for one message with isolation fork; 0: no limit                    (default 0)
 *   prefetch, prefetch-bytes   as for shunt_subscribe()                             (default with fork 16 × workers)
 *   drain       yes|no: return when the group has nothing ready, in flight or delayed, but what waits for dead letters of its keys (default no)
 *   signals     yes|no: stop on SIGTERM and SIGINT; the old handlers are put back    (default yes)
 *   child-messages  with fork: replace a child after this many messages; 0: never   (default 0)
 *   child-memory    with fork: replace a child that has more resident memory after a message, as in `512MiB`; 0: never (default 0)
 * With fork, a child that crashes, hangs or exits becomes a nack whose failure says so:
 *   type `SIGSEGV` …, a message with the fault address, a stack with file:line if there are symbols, and the
 *   last 4 KiB of its stderr (which is also passed on to the program's stderr while that is read); `timeout` with the stack of the place where it hung; `exit 7`, or the
 *   class of the exception that stderr names; `exec` if it became another program; `channel_closed` if the handler closed the descriptor that its verdict goes through.
 * If a NACK or REJECT gives no failure, its message is the line of the handler's stderr that says what failed, its stack the end of stderr, and its type `nacked` or
 * `rejected`. A message that the handler gives back (RELEASE) comes again after 100 ms, twice as long with each further
 * time, at most 5 s, unless shunt_verdict_delay() says otherwise; at once when the worker stops.
 * A C++ exception that leaves the handler is caught: the message is rejected, with the exception's class as type and its
 * what() as message, and the worker goes on.
 * With fork, the handler has a copy of the process as it was when the child was forked, and must not use `s`. Signal handlers
 * and masks are those of a new program. The lease is extended while the handler runs; with isolation none it cannot be, so
 * the group's lease must be longer than the handler takes. The handler may fork: only the process in which it was called
 * answers, and processes left in that process's group are killed when it ends. It must not close descriptors that it has not opened.
 * A stop lets running handlers finish. A second SIGTERM or SIGINT, half a second or more after the first, does not: with
 * fork their messages go back uncharged; with none the signal does what it would have done without the worker.
 * If the broker cannot be reached, this waits until it can, also at the start.
 * fails: as shunt_subscribe(), except UNREACHABLE; TIMEOUT (stopped, but not all answers were confirmed); IO (children
 *        cannot be started); 0 after a clean stop. */
SHUNT_API int shunt_worker_run(struct shunt *s, const char *topic, const char *group,
                               const struct shunt_options *options, shunt_handler *handler, void *context,
                               struct shunt_error *err);
/* Make the shunt_worker_run() of this handle return; may be called from a signal handler or the message handler. A call
 * from a handler with fork reaches the worker; in any other forked process it does nothing. */
SHUNT_API void shunt_worker_stop(struct shunt *s);

#ifdef __cplusplus
}
#endif

#endif
