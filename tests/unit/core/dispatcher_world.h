/* dispatcher_world: a dispatcher, a stand-in for the ledger and virtual clocks, driven by commands; what
 * happens is written down line by line, each with its millisecond.
 *
 * The stand-in keeps for each group the ready messages in order. What comes back uncharged is ready at once,
 * in front; a suspect joins the suspects; what is charged is gone (it would back off).
 */
#ifndef SHUNT_TESTS_DISPATCHER_WORLD_H
#define SHUNT_TESTS_DISPATCHER_WORLD_H

#include "broker/core/dispatcher.h"

#define WORLD_LEASE_MS 1000
#define WORLD_WALL_MS  1000000 /* the wall clock when the monotonic one says 0 */

/* Two groups. */
#define JOBS 1
#define MAIL 2

/* A suite whose tests each have a world `w` of their own; at the end every invariant is checked. */
#define WORLD_SUITE(suite)                                                                                   \
    static struct world w;                                                                                   \
    static void suite##_suite_begin(void)                                                                    \
    {                                                                                                        \
        world_init(&w);                                                                                      \
    }                                                                                                        \
    static void suite##_suite_end(void)                                                                      \
    {                                                                                                        \
        world_done(&w);                                                                                      \
    }                                                                                                        \
    TestSuite(suite, .init = suite##_suite_begin, .fini = suite##_suite_end)

struct world_group;

struct world {
    struct dispatcher *d;
    int64_t now_ms;
    struct world_group *groups[16];
    char *trace;
    size_t trace_len;
    uint64_t asked; /* how often the dispatcher asked what is ready */
    uint64_t next_token;
    bool quiet;   /* nothing is written down */
    char **names; /* of all connections ever made */
    size_t name_count;
};

void world_init(struct world *w);
void world_done(struct world *w); /* checks every invariant first */

/* `count` messages of `bytes` each become ready; they are numbered from 1 in each group. */
void world_publish(struct world *w, uint32_t group, unsigned count, uint64_t bytes);
void world_publish_suspects(struct world *w, uint32_t group, unsigned count);
void world_pause(struct world *w, uint32_t group, bool paused);
uint64_t world_ready(const struct world *w, uint32_t group);    /* and not suspect */
uint64_t world_suspects(const struct world *w, uint32_t group); /* ready */

struct holder *world_connect(struct world *w, const char *name, bool marks);
struct member *world_subscribe(struct world *w, struct holder *h, uint32_t group, uint32_t messages,
                               uint64_t bytes);

/* Take assignments until there are none, and apply each at once. */
void world_run(struct world *w);
/* Take assignments until there are none, then apply them in order. */
void world_run_together(struct world *w);
/* Apply one. */
void world_apply(struct world *w, const struct assignment *a);
/* The token of the latest delivery of a message. */
uint64_t world_token(const struct world *w, uint32_t group, uint64_t seq);

/* Something comes from its connection; so it does with an answer and a mark. */
void world_hear(struct world *w, struct member *m);
void world_ack(struct world *w, struct member *m, uint64_t seq);
void world_start(struct world *w, struct member *m, uint64_t seq);
void world_unsubscribe(struct world *w, struct member *m);
void world_disconnect(struct world *w, struct holder *h, bool clean);
void world_close(struct world *w, struct holder *h); /* the server does, for want of room */
void world_group_gone(struct world *w, uint32_t group);
/* Time goes on; what runs out on the way ends at its own millisecond. */
void world_wait(struct world *w, int64_t dur_ms);

/* Compare what happened since the last time, line by line, and forget it. */
void world_expect(struct world *w, const char *trace);

#endif
