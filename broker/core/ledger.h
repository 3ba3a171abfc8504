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
#include "broker/store/store.h"

struct ledger;
struct loaded_message;

/* One message handed out. Lent for the call. */
struct handout {
    uint64_t seq;
    uint64_t token;
    uint32_t attempts;   /* failed ones charged in this generation */
    uint32_t deliveries; /* in this generation, this one included */
    uint32_t generation;
    int64_t published_ms;
    int64_t lease_ms;
    struct slice message; /* the publisher's bytes */
    const struct loaded_message *dead; /* from a DLQ: for view_delivered_dead(); otherwise NULL */
};

/* How results come back: called while the batch is applied. `command` is the command's place in the batch.
 * Any member may be NULL. */
struct ledger_sink {
    void *context;
    /* err 0: `accepted` messages got the numbers from first_seq on; `refusal` is why the rest was not taken,
     * or 0. */
    void (*published)(void *context, size_t command, int err, uint64_t first_seq, uint32_t accepted,
                      int refusal, const char *why);
    void (*handed_out)(void *context, size_t command, const struct handout *h);
    /* A message of ASSIGN or TAKE_UP is in flight, but damaged, and told of by nothing else: the caller now
     * applies the command CORRUPT, of which this is the record, before anything is told to anybody. */
    void (*damaged)(void *context, const struct corrupt_command *found);
    /* An entry of TAKE_UP is in flight again, with the token of `h`; the others are as they were. */
    void (*taken_up)(void *context, size_t command, uint32_t entry, const struct handout *h);
    void (*assigned)(void *context, size_t command,
                     uint32_t count); /* after the last handed_out or damaged of the command */
    void (*refused)(void *context, size_t command, uint32_t entry,
                    int err); /* a resolution that had no effect */
    /* The end of any other command: topics, groups, dead letters. */
    void (*done)(void *context, size_t command, int err, const char *why, uint64_t job, uint64_t count);
    void (*ready)(void *context, uint32_t group);                 /* something became ready in the group */
    void (*revoked)(void *context, uint32_t group, uint64_t seq); /* it was in flight and was taken away */
    void (*group_gone)(void *context, uint32_t group,
                       int err); /* UNKNOWN_TOPIC if its topic went, or UNKNOWN_GROUP */
    /* For the log: */
    void (*died)(void *context, const char *topic, const char *group, uint64_t seq, enum dead_reason reason);
    void (*job_ended)(void *context, const char *kind, const char *topic, const char *group, uint64_t job,
                      uint64_t done); /* group empty: all of the topic's */
};

/* Load the state from a store, which may be empty. fails: CORRUPT (`ret_why` says which row), IO, NO_MEMORY
 */
int ledger_new(struct store_txn *txn, struct ledger **ret, char *ret_why, size_t why_bytes);
void ledger_free(struct ledger *l); /* takes NULL */

/* Apply one batch inside a write transaction, as far as its room goes. fails: NO_SPACE, IO, CORRUPT,
 * NO_MEMORY: all of them fatal. */
int ledger_apply(struct ledger *l, struct store_txn *txn, const struct batch *batch,
                 const struct ledger_sink *sink);
/* How many commands of the last batch were applied, and of the one after them, a RESOLVE, how many entries.
 * With neither the batch left no trace, and its index is free. */
size_t ledger_applied(const struct ledger *l, uint32_t *ret_entries);
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
void ledger_group_ready(const struct ledger *l, uint32_t group, struct group_ready *ret);

#endif
