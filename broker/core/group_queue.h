/* group_queue: which groups have something to do, and when; the ledger's own, as state.h is. */
#ifndef SHUNT_CORE_GROUP_QUEUE_H
#define SHUNT_CORE_GROUP_QUEUE_H

#include "broker/core/state.h"

/* Why so many more groups (each with its DLQ's own) would be too many in all, or NULL. What is being cleared
 * away counts: it takes its memory until then. */
const char *catalog_full(const struct ledger *l, uint64_t more);
/* A slot in the queues: before anything of the group may become due. fails: NO_MEMORY */
int group_queue_join(struct ledger *l, struct group *g);
void group_queue_leave(struct ledger *l, struct group *g); /* if it has one */
void group_queues_free(struct ledger *l);
/* Something of the group is to be done then, or earlier if that was said before; NEVER says nothing. */
void group_queue_at(struct ledger *l, enum group_queue queue, const struct group *g, int64_t at_ms);
/* NEVER: nothing is to be done */
static inline int64_t group_queue_first(const struct ledger *l, enum group_queue queue)
{
    return deadline_heap_when(&l->queues[queue], NEVER);
}
/* Take out those that are due by then, into `taken` in order of id; returns how many. */
size_t group_queue_take(struct ledger *l, enum group_queue queue, int64_t upto_ms);
/* Other settings may be in force: what is kept may be kept for another time, and be overdue at another. */
void group_settings_changed(struct ledger *l, const struct group *g);

#endif
