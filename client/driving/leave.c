/* leave: a handle says goodbye and ends. */
#include "base/clock.h"
#include "base/magic.h"
#include "base/secret.h"
#include "client/driving/handle.h"
#include "client/wire/error.h"
#include <stdlib.h>

/* ---- waiting ---- */

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
        if (s->core.phase == CORE_READY && !s->core.leaving)
            say_goodbye(s, timeout_ms);
        struct shunt_error error;
        error_set(&error, SHUNT_CLOSED, NULL);
        core_end(&s->core, &error);
        handle_call_back(s);
    }
    core_done(&s->core);
    loop_done(s);
    s->magic = 0;
    secret_wipe(&s->settings.auth, sizeof s->settings.auth);
    free(s);
}

/* ---- without waiting ---- */

int shunt_goodbye_async(struct shunt *s, shunt_done_cb *callback, void *context, struct shunt_error *err)
{
    int rc = handle_usable(s, err);
    if (rc != 0)
        return rc;
    int64_t until_us = core_limit_us(&s->core, clock_mono_us());
    struct call *call = call_new(&request_goodbye, NULL, false, notice_new(callback, context, until_us));
    if (!call)
        return error_set(err, SHUNT_NO_MEMORY, NULL);
    call->bound = true;
    core_part(&s->core, call);
    loop_wake(s);
    return 0;
}
