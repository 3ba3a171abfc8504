/* model_breaker: a group's breaker, by the protocol: what may open and close it, how many it lets out, which failures are charged. Its
 * state is the ledger's, taken after each turn, if it can have come to that from the one before. */
#include "broker/core/breaker.h"
#include "tests/sim/model.h"
#include "tests/sim/sim.h"

#define KEY_OF_THE_REDRIVEN UINT64_MAX
/* Wall time, by which the broker compares, goes by milliseconds and at another pace. */
#define CLOSE_MS 4

void model_breaker_set(struct model_group *g, struct slice name, int64_t value)
{
    struct model_breaker *b = &g->breaker;
    if (slice_is(name, "breaker"))
        b->on = value != 0;
    else if (slice_is(name, "breaker_window"))
        b->window = value;
    else if (slice_is(name, "breaker_threshold"))
        b->threshold = value;
    else if (slice_is(name, "breaker_pause_min_ms"))
        b->pause_min = value;
    else if (slice_is(name, "breaker_pause_max_ms"))
        b->pause_max = value;
}

static uint64_t needed(const struct model_breaker *b)
{
    return (uint64_t)((b->window * b->threshold + 99) / 100);
}

/* ---- what is told of messages ---- */

/* Of what key it is, if that is sure. */
static uint64_t key_of(struct model *m, struct model_group *g, const struct model_cell *c, uint64_t seq)
{
    unsigned count, redriven = 0;
    const struct model_message *message = model_message(m, g, seq);
    const struct model_is *is = model_states(m, c, &count);
    for (unsigned i = 0; i < count; i++)
        redriven += is[i].generation > 0;
    if (redriven)
        return redriven == count ? KEY_OF_THE_REDRIVEN : 0;
    return message && message->claimed && !message->damaged ? message->key : 0;
}

static void note_failure(struct model *m, struct model_group *g, const struct model_cell *c)
{
    struct model_breaker *b = &g->breaker;
    uint64_t seq = (uint64_t)(c - g->cells), key = key_of(m, g, c, seq);
    for (size_t i = 0; i < b->failed_count; i++) {
        if (b->failed[i].seq != seq)
            continue;
        if (b->failed[i].key != key)
            b->failed[i].key = 0;
        return;
    }
    b->failed = model_grow(b->failed, &b->failed_capacity, b->failed_count + 1, sizeof *b->failed);
    b->failed[b->failed_count++] = (struct model_failure){seq, key};
}

void model_breaker_told(struct model *m, struct model_group *g, const struct model_cell *c,
                        enum model_event event)
{
    if (!g->breaker.on)
        return;
    g->breaker.acks += event == EVENT_ACKED;
    if (event == EVENT_NACKED || event == EVENT_LEASE_OVER || event == EVENT_DISCONNECTED ||
        event == EVENT_CLOSED || event == EVENT_LATE)
        note_failure(m, g, c);
}

enum model_mark model_breaker_early(const struct model_group *g, const struct model_cell *c)
{
    const struct model_breaker *b = &g->breaker;
    if (!b->on || !b->well_hi || c->out_lo > b->well_hi + CLOSE_MS)
        return MARK_NONE;
    return c->out_hi < b->well_lo - CLOSE_MS ? MARK_YES : MARK_MAYBE;
}

/* ---- hand-outs ---- */

#define NO_LIMIT UINT64_MAX

static uint64_t limit_now(const struct model *m, const struct model_breaker *b)
{
    if (!b->on || b->reset || b->state == BREAKER_CLOSED || m->steps > 1)
        return NO_LIMIT;
    if (b->state == BREAKER_OPEN)
        return m->wall < b->until ? 0 : b->left < needed(b) ? NO_LIMIT : 1;
    if (b->state == BREAKER_HALF_OPEN)
        return b->acks ? 2 : 1;
    return b->limit + b->acks >= (uint64_t)b->window ? NO_LIMIT : b->limit + b->acks;
}

void model_breaker_delivers(struct model *m, struct model_group *g, struct model_cell *delivered)
{
    struct model_breaker *b = &g->breaker;
    uint64_t limit = limit_now(m, b), out = 0;
    b->delivered++;
    delivered->counts = true;
    delivered->out_lo = m->began;
    delivered->out_hi = m->mono;
    if (limit == NO_LIMIT)
        return;
    for (size_t i = 0; i < m->live_count; i++) {
        if (&m->groups[m->live[i].group] != g)
            continue;
        const struct model_cell *c = &g->cells[m->live[i].seq];
        if (c != delivered && c->counts && c->order > b->paused_at)
            out += model_must_be(m, c, MODEL_FLIGHT);
    }
    if (out + 1 > limit && !b->excess)
        b->excess = (uint64_t)(delivered - g->cells);
}

