/* breaker: outages are not poison; the ledger's own, as state.h is.
 *
 * When a downstream is away, every message fails, and none of them is to blame. Whether that is so is told by the latest outcomes of
 * different messages (the window). Charged failures of at least `breaker-threshold` percent of `breaker-window` open the breaker:
 *
 *      ┌──────────┐ enough different messages failed ┌──────┐ the pause is over ┌───────────┐
 *      │  CLOSED  │ ───────────────────────────────► │ OPEN │ ────────────────► │ HALF_OPEN │
 *      └──────────┘                                  └──────┘ ◄──────────────── └───────────┘
 *           ▲                                            ▲      the probe failed      │ the probe was acked
 *           │ as many out as the window is long       ┌──────┐ ◄──────────────────────┘
 *           └──────────────────────────────────────── │ RAMP │ more failed than were acked: OPEN
 *                                                     └──────┘
 *
 * OPEN: nothing is handed out. HALF_OPEN: one message is, the probe. RAMP: two, and with each ack one more, with each failure one
 * less. In OPEN and HALF_OPEN a failure is not charged, and neither is, later, that of a message that was handed out before the first
 * ack; its attempt has the outcome `outage`. From that ack on failures are charged, so that poison dies even if it is all that fails.
 *
 * No single fault opens it. A message has one place in the window, its latest outcome; those of one key have a quarter of the places,
 * and so have, together, those that were dead before. A rejection says something of its message, a suspicion of others: they do
 * not count. What could not open it cannot keep it open either: if fewer messages are left than it takes, a pause ends in CLOSED,
 * and if none is left, HALF_OPEN and RAMP do.
 * In doubt, that is when most of the latest outcomes are failures, new messages are handed out before those that failed: they
 * tell more.
 *
 * All of this follows from the batches. It is kept in a row of its own (TABLE_BREAKER), which most groups do not have; a group whose
 * messages are well pays for one flag, `watched`.
 */
#ifndef SHUNT_CORE_BREAKER_H
#define SHUNT_CORE_BREAKER_H

#include "broker/core/schema_breaker.h"
#include "broker/core/state.h"

struct breaker {
    struct breaker_record r;
    struct group *group;
    bool dirty;
    struct breaker *dirty_next;
    uint64_t charged; /* the batch in which its record was counted as written */
};

bool breaker_is_on(const struct group *g); /* by its settings; a DLQ's groups have none */
/* So many may be handed out now. */
#define BREAKER_NO_LIMIT UINT32_MAX
uint32_t breaker_may(const struct group *g);
/* Messages that never failed come before those that did. in: the group is watched */
bool breaker_prefers_new(const struct group *g);

/* ---- what happens to messages that were handed out; `breaker_failed` apart, only of groups that are watched ---- */

void breaker_out(struct ledger *l, struct group *g, uint64_t seq);
void breaker_acked(struct ledger *l, struct group *g, uint64_t seq);
/* It came back, or went, and that says nothing. */
void breaker_left(struct ledger *l, struct group *g, uint64_t seq);
/* One is done or dead, and counted so: it may have been the last. */
void breaker_parted(struct ledger *l, struct group *g);
/* A failure that is to be charged, of a message that was handed out at that time; `row` is its own. *ret_spared: it is not. */
int breaker_failed(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row,
                   int64_t leased_ms, bool *ret_spared);

/* ---- the rest ---- */

int breakers_tick(struct ledger *l); /* pauses that are over */
/* Settings changed: one that is off is closed. */
void breaker_settings(struct ledger *l, struct group *g);
int apply_breaker_reset(struct ledger *l, const struct group_command *c);
int breakers_load(struct ledger *l, char *ret_why, size_t why_bytes);
int breakers_flush(struct ledger *l);
/* Out of memory; the row is left. */
void breaker_forget(struct ledger *l, struct group *g);
void breakers_free(struct ledger *l);

#endif
