/* figures: who waits for a snapshot. */
#ifndef SHUNT_ENGINE_FIGURES_H
#define SHUNT_ENGINE_FIGURES_H

#include <stdbool.h>

struct engine;
struct snapshot_wait;

/* Answer it when this turn is committed. */
void figures_want(struct engine *e, struct snapshot_wait *w);
/* Answer that the engine stops. */
void figures_drop(struct snapshot_wait *w);
/* Everybody who waits for a snapshot; who wants the groups too has them some turns later. */
void figures_answer(struct engine *e);
/* Somebody waits for figures: the engine has something to do. */
bool figures_wanted(const struct engine *e);
void figures_refuse(struct engine *e); /* the engine stops */

#endif
