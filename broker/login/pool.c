/* pool: the queue, and the threads. */
#include "broker/login/pool.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/magic.h"
#include "base/secret.h"
#include "proto/errors.h"
#include <argon2.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64
/* Passwords give way to whatever else wants the processors. */
#define THREAD_NICE 10

struct job {
    struct job *next; /* later, or due at the same time and added later */
    uint64_t source;
    int64_t due_ms;
    void *context;
    size_t password_bytes;
    char verifier[POOL_VERIFIER_BYTES_MAX + 1];
    char password[POOL_PASSWORD_BYTES_MAX];
};

#define POOL_MAGIC 0x91c6d358u
struct login_pool {
    uint32_t magic;
    struct login_pool_settings settings;
    pthread_mutex_t mutex;
    pthread_cond_t wake; /* on the monotonic clock */
    struct job *waiting; /* the next that is due first */
    uint64_t count, running;
    bool stopping;
    unsigned started;
    pthread_t threads[THREADS_MAX];
};

static void *run_thread(void *context);
static struct job *take(struct login_pool *p, int64_t now_ms);
static void verify(struct login_pool *p, struct job *job);

int login_pool_new(const struct login_pool_settings *settings, struct login_pool **ret)
{
    check(settings->threads <= THREADS_MAX && settings->queue_max > 0);
    struct login_pool *p = calloc(1, sizeof *p);
    if (!p)
        return SHUNT_NO_MEMORY;
    p->magic = POOL_MAGIC;
    p->settings = *settings;
    (void)pthread_mutex_init(&p->mutex, NULL); /* fails only for attributes that are not used */
    clock_cond_init(&p->wake);
    sigset_t all, before;
    (void)sigfillset(&all); /* the set is valid, so none of these three fails */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = 0;
    while (!err && p->started < settings->threads) {
        if (pthread_create(&p->threads[p->started], NULL, run_thread, p) == 0)
            p->started++;
        else
            err = SHUNT_IO;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL); /* signals are for the main thread */
    if (err) {
        login_pool_stop(p, NULL);
        login_pool_free(p);
        return err;
    }
    *ret = p;
    return 0;
}

/* Of the queue, or its share of it; called with the lock. */
static bool is_full(const struct login_pool *p, uint64_t source)
{
    uint64_t share = p->settings.queue_max / 8 + 1, own = 0;
    for (const struct job *at = p->waiting; at; at = at->next)
        own += at->source == source;
    return p->count >= p->settings.queue_max || own >= share;
}

static void insert(struct login_pool *p, struct job *job)
{
    struct job **at = &p->waiting;
    while (*at && (*at)->due_ms <= job->due_ms)
        at = &(*at)->next;
    job->next = *at;
    *at = job;
    p->count++;
}

int login_pool_add(struct login_pool *p, const struct login_pool_job *job)
{
    check(job->verifier.size <= POOL_VERIFIER_BYTES_MAX && job->password.size <= POOL_PASSWORD_BYTES_MAX);
    struct job *own = calloc(1, sizeof *own);
    if (!own)
        return SHUNT_NO_MEMORY;
    own->source = job->source;
    own->due_ms = job->due_ms;
    own->context = job->context;
    memcpy(own->verifier, job->verifier.data, job->verifier.size);
    if (job->password.size)
        memcpy(own->password, job->password.data, job->password.size);
    own->password_bytes = job->password.size;
    (void)pthread_mutex_lock(&p->mutex);
    bool full = is_full(p, own->source);
    if (!full) {
        insert(p, own);
        (void)pthread_cond_signal(&p->wake);
    }
    (void)pthread_mutex_unlock(&p->mutex);
    if (!full)
        return 0;
    secret_wipe(own, sizeof *own);
    free(own);
    return SHUNT_TOO_MANY;
}

uint64_t login_pool_waiting(struct login_pool *p)
{
    (void)pthread_mutex_lock(&p->mutex);
    uint64_t waiting = p->count + p->running;
    (void)pthread_mutex_unlock(&p->mutex);
    return waiting;
}

bool login_pool_run(struct login_pool *p, int64_t now_ms)
{
    (void)pthread_mutex_lock(&p->mutex);
    struct job *job = take(p, now_ms);
    (void)pthread_mutex_unlock(&p->mutex);
    if (!job)
        return false;
    verify(p, job);
    return true;
}

void login_pool_stop(struct login_pool *p, void (*drop)(void *owner, void *context))
{
    (void)pthread_mutex_lock(&p->mutex);
    p->stopping = true;
    (void)pthread_cond_broadcast(&p->wake);
    (void)pthread_mutex_unlock(&p->mutex);
    for (; p->started > 0; p->started--)
        (void)pthread_join(p->threads[p->started - 1], NULL);
    while (p->waiting) {
        struct job *job = p->waiting;
        p->waiting = job->next;
        p->count--;
        if (drop)
            drop(p->settings.owner, job->context);
        secret_wipe(job, sizeof *job);
        free(job);
    }
}

void login_pool_free(struct login_pool *p)
{
    if (!p)
        return;
    check(p->started == 0 && !p->waiting);
    (void)pthread_cond_destroy(&p->wake);
    (void)pthread_mutex_destroy(&p->mutex);
    free(p);
}

/* ---- the threads ---- */

/* The first one if it is due; called with the lock. */
static struct job *take(struct login_pool *p, int64_t now_ms)
{
    struct job *job = p->waiting;
    if (!job || job->due_ms > now_ms)
        return NULL;
    p->waiting = job->next;
    p->count--;
    p->running++;
    return job;
}

/* Until something may be due, or there is something else; called with the lock. */
static void sleep_until_due(struct login_pool *p)
{
    if (!p->waiting) {
        (void)pthread_cond_wait(&p->wake, &p->mutex);
        return;
    }
    struct timespec until = clock_until(p->waiting->due_ms - clock_mono_ms());
    (void)pthread_cond_timedwait(&p->wake, &p->mutex, &until);
}

static void *run_thread(void *context)
{
    struct login_pool *p = magic_of(context, login_pool, POOL_MAGIC);
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), THREAD_NICE); /* without it, it works too */
    (void)pthread_mutex_lock(&p->mutex);
    while (!p->stopping) {
        struct job *job = take(p, clock_mono_ms());
        if (!job) {
            sleep_until_due(p);
            continue;
        }
        (void)pthread_mutex_unlock(&p->mutex);
        verify(p, job);
        (void)pthread_mutex_lock(&p->mutex);
    }
    (void)pthread_mutex_unlock(&p->mutex);
    return NULL;
}

/* Frees the job. Without memory for it, nobody is let in. */
static void verify(struct login_pool *p, struct job *job)
{
    /* The library compares without a branch that depends on what it compares. */
    bool right = argon2_verify(job->verifier, job->password, job->password_bytes, Argon2_id) == ARGON2_OK;
    void *context = job->context;
    secret_wipe(job, sizeof *job);
    free(job);
    (void)pthread_mutex_lock(&p->mutex);
    p->running--;
    (void)pthread_mutex_unlock(&p->mutex);
    p->settings.done(p->settings.owner, context, right);
}
