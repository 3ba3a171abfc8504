/* child_pool_private: what child_pool.c, who is called from outside, and child_events.c, which acts on what
 * children do, share. */
#ifndef SHUNT_CLIENT_WORKER_CHILD_POOL_PRIVATE_H
#define SHUNT_CLIENT_WORKER_CHILD_POOL_PRIVATE_H

#include "client/wire/error.h"
#include "client/worker/child.h"

#define REAP_INTERVAL_MS 20 /* where the kernel does not tell of a child's end */

enum child_source { SOURCE_PROCESS, SOURCE_SOCKET, SOURCE_CRASH, SOURCE_ERRORS, SOURCES };

struct child_pool {
    struct child_pool_settings settings;
    int poll_fd;
    bool closing; /* nobody is to be spawned any more */
    uint32_t idle;
    uint32_t jobs;
    uint32_t failures; /* children in a row that died before they were ready */
    struct shunt_error failure;
    struct shunt_verdict verdict; /* room for the one being told */
    struct child children[];
};

/* Fork a child for this place. fails: IO (remembered in `failure`; it is tried again after a wait). */
int pool_spawn(struct child_pool *p, struct child *c);

/* Change what is watched of one of the child's descriptors, if it has that: `operation` and `events` as for
 * epoll_ctl(). */
void child_watch(struct child_pool *p, const struct child *c, enum child_source source, int operation,
                 uint32_t events);
/* Before its descriptors are closed: a child forked meanwhile may hold copies, which would go on reporting.
 */
void child_unwatch(struct child_pool *p, const struct child *c);
void child_set_state(struct child_pool *p, struct child *c, enum child_state state, int64_t deadline_ms);
/* Kill it; its end will be reaped. */
void child_doom(struct child_pool *p, struct child *c);

#endif
