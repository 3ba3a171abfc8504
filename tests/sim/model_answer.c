/* model_answer: what the server said to requests, and whether it may. */
#include "proto/errors.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/wire.h"
#include "tests/sim/model.h"
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void read_hello(struct model_conn *c, struct mpack_reader *r)
{
    (void)mpack_read_uint(r);
    (void)mpack_read_uint(r);
    uint32_t pairs = mpack_peek(r) == MPACK_MAP ? mpack_read_map(r) : 0;
    c->marks = true;
    for (uint32_t i = 0; i < pairs && !r->failed; i++) {
        struct slice key = mpack_read_str(r);
        if (slice_is(key, "marks")) {
            c->marks = mpack_read_bool(r);
        } else if (slice_is(key, "producer")) {
            struct slice id = mpack_read_bin(r);
            c->producer = sim_digest(id.data, id.size);
        } else {
            (void)mpack_read_any(r);
        }
    }
}

static void subscribed(struct model *m, struct model_conn *c, const struct model_frame *f,
                       struct mpack_reader *r, struct mpack_reader *reply)
{
    struct model_group *g = model_named(m, r);
    if (!g || (g->exists == MODEL_GONE && !g->ended_now) || c->subs_count == MODEL_SUBS_MAX)
        model_fail(m, NULL, 0, "a subscription to a group that there is not");
    struct model_sub *sub = &c->subs[c->subs_count++];
    *sub = (struct model_sub){.group = (unsigned)(g - m->groups), .stands = true};
    sub->messages = mpack_read_uint(r);
    sub->bytes = mpack_read_uint(r);
    sub->id = mpack_read_uint(reply);
    (void)mpack_read_int(reply); /* the lease */
    model_taken_up(m, (uint32_t)(c - m->conns), g, sub->id, f->came, r, reply);
}

/* ---- RESOLVE ---- */

static bool is_held(const struct model_is *is, const void *context)
{
    const uint64_t *token = context;
    return is->state == MODEL_FLIGHT && is->token == *token;
}

static void extend(const struct model *m, struct model_cell *c, int64_t came, int64_t ms)
{
    c->ends_lo = came + ms;
    c->ends_hi = m->left + ms;
    c->over = 0;
}

/* Its group was deleted in this turn, after the answer and before the reply to it. */
static bool has_just_ended(const struct model *m, const struct model_conn *c, uint64_t sub)
{
    for (unsigned i = 0; i < c->subs_count; i++) {
        if (c->subs[i].id == sub)
            return m->groups[c->subs[i].group].exists == MODEL_GONE && m->groups[c->subs[i].group].ended_now;
    }
    return false;
}

static void accepted(struct model *m, uint32_t number, const struct model_sub *sub,
                     const struct model_entry *entry, int64_t came)
{
    static const enum model_event events[] = {[OUTCOME_ACK] = EVENT_ACKED,
                                              [OUTCOME_NACK] = EVENT_NACKED,
                                              [OUTCOME_REJECT] = EVENT_REJECTED,
                                              [OUTCOME_RELEASE] = EVENT_RELEASED,
                                              [OUTCOME_LATE] = EVENT_LATE};
    struct model_group *g = sub ? &m->groups[sub->group] : NULL;
    struct model_cell *c = g ? model_cell(m, g, entry->seq) : NULL;
    if (!c)
        model_fail(m, g ? g : m->groups, entry->seq, "an answer to a message that there is not had effect");
    /* Prolonged, and then perhaps taken back by what came before it in the same turn. */
    if (entry->outcome == OUTCOME_EXTEND && g->run > 1 && !model_must_be(m, c, MODEL_FLIGHT)) {
        if (model_holds(m, c, entry->token))
            extend(m, c, came, entry->delay);
        return;
    }
    if (c->conn != number || c->sub != sub->id || !model_only(m, c, is_held, &entry->token))
        model_fail(m, g, entry->seq, "a stale token had effect");
    if (c->ends_hi <= came && c->over > MODEL_OVER_TURNS)
        model_fail(m, g, entry->seq, "an answer had effect after its lease");
    if (entry->outcome == OUTCOME_EXTEND) {
        extend(m, c, came, entry->delay);
        return;
    }
    enum model_mark oldest = m->conns[number].marks ? MARK_NONE : model_is_oldest(m, c);
    (void)model_resolve(m, g, c, events[entry->outcome], entry->outcome == OUTCOME_NACK ? entry->delay : -1,
                        true);
    c->conn = 0;
    /* In a group with runs, what was taken back in this turn may have stood before it. */
    bool surely = oldest == MARK_YES && g->run <= 1;
    if (oldest)
        model_next_begins(m, number, sub->id, came, surely);
}

