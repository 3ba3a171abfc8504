/* leases: when they begin and end in a turn. */
#ifndef SHUNT_ENGINE_LEASES_H
#define SHUNT_ENGINE_LEASES_H

#include "broker/core/dispatcher.h"

struct engine;
struct session;

/* Leases that ended without the consumer's answer, as commands. */
struct ended {
    struct lease_end end;
    struct session *session; /* for its name: the holder may be freed by now */
};
struct ends {
    struct engine *engine;
    struct ended *items;
    size_t count, capacity;
};
void ends_note(void *context, const struct lease_end *end); /* a dispatcher_end_fn */
void ends_batch(struct ends *ends);                         /* as commands */

/* After the requests of the turn: end those that are over, and ask about those that may be. */
void leases_end(struct engine *e);
/* What the turn told leaves now. */
void leases_settle(struct engine *e);

#endif
