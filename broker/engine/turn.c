/* turn: one transaction. Requests are taken in, applied, messages assigned; then one commit; then, and only
 * then, everybody is told. While a commit runs, the next turn's requests collect in the inbox: but for acks
 * that may wait for company, that is all there is to group commit. */
#include "broker/engine/turn.h"
#include "base/check.h"
#include "broker/engine/deliver.h"
#include "broker/engine/held.h"
#include "broker/engine/intake.h"
#include "broker/engine/leases.h"
#include "broker/engine/line.h"
#include "broker/engine/outbox.h"
#include "broker/engine/refusals.h"
#include "broker/engine/reply.h"
#include "broker/engine/review.h"
#include "broker/engine/run.h"
#include "broker/engine/session.h"
#include "broker/engine/snapshots.h"
#include "broker/engine/state.h"
#include "broker/engine/transaction.h"
#include "proto/errors.h"

#include <stdlib.h>

#define TICK_RETRY_MS 1000 /* after one that could do nothing of what is due */

/* ---- what time brings ---- */

static void add_tick(struct engine *e)
{
    if (ledger_tick_at(e->ledger) > e->wall_ms || e->mono_ms < e->tick_not_before_ms)
        return;
    e->urgent = e->ticked = true;
    steps_add(e, STEP_COMMAND, NULL)->command.kind = COMMAND_TICK;
}

static void add_limits(struct engine *e)
{
    steps_add(e, STEP_COMMAND, NULL)->command =
        (struct command){.kind = COMMAND_LIMITS,
                         .limits = {.topics_max = e->config.limits.max_topics,
                                    .groups_max = e->config.limits.max_groups,
                                    .body_bytes_max = e->config.limits.max_body_bytes,
                                    .dedup_window_ms = e->config.limits.dedup_window_ms,
                                    .audit_keep_ms = e->config.limits.audit_keep_ms,
                                    .audit_bytes_max = e->config.limits.audit_bytes_max}};
}

static void take_reload(struct engine *e)
{
    (void)pthread_mutex_lock(&e->mutex);
    bool reload = e->reload;
    e->reload = false;
    if (reload)
        e->config.limits = e->new_limits;
    (void)pthread_mutex_unlock(&e->mutex);
    e->urgent |= reload;
    if (reload) {
        dispatcher_limit(e->dispatcher, e->config.limits.in_flight_max, e->config.limits.connections_max);
        add_limits(e);
        const struct keys_limits keys = engine_keys_limits(&e->config.limits);
        keys_limit(&e->keys, &keys);
        quotas_reload(e);
    }
}

/* ---- one turn ---- */

static int64_t next_due(const struct engine *e)
{
    if (e->backlog.first || !ring_empty(&e->line) || e->hand_out.more || e->packing || snapshots_wanted(e))
        return e->mono_ms;
    int64_t due_ms = dispatcher_deadline(e->dispatcher);
    int64_t tick_ms = ledger_tick_at(e->ledger);
    if (tick_ms != INT64_MAX) {
        int64_t wait_ms = tick_ms > e->wall_ms ? tick_ms - e->wall_ms : 0;
        int64_t at_ms =
            e->mono_ms + wait_ms > e->tick_not_before_ms ? e->mono_ms + wait_ms : e->tick_not_before_ms;
        due_ms = at_ms < due_ms ? at_ms : due_ms;
    }
    return e->refusals.due_ms < due_ms ? e->refusals.due_ms : due_ms;
}

/* Whether the turn goes on with what comes in next, for all that would be committed are acks, and nobody gets
 * anything by them: what they made room for has been handed out. A commit of their own would stand in the way
 * of the publish that comes next; in its commit they cost nothing. */
static bool waits_for_company(const struct engine *e)
{
    return !e->urgent && !e->force_commit && !e->backlog.first && ring_empty(&e->line) &&
           !snapshots_wanted(e) && e->txn && ledger_changed(e->ledger) &&
           !flow_inbox_is_full(e->config.totals) && e->mono_ms < e->open_until_ms;
}

