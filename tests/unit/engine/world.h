/* world: an engine on a store in memory and a few connections that read nothing. */
#ifndef SHUNT_TESTS_ENGINE_WORLD_H
#define SHUNT_TESTS_ENGINE_WORLD_H

#include "broker/engine/state.h"
#include "broker/store/store.h"

enum { LINKS = 40 };
#define WORLD_WALL_MS 1700000000000ll /* the wall clock when the monotonic one says 0 */

struct world {
    struct engine *engine;
    struct flow_totals totals;
    struct link *links[LINKS]; /* each has said hello; topic "t" is there */
    unsigned notified;
    bool filling;
    int64_t now_ms;    /* of both clocks, but for a constant */
    int64_t commit_ms; /* what the next commits take */
    void (*during_commit)(struct world *w);
    struct store_ops ops; /* of its store */
    int (*commit)(struct store_txn *txn);
    bool deaf;                       /* the net thread says nothing when it is asked */
    struct mpack_buffer told[LINKS]; /* all that was sent, by link */
    unsigned secrets;                /* of what was sent: what is to be wiped */
};

/* What `config` leaves out gets generous values. */
void world_start(struct world *w, const struct engine_config *config);
/* A millisecond later. */
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
/* All that was posted had reached its socket: say so if the engine asks. */
void answer_ask(struct world *w, const struct outbox_item *item);
/* Without a turn. */
void publish_silently(struct world *w, struct link *link);

#endif
