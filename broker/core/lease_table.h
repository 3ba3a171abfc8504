/* lease_table: the open leases, found by (group, seq), by deadline, by member and by holder.
 *
 * A lease is a number: an index into slabs that stay where they are. With its share of the hash, the heap and
 * their slack it takes at most LEASE_BYTES_MAX.
 */
#ifndef SHUNT_CORE_LEASE_TABLE_H
#define SHUNT_CORE_LEASE_TABLE_H

#include "broker/core/deadline_heap.h"
#include <stdbool.h>
#include <stdint.h>

#define LEASE_BYTES_MAX 128
#define LEASE_NONE      UINT32_MAX

/* The two lists that a lease is in, each in order of delivery. */
enum lease_list_kind { BY_MEMBER, BY_HOLDER, LEASE_LIST_KINDS };

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
    uint32_t slab_count, slab_room;
    uint32_t free_first; /* chained by hash_next */
    uint32_t count;
    uint32_t *buckets;
    uint32_t bucket_bits; /* log2 of how many; meaningless while buckets is NULL */
    struct deadline_heap deadlines;
};

void lease_table_init(struct lease_table *t);
void lease_table_done(struct lease_table *t);

static inline struct lease *lease_at(const struct lease_table *t, uint32_t id)
{
    return &t->slabs[id / LEASE_SLAB][id % LEASE_SLAB];
}

/* Room for one more lease. fails: NO_MEMORY (nothing changed). */
int lease_table_reserve(struct lease_table *t);
/* Take over `l` (its links are set here) until it is removed.
 * in:    room was reserved; (group, seq) is not in the table.
 * cost:  O(1), and O(log n) if its deadline is earlier than others'. */
uint32_t lease_table_add(struct lease_table *t, const struct lease *l, int64_t deadline_mono_ms,
                         struct lease_list *member, struct lease_list *holder);
/* LEASE_NONE if there is none. */
uint32_t lease_table_find(const struct lease_table *t, uint32_t group, uint64_t seq);
/* cost: O(log n) */
void lease_table_remove(struct lease_table *t, uint32_t id, struct lease_list *member,
                        struct lease_list *holder);

void lease_list_init(struct lease_list *list);

void lease_table_check_slow(const struct lease_table *t);

#endif
