/* intake: what came in becomes steps, as much of it as one turn takes. */
#ifndef SHUNT_ENGINE_INTAKE_H
#define SHUNT_ENGINE_INTAKE_H

#include <stdbool.h>

struct engine;
struct inbox_item;

/* A turn begins: nothing is taken yet. */
void intake_begin(struct engine *e);
/* More requests may be taken into this turn, by their bytes. */
bool intake_has_room(const struct engine *e);
/* Take one item, which is freed with the turn; or its connection keeps what is left of it. */
void intake_take(struct engine *e, struct inbox_item *item);
/* Take the backlog, as far as there is room for it. */
void intake_take_backlog(struct engine *e);
/* The turn is over: free what was taken. */
void intake_free(struct engine *e);

#endif
