/* run: the one loop that does the steps of a turn.
 *
 * Commands in a row become one batch. Whatever must see what came before it, such as a listing, is done when
 * the batch before it has been applied. All batches of a turn share one transaction, and nothing is told to
 * anybody before that has been committed.
 */
#include "broker/engine/run.h"
#include "base/check.h"
#include "broker/engine/answer.h"
#include "broker/engine/apply.h"
#include "broker/engine/greet.h"
#include "broker/engine/held.h"
#include "broker/engine/leases.h"
#include "broker/engine/outbox.h"
#include "broker/engine/refusals.h"
#include "broker/engine/request.h"
#include "broker/engine/session.h"
#include "broker/engine/state.h"

#define STEPS_MAX         8192
#define STEPS_CROWDED_MAX 16 /* while much waits to be sent */

size_t steps_most(const struct engine *e)
{
    struct flow_limits limits = engine_flow_limits(e);
    return engine_waiting(e) < flow_mark(&limits) / 2 ? STEPS_MAX : STEPS_CROWDED_MAX;
}

/* ---- what each kind does ---- */

static void run_command(struct engine *e, struct step *st)
{
    if (st->request && st->request->run)
        st->request->run(e, st);
    else
        collect_command(e, &st->command, st);
}

static void run_request(struct engine *e, struct step *st)
{
    st->request->run(e, st);
}

static void run_look(struct engine *e, struct step *st)
{
    uint64_t rows = ledger_rows(e->ledger);
    st->request->run(e, st);
    share_count(st->session, ledger_rows(e->ledger) - rows);
}

static void run_reply(struct engine *e, struct step *st)
{
    (void)e;
    step_answer(st);
}

static void run_refused(struct engine *e, struct step *st)
{
    step_answer(st);
    refusals_note(e, st);
}

/* A client that sends nothing more cannot answer for what it holds. */
static void run_ended(struct engine *e, struct step *st)
{
    (void)e;
    session_leave(st->session, HOLDER_LOST);
    session_close(st->session);
}

static void run_lost(struct engine *e, struct step *st)
{
    session_lost(e, st->session, st->closed);
}

static void run_caught_up(struct engine *e, struct step *st)
{
    if (st->session->holder)
        dispatcher_caught_up(e->dispatcher, st->session->holder, st->caught_up_ms);
}

static void run_leases(struct engine *e, struct step *st)
{
    (void)st;
    leases_end(e);
}

static const struct {
    step_fn *run;
    bool apart; /* what came before it is applied first, and what it adds to the batch at once */
    bool open;  /* it means nothing once its connection is closing */
} kinds[STEP_KINDS] = {
    [STEP_COMMAND] = {run_command, .open = true},
    [STEP_LOOK] = {run_look, .apart = true, .open = true},
    [STEP_ACT] = {run_request, .apart = true, .open = true},
    [STEP_MARK] = {run_request, .open = true},
    [STEP_REPLY] = {run_reply, .apart = true, .open = true},
    [STEP_REFUSED] = {run_refused, .apart = true, .open = true},
    [STEP_ENDED] = {run_ended, .open = true},
    [STEP_LOST] = {.run = run_lost},
    [STEP_LOGIN] = {.run = greet_verified, .apart = true},
    [STEP_CAUGHT_UP] = {.run = run_caught_up},
    [STEP_LEASES] = {.run = run_leases},
};

/* ---- the loop ---- */

/* The order in which steps are run. As they came; several brokers that are to stay the same would agree on it
 * here. */
static void steps_order(struct steps *list)
{
    (void)list;
}

static void run(struct engine *e, struct step *st)
{
    const struct session *s = st->session;
    if (s && kinds[st->kind].open && !flow_may(&s->flow, FLOW_GO_ON))
        return;
    if (kinds[st->kind].apart)
        apply_collected(e);
    kinds[st->kind].run(e, st);
    if (!kinds[st->kind].apart)
        return;
    apply_collected(e);
    if (s)
        session_count_output(st->session);
}

void steps_run(struct engine *e)
{
    struct steps *list = &e->steps;
    check(!list->running);
    list->running = true;
    steps_order(list);
    for (size_t i = 0; i < list->count; i++)
        run(e, &list->items[i]);
    apply_collected(e);
    list->count = 0;
    list->running = false;
}
