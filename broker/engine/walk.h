/* walk: the groups of a snapshot, some in each turn, so that no turn is long because there are many of them.
 *
 * Each row is of one moment, and different rows may be of different turns. One walk at a time. */
#ifndef SHUNT_ENGINE_WALK_H
#define SHUNT_ENGINE_WALK_H

#include "broker/core/view.h"
#include "broker/engine/snapshot.h"

struct engine;
struct snapshot_wait;

struct group_walk {
    struct snapshot_wait *wait; /* for whom; NULL: there is none */
    struct snapshot *snapshot;  /* its rows so far */
    uint32_t topics_max, topics;
    uint32_t last_topic; /* id */
    struct groups_cursor cursor;
    size_t capacity; /* of the rows */
};

/* Begin one. False without memory. */
bool walk_begin(struct group_walk *k, struct snapshot_wait *wait, uint32_t topics_max);
/* Go on until `rows` were looked at, or a little more. True when it is through: k->snapshot is the caller's
 * then, NULL without memory, and so is k->wait. */
bool walk_step(struct engine *e, struct group_walk *k, uint64_t rows);
void walk_drop(struct group_walk *k); /* and what it has; takes one that is not there */

#endif
