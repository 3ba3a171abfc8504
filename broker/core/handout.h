/* handout: what hand-outs share with what comes after them (take_up.c). */
#ifndef SHUNT_CORE_HANDOUT_H
#define SHUNT_CORE_HANDOUT_H

#include "broker/core/state.h"

/* It is in flight, and not to be sent. When it expires only its head knows, which may be what was damaged: so that
 * goes into the command, too. */
int handout_damaged(struct ledger *l, const struct group *g, uint64_t seq, uint64_t token);
/* It has left its place. A dead letter stays in its DLQ, and is looked at again much later. */
int handout_set_aside(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row,
                      enum dead_reason reason);

#endif
