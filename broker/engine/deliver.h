/* deliver: from the dispatcher's assignments to steps, and from what these hand out to DELIVER frames. */
#ifndef SHUNT_ENGINE_DELIVER_H
#define SHUNT_ENGINE_DELIVER_H

#include "broker/core/dispatcher.h"

struct engine;
struct handout;

/* A turn's handing out. */
struct hand_out {
    struct assignment *assignments; /* of the batch */
    uint64_t left;                  /* messages: so many more may be handed out */
    uint64_t bytes;                 /* handed out */
    uint64_t planned_bytes;         /* while assignments are planned */
    bool more; /* there is more, for which there was no room in this turn, or there is now */
};

void deliver_ready(void *context, uint32_t group, struct group_ready *ret); /* a dispatcher_ready_fn */
void deliver_begin(struct engine *e);                                       /* a turn's handing out */
/* Add steps that hand out what is ready, up to what one batch takes. False: there are none, or the turn has
 * handed out enough. */
bool deliver_plan(struct engine *e);
/* After they ran: stop giving to connections whose clients do not read. */
void deliver_look_at_outputs(struct engine *e);
/* What such a step handed out: one message; and that it was the last. */
void deliver_message(struct engine *e, const struct assignment *a, const struct handout *h);
void deliver_assigned(struct engine *e, const struct assignment *a, uint32_t count);

#endif
