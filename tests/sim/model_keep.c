/* model_keep: what a consumer held on an earlier connection, and takes up again with SUBSCRIBE: it must wait,
 * and have gone to nobody since. */
#include "proto/mpack.h"
#include "proto/wire.h"
#include "tests/sim/model.h"
#include "tests/sim/sim.h"

#include <inttypes.h>

struct asked {
    uint64_t seq, token;
    bool started;
};

static bool is_its_own(const struct model_is *is, const void *context)
{
    const struct asked *a = context;
    return (is->state == MODEL_READY || is->state == MODEL_DELAYED) && !is->suspect &&
           is->token == a->token && is->deliveries;
}

/* The earlier connection was lost in this turn, before this request; what it held goes by the truth table
 * first. */
static void end_earlier(struct model *m, uint32_t number, const struct model_cell *c)
{
    uint32_t earlier = c->conn;
    if (!earlier || earlier == number || !model_may_be(m, c, MODEL_FLIGHT) || !m->conns[earlier].lost)
        return;
    struct model_conn *conn = &m->conns[earlier];
    for (size_t i = 0; i < conn->frames_count; i++) {
        const struct model_frame *f = &conn->frames[conn->frames_first + i];
        if (f->op == OP_STARTED)
            model_marks(m, earlier, f, MARK_MAYBE);
        else
            model_maybe(m, earlier, f);
    }
    model_conn_ends(m, earlier, false);
}

static void hold(struct model *m, uint32_t number, struct model_cell *c, uint64_t sub, const struct asked *a)
{
    c->conn = number;
    c->sub = sub;
    c->order = ++m->deliveries;
    c->over = 0;
    c->counts = false;
    c->out_lo = 0;
    c->out_hi = INT64_MAX;
    c->started = a->started || !m->conns[number].marks ? MARK_YES : MARK_NONE;
}

static void told(struct model *m, uint32_t number, struct model_group *g, struct model_cell *c, uint64_t sub,
                 const struct asked *a, uint64_t token, int64_t came)
{
    if (token != a->token + 1 || !model_only(m, c, is_its_own, a))
        model_fail(m, g, a->seq, "taken up though it was not its consumer's any more");
    model_check_turn(m, g, a->seq, number, sub);
    (void)model_event(m, g, c, EVENT_TAKEN_UP, 0, true);
    hold(m, number, c, sub, a);
    c->lease = g->lease;
    c->ends_lo = came + g->lease;
    c->ends_hi = m->left + g->lease;
    m->figures.taken_up++;
}

/* Nobody knows, and its connection is lost: it holds it no longer than that. */
static void maybe(struct model *m, uint32_t number, struct model_group *g, struct model_cell *c,
                  const struct asked *a)
{
    unsigned count;
    const struct model_is *is = model_states(m, c, &count);
    bool can = false;
    for (unsigned i = 0; i < count; i++)
        can |= is_its_own(&is[i], a);
    if (!can || !model_event(m, g, c, EVENT_TAKEN_UP, 0, false))
        return;
    hold(m, number, c, 0, a);
    c->lease = g->lease;
    c->ends_lo = m->mono + 1;
    c->ends_hi = INT64_MAX;
}

void model_taken_up(struct model *m, uint32_t number, struct model_group *g, uint64_t sub, int64_t came,
                    struct mpack_reader *asked, struct mpack_reader *reply)
{
    if (mpack_peek(asked) != MPACK_ARRAY)
        return;
    uint32_t count = mpack_read_array(asked) / 3;
    if (reply && mpack_read_array(reply) != count)
        model_fail(m, g, 0, "the answer to SUBSCRIBE does not say of each delivery whether it was taken up");
    for (uint32_t i = 0; i < count && !asked->failed; i++) {
        struct asked a = {.seq = mpack_read_uint(asked), .token = mpack_read_uint(asked)};
        a.started = mpack_read_bool(asked);
        uint64_t token = reply ? mpack_read_uint(reply) : 0;
        struct model_cell *c = model_cell(m, g, a.seq);
        if (!c || (reply && !token))
            continue;
        end_earlier(m, number, c);
        if (reply)
            told(m, number, g, c, sub, &a, token, came);
        else
            maybe(m, number, g, c, &a);
    }
}
