/* model_order: in a group that is ordered by key, a message is handed out when all earlier ones of its key are done (or dead, if on-dead
 * is `continue`), and none of its key is out. With on-dead `follow` it may die of an earlier one that is dead. What is not sure is not
 * held against the broker. */
#include "proto/policy.h"
#include "tests/sim/model.h"

#include <stdio.h>

/* It may leave at the next look: its time to live or its deadline has passed, or it has failed as often as it may. */
static bool may_leave(const struct model *m, const struct model_group *g, const struct model_is *is)
{
    return (is->expires > 0 && is->expires <= m->wall) || (is->deadline > 0 && is->deadline <= m->wall) ||
           is->attempts >= g->attempts_lo;
}

static bool surely_waits(const struct model *m, const struct model_group *g, const struct model_cell *c)
{
    unsigned count;
    const struct model_is *is = model_states(m, c, &count);
    for (unsigned i = 0; i < count; i++) {
        bool waits = is[i].state == MODEL_READY || is[i].state == MODEL_DELAYED;
        if (is[i].state != MODEL_FLIGHT && !(waits && !may_leave(m, g, &is[i])))
            return false;
    }
    return count > 0;
}

/* The key of a message that was damaged cannot be read. */
static uint64_t key_of(struct model *m, struct model_group *g, uint64_t seq)
{
    const struct model_message *message = model_message(m, g, seq);
    return message && !message->damaged ? message->key : 0;
}

/* One whose publisher was never told has a key that nobody knows. One that was damaged had the key that the broker read before. */
static bool is_known(struct model *m, struct model_group *g, uint64_t seq)
{
    const struct model_message *message = model_message(m, g, seq);
    return message && message->claimed && !message->copy && !message->damaged;
}

bool model_may_follow(struct model *m, struct model_group *g, uint64_t seq)
{
    if (!g->ordered || g->is_dlq || g->on_dead != ON_DEAD_FOLLOW)
        return false;
    uint64_t key = key_of(m, g, seq);
    bool known = is_known(m, g, seq);
    for (size_t i = 0; i < m->live_count && (key || !known); i++) {
        uint64_t other = m->live[i].seq;
        if (other < seq && &m->groups[m->live[i].group] == g &&
            model_may_be(m, &g->cells[other], MODEL_DEAD) &&
            (!known || !is_known(m, g, other) || key_of(m, g, other) == key))
            return true;
    }
    return false;
}

/* The key of both is known, and is the same; or it may be. */
static bool same_key(struct model *m, struct model_group *g, uint64_t a, uint64_t b, bool *ret_sure)
{
    *ret_sure = is_known(m, g, a) && is_known(m, g, b);
    return !*ret_sure || (key_of(m, g, a) && key_of(m, g, a) == key_of(m, g, b));
}

static bool has_runs(const struct model_group *g)
{
    return g->ordered && !g->is_dlq && g->run > 1;
}

/* It is to be done before those behind it: it comes again, or is dead and holds its key. */
static bool comes_first(const struct model *m, const struct model_group *g, const struct model_cell *c,
                        bool *ret_sure)
{
    unsigned count, first = 0;
    const struct model_is *is = model_states(m, c, &count);
    for (unsigned i = 0; i < count; i++) {
        first += is[i].state == MODEL_READY || is[i].state == MODEL_DELAYED ||
                 (is[i].state == MODEL_DEAD && g->on_dead != ON_DEAD_CONTINUE);
    }
    *ret_sure = first == count;
    return first > 0;
}

void model_recall(struct model *m, struct model_group *g, uint64_t seq, bool sure)
{
    bool first, same;
    if (!has_runs(g) || !comes_first(m, g, &g->cells[seq], &first))
        return;
    for (size_t i = 0; i < m->live_count; i++) {
        uint64_t other = m->live[i].seq;
        if (&m->groups[m->live[i].group] == g && other > seq && same_key(m, g, seq, other, &same))
            (void)model_event(m, g, &g->cells[other], EVENT_RECALLED, 0, sure && first && same);
    }
}

bool model_may_be_recalled(struct model *m, struct model_group *g, uint64_t seq)
{
    bool same;
    for (size_t i = 0; has_runs(g) && i < m->live_count; i++) {
        uint64_t other = m->live[i].seq;
        if (other < seq && &m->groups[m->live[i].group] == g &&
            model_may_be(m, &g->cells[other], MODEL_FLIGHT) && same_key(m, g, seq, other, &same))
            return true;
    }
    return false;
}

void model_check_turn(struct model *m, struct model_group *g, uint64_t seq, uint32_t conn, uint64_t sub)
{
    uint64_t key = g->ordered && !g->is_dlq ? key_of(m, g, seq) : 0;
    int64_t run = 1; /* with this one */
    char text[100];
    for (size_t i = 0; key && i < m->live_count; i++) {
        uint64_t other = m->live[i].seq;
        if (&m->groups[m->live[i].group] != g || other == seq || key_of(m, g, other) != key)
            continue;
        const struct model_cell *c = &g->cells[other];
        bool out = model_must_be(m, c, MODEL_FLIGHT);
        if (out && other < seq && c->conn == conn && c->sub == sub && ++run <= g->run)
            continue;
        bool dead = g->on_dead != ON_DEAD_CONTINUE && other < seq && model_must_be(m, c, MODEL_DEAD);
        if (!out && !dead && !(other < seq && surely_waits(m, g, c)))
            continue;
        (void)snprintf(text, sizeof text,
                       out    ? "handed out while %llu of its key is out"
                       : dead ? "handed out while %llu of its key is dead"
                              : "handed out before %llu of its key",
                       (unsigned long long)other);
        model_fail(m, g, seq, text);
    }
}