/* ---- after a turn ---- */

/* At most so many of its places can hold failures: a place for a message, and a quarter of them for a key. */
static uint64_t weight(const struct model_breaker *b)
{
    uint64_t most = b->window / 4 ? (uint64_t)b->window / 4 : 1, sum = 0;
    for (size_t i = 0; i < b->failed_count; i++) {
        uint64_t earlier = 0;
        for (size_t k = 0; b->failed[i].key && k < i; k++)
            earlier += b->failed[k].key == b->failed[i].key;
        sum += earlier < most;
    }
    return sum;
}

/* `emptied`: it may have closed in this turn because nothing was left, as after a purge, and then have handed out what came behind that. */
static bool closes_empty(const struct model *m, const struct model_breaker *b, bool emptied)
{
    return emptied && (b->state != BREAKER_OPEN || m->wall >= b->until);
}

/* It is closed, and was not. */
static const char *judge_close(const struct model *m, const struct model_breaker *b, bool emptied)
{
    bool few = b->state == BREAKER_OPEN && m->wall >= b->until && b->left < needed(b);
    bool ramped = b->state == BREAKER_RAMP && b->limit + b->acks >= (uint64_t)b->window;
    bool over = closes_empty(m, b, emptied);
    return b->reset || few || ramped || over ? NULL : "its breaker closed, and nothing said so";
}

static const char *judge_ramp(const struct model_breaker *b, uint64_t limit)
{
    bool began = b->state == BREAKER_HALF_OPEN && b->acks;
    bool goes_on = b->state == BREAKER_RAMP && limit <= b->limit + b->acks;
    return began || goes_on ? NULL : "its breaker lets more out than was acked";
}

/* Why it cannot have come to this from that; NULL: it can. */
static const char *judge_move(const struct model *m, const struct model_breaker *b,
                              const struct breaker_record *r, bool emptied)
{
    bool tripped = r->trips > b->trips;
    if (r->trips < b->trips || (r->trips > b->trips + 1 && !b->reset))
        return "its breaker opened twice at once, or never did";
    if (tripped && weight(b) < needed(b))
        return "its breaker opened though too few different messages failed";
    if (tripped || m->steps > 1 || m->dying)
        return NULL;
    if (r->state == BREAKER_CLOSED && b->state != BREAKER_CLOSED)
        return judge_close(m, b, emptied);
    if (b->state == BREAKER_CLOSED)
        return r->state == BREAKER_CLOSED ? NULL : "its breaker is no longer closed, and did not open";
    if (r->state == BREAKER_HALF_OPEN && b->state == BREAKER_OPEN)
        return m->wall >= b->until ? NULL : "its breaker did not wait for the end of its pause";
    if (r->state == BREAKER_HALF_OPEN)
        return b->state == BREAKER_HALF_OPEN ? NULL : "its breaker is half open after it let more out";
    return r->state == BREAKER_RAMP ? judge_ramp(b, r->limit) : NULL;
}

static void judge_pause(struct model *m, struct model_group *g, const struct breaker_record *r)
{
    struct model_breaker *b = &g->breaker;
    if (r->state != BREAKER_OPEN || (r->until_ms == b->until && b->state == BREAKER_OPEN))
        return;
    b->paused_at = m->deliveries;
    if (m->steps > 1 || m->dying)
        return;
    if (r->until_ms < m->wall + b->pause_min / 2 || r->until_ms > m->wall + b->pause_max)
        model_fail(m, g, 0, "its breaker pauses for longer, or less long, than it may");
    if (b->delivered)
        model_fail(m, g, 0, "it handed out in the turn in which its breaker paused");
}

/* Of failures of this turn: whether they were charged. */
static enum model_mark judge_failures(const struct model *m, const struct model_breaker *b,
                                      const struct breaker_record *r)
{
    bool was = b->state == BREAKER_OPEN || b->state == BREAKER_HALF_OPEN;
    bool is = r->state == BREAKER_OPEN || r->state == BREAKER_HALF_OPEN;
    if (r->trips != b->trips)
        return MARK_MAYBE;
    if (b->state == BREAKER_CLOSED && r->state == BREAKER_CLOSED)
        return MARK_NONE;
    return was && is && m->steps <= 1 && !m->dying ? MARK_YES : MARK_MAYBE;
}

