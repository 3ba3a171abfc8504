/* outbox: what connections are to be sent: collected in their outputs during a turn, and handed to the net thread once it is
 * durable. */
#ifndef SHUNT_ENGINE_OUTBOX_H
#define SHUNT_ENGINE_OUTBOX_H

#include "broker/engine/state.h"

/* Where to write; puts the session on the list of those with output. */
static inline struct mpack_buffer *session_out(struct session *s)
{
    if (!ring_linked(&s->output))
        ring_append(&s->engine->outputs, &s->output);
    return &s->out;
}

/* What was written to its output counts from now on. */
static inline void session_count_output(struct session *s)
{
    s->engine->out_bytes += s->out.size - s->out_counted;
    s->out_counted = s->out.size;
}

/* The limits on what waits to be sent, and the sum that does. */
static inline struct flow_limits engine_flow_limits(const struct engine *e)
{
    return (struct flow_limits){.one_max = e->config.limits.unsent_bytes_max,
                                .all_max = e->config.limits.unsent_total_max};
}

static inline size_t engine_waiting(const struct engine *e)
{
    return atomic_load(&e->config.totals->waiting_bytes) + e->out_bytes;
}

/* Without requests that are held: those go only when their connections do, and nobody else may wait for that. */
static inline size_t engine_unsent(const struct engine *e)
{
    return flow_unsent_sum(e->config.totals) + e->out_bytes;
}

/* Of that, the session's own. */
static inline size_t session_waiting(const struct session *s)
{
    return atomic_load(&s->link->account.unsent_bytes) + s->out.size;
}

/* Hand over the output of this turn. True if there was any. */
bool outbox_fill(struct engine *e);

#endif
