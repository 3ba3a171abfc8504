/* lease_table: the open leases, found by (group, seq), by deadline, by member and by holder.
 *
 *     UNSETTLED ── settled ──► TICKING ── its deadline passed ──► OVERDUE
 *         ▲                      │ ▲                                │
 *         └────── prolonged ─────┘ └──────── started anew ──────────┘ (or prolonged)
 *
 * Only one that is TICKING stands in the heap of deadlines. A lease becomes UNSETTLED when it is given or
 * prolonged: its time begins when the consumer is told. OVERDUE ones wait, in their holder's list, until all
 * that the holder had sent by then has been handled.
 *
 * A lease is a number: an index into slabs that stay where they are. With its share of the hash, the heap and
 * their slack it takes at most LEASE_BYTES_MAX.
 */
#ifndef SHUNT_CORE_LEASE_TABLE_H
#define SHUNT_CORE_LEASE_TABLE_H

#include "broker/core/deadline_heap.h"
#include <stdbool.h>
#include <stdint.h>

#define LEASE_BYTES_MAX 144
#define LEASE_NONE      UINT32_MAX

/* The lists that a lease is in: two in order of delivery, and unless it is ticking a third: the table's of
 * those that are unsettled, or its holder's of those that are overdue, in order of deadlines. */
enum lease_list_kind { BY_MEMBER, BY_HOLDER, BY_CLOCK, LEASE_LIST_KINDS };

enum lease_clock { LEASE_TICKING, LEASE_UNSETTLED, LEASE_OVERDUE };

struct lease_list {
    uint32_t first, last;
};

struct lease {
    uint64_t seq;
    uint64_t token;
    int64_t leased_ms;     /* wall */
    int64_t started_ms;    /* wall; 0: never */
    struct member *member; /* who holds it */
    uint32_t group;
    uint32_t bytes;
    uint32_t lease_ms; /* how long it lasts from its beginning */
    uint32_t hash_next;
    int64_t deadline_ms; /* mono; in the heap while it ticks */
    enum lease_clock clock;
    struct {
        uint32_t next, prev;
    } in[LEASE_LIST_KINDS];
};
/* Two heap entries, places and buckets: each of these arrays is at most half empty. */
_Static_assert(sizeof(struct lease) + 2 * sizeof(struct deadline) + 4 * sizeof(uint32_t) <= LEASE_BYTES_MAX,
               "a lease stays within its budget");

#define LEASE_SLAB 1024 /* leases */

struct lease_table {
    struct lease **slabs;
    uint32_t slab_count;
    size_t slab_room;
    uint32_t free_first; /* chained by hash_next */
    uint32_t count;
    uint32_t *buckets;
    uint32_t bucket_bits; /* log2 of how many; meaningless while buckets is NULL */
    struct deadline_heap deadlines;
    struct lease_list unsettled;
    uint32_t overdue_count;
};

void lease_table_init(struct lease_table *t);
void lease_table_done(struct lease_table *t);

static inline struct lease *lease_at(const struct lease_table *t, uint32_t id)
{
    return &t->slabs[id / LEASE_SLAB][id % LEASE_SLAB];
}

/* Room for one more lease. fails: NO_MEMORY (nothing changed). */
int lease_table_reserve(struct lease_table *t);
/* Take over `l` (its links are set here) until it is removed. It is unsettled.
 * in:    room was reserved; (group, seq) is not in the table.
 * cost:  O(1) */
uint32_t lease_table_add(struct lease_table *t, const struct lease *l, int64_t deadline_mono_ms,
                         struct lease_list *member, struct lease_list *holder);
/* LEASE_NONE if there is none. */
uint32_t lease_table_find(const struct lease_table *t, uint32_t group, uint64_t seq);
/* cost: O(log n) */
void lease_table_remove(struct lease_table *t, uint32_t id, struct lease_list *member,
                        struct lease_list *holder, struct lease_list *overdue);
/* It has a new deadline, which is settled or not yet. `overdue` is its holder's list, as above. */
void lease_table_set_deadline(struct lease_table *t, uint32_t id, int64_t mono_ms, bool settled,
                              struct lease_list *overdue);
/* All unsettled deadlines are put off by `passed_ms`, and tick from now on.
 * cost: O(1) for each, and O(log n) if its deadline is earlier than others'. */
void lease_table_settle(struct lease_table *t, int64_t passed_ms);
/* Its deadline has passed: move it from the heap to the end of `overdue`. in: it ticks. */
void lease_table_put_overdue(struct lease_table *t, uint32_t id, struct lease_list *overdue);

void lease_list_init(struct lease_list *list);

void lease_table_check_slow(const struct lease_table *t);

#endif
