/* leases: when they begin and end in a turn. */
#ifndef SHUNT_ENGINE_LEASES_H
#define SHUNT_ENGINE_LEASES_H

#include "broker/core/dispatcher.h"

struct engine;
struct session;

/* Leases that ended without the consumer's answer. */
struct ended {
    struct lease_end end;
    struct session *session; /* for its name: the holder may be freed by now */
};
struct ended_list {
    struct ended *items;
    size_t count, capacity;
};
/* A dispatcher_end_fn, whose context is the engine: add it to the list. */
void lease_ended(void *context, const struct lease_end *end);
/* Make commands of what is in the list. */
void leases_judge(struct engine *e);

/* After the requests of the turn: end those that are over, and ask about those that may be. */
void leases_end(struct engine *e);
/* What the turn told leaves now. */
void leases_settle(struct engine *e);

#endif
