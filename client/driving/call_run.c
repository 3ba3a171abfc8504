/* call_run: see call_run.h. */
#include "client/driving/call_run.h"

#include "base/magic.h"
#include "client/driving/handle.h"
#include "client/driving/loop.h"
#include "client/wire/error.h"

static bool has_ended(void *arg)
{
    return magic_of(arg, call, CALL_MAGIC)->state == CALL_ENDED;
}

/* What the audit log notes takes a reason, as its last field. */
static void add_reason(const struct shunt *s, struct call *c)
{
    int place = request_reason_place(c->op);
    if (place < 0 || !s->reason[0])
        return;
    for (; c->fields < (uint32_t)place; c->fields++) /* left out */
        mpack_write_nil(&c->request);
    mpack_write_cstr(&c->request, s->reason);
    c->fields++;
}

int call_run(struct shunt *s, struct call *c, int64_t timeout_ms, struct shunt_error *err)
{
    int rc = handle_usable(s, err);
    if (rc != 0)
        return rc;
    add_reason(s, c);
    if (c->request.failed)
        return error_set(err, SHUNT_NO_MEMORY, NULL);
    c->until_us = loop_deadline_us(timeout_ms);
    core_queue_call(&s->core, c);
    rc = loop_until(s, timeout_ms, has_ended, c, err);
    if (c->state != CALL_ENDED) {
        bool asked = c->state == CALL_SENT;
        core_forget_call(&s->core, c);
        if (c->error.code != 0) { /* it was to be tried again */
            if (err)
                *err = c->error;
            return c->error.code;
        }
        if (asked && rc == SHUNT_UNREACHABLE)
            rc = error_set(err, SHUNT_TIMEOUT, NULL);
        return rc;
    }
    if (c->error.code != 0 && err)
        *err = c->error;
    return c->error.code;
}

int call_finish(struct shunt *s, struct call *c, int64_t timeout_ms, struct shunt_error *err)
{
    int rc = call_run(s, c, timeout_ms, err);
    call_done(c);
    return rc;
}

int call_finish_uint(struct shunt *s, struct call *c, int64_t timeout_ms, uint64_t *ret,
                     struct shunt_error *err)
{
    int rc = call_run(s, c, timeout_ms, err);
    if (rc == 0) {
        uint64_t v = mpack_read_uint(&c->reply);
        if (c->reply.failed)
            rc = error_set(err, SHUNT_PROTOCOL, NULL);
        else if (ret)
            *ret = v;
    }
    call_done(c);
    return rc;
}
