/* turn: one transaction. Requests are taken in, applied, messages assigned; then one commit; then, and only
 * then, everybody is told. While a commit runs, the next turn's requests collect in the inbox: but for acks
 * that may wait for company, that is all there is to group commit. */
#include "base/check.h"
#include "broker/engine/engine_private.h"
#include "broker/engine/figures.h"
#include "proto/errors.h"

#include <stdlib.h>

#define TICK_RETRY_MS 1000 /* after one that could do nothing of what is due */
/* No more requests are taken into a turn whose commands need this much: the smallest entry of a RESOLVE takes
 * 30 times its bytes. */
#define TURN_ARENA_BYTES_MAX (32u * 1024 * 1024)

/* ---- taking requests ---- */

void turn_take_inbox(struct engine *e)
{
    if (!e->inbox)
        return;
    *e->backlog_tail = e->inbox;
    e->backlog_tail = e->inbox_tail;
    e->inbox = NULL;
    e->inbox_tail = &e->inbox;
}

/* True if the item is done with; otherwise its connection keeps it. */
static bool on_frames(struct engine *e, struct inbox_item *item)
{
    struct session *s = item->link->session;
    if (!s)
        s = session_new(e, item->link);
    if (!s)
        engine_die(e, SHUNT_NO_MEMORY, "no memory for a connection");
    if (s->holder)
        silence_heard(s);
    bool share = false;
    size_t done = s->parked ? 0 : session_frames(s, item->bytes, &share);
    if (done == item->bytes.size)
        return true;
    item->bytes.data = (const uint8_t *)item->bytes.data + done;
    item->bytes.size -= done;
    if (share)
        share_wait(s);
    session_park(s, item);
    return false;
}

/* As on_frames(). Who sends nothing more cannot answer for what it holds. */
static bool on_ended(struct engine *e, struct inbox_item *item)
{
    struct session *s = item->link->session;
    if (!s || s->closing || s->gone)
        return true;
    if (s->parked) {
        session_park(s, item);
        return false;
    }
    e->urgent = true;
    session_leave(s, HOLDER_LOST);
    gather_flush(e); /* what came before it is answered before the close */
    s->closing = true;
    (void)session_out(s);
    return true;
}

/* As on_frames(). */
static bool on_broken(struct engine *e, struct inbox_item *item)
{
    struct session *s = item->link->session;
    e->urgent = true;
    if (!s || s->closing)
        return true;
    if (s->parked) {
        session_park(s, item);
        return false;
    }
    gather_flush(e); /* what came before it is answered before it */
    reply_broken(s, item->request_id, item->why);
    return true;
}

/* As on_frames(). What it sent before counts, so this waits behind it; but nobody is there to read the
 * answers of one that does not read. */
static bool on_lost(struct engine *e, struct inbox_item *item)
{
    struct session *s = item->link->session;
    e->urgent = true;
    if (s && s->put_off && !s->closing && !e->config.only_looks_wait) {
        s->lost = true;
        if (s->holder) /* it gets nothing more */
            dispatcher_hold(e->dispatcher, s->holder, true);
        session_park(s, item);
        return false;
    }
    if (s)
        session_lost(e, s, item->closed);
    return true;
}

static void on_drained(struct engine *e, const struct inbox_item *item)
{
    struct session *s = item->link ? item->link->session : NULL;
    (void)e;
    if (s)
        session_go_on(s);
}

/* True if the item is done with. */
static bool handle_item(struct engine *e, struct inbox_item *item)
{
    switch (item->kind) {
    case PORT_FRAMES:
        return on_frames(e, item);
    case PORT_LOST:
        return on_lost(e, item);
    case PORT_BROKEN:
        return on_broken(e, item);
    case PORT_ENDED:
        return on_ended(e, item);
    case PORT_DRAINED:
        on_drained(e, item);
        break;
    case PORT_CAUGHT_UP:
        return leases_caught_up(e, item);
    case PORT_STATS:
        e->urgent = true;
        figures_want(e, item->wait);
        item->wait = NULL;
        break;
    }
    return true;
}

/* What is done with stays in `handled` until the batch that points into it has been applied. */
void turn_take(struct engine *e, struct inbox_item *item)
{
    struct inbox_item *before = e->handled;
    size_t size = item->bytes.size;
    item->next = before;
    e->handled = item;
    if (!handle_item(e, item)) { /* its connection keeps it */
        e->handled = before;
        size -= item->bytes.size;
    }
    e->taken_bytes += size;
}

bool turn_has_room(const struct engine *e)
{
    return e->taken_bytes < e->config.commit_bytes_max && e->arena.bytes < TURN_ARENA_BYTES_MAX;
}

