/* apply: the batch that was collected is applied, what came of it is acted on, and its steps are answered. */
#ifndef SHUNT_ENGINE_APPLY_H
#define SHUNT_ENGINE_APPLY_H

struct engine;

void apply_collected(struct engine *e);

#endif
