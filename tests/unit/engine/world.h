/* world: an engine on a store in memory and a few connections that read nothing. */
#ifndef SHUNT_TESTS_ENGINE_WORLD_H
#define SHUNT_TESTS_ENGINE_WORLD_H

#include "broker/engine/engine_private.h"

enum { LINKS = 40 };

struct world {
    struct engine *engine;
    struct port_totals totals;
    struct link *links[LINKS]; /* each has said hello; topic "t" is there */
    unsigned notified;
    bool filling;
};

/* What `config` leaves out gets generous values. */
void world_start(struct world *w, const struct engine_config *config);
void world_turn(struct world *w);
void world_stop(struct world *w);

void post(struct world *w, struct link *link, enum port_kind kind);
/* These frames in one go, in this chunk or (NULL) one of their own; frees them. */
void post_frame(struct world *w, struct link *link, struct mpack_buffer *frame, struct chunk *chunk);
/* A PING in this chunk, whose reference goes along. */
void post_ping(struct world *w, struct link *link, struct chunk *chunk);
void post_ping_silently(struct world *w, struct link *link); /* asks for no reply */

/* Each goes with a turn. */
void publish(struct world *w, struct link *link, unsigned count, size_t size);
void subscribe(struct world *w, struct link *link); /* with all the credit there is */
/* What it was sent is written. */
void read_all(struct world *w, struct link *link);
/* Without a turn. */
void publish_silently(struct world *w, struct link *link);

#endif
