/* model_order: in a group that is ordered by key, a message is handed out when all earlier ones of its key are done or dead, and
 * none of its key is out. What is not sure is not held against the broker. */
#include "tests/sim/model.h"

#include <stdio.h>

/* It may leave at the next look: its time to live has passed, or it has failed as often as it may. */
static bool may_leave(const struct model *m, const struct model_group *g, const struct model_is *is)
{
    return (is->expires > 0 && is->expires <= m->wall) || is->attempts >= g->attempts_lo;
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
        if (!out && !(other < seq && surely_waits(m, g, c)))
            continue;
        (void)snprintf(text, sizeof text,
                       out ? "handed out while %llu of its key is out" : "handed out before %llu of its key",
                       (unsigned long long)other);
        model_fail(m, g, seq, text);
    }
}
