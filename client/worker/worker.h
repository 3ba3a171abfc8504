/* worker: what the two kinds of worker loop share. worker_run.c begins and ends a run, worker.c has what is common,
 * worker_inline.c handles messages here, worker_fork.c in standing children. */
#ifndef SHUNT_CLIENT_WORKER_WORKER_H
#define SHUNT_CLIENT_WORKER_WORKER_H

#include "client/driving/hooks.h"

/* Resolutions sent and not yet answered: a fast handler does not wait for each, and memory stays bounded. */
#define WORKER_UNCONFIRMED_MAX 1024
/* At a stop: how long to wait for the answers to what was resolved, and for what is given back. */
#define WORKER_STOP_MS 5000
/* Between two looks at whether a group is drained; doubles from the first to the last while nothing comes. */
#define WORKER_DRAIN_MS_MIN 20
#define WORKER_DRAIN_MS_MAX 1000
/* A message that a handler gives back comes again after this time, twice as long with each further time. */
#define WORKER_RELEASE_MS_MIN 100
#define WORKER_RELEASE_MS_MAX 5000
/* How long one such look may take. */
#define WORKER_SHOW_MS 2000
/* Between two looks at whether to stop, while the broker is not there. */
#define WORKER_SUBSCRIBE_MS 2000

#define WORKER_MAGIC 0xe7251d76u
struct worker {
    uint32_t magic;
    struct shunt *s;
    struct shunt_consumer *consumer;
    const char *topic;
    const char *group;
    shunt_handler *handler;
    void *context;

    bool fork;
    bool drain;
    bool signals;
    int64_t children;
    int64_t timeout_ms;
    int64_t child_messages; /* a child is replaced after so many; 0: never for that */
    int64_t child_memory;   /* bytes; a child that has more after a message is replaced; 0: never for that */
    int64_t prefetch;       /* 0: as isolation says */
    int64_t prefetch_bytes; /* 0: as shunt_subscribe() says */

    int wake_fd;        /* eventfd: somebody wants us to stop */
    bool stop_wanted;   /* the wake came, from here or from a child */
    size_t unconfirmed; /* resolutions without their answer */

    int64_t drain_check_ms; /* mono; when to look whether the group is drained */
    int64_t drain_wait_ms;
};

/* Each runs until a stop or the group is drained. Returns 0 then, or what makes going on useless. */
int worker_run_inline(struct worker *w, struct shunt_error *err);
int worker_run_fork(struct worker *w, struct shunt_error *err);

/* True once somebody asked for a stop. cost: no system call. */
bool worker_stopping(const struct worker *w);
/* Wait for the broker, a stop, `fd` (-1: none) or `wait_ms` (-1: for ever), whichever is first, and process
 * what the broker sent. fails: as shunt_process(). */
int worker_wait(struct worker *w, int fd, int64_t wait_ms, struct shunt_error *err);
/* Take the next message if one is there. fails: EMPTY also for what may be better later (no connection);
 * anything else will not go away. */
int worker_next(struct worker *w, struct shunt_delivery **ret, struct shunt_error *err);
/* Tell the broker the outcome of `d`, without waiting for its answer. owns: takes `d`. */
void worker_resolve(struct worker *w, struct shunt_delivery *d, enum shunt_outcome outcome, int64_t delay_ms,
                    const struct shunt_failure *failure);

/* How long a message that its handler gives back stays away: what `v` says, else more each time, so that it
 * does not go round and round; 0 once the worker stops. */
int64_t worker_release_ms(const struct worker *w, const struct shunt_delivery *d,
                          const struct shunt_verdict *v);

/* With nothing in hand: true if --drain is over. Looks at most as often as WORKER_DRAIN_MS_MIN and _MAX say.
 * `*ret_wait_ms`: when to ask again; -1 without drain. fails: what makes going on useless. */
int worker_drained(struct worker *w, bool *ret, int64_t *ret_wait_ms, struct shunt_error *err);

#endif
