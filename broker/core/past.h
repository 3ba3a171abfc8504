/* past: what is kept of messages that failed, once they are done. */
#ifndef SHUNT_CORE_PAST_H
#define SHUNT_CORE_PAST_H

#include "broker/core/state.h"

/* Whether its history outlives it: it failed, died or came under suspicion, and its group and the store have
 * room for that. */
bool past_keeps(const struct ledger *l, const struct group *g, const struct attempt_record *row);
/* Write the row that says how it ended, and when it is to be forgotten. */
int past_keep(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row,
              enum done_how how, const struct ended_record *known);
/* Forget what has been kept long enough, a bounded number; in a full store, everything. */
int past_tick(struct ledger *l);
int64_t past_at(const struct ledger *l); /* when there is some; NEVER */
/* Until when the history of a message that ended then is kept. */
int64_t past_leaves_at(const struct group *g, int64_t ended_ms);

#endif
