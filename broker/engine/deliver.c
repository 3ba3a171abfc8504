/* deliver: from the dispatcher's assignments to steps, and from what these hand out to DELIVER frames. */
#include "broker/engine/deliver.h"
#include "base/check.h"
#include "broker/engine/held.h"
#include "broker/engine/outbox.h"
#include "broker/engine/state.h"
#include "broker/engine/transaction.h"
#include "proto/errors.h"
#include "proto/frame.h"
#include "proto/wire.h"

#include <stdlib.h>

#define ASSIGNMENTS_MAX      256                  /* in one batch */
#define TURN_MESSAGES_MAX    16384                /* handed out in one transaction */
#define TURN_BYTES_MAX       (64u * 1024 * 1024)  /* the same; the last batch may pass it */
#define PLAN_BYTES_MAX       (128u * 1024 * 1024) /* promised in one batch */
#define ASSIGN_BYTES_MAX     (32u * 1024 * 1024)  /* asked for at once; larger than any message */
#define DELIVER_BYTES_AIM    (256u * 1024) /* a DELIVER frame ends after the message that passes this */
#define DELIVER_MESSAGES_MAX 4096u

/* Dead letters whose history goes with them, in one assignment: only when they are written is it known how many bytes they take of
 * the credit. */
#define ASSIGN_HISTORIES_MAX 64u

_Static_assert(ASSIGN_BYTES_MAX > MESSAGE_BYTES_MAX, "an assignment has room for the largest message");

void deliver_ready(void *context, uint32_t group, struct group_ready *ret)
{
    const struct engine *e = magic_of(context, engine, ENGINE_MAGIC);
    ledger_group_ready(e->ledger, group, ret);
}

/* ---- frames ---- */

static void open_frame(struct subscription *sub)
{
    struct mpack_buffer *out = session_out(sub->session);
    sub->open = true;
    sub->count = 0;
    sub->frame = frame_begin(out, OP_DELIVER, 0, 2);
    mpack_write_uint(out, sub->id);
    sub->array = mpack_write_array_open(out);
}

static void close_frame(struct subscription *sub)
{
    struct mpack_buffer *out = &sub->session->out;
    if (!sub->open)
        return;
    mpack_patch_array(out, sub->array, sub->count);
    frame_end(out, sub->frame);
    sub->open = false;
}

static void write_dead(struct engine *e, uint32_t group, const struct handout *h, bool history,
                       struct mpack_buffer *out)
{
    struct view v = transaction_view(e);
    int err = view_delivered_dead(&v, group, h, history, out);
    if (err)
        engine_die(e, err, "a dead letter cannot be told");
}

/* Returns what it takes of the credit. */
static size_t write_delivery(struct engine *e, struct subscription *sub, uint32_t group,
                             const struct handout *h)
{
    if (!sub->open)
        open_frame(sub);
    struct mpack_buffer *out = &sub->session->out;
    size_t bytes = h->message.size;
    mpack_write_array(out, h->remaining_ms ? 10 : h->dead ? 9 : 8);
    mpack_write_uint(out, h->seq);
    mpack_write_uint(out, h->token);
    mpack_write_uint(out, h->attempts);
    mpack_write_uint(out, h->deliveries);
    mpack_write_uint(out, h->generation);
    mpack_write_int(out, ledger_shown_ms(sub->session->engine->ledger, h->published_ms));
    mpack_write_int(out, h->lease_ms);
    mpack_write_raw(out, h->message.data, h->message.size);
    size_t dead = out->size;
    if (h->dead)
        write_dead(e, group, h, sub->session->dead_history, out);
    if (h->remaining_ms) { /* of a letter of a DLQ none is in force */
        mpack_write_nil(out);
        mpack_write_uint(out, (uint64_t)h->remaining_ms);
    }
    if (sub->session->dead_history)
        bytes += out->size - dead;
    sub->count++;
    if (sub->count == DELIVER_MESSAGES_MAX || out->size - sub->frame > DELIVER_BYTES_AIM)
        close_frame(sub);
    session_count_output(sub->session);
    return bytes;
}

__attribute__((cold, noinline)) static void note_key(struct engine *e, uint32_t group,
                                                     const struct handout *h)
{
    keys_handed_out(&e->keys, group, h->seq, h->message,
                    h->deliveries > 1 ? -1 : e->wall_ms - h->published_ms, e->mono_ms);
}

