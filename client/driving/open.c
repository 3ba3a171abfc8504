/* open: a handle begins and connects. */
#include "base/clock.h"
#include "base/magic.h"
#include "base/secret.h"
#include "client/driving/auth.h"
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
    struct url_list where;
    struct {
        uint64_t seed;
        uint8_t producer_id[PRODUCER_ID_BYTES];
    } random;
    int rc = url_parse(url, &where, err);
    if (rc != 0 || (where.tls.wanted && (rc = secure_check(&where.tls, err)) != 0))
        return rc;
    if ((rc = fork_count_begin(err)) != 0)
        return rc;
    if (getentropy(&random, sizeof random) != 0)
        return error_set(err, SHUNT_IO, "the system has no random bytes");
    struct shunt *s = calloc(1, sizeof *s);
    if (!s)
        return error_set(err, SHUNT_NO_MEMORY, NULL);
    if ((rc = settings_read(options, &s->settings, err)) != 0 ||
        (rc = auth_read(options, &where, &s->settings.auth, err)) != 0 ||
        (rc = loop_init(s, &where, err)) != 0) {
        secret_wipe(&s->settings.auth, sizeof s->settings.auth);
        free(s);
        return rc;
    }
    core_init(&s->core, &s->settings, random.seed,
              s->settings.numbered ? s->settings.producer_id : random.producer_id);
    reconnect_choose(&s->loop.reconnect, &s->core.random);
    s->magic = HANDLE_MAGIC;
    s->forks = fork_count();
    s->worker = (struct client_worker_slot){.forks = s->forks, .wake_fd = -1};
    *ret = s;
    return 0;
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
    return a->s->core.phase == CORE_READY || a->s->loop.failures >= a->failures + a->s->loop.hosts.count;
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

int shunt_ping_async(struct shunt *s, shunt_done_cb *callback, void *context, struct shunt_error *err)
{
    int rc = handle_usable(s, err);
    if (rc != 0)
        return rc;
    int64_t until_us = core_limit_us(&s->core, clock_mono_us());
    struct call *call = call_new(&request_ping, NULL, true, notice_new(callback, context, until_us));
    if (!call)
        return error_set(err, SHUNT_NO_MEMORY, NULL);
    core_queue_call(&s->core, call);
    loop_wake(s);
    return 0;
}

int64_t shunt_retry_after(const struct shunt *s)
{
    int64_t left_us = s->core.patience.asked_until_us - clock_mono_us();
    return left_us > 0 ? (left_us + 999) / 1000 : 0;
}

size_t shunt_pending(const struct shunt *s)
{
    return core_pending(&s->core);
}
