/* model_read: the requests that reached the server, kept until they are answered. */
#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/wire.h"
#include "tests/sim/model.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

static void keep(struct model *m, struct model_conn *c, struct slice payload)
{
    struct mpack_reader r;
    mpack_read_init(&r, payload.data, payload.size);
    (void)mpack_read_array(&r);
    struct model_frame f = {.op = (unsigned)mpack_read_uint(&r),
                            .id = mpack_read_uint(&r),
                            .came = m->sim->mono_us / 1000,
                            .timeout = -1};
    if (f.op == OP_WITHIN) { /* it is what it asks for */
        f.timeout = (int64_t)mpack_read_uint(&r);
        f.op = (unsigned)mpack_read_uint(&r);
    }
    f.size = (size_t)(r.end - r.at);
    f.bytes = malloc(f.size + 1);
    if (!f.bytes)
        abort();
    memcpy(f.bytes, r.at, f.size);
    size_t at = c->frames_first + c->frames_count;
    c->frames = model_grow(c->frames, &c->frames_capacity, at + 1, sizeof *c->frames);
    c->frames[at] = f;
    c->frames_count++;
}

void model_read(struct model *m, struct model_conn *c, const void *frames, size_t size)
{
    const uint8_t *at = frames;
    struct slice payload;
    const char *why;
    size_t need;
    while (size && frame_next(at, size, FRAME_BYTES_MAX, &payload, &need, &why) == FRAME_WHOLE) {
        keep(m, c, payload);
        at += FRAME_HEADER_BYTES + payload.size;
        size -= FRAME_HEADER_BYTES + payload.size;
    }
}

void model_frame_drop(struct model_conn *c)
{
    free(c->frames[c->frames_first].bytes);
    c->frames_first++;
    c->frames_count--;
    if (!c->frames_count)
        c->frames_first = 0;
}

struct model_group *model_named(struct model *m, struct mpack_reader *r)
{
    struct slice topic = mpack_read_str(r), name = mpack_read_str(r);
    return r->failed ? NULL : model_group(m, topic, name);
}

bool model_read_entry(struct mpack_reader *r, struct model_entry *ret)
{
    uint32_t fields = mpack_read_array(r);
    *ret = (struct model_entry){.seq = mpack_read_uint(r), .delay = -1};
    ret->token = mpack_read_uint(r);
    ret->outcome = mpack_read_uint(r);
    if (fields > 3 && !mpack_read_is_nil(r))
        ret->delay = (int64_t)mpack_read_uint(r);
    for (uint32_t i = 4; i < fields && !r->failed; i++)
        (void)mpack_read_any(r);
    return !r->failed;
}

/* ---- what was never answered ---- */

void model_marks(struct model *m, uint32_t number, const struct model_frame *f, enum model_mark mark)
{
    struct mpack_reader r;
    mpack_read_init(&r, f->bytes, f->size);
    struct model_sub *sub = model_sub(&m->conns[number], mpack_read_uint(&r));
    uint32_t count = mpack_read_array(&r);
    for (uint32_t i = 0; sub && !r.failed && i + 1 < count; i += 2) {
        uint64_t seq = mpack_read_uint(&r), token = mpack_read_uint(&r);
        struct model_group *g = &m->groups[sub->group];
        struct model_cell *c = model_cell(m, g, seq);
        if (r.failed || !c || !model_may_be(m, c, MODEL_FLIGHT) || c->conn != number || c->sub != sub->id ||
            !model_holds(m, c, token))
            continue;
        int64_t lo = f->came + g->lease, hi = m->mono + g->lease;
        if (mark == MARK_YES) {
            c->started = MARK_YES;
            c->ends_lo = lo;
            c->ends_hi = hi;
            c->over = 0;
            continue;
        }
        c->started = c->started > mark ? c->started : mark;
        c->ends_lo = lo < c->ends_lo ? lo : c->ends_lo;
        c->ends_hi = hi > c->ends_hi ? hi : c->ends_hi;
    }
}

static void maybe_resolved(struct model *m, uint32_t number, struct mpack_reader *r)
{
    static const enum model_event events[] = {[OUTCOME_ACK] = EVENT_ACKED,
                                              [OUTCOME_NACK] = EVENT_NACKED,
                                              [OUTCOME_REJECT] = EVENT_REJECTED,
                                              [OUTCOME_RELEASE] = EVENT_RELEASED,
                                              [OUTCOME_LATE] = EVENT_LATE};
    struct model_sub *sub = model_sub(&m->conns[number], mpack_read_uint(r));
    uint32_t count = mpack_read_array(r);
    struct model_entry entry;
    for (uint32_t i = 0; sub && i < count && model_read_entry(r, &entry); i++) {
        struct model_group *g = &m->groups[sub->group];
        struct model_cell *c = model_cell(m, g, entry.seq);
        if (!c || c->conn != number || c->sub != sub->id || !model_holds(m, c, entry.token))
            continue;
        if (entry.outcome == OUTCOME_EXTEND) {
            int64_t to = m->sim->mono_us / 1000 + entry.delay;
            c->ends_lo = 0; /* shorter or longer than it was, or as it was */
            c->ends_hi = to > c->ends_hi ? to : c->ends_hi;
        } else if (entry.outcome < sizeof events / sizeof *events) {
            (void)model_resolve(m, g, c, events[entry.outcome], entry.delay, false);
        }
    }
}

static void maybe_subscribed(struct model *m, uint32_t number, const struct model_frame *f,
                             struct mpack_reader *r)
{
    struct model_group *g = model_named(m, r);
    (void)mpack_read_uint(r);
    (void)mpack_read_uint(r);
    if (g && !r->failed)
        model_taken_up(m, number, g, 0, f->came, r, NULL);
}

void model_maybe(struct model *m, uint32_t number, const struct model_frame *f)
{
    struct mpack_reader r;
    mpack_read_init(&r, f->bytes, f->size);
    switch (f->op) {
    case OP_RESOLVE:
        maybe_resolved(m, number, &r);
        return;
    case OP_UNSUBSCRIBE:
        model_give_back(m, number, mpack_read_uint(&r), false);
        return;
    case OP_GOODBYE:
        model_give_back(m, number, 0, false);
        return;
    case OP_PUBLISH:
        model_published_maybe(m, f);
        return;
    case OP_SUBSCRIBE:
        maybe_subscribed(m, number, f, &r);
        return;
    default:
        if (model_is_admin(f->op))
            model_admin(m, f, -1);
    }
}
