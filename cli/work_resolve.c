/* work_resolve: see work_resolve.h. */
#include "cli/work_resolve.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/magic.h"
#include "cli/call.h"
#include "cli/work_pool.h"

static void settled(struct work_pool *p, uint64_t *count, const struct shunt_error *err)
{
    check(p->unanswered > 0);
    p->unanswered--;
    if (err)
        call_tell_lost_answer(err);
    else
        ++*count;
}

static void acked(void *context, const struct shunt_error *err)
{
    struct work_pool *p = magic_of(context, work_pool, WORK_POOL_MAGIC);
    settled(p, &p->acked, err);
}

static void nacked(void *context, const struct shunt_error *err)
{
    struct work_pool *p = magic_of(context, work_pool, WORK_POOL_MAGIC);
    settled(p, &p->nacked, err);
}

static void rejected(void *context, const struct shunt_error *err)
{
    struct work_pool *p = magic_of(context, work_pool, WORK_POOL_MAGIC);
    settled(p, &p->rejected, err);
}

static void released(void *context, const struct shunt_error *err)
{
    struct work_pool *p = magic_of(context, work_pool, WORK_POOL_MAGIC);
    settled(p, &p->released, err);
}

static void late(void *context, const struct shunt_error *err)
{
    struct work_pool *p = magic_of(context, work_pool, WORK_POOL_MAGIC);
    settled(p, &p->late, err);
}

static void extended(void *context, const struct shunt_error *err)
{
    (void)context;
    (void)err; /* a lease that is lost shows in the answer at the end */
}

void work_resolve(struct work_pool *p, struct shunt_delivery *delivery, enum shunt_outcome outcome,
                  int64_t delay_ms, const struct shunt_failure *failure)
{
    static shunt_resolved_cb *const callbacks[] = {[SHUNT_ACK] = acked,
                                                   [SHUNT_NACK] = nacked,
                                                   [SHUNT_REJECT] = rejected,
                                                   [SHUNT_RELEASE] = released,
                                                   [SHUNT_LATE] = late};
    struct shunt_error err = {0};
    p->unanswered++;
    if (shunt_resolve_async(delivery, outcome, delay_ms, failure, callbacks[outcome], p, &err))
        callbacks[outcome](p, &err);
}

const char *work_late_text(const struct work_pool *p, char text[WORK_LATE_BYTES])
{
    text[0] = '\0';
    if (p->late)
        (void)snprintf(text, WORK_LATE_BYTES, ", %" PRIu64 " past their deadline", p->late);
    return text;
}

bool work_extend(struct work_pool *p, struct shunt_delivery *delivery, int64_t lease_ms)
{
    struct shunt_error err = {0};
    return shunt_resolve_async(delivery, SHUNT_EXTEND, lease_ms, NULL, extended, p, &err) == 0;
}