static void refused(struct model *m, uint32_t number, const struct model_sub *sub,
                    const struct model_entry *entry)
{
    struct model_group *g = sub ? &m->groups[sub->group] : NULL;
    struct model_cell *c = g ? model_cell(m, g, entry->seq) : NULL;
    m->figures.stale++;
    if (!c || m->admin_lost || g->exists != MODEL_YES || c->conn != number || c->sub != sub->id ||
        c->ends_lo <= m->mono)
        return;
    if (g->redriving || g->purging_dead) /* the letter may have gone since its last answer */
        return;
    if (model_must_be(m, c, MODEL_FLIGHT) && model_holds(m, c, entry->token))
        model_fail(m, g, entry->seq, "an answer with a good token was refused");
}

static void resolved(struct model *m, uint32_t number, const struct model_frame *f,
                     struct mpack_reader *reply)
{
    struct mpack_reader r;
    struct model_entry entry;
    mpack_read_init(&r, f->bytes, f->size);
    uint64_t id = mpack_read_uint(&r);
    struct model_sub *sub = model_sub(&m->conns[number], id);
    uint32_t count = mpack_read_array(&r), left = mpack_read_array(reply);
    if (has_just_ended(m, &m->conns[number], id))
        return;
    uint64_t index = left ? mpack_read_uint(reply) : UINT64_MAX, code = left ? mpack_read_uint(reply) : 0;
    for (uint32_t i = 0; i < count && model_read_entry(&r, &entry); i++) {
        if (index != i) {
            accepted(m, number, sub, &entry, f->came);
            continue;
        }
        if (code == SHUNT_STALE)
            refused(m, number, sub, &entry);
        left -= 2;
        index = left >= 2 ? mpack_read_uint(reply) : UINT64_MAX;
        code = left >= 2 ? mpack_read_uint(reply) : 0;
    }
}

/* ---- all ---- */

static void good(struct model *m, uint32_t number, const struct model_frame *f, struct mpack_reader *reply)
{
    struct model_conn *c = &m->conns[number];
    struct mpack_reader r;
    struct model_sub *sub;
    mpack_read_init(&r, f->bytes, f->size);
    switch (f->op) {
    case OP_HELLO:
        read_hello(c, &r);
        return;
    case OP_GOODBYE:
        model_give_back(m, number, 0, true);
        c->subs_count = 0;
        c->closing = true;
        return;
    case OP_SUBSCRIBE:
        subscribed(m, c, f, &r, reply);
        return;
    case OP_CREDIT:
        sub = model_sub(c, mpack_read_uint(&r));
        if (!sub && f->id)
            model_fail(m, NULL, 0, "credit for a subscription that there is not");
        if (!sub)
            return;
        sub->messages = mpack_read_uint(&r);
        sub->bytes = mpack_read_uint(&r);
        return;
    case OP_UNSUBSCRIBE:
        sub = model_sub(c, mpack_read_uint(&r));
        if (!sub && f->id)
            model_fail(m, NULL, 0, "the end of a subscription that there is not");
        if (!sub)
            return;
        model_give_back(m, number, sub->id, true);
        sub->stands = false;
        return;
    case OP_RESOLVE:
        resolved(m, number, f, reply);
        return;
    case OP_PUBLISH:
        model_published(m, c, f, reply);
        return;
    default:
        if (model_is_admin(f->op))
            model_admin(m, f, 0);
    }
}

bool model_is_silent(const struct model_frame *f)
{
    return f->op == OP_STARTED || !f->id;
}

/* The first one that waits, which gets no answer where it succeeds. */
static void silent_one(struct model *m, uint32_t number, bool sure)
{
    struct model_conn *c = &m->conns[number];
    const struct model_frame *f = &c->frames[c->frames_first];
    struct mpack_reader nothing = {.failed = true};
    if (f->op == OP_STARTED)
        model_marks(m, number, f, sure ? MARK_YES : MARK_MAYBE);
    else if (sure)
        good(m, number, f, &nothing);
    else
        model_maybe(m, number, f);
    model_frame_drop(c);
}

