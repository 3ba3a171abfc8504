/* run: the one loop that does the steps of a turn. */
#ifndef SHUNT_ENGINE_RUN_H
#define SHUNT_ENGINE_RUN_H

#include <stddef.h>

struct engine;

/* The list has no more steps than this; then it is run. That bounds its memory, and shows what the replies come to. */
size_t steps_most(const struct engine *e);
/* Run all of them, in order: apply them, and write the answers. */
void steps_run(struct engine *e);

#endif
