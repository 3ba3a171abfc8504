/* snapshot_wait: a question for a snapshot, between the thread that asks and the engine's. Each of them holds it until it is
 * through with it: the one that asks may give up first. */
#ifndef SHUNT_ENGINE_SNAPSHOT_WAIT_H
#define SHUNT_ENGINE_SNAPSHOT_WAIT_H

#include "broker/engine/snapshot.h"

#include <pthread.h>

struct snapshot_wait {
    struct snapshot_wait *next; /* the engine's */
    uint32_t topics_max;
    bool commit; /* it asks for a commit, too */

    /* Under `mutex`. */
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    unsigned refs;
    bool done;
    int err;
    struct snapshot *snapshot;
};

/* A question that two hold. NULL without memory. */
struct snapshot_wait *snapshot_wait_new(uint32_t topics_max, bool commit);

/* The one that asks: wait for the answer, and leave. fails: TIMEOUT, and what it was answered. */
int snapshot_wait_for(struct snapshot_wait *w, int64_t timeout_ms, struct snapshot **ret);

/* The engine: nobody waits for the answer any more. */
bool snapshot_wait_given_up(struct snapshot_wait *w);
/* Answer with a snapshot, which it takes, or with an error; and leave. */
void snapshot_wait_answer(struct snapshot_wait *w, struct snapshot *s, int err);

#endif
