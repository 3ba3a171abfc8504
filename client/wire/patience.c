/* patience: see patience.h. */
#include "client/wire/patience.h"

#include "client/wire/core.h"
#include "proto/limits.h"
#include "proto/mpack.h"

void patience_init(struct core *core)
{
    const struct settings *s = core->settings;
    core->patience = (struct patience){.calls_at_us = INT64_MAX};
    budget_init(&core->patience.budget, s->retry_budget, s->retry_reserve, s->retry_window_ms);
}

int64_t patience_read(struct core *core, struct mpack_reader *r, int64_t now_us)
{
    if (mpack_peek(r) != MPACK_INT)
        return 0; /* not there, or of a later version */
    int64_t ms = mpack_read_int(r);
    ms = ms < 0 ? 0 : ms < RETRY_AFTER_MS_MAX ? ms : RETRY_AFTER_MS_MAX;
    if (ms > 0)
        core->patience.asked_until_us = now_us + ms * 1000;
    return ms;
}

void patience_lost(struct core *core)
{
    core->patience.held = false;
    core->patience.calls_at_us = INT64_MAX;
    for (struct call *call = core->calls.head; call; call = call->next)
        call->after_us = 0;
}

/* ---- publishes ---- */

void patience_publish_refused(struct core *core, const struct shunt_error *error, int64_t wait_ms,
                              int64_t now_us)
{
    struct patience *p = &core->patience;
    bool is_of_all = error->code == SHUNT_NO_SPACE || error->code == SHUNT_TOO_MANY;
    if (!is_of_all || wait_ms == 0 || p->held)
        return; /* the others that were under way are refused as well */
    p->held = true;
    p->held_until_us = now_us + wait_ms * 1000 + backoff_spread_us(wait_ms, &core->random);
    p->why = *error;
}

bool patience_holds(struct core *core, int64_t now_us)
{
    struct patience *p = &core->patience;
    p->held = p->held && now_us < p->held_until_us;
    return p->held;
}

int64_t patience_due_us(const struct core *core)
{
    const struct patience *p = &core->patience;
    int64_t due_us = p->calls_at_us;
    if (p->held && p->held_until_us < due_us && producer_may_write(&core->producer))
        due_us = p->held_until_us;
    return due_us;
}

/* ---- calls ---- */

bool patience_passes(int code)
{
    return code == SHUNT_SHUTTING_DOWN || code == SHUNT_UNAVAILABLE || code == SHUNT_NOT_LEADER;
}

bool patience_asks_again(struct core *core, struct call *call, int64_t wait_ms)
{
    struct patience *p = &core->patience;
    struct backoff backoff = {.min_ms = core->settings->reconnect_min_ms,
                              .max_ms = core->settings->reconnect_max_ms,
                              .attempts = call->tries};
    if (call->bound || call->op == OP_GOODBYE || !budget_retry(&p->budget, p->seen_us))
        return false;
    call->after_us = p->seen_us + wait_ms * 1000 + backoff_next_us(&backoff, &core->random);
    if (call->after_us < p->calls_at_us)
        p->calls_at_us = call->after_us;
    call->state = CALL_QUEUED;
    return true;
}
