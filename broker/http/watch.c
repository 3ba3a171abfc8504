/* watch: see watch.h. */
#include "broker/http/watch.h"

#include "base/clock.h"
#include "base/magic.h"
#include "broker/http/caller.h"
#include "proto/frame.h"
#include "proto/wire.h"
#include <stdio.h>
#include <stdlib.h>

#define WATCH_MAGIC 0x4bd07e2fu
struct watch {
    uint32_t magic;
    struct MHD_Connection *connection;
    struct call *call;
};

static void woken(struct call *call)
{
    MHD_resume_connection(magic_of(call->context, watch, WATCH_MAGIC)->connection);
}

static bool take_call(struct watch *w, struct calls *calls, bool until, struct problem *ret)
{
    struct caller caller;
    caller_of(w->connection, &caller);
    caller.watches = true;
    int err = calls_take(calls, &caller, (struct slice){0}, &w->call);
    caller_done(&caller);
    if (!err)
        frame_end(&w->call->out, frame_begin(&w->call->out, until ? OP_WHOAMI : OP_PING, CALL_REQUEST_ID, 0));
    if (!err && w->call->out.failed)
        err = SHUNT_NO_MEMORY;
    if (err == SHUNT_TOO_MANY)
        return problem_is(ret, PROBLEM_TOO_MANY_CALLS, "at most %d are under way at once", CALLS_MAX);
    return err ? problem_is_error(ret, err, "") : true;
}

struct watch *watch_begin(struct calls *calls, struct MHD_Connection *connection, bool until,
                          struct problem *ret)
{
    struct watch *w = calloc(1, sizeof *w);
    if (!w) {
        (void)problem_is_error(ret, SHUNT_NO_MEMORY, "");
        return NULL;
    }
    *w = (struct watch){.magic = WATCH_MAGIC, .connection = connection};
    if (!take_call(w, calls, until, ret)) {
        watch_free(w);
        return NULL;
    }
    MHD_suspend_connection(connection);
    call_send(w->call, woken, w);
    return w;
}

/* From the map that says who it is. */
static int64_t expiry(struct mpack_reader *m)
{
    int64_t at_ms = CLOCK_NEVER;
    uint32_t pairs = mpack_read_map(m);
    for (uint32_t i = 0; i < pairs && !m->failed; i++) {
        if (!slice_is(mpack_read_str(m), "expires") || mpack_read_is_nil(m))
            (void)mpack_read_any(m);
        else
            at_ms = mpack_read_int(m);
    }
    return at_ms;
}

bool watch_end(struct watch *w, int64_t *ret_until_ms, struct problem *ret)
{
    struct mpack_reader m;
    char detail[PROBLEM_DETAIL_BYTES];
    if (w->call->err) {
        (void)problem_is_error(ret, w->call->err, "");
        watch_free(w);
        return false;
    }
    mpack_read_init(&m, w->call->answer.data, w->call->answer.size);
    (void)mpack_read_array(&m);
    bool refused = mpack_read_uint(&m) == OP_ERROR;
    (void)mpack_read_uint(&m); /* its id */
    if (!refused && ret_until_ms)
        *ret_until_ms = expiry(&m);
    if (refused) {
        int err = (int)mpack_read_uint(&m);
        (void)mpack_read_str(&m); /* its name */
        struct slice text = mpack_read_str(&m);
        (void)snprintf(detail, sizeof detail, "%.*s", (int)text.size,
                       (const char *)text.data); /* may be cut */
        (void)problem_is_error(ret, err, detail);
        problem_read_wait(ret, &m);
    }
    watch_free(w);
    return !refused;
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    call_free(w->call);
    w->magic = 0;
    free(w);
}
