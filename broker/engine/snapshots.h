/* snapshots: who waits for one, and the one that is being made. */
#ifndef SHUNT_ENGINE_SNAPSHOTS_H
#define SHUNT_ENGINE_SNAPSHOTS_H

#include "broker/engine/rest.h"
#include "broker/engine/walk.h"

struct engine;
struct snapshot_wait;

struct snapshots {
    struct snapshot_wait *waits; /* in order */
    struct group_walk walk;      /* for the one in front of them */
    struct rest rest;
};

/* Answer it when this turn is committed. */
void snapshots_want(struct engine *e, struct snapshot_wait *w);
/* Everybody who waits; those who want the groups too are answered some turns later. */
void snapshots_answer(struct engine *e);
/* Somebody waits: the engine has something to do. */
bool snapshots_wanted(const struct engine *e);
void snapshots_refuse(struct engine *e); /* the engine stops */

#endif