static void take_requests(struct engine *e)
{
    e->taken_bytes = 0;
    e->turn_rows = 0;
    e->turn++;
    share_go_on(e);
    while (e->backlog && turn_has_room(e)) {
        struct inbox_item *item = e->backlog;
        e->backlog = item->next;
        if (!e->backlog)
            e->backlog_tail = &e->backlog;
        turn_take(e, item);
    }
    if (e->taken_bytes > e->largest_bytes)
        e->largest_bytes = e->taken_bytes;
}

static void free_handled(struct engine *e)
{
    size_t bytes = 0;
    for (const struct inbox_item *item = e->handled; item; item = item->next) {
        bytes += item->counted_bytes;
        if (item->link)
            atomic_fetch_sub(&item->link->inbox_bytes, item->counted_bytes);
    }
    if (bytes)
        atomic_fetch_sub(&e->inbox_bytes, bytes);
    inbox_free(e->handled);
    e->handled = NULL;
}

/* ---- what time brings ---- */

static void gather_due(struct engine *e)
{
    if (ledger_tick_at(e->ledger) > e->wall_ms || e->mono_ms < e->tick_not_before_ms)
        return;
    struct command tick = {.kind = COMMAND_TICK};
    e->urgent = e->ticked = true;
    (void)gather_add(e, &tick, PENDING_NONE, NULL, 0); /* nobody waits for it */
}

static void gather_limits(struct engine *e)
{
    struct command limits = {.kind = COMMAND_LIMITS,
                             .limits = {.topics_max = e->config.max_topics,
                                        .groups_max = e->config.max_groups,
                                        .body_bytes_max = e->config.max_body_bytes,
                                        .dedup_window_ms = e->config.dedup_window_ms}};
    (void)gather_add(e, &limits, PENDING_NONE, NULL, 0); /* nobody waits for it */
}

static void take_reload(struct engine *e)
{
    (void)pthread_mutex_lock(&e->mutex);
    bool reload = e->reload;
    e->reload = false;
    if (reload) {
        e->config.max_body_bytes = e->reload_config.max_body_bytes;
        e->config.max_topics = e->reload_config.max_topics;
        e->config.max_groups = e->reload_config.max_groups;
        e->config.in_flight_max = e->reload_config.in_flight_max;
        e->config.connections_max = e->reload_config.connections_max;
        e->config.dedup_window_ms = e->reload_config.dedup_window_ms;
        e->config.unsent_bytes_max = e->reload_config.unsent_bytes_max;
        e->config.unsent_total_max = e->reload_config.unsent_total_max;
        e->config.commit_bytes_max = e->reload_config.commit_bytes_max;
        e->config.ack_wait_ms = e->reload_config.ack_wait_ms;
    }
    (void)pthread_mutex_unlock(&e->mutex);
    e->urgent |= reload;
    if (reload) {
        dispatcher_limit(e->dispatcher, e->config.in_flight_max, e->config.connections_max);
        gather_limits(e);
    }
}

/* ---- release ---- */

/* It grew by doubling; what may wait for long takes its own size. */
static void trim(struct mpack_buffer *b)
{
    if (b->capacity - b->size < 1024 || b->capacity - b->size < b->size / 8)
        return;
    uint8_t *data = b->size ? realloc(b->data, b->size) : NULL;
    if (!data)
        return; /* then it stays as it is */
    b->data = data;
    b->capacity = b->size;
}

static struct outbox_item *outbox_item(struct engine *e, struct session *s)
{
    struct outbox_item *item = calloc(1, sizeof *item);
    if (!item || s->out.failed)
        engine_die(e, SHUNT_NO_MEMORY, "no memory for output");
    item->link = s->link;
    link_ref(s->link);
    trim(&s->out);
    item->bytes = s->out;
    item->close = s->closing;
    item->ask_ms = s->ask_ms;
    s->ask_ms = 0;
    s->out = (struct mpack_buffer){0};
    e->out_bytes -= s->out_counted;
    s->out_counted = 0;
    link_unsent_add(s->link, item->bytes.size);
    return item;
}

/* Hand over the output of this turn. True if there was any. */
static bool release(struct engine *e)
{
    struct outbox_item *first = NULL, **tail = &first;
    while (e->outputs) {
        struct session *s = e->outputs;
        e->outputs = s->output_next;
        s->has_output = false;
        if (s->gone)
            continue;
        *tail = outbox_item(e, s);
        tail = &(*tail)->next;
    }
    if (!first)
        return false;
    (void)pthread_mutex_lock(&e->mutex);
    *e->outbox_tail = first;
    e->outbox_tail = tail;
    (void)pthread_mutex_unlock(&e->mutex);
    return true;
}

