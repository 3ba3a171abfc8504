/* open: a handle begins, connects and ends. */
#include "base/clock.h"
#include "base/magic.h"
#include "client/driving/call_run.h"
#include "client/driving/fork_count.h"
#include "client/driving/handle.h"
#include "client/driving/settings_read.h"
#include "client/wire/error.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    if (getentropy(&random, sizeof random) != 0)
        return error_set(err, SHUNT_IO, "the system has no random bytes");
    struct shunt *s = calloc(1, sizeof *s);
    if (!s)
        return error_set(err, SHUNT_NO_MEMORY, NULL);
    if ((rc = settings_read(options, &s->settings, err)) != 0 || (rc = loop_init(s, &where, err)) != 0) {
        free(s);
        return rc;
    }
    core_init(&s->core, &s->settings, random.seed, random.producer_id);
    s->magic = HANDLE_MAGIC;
    s->forks = fork_count();
    s->worker = (struct client_worker_slot){.forks = s->forks, .wake_fd = -1};
    *ret = s;
    return 0;
}

/* ---- closing ---- */

static bool is_offline_or_written(void *arg)
{
    const struct shunt *s = magic_of(arg, shunt, HANDLE_MAGIC);
    return s->core.phase != CORE_READY || !producer_has_unwritten(&s->core.producer);
}

#define LEAVE_MAGIC 0x89889350u
struct leave {
    uint32_t magic;
    struct shunt *s;
    struct call goodbye;
};

static bool is_offline_or_ended(void *arg)
{
    const struct leave *leave = magic_of(arg, leave, LEAVE_MAGIC);
    return leave->s->core.phase != CORE_READY || leave->goodbye.state == CALL_ENDED;
}

/* What is queued goes out first, then GOODBYE, and its answer is waited for as long as there is time. */
static void say_goodbye(struct shunt *s, int64_t timeout_ms)
{
    int64_t deadline_us = loop_deadline_us(timeout_ms);
    struct leave leave = {.magic = LEAVE_MAGIC, .s = s};
    (void)loop_until(s, timeout_ms, is_offline_or_written, s,
                     NULL); /* what does not get out ends as CLOSED */
    if (s->core.phase != CORE_READY)
        return;
    s->core.leaving = true;
    call_begin(&leave.goodbye, &request_goodbye, NULL, false);
    core_queue_call(&s->core, &leave.goodbye);
    int64_t left_ms = deadline_us == INT64_MAX ? SHUNT_FOREVER : (deadline_us - clock_mono_us()) / 1000;
    (void)loop_until(s, left_ms < 0 && deadline_us != INT64_MAX ? 0 : left_ms, is_offline_or_ended, &leave,
                     NULL); /* the connection ends here either way */
    core_forget_call(&s->core, &leave.goodbye);
    call_done(&leave.goodbye);
}

void shunt_close(struct shunt *s, int64_t timeout_ms)
{
    if (!s)
        return;
    check(s->magic == HANDLE_MAGIC);
    s->closing = true;
    if (!handle_is_copy(s)) {
        if (s->core.phase == CORE_READY)
            say_goodbye(s, timeout_ms);
        struct shunt_error error;
        error_set(&error, SHUNT_CLOSED, NULL);
        core_end(&s->core, &error);
        handle_call_back(s);
    }
    core_done(&s->core);
    loop_done(s);
    s->magic = 0;
    free(s);
}

/* ---- connecting ---- */

#define ATTEMPT_MAGIC 0xbecce1e4u
struct attempt {
    uint32_t magic;
    const struct shunt *s;
    uint64_t failures;
};

static bool is_decided(void *arg)
{
    const struct attempt *a = magic_of(arg, attempt, ATTEMPT_MAGIC);
    return a->s->core.phase == CORE_READY || a->s->loop.failures > a->failures;
}

int shunt_connect(struct shunt *s, int64_t timeout_ms, struct shunt_error *err)
{
    int rc = handle_usable(s, err);
    if (rc != 0 || s->core.phase == CORE_READY)
        return rc;
    struct attempt attempt = {.magic = ATTEMPT_MAGIC, .s = s, .failures = s->loop.failures};
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
    return s->core.phase == CORE_READY && !handle_is_copy(s);
}

int shunt_ping(struct shunt *s, int64_t timeout_ms, int64_t *ret_us, struct shunt_error *err)
{
    struct call call;
    int64_t begun_us = clock_mono_us();
    call_begin(&call, &request_ping, NULL, true);
    int rc = call_finish(s, &call, timeout_ms, err);
    if (rc == 0 && ret_us)
        *ret_us = clock_mono_us() - begun_us;
    return rc;
}
