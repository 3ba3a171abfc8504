/* model_breaker: what the model knows of a group's breaker; see model.h. */
#ifndef SHUNT_TESTS_SIM_MODEL_BREAKER_H
#define SHUNT_TESTS_SIM_MODEL_BREAKER_H

#include "base/slice.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct group;
struct model;
struct model_cell;
struct model_group;

/* How sure something is. */
enum model_mark { MARK_NONE, MARK_MAYBE, MARK_YES };

/* Of a failure in this turn, in a group with a breaker. */
enum { MODEL_EITHER, MODEL_CHARGED, MODEL_SPARED };

/* A message that failed, and its key if that is sure. */
struct model_failure {
    uint64_t seq, key;
};

struct model_breaker {
    bool on;
    int64_t window, threshold, pause_min, pause_max;
    unsigned state; /* enum breaker_state; it and those that follow: the ledger's, after the last turn */
    uint64_t limit, trips, left, came; /* left: neither done nor dead; came: ever, and back */
    int64_t until, well_ms;
    int64_t well_lo, well_hi;     /* when a probe was acked last: mono ms, between; 0: none was */
    uint64_t paused_at;           /* deliveries that there had been when its latest pause began */
    struct model_failure *failed; /* since it was closed and knew of no failure */
    size_t failed_count, failed_capacity;
    /* In this turn: */
    uint64_t acks, delivered;
    uint64_t excess;        /* the first message that was handed out beyond its limit; 0: none was */
    bool reset;             /* somebody asked to close it */
    enum model_mark early;  /* the message that fails now was out before a probe was acked */
    enum model_mark spares; /* failures of it are not charged … */
    bool ramps;             /* … but those of what the ramp let out, as it is one before and after */
};

void model_breaker_set(struct model_group *g, struct slice name, int64_t value);
/* It was handed out before a probe was acked, when others failed: its failure is not charged. */
enum model_mark model_breaker_early(const struct model_group *g, const struct model_cell *c);
/* It is about to be handed out. */
void model_breaker_delivers(struct model *m, struct model_group *g, struct model_cell *c);
/* After a turn: it can have come to what the ledger has; then, for each message, whether a failure was charged; at the end, the next turn
 * begins, also for a group that is no longer there (NULL). */
void model_breaker_judge(struct model *m, struct model_group *g, const struct group *found);
void model_breaker_keep(struct model *m, struct model_group *g, struct model_cell *c, uint64_t seq);
void model_breaker_turned(struct model_group *g, const struct group *found);

#endif
