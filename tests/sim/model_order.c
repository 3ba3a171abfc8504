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
        if (&m->groups[m->live[i].group] == g && other < seq &&
            model_may_be(m, &g->cells[other], MODEL_DEAD) &&
            (!known || !is_known(m, g, other) || key_of(m, g, other) == key))
            return true;
    }
    return false;
}

void model_check_turn(struct model *m, struct model_group *g, uint64_t seq)
{
    uint64_t key = g->ordered && !g->is_dlq ? key_of(m, g, seq) : 0;
    char text[100];
    for (size_t i = 0; key && i < m->live_count; i++) {
        uint64_t other = m->live[i].seq;
        if (&m->groups[m->live[i].group] != g || other == seq || key_of(m, g, other) != key)
            continue;
        const struct model_cell *c = &g->cells[other];
        bool out = model_must_be(m, c, MODEL_FLIGHT);
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
