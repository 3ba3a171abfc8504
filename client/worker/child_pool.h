/* child_pool: standing child processes that each handle one job at a time, and what to say of a job when its
 * child dies.
 *
 * The pool knows nothing of brokers: a job is bytes, and a word of its owner's. Happy path: submit, the
 * child's function runs on the bytes, `done` is called with its verdict. When a child crashes, exits or is
 * out of time, `done` is called with a NACK that says so, and another child takes its place.
 *
 *            spawned            says ready           job given           verdict
 *   ABSENT ----------> STARTING ----------> IDLE ----------> BUSY ----------------> IDLE
 *     ^                    |                 |                |  \ out of time
 *     |                    |                 |                |   -----> ASKED ---------> DOOMED
 *     |                    v                 v                v            (where it is)  (ends or is killed)
 *     +---------------- process gone: reaped, its end told to `done` if it had a job -------+
 *
 * DOOMED always has a deadline: first the child is killed, then, should the kernel still hold it, its job is
 * done without it. So every job ends, whatever a handler does.
 *
 * Drive it from any loop: wait until child_pool_fd() is readable or child_pool_wait_ms() has passed, then
 * call child_pool_process(), which makes all the calls of `done`.
 */
#ifndef SHUNT_CLIENT_WORKER_CHILD_POOL_H
#define SHUNT_CLIENT_WORKER_CHILD_POOL_H

#include "client/worker/verdict.h"

#define CHILDREN_MAX 1024
/* This many children in a row that died before they were ready end the pool. */
#define CHILD_FAILURES_MAX   10
#define CHILD_RESPAWN_MS_MAX 5000
/* How long a child may take to say where it hangs, to report its crash, and to leave when told to or killed.
 */
#define CHILD_ANSWER_MS 1000
#define CHILD_LEAVE_MS  2000
/* How long it may take to die of a crash that it has reported: its core is written meanwhile. */
#define CHILD_DUMP_MS 30000

struct child_pool;

struct child_pool_settings {
    uint32_t children;         /* 1 to CHILDREN_MAX */
    int64_t timeout_ms;        /* for one job; 0 is none */
    uint64_t jobs_max;         /* a child leaves after so many, and another takes its place; 0: no limit */
    uint64_t memory_bytes_max; /* and when it has so much resident memory after a job; 0: no limit */
    int64_t respawn_ms_min; /* wait after a child that died before it was ready; doubles with each in a row */
    /* In the child, once, before its first job; may be NULL. */
    void (*prepare)(void *context);
    /* In the child, for each job; returns an enum shunt_outcome. The bytes are lent for the call, aligned for
     * any type. */
    int (*handle)(void *context, const void *bytes, size_t size, struct shunt_verdict *v);
    /* In the parent, once for each job. The verdict is lent. Must not submit. */
    void (*done)(void *context, void *job, enum shunt_outcome outcome, const struct shunt_verdict *v);
    void *context; /* for all three */
};

/* Spawn the children. fails: NO_MEMORY, IO. */
int child_pool_new(const struct child_pool_settings *settings, struct child_pool **ret,
                   struct shunt_error *err);
/* End all children: the idle ones leave by themselves, the others are killed, without a call of `done`. Takes
 * NULL. */
void child_pool_free(struct child_pool *p);

int child_pool_fd(const struct child_pool *p);
/* Milliseconds until child_pool_process() has something to do even if the descriptor stays quiet; -1 for
 * never. */
int child_pool_wait_ms(const struct child_pool *p);
/* fails: IO (CHILD_FAILURES_MAX reached: the text has the last cause). */
int child_pool_process(struct child_pool *p, struct shunt_error *err);

uint32_t child_pool_idle(const struct child_pool *p); /* children that can take a job now */
uint32_t child_pool_busy(const struct child_pool *p); /* jobs not yet done */
/* Give a job to an idle child (there is one). owns: takes `bytes`, from malloc(). */
void child_pool_submit(struct child_pool *p, void *job, void *bytes, size_t size);
/* Kill those that have a job now: each job is done as RELEASE. */
void child_pool_kill(struct child_pool *p);

#endif
