/* due: a search in the table of what waits, is held, or is found by its key. */
#ifndef SHUNT_CORE_DUE_H
#define SHUNT_CORE_DUE_H

#include "broker/core/state.h"

/* The first row of the group in that place of its due table from this one on, which *due_ms and *seq become. fails: NOT_FOUND */
int due_first(struct ledger *l, const struct group *g, enum due_place place, int64_t *due_ms, uint64_t *seq);

#endif
