/* ledger: the durable state of topics, groups, messages, attempts, dead letters and jobs, and the only code
 * that changes it.
 *
 * Applying a batch is total and deterministic: no clock, no randomness but the generator in its own state, no
 * order from pointers or hash tables, no floating point; a refusal is a result. What apply returns is only
 * ever a failure of the store, after which the caller must stop and start again from disk: the memory of the
 * ledger may be ahead of it.
 *
 * One (group, message) is in exactly one of these states (design: promise 2):
 *
 *      publish            assign                 ack
 *        │  ┌────────────────────────────────────────────────► DONE
 *        ▼  │                                  ▲ expire, purge, settle
 *      READY ──────► IN FLIGHT ──nack──► DELAYED ──due──► READY
 *        ▲  ◄──release── │                                  │
 *        │               └──reject, max_attempts──► DEAD    │ time to live passed
 *        └─────────────────── redrive ──────────────┘ ◄─────┘
 *
 * How each is kept: a message that was never handed out, or is in flight for the first time, has no row of
 * its own: the group's cursor `next`, and a bitmap over [floor, next), say which it is. Any other that is not
 * done has a row in `attempt`, and its bit is set.
 */
#ifndef SHUNT_CORE_LEDGER_H
#define SHUNT_CORE_LEDGER_H

#include "broker/core/command.h"
#include "broker/core/result.h"
#include "broker/store/store.h"

struct ledger;
/* Load the state from a store, which may be empty. fails: CORRUPT (`ret_why` says which row), IO, NO_MEMORY
 */
int ledger_new(struct store_txn *txn, struct ledger **ret, char *ret_why, size_t why_bytes);
void ledger_free(struct ledger *l); /* takes NULL */

/* Apply one batch inside a write transaction, as far as its room goes. fails: NO_SPACE, IO, CORRUPT,
 * NO_MEMORY: all of them fatal. */
int ledger_apply(struct ledger *l, struct store_txn *txn, const struct batch *batch);
/* What came of the last batch, in the order in which it came about. Lives until the next one; the messages handed out
 * until that, or until the transaction is written to otherwise, or ends. */
const struct result *ledger_results(const struct ledger *l, size_t *ret_count);
/* How many commands of the last batch were applied, and of the one after them, a RESOLVE, how many entries.
 * With neither the batch left no trace, and its index is free. */
size_t ledger_applied(const struct ledger *l, uint32_t *ret_entries);
/* For the engine, which orders the batches, behind each that was applied, in the same transaction: store which messages it, or the
 * loading before it, found damaged, and tell them. A ledger elsewhere that applies the batch applies as many commands DAMAGED before
 * the others (damage.h). *ret lives until the next batch. fails: IO, NO_SPACE */
int ledger_settle_damage(struct ledger *l, struct store_txn *txn, const struct damaged_command **ret,
                         size_t *ret_count);
/* Write what apply has gathered in memory (counters, cursors, bitmaps, index applied). Before each commit. */
int ledger_seal(struct ledger *l, struct store_txn *txn);
/* True if something was applied since the last seal that must be committed. */
bool ledger_changed(const struct ledger *l);

/* In flight in all groups. After RECOVER: what is left for its next step. Costs a walk over the groups. */
uint64_t ledger_in_flight(const struct ledger *l);

uint64_t ledger_index(const struct ledger *l); /* of the last batch applied */
int64_t ledger_time(const struct ledger *l);   /* its time stamp */
/* How far the store's time is ahead of the time of day; negative: behind. */
int64_t ledger_ahead_ms(const struct ledger *l);
/* A time of the store as the time of day; 0 stays 0. */
int64_t ledger_shown_ms(const struct ledger *l, int64_t ms);
/* When a TICK has something to do (wall ms): at once if in the past, INT64_MAX if never. */
int64_t ledger_tick_at(const struct ledger *l);

/* A count that grows by one for each row, or 4 KiB of a row, that was looked at for a view or for a command
 * of an operator, and by more for each that such a command changed. What ticks do is not in it. */
uint64_t ledger_rows(const struct ledger *l);

/* The work, in such rows, of the delays and times to live of so many messages that are published to a topic,
 * `timed` of which bring one of their own. Before it is done, so it is no more than an estimate. */
uint64_t ledger_timed_rows(const struct ledger *l, struct slice topic, uint32_t count, uint64_t timed);

/* What the last batch that was applied writes, in bytes of pages: an upper bound (core/cost.h). With
 * COST_TRANSACTION_BYTES for each transaction it is what the store must have free. */
uint64_t ledger_spent(const struct ledger *l);

/* ---- reading (inside any transaction that sees what was applied) ---- */

struct topic;
struct group;

struct topic *ledger_topic(const struct ledger *l, struct slice name); /* NULL: none */
struct group *ledger_group(const struct ledger *l, struct slice topic, struct slice name,
                           int *ret_err); /* NULL: err says which is missing */
uint32_t ledger_group_id(const struct group *g);
/* What it and its topic are called; empty if it is not there. */
void ledger_group_names(const struct ledger *l, uint32_t group, struct slice *ret_topic,
                        struct slice *ret_group);
int64_t ledger_group_lease_ms(const struct group *g);
/* Whether a redrive of the group's dead letters waits for a consumer of that build; `job` not 0: whether that one does. */
bool ledger_awaits_build(const struct ledger *l, uint32_t group, uint64_t job, struct slice build);
void ledger_group_ready(const struct ledger *l, uint32_t group, struct group_ready *ret);

#endif
