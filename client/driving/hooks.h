/* hooks: what the worker needs of a handle beside the public calls. Not installed, not exported.
 *
 * The worker uses the public API for everything else. How the pieces fit, with isolation `fork`:
 *
 *   client_mark_explicitly(c)         before the first shunt_next(): deliveries then come unmarked
 *   poll({shunt_fd(s), child pipes…}), shunt_process(s), shunt_next(c, 0, …) until EMPTY
 *   client_mark(d), client_send(s)    before a child is given `d`; it is given only if client_marked(d) is true
 *   client_resolve(d, …)              with its outcome
 *   client_release_held(c)            at the stop, for deliveries that no child has
 *
 * In the child, after fork(): client_abandon_after_fork(s) first; then only the shunt_delivery_* accessors.
 */
#ifndef SHUNT_CLIENT_DRIVING_HOOKS_H
#define SHUNT_CLIENT_DRIVING_HOOKS_H

#include "client/shunt.h"
#include <signal.h>

/* ---- deliveries ---- */

/* From now on shunt_next() returns deliveries of `c` without a started mark. */
void client_mark_explicitly(struct shunt_consumer *c);
/* Queue the started mark of a held delivery; its lease begins again. Does nothing if it is queued or sent
 * already. fails: STALE (the connection it came on is gone: the mark would mean nothing), NO_MEMORY. */
int client_mark(struct shunt_delivery *d);
/* True once the mark was accepted by the socket, and always if the handle sends no marks (option `marks` no).
 */
bool client_marked(const struct shunt_delivery *d);
/* shunt_resolve_async() without a limit of time: the worker counts on the one true answer. */
int client_resolve(struct shunt_delivery *d, enum shunt_outcome outcome, int64_t delay_ms,
                   const struct shunt_failure *failure, shunt_resolved_cb *callback, void *context);
/* True if the connection it came on, or its subscription, is gone: any resolution will say STALE. */
bool client_stale(const struct shunt_delivery *d);

/* The deliveries that shunt_next() has returned and nobody has resolved, oldest first; NULL after the last.
 * Take the next one before resolving this one. */
struct shunt_delivery *client_held_first(const struct shunt_consumer *c);
struct shunt_delivery *client_held_next(const struct shunt_delivery *d);
size_t client_held_count(const struct shunt_consumer *c);
/* Release, uncharged and without waiting, every delivery of client_held_first() that `keep` (may be NULL:
 * none) does not want kept, and all that is prefetched. Follow with client_send() or shunt_flush(). */
void client_release_held(struct shunt_consumer *c,
                         bool (*keep)(void *context, const struct shunt_delivery *d), void *context);
/* The handle a consumer or delivery belongs to. */
struct shunt *client_of(const struct shunt_consumer *c);
struct shunt_consumer *client_consumer_of(const struct shunt_delivery *d);

/* A word for the worker's own use on each delivery (which child has it); NULL at first. */
void client_set_tag(struct shunt_delivery *d, void *tag);
void *client_tag(const struct shunt_delivery *d);

/* ---- the handle ---- */

/* Write what is queued, as far as the socket takes it now; reads nothing and calls nobody back. */
void client_send(struct shunt *s);

/* In a child, after fork(): close the descriptors of the handle, sending nothing and freeing nothing.
 * Afterwards only the accessors of deliveries may be used, and shunt_worker_stop(), which reaches the parent.
 */
void client_abandon_after_fork(struct shunt *s);

/* Room for the worker in each handle. `stop` is set by shunt_worker_stop() and may be set from a signal
 * handler; `wake_fd` is -1 or the write end of a pipe (or an eventfd) of the worker that runs. `forks` is the
 * fork_count() of the process that may stop it: the worker's own, and in a child of its pool that child's. */
struct client_worker_slot {
    unsigned forks;
    volatile sig_atomic_t stop;
    volatile sig_atomic_t wake_fd;
    void *worker;
};
struct client_worker_slot *client_worker_slot(struct shunt *s);

#endif
