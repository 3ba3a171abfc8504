/* model_deliver: every delivery, when it is sent, against what its message may be and what its receiver may
 * have. */
#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/wire.h"
#include "tests/sim/model.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

struct delivery {
    uint64_t seq, token;
    uint32_t attempts, deliveries, generation;
    int64_t lease;
    uint64_t bytes, origin;
    int64_t remaining; /* until its deadline; -1: it tells of none */
};

/* "TOPIC/SEQ" in the map of a dead letter; 0: none. */
static uint64_t read_origin(struct mpack_reader *r)
{
    uint64_t seq = 0;
    uint32_t pairs = mpack_read_map(r);
    for (uint32_t i = 0; !r->failed && i < pairs; i++) {
        struct slice key = mpack_read_str(r), value = mpack_read_any(r);
        if (!slice_is(key, "origin"))
            continue;
        const char *text = value.data;
        size_t digits = 0;
        while (digits < value.size && text[value.size - digits - 1] != '/')
            digits++;
        for (; digits; digits--)
            seq = seq * 10 + (uint64_t)(text[value.size - digits] - '0');
    }
    return seq;
}

static void read_delivery(struct mpack_reader *r, struct delivery *ret)
{
    uint32_t fields = mpack_read_array(r);
    *ret = (struct delivery){.seq = mpack_read_uint(r)};
    ret->token = mpack_read_uint(r);
    ret->attempts = (uint32_t)mpack_read_uint(r);
    ret->deliveries = (uint32_t)mpack_read_uint(r);
    ret->generation = (uint32_t)mpack_read_uint(r);
    (void)mpack_read_int(r);
    ret->lease = mpack_read_int(r);
    ret->bytes = mpack_read_any(r).size;
    ret->remaining = -1;
    if (fields > 8 && mpack_peek(r) == MPACK_MAP)
        ret->origin = read_origin(r);
    else if (fields > 8)
        (void)mpack_read_any(r);
    if (fields > 9)
        ret->remaining = (int64_t)mpack_read_uint(r);
}

/* ---- the message ---- */

static bool is_this(const struct model_is *is, const void *context)
{
    const struct delivery *d = context;
    return is->state == MODEL_READY && is->attempts == d->attempts && is->deliveries + 1 == d->deliveries &&
           is->generation == d->generation && is->token + 1 == d->token;
}

static bool has_expired(const struct model *m, const struct model_is *is)
{
    return is->expires > 0 && is->expires <= m->wall;
}

static bool has_attempts_left(const struct model_is *is, const void *context)
{
    const struct model_group *g = context;
    return g->is_dlq || is->attempts < g->attempts_hi;
}

static bool is_in_time(const struct model_is *is, const void *context)
{
    return !has_expired(context, is);
}

static bool is_before_its_deadline(const struct model_is *is, const void *context)
{
    const struct model *m = context;
    return is->deadline <= 0 || is->deadline > m->wall;
}

/* What it tells of its deadline is so. */
struct told_deadline {
    int64_t wall, remaining;
};

static bool has_that_deadline(const struct model_is *is, const void *context)
{
    const struct told_deadline *told = context;
    if (is->deadline <= 0)
        return is->deadline == MODEL_UNKNOWN_TIME || told->remaining < 0;
    return told->remaining == is->deadline - told->wall;
}

_Noreturn static void complain(struct model *m, struct model_group *g, struct model_cell *c,
                               const struct delivery *d)
{
    const char *what = model_must_be(m, c, MODEL_FLIGHT)    ? "handed out while another holds it"
                       : model_must_be(m, c, MODEL_DELAYED) ? "handed out before its time"
                       : model_must_be(m, c, MODEL_DEAD)    ? "handed out though it is dead"
                       : model_must_be(m, c, MODEL_DONE)    ? "handed out though it is done"
                                                            : "handed out with counts that are not its own";
    char text[200];
    (void)snprintf(text, sizeof text, "%s (attempts %u, deliveries %u, generation %u, token %llu)", what,
                   d->attempts, d->deliveries, d->generation, (unsigned long long)d->token);
    model_fail(m, g, d->seq, text);
}

static struct model_cell *find(struct model *m, struct model_group *g, const struct delivery *d)
{
    struct model_cell *c = model_cell(m, g, d->seq);
    if (c)
        return c;
    if (!g->is_dlq) { /* of a publish that nobody was told of, or the group is new */
        if (d->seq >= m->groups[g->messages].list_count)
            model_message_add(m, g, d->seq);
        c = model_cell(m, g, d->seq);
    } else if (d->seq >= g->cells_count || !g->cells[d->seq].mine) { /* it died in this turn */
        c = model_cell_add(m, g, d->seq);
        model_newborn(m, g, c);
        c->link = d->origin;
        struct model_cell *origin = model_cell(m, &m->groups[g->other], d->origin);
        if (origin)
            origin->link = d->seq;
    }
    if (!c)
        model_fail(m, g, d->seq, "handed out what the group does not have");
    return c;
}

