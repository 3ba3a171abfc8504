/* model_time: what comes about without a request: leases, delays and times to live run out, connections end,
 * jobs take their pages, a hand-out finds what is unfit. */
#include "tests/sim/model.h"

static struct model_cell *live_cell(struct model *m, size_t i, struct model_group **ret_group)
{
    *ret_group = &m->groups[m->live[i].group];
    return &(*ret_group)->cells[m->live[i].seq];
}

/* ---- leases ---- */

enum model_mark model_is_oldest(struct model *m, const struct model_cell *c)
{
    enum model_mark oldest = MARK_YES;
    for (size_t i = 0; i < m->live_count && oldest; i++) {
        struct model_group *g;
        const struct model_cell *other = live_cell(m, i, &g);
        if (other->conn != c->conn || other->sub != c->sub || other->order >= c->order ||
            !model_may_be(m, other, MODEL_FLIGHT))
            continue;
        oldest = model_must_be(m, other, MODEL_FLIGHT) && g->exists == MODEL_YES ? MARK_NONE : MARK_MAYBE;
    }
    return oldest;
}

/* The one that it holds for longest, except those up to `after`. */
static struct model_cell *next_held(struct model *m, uint32_t number, uint64_t sub, uint64_t after)
{
    struct model_cell *found = NULL;
    for (size_t i = 0; i < m->live_count; i++) {
        struct model_group *g;
        struct model_cell *c = live_cell(m, i, &g);
        if (c->conn == number && c->sub == sub && c->order > after && model_may_be(m, c, MODEL_FLIGHT) &&
            (!found || c->order < found->order))
            found = c;
    }
    return found;
}

void model_next_begins(struct model *m, uint32_t number, uint64_t sub, int64_t came, bool sure)
{
    uint64_t after = 0;
    for (struct model_cell *c; (c = next_held(m, number, sub, after)); after = c->order) {
        bool surely = model_must_be(m, c, MODEL_FLIGHT);
        if (c->ends_hi < m->mono + c->lease) {
            c->ends_hi = m->mono + c->lease;
            c->over = 0;
        }
        if (sure && surely && !after && c->ends_lo < came + c->lease)
            c->ends_lo = came + c->lease;
        if (surely)
            return;
    }
}

/* Of a connection without marks only the oldest delivery of a subscription can have been at work on, and one
 * until the connection is heard from. Looked at before anything ends in this turn. */
static enum model_mark is_charged(struct model *m, const struct model_cell *c)
{
    const struct model_conn *conn = &m->conns[c->conn];
    enum model_mark oldest = model_is_oldest(m, c);
    if (oldest == MARK_NONE || conn->charged == MARK_YES)
        return m->steps > 1 ? MARK_MAYBE : MARK_NONE;
    bool sure = oldest == MARK_YES && conn->charged == MARK_NONE && m->steps == 1 && !m->dying &&
                conn->subs_count == 1; /* else another of its subscriptions may have come first */
    return sure ? MARK_YES : MARK_MAYBE;
}

static bool is_over(const struct model *m, const struct model_cell *c)
{
    return model_may_be(m, c, MODEL_FLIGHT) && c->ends_lo <= m->mono;
}

static void end_lease(struct model *m, struct model_group *g, struct model_cell *c)
{
    struct model_conn *conn = &m->conns[c->conn];
    if (!is_over(m, c))
        return;
    c->over += c->ends_hi <= m->mono && model_is_handled(m->sim, c->conn);
    /* Else it may have been answered before. */
    bool sure = c->over > MODEL_OVER_TURNS && !m->dying && m->steps == 1;
    enum model_mark started = conn->marks ? c->started : c->charged;
    conn->silent |= sure && model_must_be(m, c, MODEL_FLIGHT) && g->exists == MODEL_YES &&
                    !model_may_be_recalled(m, g, (uint64_t)(c - g->cells));
    if (started && conn->charged != MARK_YES)
        conn->charged = sure && started == MARK_YES ? MARK_YES : MARK_MAYBE;
    if (started == MARK_MAYBE) {
        (void)model_event(m, g, c, EVENT_LEASE_OVER, -1, false);
        (void)model_event(m, g, c, EVENT_RELEASED, 0, sure);
        return;
    }
    (void)model_event(m, g, c, started == MARK_YES ? EVENT_LEASE_OVER : EVENT_RELEASED, -1, sure);
}

void model_pass_time(struct model *m)
{
    for (size_t i = 0; i < m->live_count; i++) {
        struct model_group *g;
        struct model_cell *c = live_cell(m, i, &g);
        (void)model_event(m, g, c, EVENT_DUE, 0, !m->dying);
        (void)model_event(m, g, c, EVENT_TTL, 0, false);
    }
    model_rules(m);
    model_jobs(m);
}

void model_heard(struct model *m, uint32_t number, bool handled)
{
    struct model_conn *c = &m->conns[number];
    if (!c->came)
        return;
    c->heard = m->mono;
    c->came = !handled; /* the rest is heard in a later turn */
    c->silent = false;
    if (handled)
        c->charged = MARK_NONE;
    else if (c->charged)
        c->charged = MARK_MAYBE;
}

void model_end_leases(struct model *m)
{
    for (size_t i = 0; i < m->live_count; i++) {
        struct model_group *g;
        struct model_cell *c = live_cell(m, i, &g);
        if (is_over(m, c) && !m->conns[c->conn].marks)
            c->charged = is_charged(m, c);
    }
    for (size_t i = 0; i < m->live_count; i++) {
        struct model_group *g;
        struct model_cell *c = live_cell(m, i, &g);
        end_lease(m, g, c);
    }
}

