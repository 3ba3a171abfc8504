/* worker_inline: isolation none. The handler runs here, one message after the other; answers are not waited
 * for. */
#include "client/worker/guard.h"
#include "client/worker/worker.h"

static void handle_one(struct worker *w, struct shunt_delivery *d, struct shunt_verdict *v)
{
    struct shunt_failure failure;
    enum shunt_outcome outcome;

    verdict_clear(v);
    outcome = verdict_settle(v, guard_call(w->handler, w->context, d, v));
    worker_resolve(w, d, outcome, outcome == SHUNT_RELEASE ? worker_release_ms(w, d, v) : v->delay_ms,
                   verdict_failure(v, &failure));
}

/* Nothing to do just now: look whether that is the end of it, and wait. */
static int idle(struct worker *w, bool *ret_over, struct shunt_error *err)
{
    int64_t wait_ms;
    int code = worker_drained(w, ret_over, &wait_ms, err);

    return code != 0 || *ret_over ? code : worker_wait(w, -1, wait_ms, err);
}

int worker_run_inline(struct worker *w, struct shunt_error *err)
{
    struct shunt_verdict verdict;
    struct shunt_delivery *d;
    bool over = false;
    int code = 0;

    while (code == 0 && !over && !worker_stopping(w)) {
        if (w->unconfirmed >= WORKER_UNCONFIRMED_MAX) {
            code = worker_wait(w, -1, -1, err);
            continue;
        }
        code = worker_next(w, &d, err);
        if (code == 0)
            handle_one(w, d, &verdict);
        else if (code == SHUNT_EMPTY)
            code = idle(w, &over, err);
    }
    return code;
}
