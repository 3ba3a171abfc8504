/* turn: one transaction, and what is done around it. */
#ifndef SHUNT_ENGINE_TURN_H
#define SHUNT_ENGINE_TURN_H

#include <stdint.h>

struct engine;

/* One turn at these times. Returns when the next is due (mono ms) if nothing comes in before. */
int64_t engine_turn(struct engine *e, int64_t wall_ms, int64_t mono_ms);
/* Apply RECOVER and LIMITS; the first thing an engine does. */
void engine_recover(struct engine *e);
/* Tell every connection that the server stops, in one last turn. */
void engine_farewell(struct engine *e);

#endif
