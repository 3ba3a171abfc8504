/* handle: make, drive and end a connection's handle. */
#include "client/handle.h"
#include "base/clock.h"
#include "client/fork_count.h"
#include "proto/wire.h"
#include <stdlib.h>
#include <string.h>

int handle_usable(const struct shunt *s, struct shunt_error *err)
{
    if (s->closing)
        return error_set(err, SHUNT_CLOSED, NULL);
    if (core_is_copy(&s->core))
        return error_set(err, SHUNT_CLOSED,
                         "the handle belongs to the process that this one was forked from; open another one");
    if (s->core.fatal.code != 0)
        return error_set(err, s->core.fatal.code, "%s", s->core.fatal.text);
    return 0;
}

int shunt_open(const char *url, const struct shunt_options *options, struct shunt **ret,
               struct shunt_error *err)
{
    struct url where;
    struct {
        uint64_t seed;
        uint8_t producer_id[PRODUCER_ID_BYTES];
    } random;
    int rc = url_parse(url, &where, err);
    if (rc != 0)
        return rc;
    if ((rc = fork_count_begin(err)) != 0)
        return rc;
    if (!random_bytes(&random, sizeof random))
        return error_set(err, SHUNT_IO, "the system has no random bytes");
    struct shunt *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_set(err, SHUNT_NO_MEMORY, NULL);
    if ((rc = settings_read(options, &s->settings, err)) != 0 || (rc = loop_init(s, &where, err)) != 0) {
        free(s);
        return rc;
    }
    core_init(&s->core, &s->settings, random.seed, random.producer_id);
    s->worker = (struct client_worker_slot){.forks = fork_count(), .wake_fd = -1};
    *ret = s;
    return 0;
}

/* ---- closing ---- */

static bool is_offline_or_written(void *arg)
{
    const struct shunt *s = arg;
    return s->core.phase != CORE_READY || !producer_has_unwritten(&s->core.producer);
}

struct leave {
    struct shunt *s;
    struct call goodbye;
};

static bool is_offline_or_ended(void *arg)
{
    const struct leave *leave = arg;
    return leave->s->core.phase != CORE_READY || leave->goodbye.state == CALL_ENDED;
}

/* What is queued goes out first, then GOODBYE, and its answer is waited for as long as there is time. */
static void say_goodbye(struct shunt *s, int64_t timeout_ms)
{
    int64_t deadline_us = loop_deadline_us(timeout_ms);
    struct leave leave = {.s = s};
    (void)loop_until(s, timeout_ms, is_offline_or_written, s,
                     NULL); /* what does not get out ends as CLOSED */
    if (s->core.phase != CORE_READY)
        return;
    s->core.leaving = true;
    call_begin(&leave.goodbye, OP_GOODBYE, 0, false);
    core_queue_call(&s->core, &leave.goodbye);
    int64_t left_ms = deadline_us == INT64_MAX ? SHUNT_FOREVER : (deadline_us - clock_mono_us()) / 1000;
    (void)loop_until(s, left_ms < 0 && deadline_us != INT64_MAX ? 0 : left_ms, is_offline_or_ended, &leave,
                     NULL); /* the connection ends here either way */
    core_forget_call(&s->core, &leave.goodbye);
    call_done(&leave.goodbye);
}

void shunt_close(struct shunt *s, int64_t timeout_ms)
{
    if (s == NULL)
        return;
    s->closing = true;
    if (!core_is_copy(&s->core)) {
        if (s->core.phase == CORE_READY)
            say_goodbye(s, timeout_ms);
        struct shunt_error error;
        error_set(&error, SHUNT_CLOSED, NULL);
        core_end(&s->core, &error);
        core_call_back(&s->core);
    }
    core_done(&s->core);
    loop_done(s);
    free(s);
}

/* ---- connecting ---- */

struct attempt {
    const struct shunt *s;
    uint64_t failures;
};

static bool is_decided(void *arg)
{
    const struct attempt *a = arg;
    return a->s->core.phase == CORE_READY || a->s->loop.failures > a->failures;
}

int shunt_connect(struct shunt *s, int64_t timeout_ms, struct shunt_error *err)
{
    int rc = handle_usable(s, err);
    if (rc != 0 || s->core.phase == CORE_READY)
        return rc;
    struct attempt attempt = {.s = s, .failures = s->loop.failures};
    s->loop.wanted = true;
    s->loop.connect_at_us = 0;
    rc = loop_until(s, timeout_ms, is_decided, &attempt, err);
    if (rc == 0 && s->core.fatal.code != 0)
        return handle_usable(s, err);
    if (rc == 0 && s->core.phase != CORE_READY)
        return error_set(err, SHUNT_UNREACHABLE, "%s", s->loop.last.text);
    if (rc == SHUNT_UNREACHABLE && s->loop.failures == attempt.failures)
        return error_set(err, SHUNT_TIMEOUT, NULL);
    return rc;
}

bool shunt_connected(const struct shunt *s)
{
    return s->core.phase == CORE_READY && !core_is_copy(&s->core);
}

int shunt_ping(struct shunt *s, int64_t timeout_ms, int64_t *ret_us, struct shunt_error *err)
{
    struct call call;
    int64_t begun_us = clock_mono_us();
    call_begin(&call, OP_PING, 0, true);
    int rc = call_finish(s, &call, timeout_ms, err);
    if (rc == 0 && ret_us != NULL)
        *ret_us = clock_mono_us() - begun_us;
    return rc;
}

/* ---- event loops ---- */

int shunt_fd(const struct shunt *s)
{
    struct shunt *own = (struct shunt *)(uintptr_t)s; /* handles are never constant: shunt_open() made it */
    if (!own->loop.watched) {
        own->loop.watched = true;
        loop_wake(own); /* something may be queued already */
    }
    return s->loop.epoll_fd;
}

struct processing {
    struct shunt *s;
    bool outer;
};

static void processing_end(struct processing *p)
{
    if (p->outer)
        p->s->loop.processing = false;
    loop_rest(p->s);
}

int shunt_process(struct shunt *s, struct shunt_error *err)
{
    /* Also when an exception leaves a callback. */
    __attribute__((cleanup(processing_end), unused)) struct processing processing = {s, !s->loop.processing};
    s->loop.processing = true;
    int64_t now_us = clock_mono_us();
    loop_advance(s, now_us);
    loop_wait(s, 0);
    core_call_back(&s->core);
    loop_send(s, now_us);
    core_call_back(&s->core); /* the write may have let a marked message through */
    return s->core.fatal.code != 0 || core_is_copy(&s->core) ? handle_usable(s, err) : 0;
}

void client_send(struct shunt *s)
{
    int64_t now_us = clock_mono_us();
    loop_advance(s, now_us);
    loop_send(s, now_us);
    loop_rest(s);
}

struct client_worker_slot *client_worker_slot(struct shunt *s)
{
    return &s->worker;
}