static void check_message(struct model *m, struct model_group *g, struct model_cell *c,
                          const struct delivery *d)
{
    const struct model_message *message =
        model_message(m, g->is_dlq ? &m->groups[g->other] : g, g->is_dlq ? c->link : d->seq);
    if (g->exists == MODEL_GONE)
        model_fail(m, g, d->seq, "handed out after its group was deleted");
    if (g->paused && !g->paused_maybe)
        model_fail(m, g, d->seq, "handed out by a paused group");
    if (!model_only(m, c, is_this, d))
        complain(m, g, c, d);
    if (!model_only(m, c, is_in_time, m))
        model_fail(m, g, d->seq, "handed out after its time to live");
    if (!model_only(m, c, is_before_its_deadline, m))
        model_fail(m, g, d->seq, "handed out after its deadline");
    const struct told_deadline told = {m->wall, d->remaining};
    if (!model_only(m, c, has_that_deadline, &told))
        model_fail(m, g, d->seq, "its receiver is told of another deadline than it has");
    if (!model_only(m, c, has_attempts_left, g))
        model_fail(m, g, d->seq, "handed out though it has failed as often as its group allows");
    if (message && message->damaged)
        model_fail(m, g, d->seq, "handed out though it was damaged");
    if (!g->is_dlq && message && !d->generation && message->due > m->wall)
        model_fail(m, g, d->seq, "handed out before the time that its publisher wants");
    if (d->lease != g->lease)
        model_fail(m, g, d->seq, "handed out with another lease than its group's");
    if (g->is_dlq && c->link != d->origin)
        model_fail(m, g, d->seq, "a dead letter names another origin");
}

/* ---- who gets it ---- */

struct holding {
    uint64_t on_conn, on_sub, bytes, suspects;
};

static bool is_suspect(const struct model *m, const struct model_cell *c)
{
    unsigned count, suspects = 0;
    const struct model_is *is = model_states(m, c, &count);
    for (unsigned i = 0; i < count; i++)
        suspects += is[i].suspect;
    return suspects == count; /* surely */
}

/* What the connection surely holds now: nothing of a subscription that it was told is over, whatever has become of
 * the group. */
static struct holding holding_of(struct model *m, uint32_t number, uint64_t sub)
{
    struct holding h = {0};
    for (size_t i = 0; i < m->live_count; i++) {
        const struct model_group *g = &m->groups[m->live[i].group];
        const struct model_cell *c = &g->cells[m->live[i].seq];
        if (c->conn != number || g->exists == MODEL_GONE || !model_must_be(m, c, MODEL_FLIGHT) ||
            !model_sub(&m->conns[number], c->sub))
            continue;
        h.on_conn++;
        h.on_sub += c->sub == sub;
        h.bytes += c->sub == sub ? c->bytes : 0;
        h.suspects += is_suspect(m, c);
    }
    return h;
}

static void check_receiver(struct model *m, uint32_t number, const struct model_sub *sub,
                           struct model_cell *c, const struct delivery *d)
{
    struct model_group *g = &m->groups[sub->group];
    struct holding h = holding_of(m, number, sub->id);
    /* In a group with runs it may have been taken back before. */
    bool ran_out =
        g->run <= 1 && c->conn == number && c->ends_lo <= m->mono && m->conns[number].heard < c->ends_lo;
    if (m->conns[number].silent || ran_out)
        model_fail(m, g, d->seq, "handed to a connection that let a lease run out and was not heard since");
    if (h.on_sub + 1 > sub->messages)
        model_fail(m, g, d->seq, "more messages than the credit");
    if (h.on_sub && h.bytes + d->bytes > sub->bytes)
        model_fail(m, g, d->seq, "more bytes than the credit");
    if (h.suspects)
        model_fail(m, g, d->seq, "handed to a connection that holds a suspect");
    if (is_suspect(m, c) && h.on_conn)
        model_fail(m, g, d->seq, "a suspect is not alone on its connection");
    m->figures.suspects += is_suspect(m, c);
}

static void deliver(struct model *m, uint32_t number, const struct model_sub *sub, const struct delivery *d)
{
    const struct model_conn *conn = &m->conns[number];
    struct model_group *g = &m->groups[sub->group];
    struct model_cell *c = find(m, g, d);
    check_message(m, g, c, d);
    check_receiver(m, number, sub, c, d);
    model_check_turn(m, g, d->seq, number, sub->id);
    model_check_fair(m, g, d->seq);
    model_breaker_delivers(m, g, c);
    (void)model_event(m, g, c, EVENT_DELIVERED, 0, true);
    c->conn = number;
    c->sub = sub->id;
    c->bytes = d->bytes;
    c->lease = d->lease;
    c->order = ++m->deliveries;
    c->ends_lo = c->ends_hi = m->left + d->lease;
    c->over = 0;
    c->started = conn->marks ? MARK_NONE : MARK_YES;
}

static void deliver_all(struct model *m, uint32_t number, struct mpack_reader *r)
{
    struct model_conn *conn = &m->conns[number];
    const struct model_sub *sub = model_sub(conn, mpack_read_uint(r));
    uint32_t count = mpack_read_array(r);
    if (!sub || conn->gone || conn->closing) {
        sim_fail(m->sim, "model: connection %u: a delivery for a subscription that there is not%s", number,
                 conn->gone      ? " (gone)"
                 : conn->closing ? " (closing)"
                                 : "");
    }
    for (uint32_t i = 0; i < count; i++) {
        struct delivery d;
        read_delivery(r, &d);
        if (r->failed)
            model_fail(m, NULL, 0, "a delivery that cannot be read");
        deliver(m, number, sub, &d);
    }
}

void model_deliveries(struct model *m, uint32_t number)
{
    const struct model_conn *c = &m->conns[number];
    const uint8_t *at = c->out;
    size_t left = c->out_size, need;
    struct slice payload;
    const char *why;
    while (left && frame_next(at, left, FRAME_BYTES_MAX, &payload, &need, &why) == FRAME_WHOLE) {
        struct mpack_reader r;
        mpack_read_init(&r, payload.data, payload.size);
        (void)mpack_read_array(&r);
        uint64_t op = mpack_read_uint(&r);
        (void)mpack_read_uint(&r);
        if (op == OP_DELIVER)
            deliver_all(m, number, &r);
        at += FRAME_HEADER_BYTES + payload.size;
        left -= FRAME_HEADER_BYTES + payload.size;
    }
}
