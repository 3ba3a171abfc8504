/* worker: the public calls, options, and what both kinds of loop share. See worker.h. */
#include "client/worker/worker.h"

#include "base/clock.h"
#include "base/magic.h"
#include "client/driving/fork_count.h"
#include "client/wire/error.h"
#include "client/worker/child_pool.h"
#include "client/worker/stop_signals.h"
#include "client/worker/verdict.h"
#include "proto/limits.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- stopping ---- */

void shunt_worker_stop(struct shunt *s)
{
    struct client_worker_slot *slot = client_worker_slot(s);
    int fd = slot->wake_fd, saved = errno;
    uint64_t one = 1;

    slot->stop = 1;
    if (fd >= 0 && slot->forks == fork_count()) { /* not of a process that the program or a handler forked */
        (void)!write(fd, &one,
                     sizeof one); /* full: it will wake anyway. From a child this reaches the parent. */
    }
    errno = saved;
}

bool worker_stopping(const struct worker *w)
{
    return w->stop_wanted || client_worker_slot(w->s)->stop != 0 || (w->signals && stop_signals_seen() > 0);
}

/* ---- waiting, taking, resolving ---- */

int worker_wait(struct worker *w, int fd, int64_t wait_ms, struct shunt_error *err)
{
    struct pollfd watch[3] = {{.fd = shunt_fd(w->s), .events = POLLIN},
                              {.fd = w->wake_fd, .events = POLLIN},
                              {.fd = fd, .events = POLLIN}};
    uint64_t count;

    if (client_worker_slot(w->s)->forks != fork_count()) {
        return shunt_process(w->s,
                             err); /* a copy that came back from a handler; the word to stop is not its own */
    }
    client_send(w->s);
    if (poll(watch, 3, wait_ms < 0 || wait_ms > 60000 ? 60000 : (int)wait_ms) > 0 && watch[1].revents != 0) {
        if (read(w->wake_fd, &count, sizeof count) == (ssize_t)sizeof count)
            w->stop_wanted = true;
    }
    return shunt_process(w->s, err);
}

int worker_next(struct worker *w, struct shunt_delivery **ret, struct shunt_error *err)
{
    struct shunt_error why = {0};
    int code = shunt_next(w->consumer, 0, ret, &why);

    if (code == 0) {
        w->drain_wait_ms = WORKER_DRAIN_MS_MIN;
        w->drain_check_ms = 0;
        return 0;
    }
    if (code == SHUNT_EMPTY || why.may_retry)
        return SHUNT_EMPTY;
    return error_set(err, code, "%s", why.text);
}

static void on_resolved(void *context, const struct shunt_error *err)
{
    struct worker *w = magic_of(context, worker, WORKER_MAGIC);

    /* A lost lease or connection is the broker's to deal with: it hands the message out again. */
    (void)err;
    check(w->unconfirmed > 0);
    w->unconfirmed--;
}

void worker_resolve(struct worker *w, struct shunt_delivery *d, enum shunt_outcome outcome, int64_t delay_ms,
                    const struct shunt_failure *failure)
{
    w->unconfirmed++;
    if (client_resolve(d, outcome, delay_ms, failure, on_resolved, w) != 0)
        w->unconfirmed--; /* the lease is known to be lost: nothing to tell, and nobody to stop for it */
}

int64_t worker_release_ms(const struct worker *w, const struct shunt_delivery *d,
                          const struct shunt_verdict *v)
{
    int64_t ms = WORKER_RELEASE_MS_MIN;

    if (worker_stopping(w))
        return 0; /* another worker may have it now */
    if (v->delay_ms != SHUNT_BACKOFF)
        return v->delay_ms;
    /* What was neither the first hand-out nor a failure was given back. */
    for (uint32_t i = shunt_delivery_attempts(d) + 1; i < shunt_delivery_deliveries(d); i++)
        ms = ms * 2 < WORKER_RELEASE_MS_MAX ? ms * 2 : WORKER_RELEASE_MS_MAX;
    return ms;
}

/* ---- draining ---- */

static int group_left(struct worker *w, int64_t *ret_left, struct shunt_error *err)
{
    static const char *const states[] = {"ready", "in_flight", "delayed"};
    int64_t parked, blocked;
    struct shunt_error why = {0};
    struct shunt_value *show;
    int64_t left = 0;
    int code = shunt_group_show(w->s, w->topic, w->group, WORKER_SHOW_MS, &show, &why);

    if (code != 0) {
        if (why.may_retry) {
            *ret_left = 1; /* not known to be drained */
            return 0;
        }
        return error_set(err, code, "%s", why.text);
    }
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        left += shunt_value_integer(shunt_value_get(show, states[i]));
    parked = shunt_value_integer(shunt_value_get(show, "parked"));
    blocked = shunt_value_integer(shunt_value_get(show, "blocked_keys"));
    if (blocked && left == parked) /* all that is left waits for dead letters of its keys */
        left = 0;
    shunt_value_free(show);
    *ret_left = left;
    return 0;
}

int worker_drained(struct worker *w, bool *ret, int64_t *ret_wait_ms, struct shunt_error *err)
{
    int64_t now_ms = clock_mono_ms(), left = 1;
    int code;

    *ret = false;
    *ret_wait_ms = -1;
    if (!w->drain)
        return 0;
    if (w->unconfirmed == 0 && w->drain_check_ms != 0 && now_ms >= w->drain_check_ms) {
        code = group_left(w, &left, err);
        if (code != 0)
            return code;
        now_ms = clock_mono_ms();
        w->drain_wait_ms =
            w->drain_wait_ms * 2 > WORKER_DRAIN_MS_MAX ? WORKER_DRAIN_MS_MAX : w->drain_wait_ms * 2;
        w->drain_check_ms = now_ms + w->drain_wait_ms;
    }
    if (w->drain_check_ms == 0) {
        w->drain_check_ms =
            now_ms + w->drain_wait_ms; /* nothing came just now: something may be on its way */
    }
    *ret = left == 0;
    *ret_wait_ms = w->drain_check_ms > now_ms ? w->drain_check_ms - now_ms : 1;
    return 0;
}
