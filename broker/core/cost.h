/* cost: what a change may write, in bytes of pages, before and while it is made.
 *
 * A store writes pages, not rows: a row of a few bytes at a place of its own dirties a whole leaf, the branch
 * above it and, where a page splits or merges, a neighbour; a row right behind the one written before it
 * dirties little more than its bytes. Work is admitted and shared by this figure, because it is what a
 * transaction takes of the disk's free pages and of memory.
 *
 * All of it is an upper bound, made from keys and sizes alone: never from a page, a clock or a disk, so that
 * every ledger that applies the same batches counts the same. tests/unit/core/test_cost.c holds them against
 * what LMDB really wrote.
 */
#ifndef SHUNT_CORE_COST_H
#define SHUNT_CORE_COST_H

#include "broker/store/page.h"
#include "broker/store/store.h"
#include "proto/limits.h"

#include <stdbool.h>
#include <stdint.h>

/* What a transaction writes whatever it does: the roots and upper branches of all trees, the ledger's own
 * record, the list of free pages. */
#define COST_TRANSACTION_BYTES (48u * COST_PAGE_BYTES)

/* What a record of a topic or a group takes (with one chunk of a group's bitmap), once in a transaction. */
#define COST_TOPIC_BYTES (COST_PLACE_BYTES + 2 * COST_PAGE_BYTES)
#define COST_GROUP_BYTES (2 * COST_PLACE_BYTES + 3 * COST_PAGE_BYTES)
/* The record of a cause, which is within half of this, once in a transaction; and its example without a stack. */
#define COST_CAUSE_BYTES (COST_PLACE_BYTES + 4 * COST_PAGE_BYTES)
/* The record of a rule, once in a transaction: with texts as long as they may be. */
#define COST_RULE_BYTES (COST_PLACE_BYTES + 2 * COST_PAGE_BYTES)
/* The record of a breaker, once in a transaction: with a window as long as it may be. */
#define COST_BREAKER_BYTES (COST_PLACE_BYTES + 2 * COST_PAGE_BYTES)
/* The record of a user, which is longer than that of a role: with every list as long as it may be. */
#define COST_IDENTITY_BYTES (COST_PLACE_BYTES + 5 * COST_PAGE_BYTES)
/* The row of a token. */
#define COST_TOKEN_BYTES (COST_PLACE_BYTES + COST_PAGE_BYTES)
/* What a command on one topic and one group changes of both. */
#define COST_RECORDS_BYTES (COST_TOPIC_BYTES + COST_GROUP_BYTES)
/* An edit of a dead letter without its body: the records, the letter's rows in attempt and dead, its cause, and rows of the edit
 * table that hold what a message has beside its body. */
#define COST_EDIT_BYTES                                                                                      \
    (COST_RECORDS_BYTES + COST_TOPIC_BYTES + COST_CAUSE_BYTES + 4 * (uint64_t)COST_PLACE_BYTES +             \
     MESSAGE_EXTRA_BYTES_MAX + 4 * COST_PAGE_BYTES)

/* A row of the audit log, and those at its other end that make room for it: they are of as many bytes, and one more. */
#define COST_AUDIT_ROWS  16u
#define COST_AUDIT_BYTES (2u * COST_PLACE_BYTES + (4u + COST_AUDIT_ROWS) * COST_PAGE_BYTES)

/* ---- the least that is done at once ---- */

/* The record of a job, once in a transaction: with as many ids as it may have. */
#define COST_JOB_BYTES (COST_PLACE_BYTES + 4 * COST_PAGE_BYTES)
/* Rows of one message in one group, all at places of their own: attempt, due (old and new), expiry, history,
 * dead, the message; its place in the index by key, and attempt and due of the next one of its key; of a dead letter that holds its
 * key, the places of letter, time and key in due; and the cause that counts it, and the redrive, or the rule, whose outcome it is. And a rule on dead letters,
 * with another row in due. And the breaker of the group. */
#define COST_MOVE_BYTES                                                                                      \
    (16u * (uint64_t)COST_PLACE_BYTES + 2 * COST_CAUSE_BYTES + COST_JOB_BYTES + COST_RULE_BYTES +            \
     COST_BREAKER_BYTES)
/* The same with all its rows in history going. */
#define COST_END_BYTES (COST_MOVE_BYTES + HISTORY_ROWS_MAX * (uint64_t)COST_PAGE_BYTES)

/* ---- messages ---- */

/* What messages take that are published one after the other to so many groups. Set `groups` and leave the
 * rest 0. */
struct cost_publishing {
    uint64_t groups;
    uint64_t ordered; /* of the groups: the message gets a place in the index by key, if it has a delay */
    int64_t due_ms, expires_ms; /* of the latest that had one */
};
/* The records that change with the first of them, the answer that is remembered, and their place. */
static inline uint64_t cost_publish(uint64_t groups)
{
    return COST_TOPIC_BYTES + groups * COST_GROUP_BYTES + 2 * cost_row(512) + COST_PLACE_BYTES;
}
/* One more: its row of so many bytes, when it is due (0: at once) and when it expires (0: never). */
uint64_t cost_timed_message(struct cost_publishing *p, size_t bytes, int64_t due_ms, int64_t expires_ms);
static inline uint64_t cost_message(struct cost_publishing *p, size_t bytes, int64_t due_ms,
                                    int64_t expires_ms)
{
    if (due_ms || expires_ms)
        return cost_timed_message(p, bytes, due_ms, expires_ms);
    return cost_next(bytes);
}
/* No less than all that together, whatever their times are, for so many messages of so many bytes in all. */
static inline uint64_t cost_publish_most(uint64_t groups, uint64_t messages, uint64_t bytes)
{
    return (messages + 4) * (groups + 1) * (15ull * COST_PAGE_BYTES) + 9 * bytes;
}

/* ---- while it is made ---- */

/* Adds up what is written, row by row. It remembers where it wrote last in each of many runs of keys (of one
 * group, of one time to live...), so that rows that follow each other are not charged a place each. */
#define COST_RUNS 1024u
struct cost_meter {
    uint64_t bytes;
    uint64_t stamp; /* part of each id: what an earlier batch left is of no run */
    bool off;       /* the rows being written have been charged */
    struct cost_run {
        uint64_t id;
        uint64_t seq;
    } runs[COST_RUNS];
};

/* Begin to count from 0: another transaction may have come between. The stamp comes from the batch's index and not from
 * how many this meter has counted, because which runs share a place depends on it, and a ledger that was loaded
 * meanwhile must come to the same. */
static inline void cost_begin(struct cost_meter *m, uint64_t index)
{
    m->bytes = 0;
    m->stamp = index * 0xd6e8feb86659fd93ull;
}
/* A row of so many bytes at place `seq` of a run is put or deleted. */
static inline void cost_at(struct cost_meter *m, uint64_t run, uint64_t seq, size_t bytes)
{
    uint64_t id = run + m->stamp;
    struct cost_run *known = &m->runs[id * 0x9e3779b97f4a7c15ull >> 54];
    m->bytes += cost_next(bytes) + (known->id != id || seq - known->seq > 1 ? COST_PLACE_BYTES : 0);
    known->id = id;
    known->seq = seq;
}
_Static_assert(COST_RUNS == 1u << (64 - 54), "the hash above has as many bits as there are runs");
/* A row is put or deleted. `bytes`: of its value. */
void cost_write(struct cost_meter *m, enum store_table table, struct slice key, size_t bytes);

#endif