static void end_turn(struct engine *e)
{
    e->urgent = false;
    e->open_until_ms = 0;
    e->turn_messages = 0;
    events_tell(e);
    intake_free(e);
    leases_settle(e);
    bool tell = outbox_fill(e);
    sessions_free(e, &e->gone);
    arena_reset(&e->arena);
    e->hand_out.more |= flow_room_came(e->config.totals, e->config.limits.unsent_total_max);
    bool goes_on = flow_net_goes_on(e->config.totals);
    if ((goes_on || tell) && !e->served) /* who serves looks for both itself */
        e->config.notify(e->config.context);
}

/* Hand out what is ready, as far as the turn's budget goes. */
static void hand_out(struct engine *e)
{
    deliver_begin(e);
    while (deliver_plan(e)) {
        steps_run(e);
        deliver_look_at_outputs(e);
    }
}

/* A tick did not do all that is due, perhaps for want of room: there may be more on the disk. */
static void left_to_do(struct engine *e)
{
    if (room_may_ask_for_ticks(&e->room))
        e->room.unfit = true;
    else if (!ledger_changed(e->ledger))
        e->tick_not_before_ms = e->mono_ms + TICK_RETRY_MS; /* a store without room: nothing to do but wait */
}

int64_t engine_turn(struct engine *e, int64_t wall_ms, int64_t mono_ms)
{
    check(e->magic == ENGINE_MAGIC);
    e->wall_ms = wall_ms;
    e->mono_ms = mono_ms;
    e->totals.known = false;
    e->commit_us = 0;
    take_reload(e);
    if (!e->txn)
        transaction_look_at_room(e);
    add_tick(e);
    intake_begin(e);
    line_go_on(e);
    intake_take_backlog(e);
    if (e->refusals.due_ms <= e->mono_ms)
        refusals_tell(e);
    steps_run(e);
    if (e->ticked) {
        review_sessions(e);
        steps_run(e);
    }
    if (dispatcher_deadline(e->dispatcher) <= e->mono_ms) { /* what came in time has been judged before */
        (void)steps_add(e, STEP_LEASES, NULL);
        steps_run(e);
    }
    hand_out(e);
    if (waits_for_company(e)) {
        e->packing = false; /* until it has been committed */
        int64_t due_ms = next_due(e);
        return due_ms < e->open_until_ms ? due_ms : e->open_until_ms;
    }
    if (e->ticked && ledger_tick_at(e->ledger) <= e->wall_ms)
        left_to_do(e);
    e->ticked = false;
    transaction_commit(e);
    snapshots_answer(e);
    transaction_abort(e); /* what snapshots read from */
    end_turn(e);
    e->packing = e->room.fullness >= STORE_FULL && transaction_pack(e); /* everybody has been told */
    return next_due(e);
}

/* A step is what one transaction may write, so that a store that is nearly full recovers too. */
void engine_recover(struct engine *e)
{
    uint64_t left = ledger_in_flight(e->ledger), before;
    struct command recover = {.kind = COMMAND_RECOVER, .recover.wait_ms = e->config.limits.resume_wait_ms};
    wall_clock_now(&e->clock, &e->wall_ms, &e->mono_ms);
    e->begun_mono_ms = e->mono_ms;
    e->recovered = left;
    do {
        before = left;
        transaction_look_at_room(e);
        steps_add(e, STEP_COMMAND, NULL)->command = recover;
        steps_run(e);
        transaction_commit(e);
        recover.recover.again = true;
        left = ledger_in_flight(e->ledger);
    } while (left && left < before);
    add_limits(e);
    steps_run(e);
    transaction_commit(e);
    events_clock(e);
    end_turn(e);
}

void engine_farewell(struct engine *e)
{
    transaction_commit(e);
    for (struct session *s = e->sessions.head; s; s = s->next) {
        if (!flow_may(&s->flow, FLOW_HEAR))
            continue;
        reply_closed(s, 0, SHUNT_SHUTTING_DOWN, NULL);
        session_close(s);
    }
    snapshots_refuse(e);
    end_turn(e);
}