void model_breaker_judge(struct model *m, struct model_group *g, const struct group *found)
{
    static const struct breaker_record none = {.state = BREAKER_CLOSED};
    const struct breaker_record *r = found->breaker ? &found->breaker->r : &none;
    struct model_breaker *b = &g->breaker;
    uint64_t failed = 0;
    if (!b->on && r->state != BREAKER_CLOSED)
        model_fail(m, g, 0, "it has no breaker, and that is open");
    if (!b->on)
        return;
    /* Nothing was left at some time, if all that there is has come in this turn. */
    const struct group_counts *n = &found->r.counts;
    uint64_t left = n->ready + n->delayed + n->in_flight, came = n->published + n->redriven;
    bool emptied = left <= came - b->came;
    if (b->excess && !closes_empty(m, b, emptied))
        model_fail(m, g, b->excess, "handed out though the group's breaker lets no more out");
    const char *wrong = judge_move(m, b, r, emptied);
    if (!wrong && !left && (r->state == BREAKER_HALF_OPEN || r->state == BREAKER_RAMP))
        wrong = "its breaker waits for an outcome, and nothing is left";
    b->came = came;
    if (wrong)
        model_fail(m, g, 0, wrong);
    judge_pause(m, g, r);
    for (uint32_t i = 0; r->state == BREAKER_CLOSED && i < r->count; i++)
        failed += r->entries[i].seq != 0;
    if (failed >= needed(b))
        model_fail(m, g, 0, "its breaker is closed though so many failed");
    b->spares = judge_failures(m, b, r);
    b->ramps = b->state == BREAKER_RAMP && r->state == BREAKER_RAMP && r->trips == b->trips &&
               m->steps == 1 && !m->dying;
    if (r->well_ms != b->well_ms) {
        b->well_lo = m->began;
        b->well_hi = m->mono;
    }
    b->well_ms = r->well_ms;
    if (r->state == BREAKER_CLOSED && !r->count)
        b->failed_count = 0;
    m->figures.opened += r->trips - b->trips;
    m->figures.probed += r->state == BREAKER_HALF_OPEN && b->state != BREAKER_HALF_OPEN;
    m->figures.ramped += r->state == BREAKER_RAMP && b->state != BREAKER_RAMP;
    m->figures.ramped_up += r->state == BREAKER_CLOSED && b->state == BREAKER_RAMP && !b->reset;
    b->state = r->state;
    b->limit = r->limit;
    b->trips = r->trips;
    b->until = r->until_ms;
}

static bool is_judged(const struct model_is *is, const void *context)
{
    const enum model_mark *spared = context;
    return is->judged == MODEL_EITHER || *spared == MARK_MAYBE ||
           (is->judged == MODEL_SPARED) == (*spared == MARK_YES);
}

/* In a ramp those that it let out itself are charged: so poison dies. */
static enum model_mark is_spared(const struct model *m, const struct model_breaker *b,
                                 const struct model_cell *c)
{
    bool ramps = b->ramps && c->counts && c->order > b->paused_at && c->out_hi < m->began;
    return ramps ? MARK_NONE : b->spares;
}

void model_breaker_keep(struct model *m, struct model_group *g, struct model_cell *c, uint64_t seq)
{
    if (!g->breaker.on)
        return;
    enum model_mark spared = is_spared(m, &g->breaker, c);
    if (!model_only(m, c, is_judged, &spared))
        model_fail(m, g, seq, "a failure that can neither be charged nor be left uncharged");
    unsigned count = c->set ? m->sets[c->set - 1].count : 1;
    struct model_is *is = c->set ? m->sets[c->set - 1].is : &c->now;
    for (unsigned i = 0; i < count; i++)
        is[i].judged = MODEL_EITHER;
}

void model_breaker_turned(struct model_group *g, const struct group *found)
{
    g->breaker.acks = g->breaker.delivered = g->breaker.excess = 0;
    g->breaker.reset = false;
    const struct group_counts none = {0}, *n = found ? &found->r.counts : &none;
    g->breaker.left = n->ready + n->delayed + n->in_flight;
}
