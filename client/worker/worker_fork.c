/* worker_fork: isolation fork. Messages go from the broker to standing children and verdicts back; this
 * process alone talks to the broker, and lives on when a handler does not.
 *
 *   prefetched --shunt_next()--> waiting --marked, child free--> with a child --verdict or its end-->
 * resolved
 *
 * Waiting and with a child are told apart by the delivery's tag, which is the job it has with a child. A
 * message is given to a child only after its started mark was written, so if all of us die, the broker knows
 * who had it. While a child works, half a lease is the least that is left: it is extended from here.
 */
#include "base/check.h"
#include "base/magic.h"
#include "client/wire/error.h"
#include "client/worker/child_pool.h"
#include "client/worker/delivery_pack.h"
#include "client/worker/guard.h"
#include "client/worker/stop_signals.h"
#include "client/worker/worker.h"
#include "proto/mpack.h"

#include <stdlib.h>

#define RESPAWN_MS_MIN 50

#define JOB_MAGIC 0xb5552b24u
struct job {
    uint32_t magic;                  /* while a child has it */
    struct shunt_delivery *delivery; /* NULL: free */
    int64_t lease_ms;
};

#define FORK_WORKER_MAGIC 0x8610b493u
struct fork_worker {
    uint32_t magic;
    struct worker *w;
    struct child_pool *pool;
    struct job *jobs; /* one for each child */
    size_t waiting;
    bool stopping;
    bool killed;
    int failure; /* what made it stop, 0 if somebody wanted it */
};

/* ---- in the child ---- */

static void child_prepare(void *context)
{
    struct fork_worker *f = magic_of(context, fork_worker, FORK_WORKER_MAGIC);

    client_abandon_after_fork(f->w->s);
}

static int child_handle(void *context, const void *bytes, size_t size, struct shunt_verdict *v)
{
    struct fork_worker *f = magic_of(context, fork_worker, FORK_WORKER_MAGIC);
    struct shunt_delivery *d;
    int outcome;

    if (delivery_unpack(bytes, size, &d) != 0)
        return SHUNT_RELEASE; /* no memory in this process: it is not the message's doing */
    outcome = guard_call(f->w->handler, f->w->context, d, v);
    delivery_unpacked_free(d);
    return outcome;
}

/* ---- from prefetched to a child ---- */

static int take(struct fork_worker *f, struct shunt_error *err)
{
    struct shunt_delivery *d;
    int code = 0;

    while (f->waiting < child_pool_idle(f->pool) && f->w->unconfirmed < WORKER_UNCONFIRMED_MAX) {
        code = worker_next(f->w, &d, err);
        if (code != 0)
            return code == SHUNT_EMPTY ? 0 : code;
        f->waiting++;
    }
    return 0;
}

static void drop(struct fork_worker *f, struct shunt_delivery *d)
{
    check(f->waiting > 0);
    f->waiting--;
    worker_resolve(f->w, d, SHUNT_RELEASE, 0, NULL);
}

static void give(struct fork_worker *f, struct shunt_delivery *d)
{
    struct mpack_buffer bytes = {0};
    struct job *job = f->jobs;

    if (delivery_pack(d, &bytes) != 0) {
        mpack_buffer_done(&bytes);
        drop(f, d);
        return;
    }
    while (job->delivery)
        job++; /* there are as many as children, and one of these is idle */
    job->magic = JOB_MAGIC;
    job->delivery = d;
    job->lease_ms = shunt_delivery_lease_left_ms(d);
    client_set_tag(d, job);
    check(f->waiting > 0);
    f->waiting--;
    child_pool_submit(f->pool, job, bytes.data, bytes.size);
}

/* Give to idle children what waits and is marked. */
static void give_all(struct fork_worker *f)
{
    struct shunt_delivery *d, *next;

    for (d = client_held_first(f->w->consumer); d && f->waiting > 0; d = client_held_next(d)) {
        if (!client_tag(d))
            (void)client_mark(d); /* one whose connection is gone is dropped below */
    }
    client_send(f->w->s);
    for (d = client_held_first(f->w->consumer); d && f->waiting > 0; d = next) {
        next = client_held_next(d);
        if (client_tag(d))
            continue;
        if (client_stale(d))
            drop(f, d);
        else if (client_marked(d) && child_pool_idle(f->pool) > 0)
            give(f, d);
    }
}

/* ---- from a child to the broker ---- */

static void on_done(void *context, void *with, enum shunt_outcome outcome, const struct shunt_verdict *v)
{
    struct fork_worker *f = magic_of(context, fork_worker, FORK_WORKER_MAGIC);
    struct job *job = magic_of(with, job, JOB_MAGIC);
    struct shunt_delivery *d = job->delivery;
    struct shunt_failure failure;

    job->magic = 0;
    job->delivery = NULL;
    worker_resolve(f->w, d, outcome, outcome == SHUNT_RELEASE ? worker_release_ms(f->w, d, v) : v->delay_ms,
                   verdict_failure(v, &failure));
}