void deliver_message(struct engine *e, const struct assignment *a, const struct handout *h)
{
    size_t bytes = write_delivery(e, subscription_of(a->member), a->group, h);
    int err =
        dispatcher_lease(e->dispatcher, a, h->seq, h->token, bytes, h->lease_ms, e->mono_ms, e->wall_ms);
    if (err)
        engine_die(e, err, "no lease for a message handed out");
    if (!h->dead && keys_may_have(h->message))
        note_key(e, a->group, h);
    e->turn_messages++;
    e->room.leases_more -= e->room.leases_more > 0;
    e->hand_out.bytes += bytes;
}

void deliver_assigned(struct engine *e, const struct assignment *a, uint32_t count)
{
    /* Every assignment ends its own frame: another's frame to the same connection may come next. */
    close_frame(subscription_of(a->member));
    dispatcher_assigned(e->dispatcher, a, count);
}

/* ---- planning ---- */

/* So much is unsent on all connections, or is planned to be, that one more assignment could pass the limit. The
 * first of a plan may, by one message. */
static bool all_have_enough(const struct engine *e, size_t planned)
{
    uint64_t largest = e->config.limits.max_body_bytes + MESSAGE_EXTRA_BYTES_MAX;
    uint64_t unsent = engine_unsent(e) + e->hand_out.planned_bytes + (planned ? (planned + 1) * largest : 0);
    return e->config.limits.unsent_total_max && unsent >= e->config.limits.unsent_total_max;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The step that hands out what the dispatcher has assigned. It stops when its connection has enough: the
 * message that makes it so makes it wait until its client has read (deliver_look_at_outputs). */
static void add_step(struct engine *e, const struct assignment *a, uint64_t *promised)
{
    const struct subscription *sub = subscription_of(a->member);
    struct session *s = sub->session;
    uint64_t bytes = least(a->bytes, ASSIGN_BYTES_MAX), room = session_room(s);
    uint64_t messages = least(a->messages, e->hand_out.left);
    if (sub->dead && s->dead_history)
        messages = least(messages, ASSIGN_HISTORIES_MAX);
    struct step *st = steps_add(e, STEP_COMMAND, NULL);
    st->assignment = a;
    st->command = (struct command){.kind = COMMAND_ASSIGN,
                                   .assign = {.group = a->group,
                                              .lane = a->lane,
                                              .messages = (uint32_t)messages,
                                              .bytes = bytes,
                                              .oversize_first = a->oversize_first,
                                              .enough_bytes = room ? room : 1}};
    s->planned_bytes += least(bytes, room);
    e->hand_out.planned_bytes += least(bytes, room);
    *promised += least(bytes, room);
    e->hand_out.left -= messages;
}

/* Assignments as the dispatcher gives them, up to what one batch takes; returns how many. */
static size_t plan(struct engine *e)
{
    size_t count = 0;
    uint64_t promised = 0;
    while (count < ASSIGNMENTS_MAX && e->hand_out.left && promised < PLAN_BYTES_MAX &&
           !all_have_enough(e, count) && dispatcher_next(e->dispatcher, &e->hand_out.assignments[count]))
        add_step(e, &e->hand_out.assignments[count++], &promised);
    for (size_t i = 0; i < count; i++)
        subscription_of(e->hand_out.assignments[i].member)->session->planned_bytes = 0;
    e->hand_out.planned_bytes = 0;
    return count;
}

/* Nothing was assigned. True if that was for want of room that has come by now. */
static bool room_came(struct engine *e)
{
    return all_have_enough(e, 0) && flow_want_room(e->config.totals, e->config.limits.unsent_total_max);
}

void deliver_begin(struct engine *e)
{
    e->hand_out.left = least(TURN_MESSAGES_MAX, e->room.leases_more);
    e->hand_out.bytes = 0;
    e->hand_out.more = false;
    if (!e->hand_out.assignments)
        e->hand_out.assignments = malloc(ASSIGNMENTS_MAX * sizeof *e->hand_out.assignments);
    if (!e->hand_out.assignments)
        engine_die(e, SHUNT_NO_MEMORY, "no memory for assignments");
}

bool deliver_plan(struct engine *e)
{
    if (e->room.fullness >= STORE_HELD) /* nothing is handed out whose end might not fit */
        return false;
    if (!e->hand_out.left || e->hand_out.bytes >= TURN_BYTES_MAX) {
        e->hand_out.more = e->room.leases_more > 0;
        return false;
    }
    bool planned = plan(e) > 0;
    e->hand_out.more = !planned && room_came(e);
    e->urgent |= planned || e->hand_out.more;
    return planned;
}

void deliver_look_at_outputs(struct engine *e)
{
    for (struct ring *at = e->outputs.next; at != &e->outputs; at = at->next)
        session_look_at_output(ring_of(at, struct session, output));
}