static int64_t next_due(const struct engine *e)
{
    if (e->backlog || e->put_off || e->more || e->packing || figures_wanted(e))
        return e->mono_ms;
    int64_t due_ms = dispatcher_deadline(e->dispatcher);
    int64_t tick_ms = ledger_tick_at(e->ledger);
    if (tick_ms != INT64_MAX) {
        int64_t wait_ms = tick_ms > e->wall_ms ? tick_ms - e->wall_ms : 0;
        int64_t at_ms =
            e->mono_ms + wait_ms > e->tick_not_before_ms ? e->mono_ms + wait_ms : e->tick_not_before_ms;
        due_ms = at_ms < due_ms ? at_ms : due_ms;
    }
    return due_ms;
}

/* Whether the turn goes on with what comes in next, for all that would be committed are acks, and nobody gets
 * anything by them: what they made room for has been handed out. A commit of their own would stand in the way
 * of the publish that comes next; in its commit they cost nothing. */
static bool waits_for_company(const struct engine *e)
{
    return !e->urgent && !e->force_commit && !e->backlog && !e->put_off && !figures_wanted(e) && e->txn &&
           ledger_changed(e->ledger) && !inbox_is_full(e) && e->mono_ms < e->open_until_ms;
}

void turn_allow_wait(struct engine *e, int64_t ms)
{
    int64_t most_ms = ms < e->config.ack_wait_ms ? ms : e->config.ack_wait_ms;
    e->urgent |= most_ms == 0;
    if (!e->open_until_ms || e->mono_ms + most_ms < e->open_until_ms)
        e->open_until_ms = e->mono_ms + most_ms;
}

static void end_turn(struct engine *e)
{
    e->urgent = false;
    e->open_until_ms = 0;
    e->turn_messages = 0;
    events_tell(e);
    free_handled(e);
    bool room = !inbox_is_full(e) && atomic_exchange(&e->room_wanted, false);
    leases_settle(e);
    bool tell = release(e) || room;
    if (e->gone)
        share_forget_gone(e);
    while (e->gone) {
        struct session *s = e->gone;
        e->gone = s->next;
        session_free(e, s);
    }
    arena_reset(&e->arena);
    if (tell)
        e->config.notify(e->config.context);
}

int64_t engine_turn(struct engine *e, int64_t wall_ms, int64_t mono_ms)
{
    e->wall_ms = wall_ms;
    e->mono_ms = mono_ms;
    e->totals.known = false;
    e->commit_us = 0;
    take_reload(e);
    if (!e->txn)
        turn_look_at_room(e);
    gather_due(e);
    take_requests(e);
    leases_end(e);
    gather_flush(e);
    e->more = deliver_all(e);
    if (waits_for_company(e)) {
        e->packing = false; /* until it has been committed */
        int64_t due_ms = next_due(e);
        return due_ms < e->open_until_ms ? due_ms : e->open_until_ms;
    }
    if (e->ticked && !ledger_changed(e->ledger) && ledger_tick_at(e->ledger) <= e->wall_ms)
        e->tick_not_before_ms = e->mono_ms + TICK_RETRY_MS; /* a store without room: nothing to do but wait */
    e->ticked = false;
    turn_commit(e);
    figures_answer(e);
    if (e->txn) { /* only read from */
        store_abort(e->txn);
        e->txn = NULL;
    }
    end_turn(e);
    e->packing = e->room.fullness >= STORE_FULL && turn_pack(e); /* everybody has been told */
    return next_due(e);
}

/* A step is what one transaction may write, so that a store that is nearly full recovers too. */
void engine_recover(struct engine *e)
{
    uint64_t left = ledger_in_flight(e->ledger), before;
    struct command recover = {.kind = COMMAND_RECOVER, .recover.wait_ms = e->config.resume_wait_ms};
    wall_clock_now(&e->clock, &e->wall_ms, &e->mono_ms);
    e->begun_mono_ms = e->mono_ms;
    e->recovered = left;
    do {
        before = left;
        turn_look_at_room(e);
        (void)gather_add(e, &recover, PENDING_NONE, NULL, 0); /* nobody waits for it */
        gather_flush(e);
        turn_commit(e);
        recover.recover.again = true;
        left = ledger_in_flight(e->ledger);
    } while (left && left < before);
    gather_limits(e);
    gather_flush(e);
    turn_commit(e);
    events_clock(e);
    end_turn(e);
}

void engine_farewell(struct engine *e)
{
    turn_commit(e);
    for (struct session *s = e->sessions; s; s = s->next) {
        if (s->closing)
            continue;
        reply_closed(s, 0, SHUNT_SHUTTING_DOWN, NULL);
        s->closing = true;
    }
    figures_refuse(e);
    end_turn(e);
}