/* Extend the leases of which less than half is left. Returns when to look again (ms), -1 if no child has one.
 */
static int64_t extend_all(struct fork_worker *f)
{
    int64_t wait_ms = -1;

    for (int64_t i = 0; i < f->w->children; i++) {
        struct job *job = &f->jobs[i];
        int64_t left_ms, spare_ms;

        if (!job->delivery || client_stale(job->delivery))
            continue;
        left_ms = shunt_delivery_lease_left_ms(job->delivery);
        if (left_ms > 0 && left_ms <= job->lease_ms / 2 &&
            shunt_resolve_async(job->delivery, SHUNT_EXTEND, job->lease_ms, NULL, NULL, NULL, NULL) == 0)
            left_ms = shunt_delivery_lease_left_ms(job->delivery);
        spare_ms = left_ms - job->lease_ms / 2;
        spare_ms = spare_ms < 1 ? 1 + job->lease_ms / 4 : spare_ms;
        if (wait_ms < 0 || spare_ms < wait_ms)
            wait_ms = spare_ms;
    }
    return wait_ms;
}

/* ---- the loop ---- */

static bool has_child(void *context, const struct shunt_delivery *d)
{
    (void)context;
    return client_tag(d) != NULL;
}

/* Take nothing more and give back what no child has; those that have one go on. */
static void stop(struct fork_worker *f)
{
    f->stopping = true;
    /* First, or what is given back comes straight to us again. If it fails, that is all that happens. */
    (void)shunt_credit(f->w->consumer, 0, 0, NULL);
    client_send(f->w->s);
    client_release_held(f->w->consumer, has_child, NULL);
    f->waiting = 0;
}

/* Until nothing is to be done at once; `*ret_wait_ms`: until when. */
static int turn(struct fork_worker *f, bool *ret_over, int64_t *ret_wait_ms, struct shunt_error *err)
{
    int64_t extend_ms, pool_ms;
    int code = 0;

    *ret_wait_ms = -1;
    if (!f->stopping && worker_stopping(f->w))
        stop(f);
    if (f->stopping) {
        if (!f->killed && f->w->signals && stop_signals_seen() > 1) {
            f->killed = true;
            child_pool_kill(f->pool);
        }
        *ret_over = child_pool_busy(f->pool) == 0;
    } else {
        code = take(f, err);
        give_all(f);
        if (code == 0 && f->waiting == 0 && child_pool_busy(f->pool) == 0)
            code = worker_drained(f->w, ret_over, ret_wait_ms, err);
    }
    extend_ms = extend_all(f);
    pool_ms = child_pool_wait_ms(f->pool);
    if (extend_ms >= 0 && (*ret_wait_ms < 0 || extend_ms < *ret_wait_ms))
        *ret_wait_ms = extend_ms;
    if (pool_ms >= 0 && (*ret_wait_ms < 0 || pool_ms < *ret_wait_ms))
        *ret_wait_ms = pool_ms;
    return code;
}

static int loop(struct fork_worker *f, struct shunt_error *err)
{
    bool over = false;

    while (!over) {
        struct shunt_error why = {0};
        int64_t wait_ms;
        int code = turn(f, &over, &wait_ms, &why);

        if (code == 0 && !over)
            code = worker_wait(f->w, child_pool_fd(f->pool), wait_ms, &why);
        if (code == 0)
            code = child_pool_process(f->pool, &why);
        if (code != 0 && f->failure == 0) {
            /* It ends, but handlers that run are let finish, as at a stop. */
            f->failure = error_set(err, code, "%s", why.text);
            stop(f);
        } else if (code != 0) {
            break;
        }
    }
    return f->failure;
}

int worker_run_fork(struct worker *w, struct shunt_error *err)
{
    struct fork_worker f = {.magic = FORK_WORKER_MAGIC, .w = w};
    struct child_pool_settings settings = {.children = (uint32_t)w->children,
                                           .timeout_ms = w->timeout_ms,
                                           .jobs_max = (uint64_t)w->child_messages,
                                           .memory_bytes_max = (uint64_t)w->child_memory,
                                           .respawn_ms_min = RESPAWN_MS_MIN,
                                           .prepare = child_prepare,
                                           .handle = child_handle,
                                           .done = on_done,
                                           .context = &f};
    int code;

    f.jobs = calloc((size_t)w->children, sizeof *f.jobs);
    if (!f.jobs)
        return error_set(err, SHUNT_NO_MEMORY, NULL);
    client_mark_explicitly(w->consumer);
    code = child_pool_new(&settings, &f.pool, err);
    if (code == 0) {
        code = loop(&f, err);
        child_pool_free(f.pool);
    }
    free(f.jobs);
    return code;
}
