/* job: background jobs and the broker's statistics. */
#include "client/driving/admin.h"
#include "client/driving/call_run.h"
#include "client/wire/error.h"
#include <string.h>

#define POLL_MS_MIN 5
#define POLL_MS_MAX 500

int shunt_job_show(struct shunt *s, uint64_t job, int64_t timeout_ms, struct shunt_value **ret,
                   struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {.job_show = {.job = job}};
    call_begin(&call, &request_job_show, &q, true);
    return admin_finish_value(s, &call, timeout_ms, ret, err);
}

int shunt_job_cancel(struct shunt *s, uint64_t job, int64_t timeout_ms, struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {.job_cancel = {.job = job}};
    call_begin(&call, &request_job_cancel, &q, true);
    return call_finish(s, &call, timeout_ms, err);
}

int shunt_clock_set(struct shunt *s, int64_t timeout_ms, int64_t *ret_was_off_ms, struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {0};
    call_begin(&call, &request_clock_set, &q, false);
    int rc = call_run(s, &call, timeout_ms, err);
    if (rc == 0) {
        int64_t was_off_ms = mpack_read_int(&call.reply);
        if (call.reply.failed)
            rc = error_set(err, SHUNT_PROTOCOL, NULL);
        if (rc == 0 && ret_was_off_ms)
            *ret_was_off_ms = was_off_ms;
    }
    call_done(&call);
    return rc;
}

int shunt_stats(struct shunt *s, int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    call_begin(&call, &request_stats, NULL, true);
    return admin_finish_value(s, &call, timeout_ms, ret, err);
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

int shunt_job_wait(struct shunt *s, uint64_t job, int64_t timeout_ms, struct shunt_error *err)
{
    int64_t deadline_us = loop_deadline_us(timeout_ms);
    if (job == 0) /* what a request with nothing to do returns */
        return 0;
    for (int64_t pause_ms = POLL_MS_MIN;; pause_ms = pause_ms < POLL_MS_MAX ? pause_ms * 2 : POLL_MS_MAX) {
        struct shunt_value *v = NULL;
        int64_t left_ms = admin_left_ms(deadline_us);
        int rc = shunt_job_show(s, job, left_ms, &v, err);
        if (rc != 0)
            return rc;
        bool done = strcmp(shunt_value_text(shunt_value_get(v, "state"), NULL), "done") == 0;
        shunt_value_free(v);
        if (done)
            return 0;
        if (left_ms == 0) {
            return error_set(err, SHUNT_TIMEOUT, "job %llu goes on in the background",
                             (unsigned long long)job);
        }
        bool cut = left_ms != SHUNT_FOREVER && left_ms < pause_ms;
        (void)loop_until(s, cut ? left_ms : pause_ms, never, NULL,
                         NULL); /* what ends the handle shows in the next call */
    }
}
