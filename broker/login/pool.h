/* pool: threads that verify passwords, so that no other thread ever waits for Argon2id.
 *
 *     login_pool_add ──→ waiting, by when they are due ──→ a thread: argon2id ──→ done(right)
 *
 * Their number bounds the memory (each takes what the verifier asks for, at most VERIFIER_MEMORY_KIB_MAX) and the processors
 * that passwords take. The queue is bounded, and one address has at most an eighth of it.
 */
#ifndef SHUNT_LOGIN_POOL_H
#define SHUNT_LOGIN_POOL_H

#include "base/slice.h"
#include <stdint.h>

#define POOL_VERIFIER_BYTES_MAX 256
#define POOL_PASSWORD_BYTES_MAX 1024

struct login_pool;

/* What is to be verified. */
struct login_pool_job {
    struct slice verifier; /* PHC string of argon2id, valid */
    struct slice password; /* copied, and wiped as soon as it has been looked at */
    uint64_t source;       /* whose place in the queue it takes: an address, as a number */
    int64_t due_ms;        /* mono: not before */
    void *context;         /* given back with the verdict */
};

/* Called on one of its threads, once for each job that was added, unless the pool stops before. */
typedef void login_pool_done_fn(void *owner, void *context, bool right);

struct login_pool_settings {
    unsigned threads; /* 0: none; login_pool_run() does the work, for tests */
    uint64_t queue_max;
    login_pool_done_fn *done;
    void *owner;
};

/* fails: NO_MEMORY, IO (no thread). */
int login_pool_new(const struct login_pool_settings *settings, struct login_pool **ret);

/* fails: NO_MEMORY; TOO_MANY: the queue, or the source's share of it, is full. */
int login_pool_add(struct login_pool *p, const struct login_pool_job *job);

/* Jobs that wait or are under way. Any thread. */
uint64_t login_pool_waiting(struct login_pool *p);

/* Without threads: verify what is due, one; false if nothing is. */
bool login_pool_run(struct login_pool *p, int64_t now_ms);

/* Wait for the threads: each ends what it has begun. What waits is dropped: `drop` is called with its context. */
void login_pool_stop(struct login_pool *p, void (*drop)(void *owner, void *context));
/* After login_pool_stop(). Takes NULL. */
void login_pool_free(struct login_pool *p);

#endif
