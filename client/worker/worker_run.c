/* worker_run: shunt_worker_run(): its options, its beginning and its end. */
#include "base/clock.h"
#include "client/driving/hooks.h"
#include "client/wire/error.h"
#include "client/wire/options.h"
#include "client/worker/child_pool.h"
#include "client/worker/stop_signals.h"
#include "client/worker/worker.h"
#include "proto/limits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- options ---- */

static int worker_options(struct worker *w, const struct shunt_options *options, struct shunt_error *err)
{
    static const char *const keys[] = {"isolation",      "workers", "timeout", "prefetch",
                                       "prefetch-bytes", "drain",   "signals", "child-messages",
                                       "child-memory",   NULL};
    const char *isolation = options_get(options, "isolation");
    int code = options_allow(options, keys, err);

    if (code == 0 && isolation && strcmp(isolation, "none") != 0 && strcmp(isolation, "fork") != 0)
        code = error_set(err, SHUNT_BAD_ARGUMENT, "isolation is none or fork, not %.40s", isolation);
    if (code == 0)
        code = options_count(options, "workers", 1, CHILDREN_MAX, &w->children, err);
    if (code == 0)
        code = options_duration(options, "timeout", DURATION_MS_MAX, &w->timeout_ms, err);
    if (code == 0)
        code = options_count(options, "child-messages", 0, INT64_MAX, &w->child_messages, err);
    if (code == 0)
        code = options_size(options, "child-memory", 0, INT64_MAX, &w->child_memory, err);
    if (code == 0)
        code = options_count(options, "prefetch", 1, CREDIT_MESSAGES_MAX, &w->prefetch, err);
    if (code == 0)
        code = options_size(options, "prefetch-bytes", 1, CREDIT_BYTES_MAX, &w->prefetch_bytes, err);
    if (code == 0)
        code = options_yes(options, "drain", &w->drain, err);
    if (code == 0)
        code = options_yes(options, "signals", &w->signals, err);
    w->fork = isolation && strcmp(isolation, "fork") == 0;
    if (code == 0 && !w->fork &&
        (options_get(options, "workers") || w->timeout_ms != 0 || w->child_messages != 0 ||
         w->child_memory != 0)) {
        code = error_set(err, SHUNT_BAD_ARGUMENT,
                         "workers, timeout, child-messages and child-memory need isolation fork");
    }
    if (code == 0 && w->fork && w->prefetch == 0) {
        /* A child waits for nothing while acks become durable, and not too many wait behind a slow one. They
         * are marked one by one, when a child gets them. */
        w->prefetch = 16 * w->children;
    }
    return code;
}

/* ---- beginning and end ---- */

/* Wait for the broker to be there as long as it takes, but hear a stop meanwhile: then w->consumer stays
 * NULL. */
static int subscribe_patiently(struct worker *w, const struct shunt_options *options, struct shunt_error *err)
{
    int code;

    do {
        code = shunt_subscribe(w->s, w->topic, w->group, options, WORKER_SUBSCRIBE_MS, &w->consumer, err);
    } while ((code == SHUNT_TIMEOUT || code == SHUNT_UNREACHABLE || code == SHUNT_DISCONNECTED) &&
             !worker_stopping(w));
    return code != 0 && worker_stopping(w) ? 0 : code;
}

static int worker_subscribe(struct worker *w, struct shunt_error *err)
{
    struct shunt_options *options = shunt_options_new();
    char text[32];
    int code = !options ? SHUNT_NO_MEMORY : 0;

    if (code == 0 && w->prefetch > 0) {
        (void)snprintf(text, sizeof text, "%lld", (long long)w->prefetch);
        code = shunt_options_set(options, "prefetch", text);
    }
    if (code == 0 && w->prefetch_bytes > 0) {
        (void)snprintf(text, sizeof text, "%lld", (long long)w->prefetch_bytes);
        code = shunt_options_set(options, "prefetch-bytes", text);
    }
    if (code != 0)
        code = error_set(err, code, NULL);
    else
        code = subscribe_patiently(w, options, err);
    shunt_options_free(options);
    return code;
}

/* The end of a run that got as far as subscribing: answers in, the rest given back. A failure of the run
 * comes first. */
static int worker_finish(struct worker *w, int code, struct shunt_error *err)
{
    int64_t deadline_ms = clock_mono_ms() + WORKER_STOP_MS, now_ms;
    int process = 0;

    while (process == 0 && w->unconfirmed > 0 && (now_ms = clock_mono_ms()) < deadline_ms) {
        w->stop_wanted = true;
        process = worker_wait(w, -1, deadline_ms - now_ms, code == 0 ? err : NULL);
    }
    if (code == 0)
        code = process;
    if (code == 0 && w->unconfirmed > 0) {
        code = error_set(
            err, SHUNT_TIMEOUT,
            "stopped before the broker answered %zu resolutions: it may hand out these messages again",
            w->unconfirmed);
    }
    shunt_unsubscribe(w->consumer, WORKER_STOP_MS);
    return code;
}

int shunt_worker_run(struct shunt *s, const char *topic, const char *group,
                     const struct shunt_options *options, shunt_handler *handler, void *context,
                     struct shunt_error *err)
{
    struct client_worker_slot *slot = client_worker_slot(s);
    struct worker w = {.magic = WORKER_MAGIC,
                       .s = s,
                       .topic = topic,
                       .group = !group ? "default" : group,
                       .handler = handler,
                       .context = context,
                       .signals = true,
                       .children = 1,
                       .drain_wait_ms = WORKER_DRAIN_MS_MIN};
    int code;

    if (slot->worker)
        return error_set(err, SHUNT_BAD_ARGUMENT, "a worker runs on this handle already");
    code = worker_options(&w, options, err);
    if (code != 0)
        return code;
    w.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w.wake_fd < 0)
        return error_set(err, SHUNT_IO, "cannot make an eventfd: %s", strerror(errno));
    if (w.signals && (code = stop_signals_begin(w.wake_fd, !w.fork, err)) != 0)
        goto out_wake;
    slot->worker = &w;
    slot->wake_fd = w.wake_fd;
    code = worker_subscribe(&w, err);
    if (code == 0 && w.consumer) {
        code = w.fork ? worker_run_fork(&w, err) : worker_run_inline(&w, err);
        code = worker_finish(&w, code, err);
    }
    slot->wake_fd = -1;
    slot->worker = NULL;
    slot->stop = 0;
    if (w.signals)
        stop_signals_end(w.wake_fd, !w.fork);
out_wake:
    (void)close(w.wake_fd);
    return code;
}