/* ---- connections ---- */

void model_give_back(struct model *m, uint32_t number, uint64_t sub, bool sure)
{
    for (size_t i = 0; i < m->live_count; i++) {
        struct model_group *g;
        struct model_cell *c = live_cell(m, i, &g);
        if (c->conn != number || (sub && c->sub != sub))
            continue;
        (void)model_event(m, g, c, EVENT_RELEASED, 0, sure);
        if (sure)
            c->conn = 0;
    }
}

/* How many messages the connection had surely, and may have had, started. */
struct started {
    unsigned surely, maybe;
};

static struct started count_started(struct model *m, uint32_t number)
{
    struct started n = {0};
    for (size_t i = 0; i < m->live_count; i++) {
        struct model_group *g;
        struct model_cell *c = live_cell(m, i, &g);
        c->begun = MARK_NONE;
        if (c->conn != number || c->started == MARK_NONE || !model_may_be(m, c, MODEL_FLIGHT))
            continue;
        c->begun = c->started == MARK_YES && model_must_be(m, c, MODEL_FLIGHT) && g->exists == MODEL_YES
                       ? MARK_YES
                       : MARK_MAYBE;
        n.surely += c->begun == MARK_YES;
        n.maybe += c->begun == MARK_MAYBE;
    }
    return n;
}

/* The truth table: not started is free; the only one started is charged; several are suspects. */
static void end_for(struct model *m, struct model_group *g, struct model_cell *c, struct started others,
                    bool sure)
{
    if (c->started == MARK_NONE) {
        (void)model_event(m, g, c, EVENT_RELEASED, 0, sure);
        return;
    }
    bool alone = !others.surely, among = others.surely || others.maybe, not = c->started == MARK_MAYBE;
    if (alone) {
        (void)model_event(m, g, c, m->conns[c->conn].closed ? EVENT_CLOSED : EVENT_DISCONNECTED, -1,
                          sure && !among && !not );
    }
    if (among)
        (void)model_event(m, g, c, EVENT_SUSPECTED, 0, sure && !not );
    if (not )
        (void)model_event(m, g, c, EVENT_RELEASED, 0, sure);
}

void model_conn_ends(struct model *m, uint32_t number, bool sure)
{
    struct started all = count_started(m, number);
    for (size_t i = 0; i < m->live_count; i++) {
        struct model_group *g;
        struct model_cell *c = live_cell(m, i, &g);
        if (c->conn != number || !model_may_be(m, c, MODEL_FLIGHT))
            continue;
        /* As they were counted: the end of one may since have taken others back. */
        struct started others = {all.surely - (c->begun == MARK_YES), all.maybe - (c->begun == MARK_MAYBE)};
        end_for(m, g, c, others, sure);
    }
}

/* ---- jobs and hand-outs ---- */

void model_jobs(struct model *m)
{
    bool any = false;
    for (unsigned i = 0; i < m->groups_count; i++)
        any |= m->groups[i].purging || m->groups[i].purging_dead || m->groups[i].redriving;
    if (!any)
        return;
    for (size_t i = 0; i < m->live_count; i++) {
        struct model_group *g;
        struct model_cell *c = live_cell(m, i, &g);
        if (g->purging)
            (void)model_event(m, g, c, EVENT_PURGED, 0, false);
        if (g->purging_dead)
            (void)model_event(m, g, c, EVENT_DEAD_PURGED, 0, false);
        if (g->redriving)
            (void)model_event(m, g, c, EVENT_REDRIVEN, 0, false);
    }
}

/* A group that was made later has what was scheduled before as ready, until it comes to it. */
static bool is_untouched(const struct model *m, const struct model_cell *c)
{
    unsigned count;
    const struct model_is *is = model_states(m, c, &count);
    for (unsigned i = 0; i < count; i++) {
        if (is[i].state == MODEL_READY && !is[i].token && !is[i].generation)
            return true;
    }
    return false;
}

/* Scheduled for later, or it may be. */
static bool is_scheduled(const struct model *m, const struct model_message *message, struct model_is *later)
{
    if (!message || (message->due != MODEL_UNKNOWN_TIME && message->due <= m->wall))
        return false;
    bool known = message->due != MODEL_UNKNOWN_TIME;
    later->state = MODEL_DELAYED;
    later->due_lo = known ? message->due : m->wall + 1;
    later->due_hi = known ? message->due : m->wall + MODEL_DELAY_MS_MAX;
    return true;
}

void model_handouts(struct model *m)
{
    for (size_t i = 0; i < m->live_count; i++) {
        struct model_group *g;
        struct model_cell *c = live_cell(m, i, &g);
        const struct model_message *message =
            g->is_dlq ? model_message(m, &m->groups[g->other], c->link) : model_message(m, g, m->live[i].seq);
        struct model_is later = c->now;
        if (!g->is_dlq && is_untouched(m, c) && is_scheduled(m, message, &later))
            model_also(m, c, &later);
        (void)model_event(m, g, c, EVENT_TTL, 0, false);
        if (!g->is_dlq)
            (void)model_event(m, g, c, EVENT_WORN_OUT, 0, false);
        if (message && message->damaged)
            (void)model_event(m, g, c, EVENT_CORRUPT, 0, false);
    }
    for (size_t i = 0; i < m->live_count; i++) { /* what they follow may have been found unfit just now */
        struct model_group *g;
        struct model_cell *c = live_cell(m, i, &g);
        if (model_may_follow(m, g, m->live[i].seq))
            (void)model_event(m, g, c, EVENT_FOLLOWED, 0, false);
    }
}