void model_silent(struct model *m, uint32_t number, bool sure)
{
    const struct model_conn *c = &m->conns[number];
    while (c->frames_count && model_is_silent(&c->frames[c->frames_first]))
        silent_one(m, number, sure);
}

/* A silent one that is told of as refused: only the end of, or credit for, a subscription that there is not
 * can be. */
static bool can_fail(struct model_conn *c, const struct model_frame *f)
{
    struct mpack_reader r;
    mpack_read_init(&r, f->bytes, f->size);
    return (f->op != OP_UNSUBSCRIBE && f->op != OP_CREDIT) || !model_sub(c, mpack_read_uint(&r));
}

/* The frame that waits for this answer; NULL: none does. */
static const struct model_frame *waiting(struct model_conn *c, uint64_t id, int err)
{
    for (size_t i = 0; i < c->frames_count; i++) {
        const struct model_frame *f = &c->frames[c->frames_first + i];
        if (f->op != OP_STARTED && f->id == id && (id || (err && can_fail(c, f))))
            return f;
        if (!model_is_silent(f))
            return NULL;
    }
    return NULL;
}

/* Several messages may be stored in parts, each in a turn; nobody sees when that began. */
static bool began_in_this_turn(const struct model_frame *f)
{
    struct mpack_reader r;
    mpack_read_init(&r, f->bytes, f->size);
    if (f->op != OP_PUBLISH)
        return true;
    (void)mpack_read_str(&r);
    (void)mpack_read_uint(&r);
    (void)mpack_read_uint(&r);
    return mpack_read_array(&r) == 1;
}

/* A request whose caller has given up is not begun; another one is not refused for that. */
static void judge_time(struct model *m, const struct model_frame *f, int err)
{
    if (err == SHUNT_DEADLINE_EXCEEDED) {
        m->figures.expired++;
        if (f->timeout < 0 || m->mono - f->came < f->timeout) {
            sim_fail(m->sim, "model: request %" PRIu64 " was refused for its time, which was not over",
                     f->id);
        }
        return;
    }
    m->figures.in_time += f->timeout >= 0;
    if (f->timeout >= 0 && f->came <= m->began && m->began - f->came >= f->timeout && began_in_this_turn(f))
        sim_fail(m->sim, "model: request %" PRIu64 " was begun after its time", f->id);
}

static void answer(struct model *m, uint32_t number, bool ok, uint64_t id, struct mpack_reader *reply)
{
    struct model_conn *c = &m->conns[number];
    int err = ok ? 0 : (int)mpack_read_uint(reply);
    const struct model_frame *f = waiting(c, id, err);
    c->closing |= err == SHUNT_PROTOCOL;
    if (!f && err != SHUNT_PROTOCOL) {
        sim_fail(m->sim,
                 "model: connection %u: nothing waits for an answer to request %" PRIu64 " (error %d)",
                 number, id, err);
    }
    if (!f) {
        model_silent(m, number, false);
        return;
    }
    struct model_frame its = *f;
    while (c->frames[c->frames_first].bytes != its.bytes)
        silent_one(m, number, true);
    judge_time(m, &its, err);
    if (ok)
        good(m, number, &its, reply);
    else if (model_is_admin(its.op))
        model_admin(m, &its, err);
    else if (its.op == OP_RESOLVE && err == SHUNT_PROTOCOL)
        model_maybe(m, number, &its); /* up to the entry that was none */
    model_frame_drop(c);
}

static void closed(struct model *m, uint32_t number, uint64_t id)
{
    struct model_sub *sub = model_sub(&m->conns[number], id);
    if (!sub)
        return;
    sub->stands = false;
    m->groups[sub->group].closed = true; /* who deleted it may not have been told: the walk looks */
}

void model_answers(struct model *m, uint32_t number)
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
        uint64_t op = mpack_read_uint(&r), id = mpack_read_uint(&r);
        if (op == OP_OK || op == OP_ERROR)
            answer(m, number, op == OP_OK, id, &r);
        else if (op == OP_CLOSED)
            closed(m, number, mpack_read_uint(&r));
        at += FRAME_HEADER_BYTES + payload.size;
        left -= FRAME_HEADER_BYTES + payload.size;
    }
    if (left)
        model_fail(m, NULL, 0, "the server sent what is no frame");
}
