/* deadline_heap: what is due first comes first, whatever was moved or taken out. */
#include "broker/core/deadline_heap.h"
#include "broker/core/lease_table.h"

#include <criterion/criterion.h>

Test(deadline_heap, what_is_due_together_comes_in_the_order_in_which_it_was_set)
{
    struct deadline_heap h = {0};
    uint32_t id;
    int64_t at;
    cr_assert_not(deadline_heap_first(&h, &id, &at));
    cr_assert_eq(deadline_heap_reserve(&h, 100), 0);
    for (uint32_t i = 0; i < 100; i++)
        deadline_heap_set(&h, 99 - i, 7);
    deadline_heap_set(&h, 99, 7);
    for (uint32_t i = 1; i < 100; i++) {
        cr_assert(deadline_heap_first(&h, &id, &at));
        cr_assert_eq(id, 99 - i);
        deadline_heap_remove(&h, id);
        deadline_heap_check_slow(&h);
    }
    cr_assert(deadline_heap_first(&h, &id, &at));
    cr_assert_eq(id, 99, "set again, it went to the end");
    deadline_heap_done(&h);
}

Test(deadline_heap, agrees_with_a_plain_array_over_random_steps)
{
    enum { IDS = 300 };
    struct deadline_heap h = {0};
    int64_t model[IDS];
    uint32_t random = 1;
    for (int i = 0; i < IDS; i++)
        model[i] = -1;
    cr_assert_eq(deadline_heap_reserve(&h, IDS), 0);
    for (int step = 0; step < 100000; step++) {
        random = random * 1664525 + 1013904223;
        uint32_t id = (random >> 8) % IDS;
        if (random >> 30 == 0 && model[id] >= 0) {
            deadline_heap_remove(&h, id);
            model[id] = -1;
        } else {
            model[id] = random >> 4 & 1023;
            deadline_heap_set(&h, id, model[id]);
        }
        int64_t least = INT64_MAX, at = INT64_MAX;
        for (int i = 0; i < IDS; i++)
            least = model[i] >= 0 && model[i] < least ? model[i] : least;
        deadline_heap_first(&h, &id, &at);
        cr_assert_eq(at, least, "step %d", step);
        cr_assert(least == INT64_MAX || model[id] == least);
    }
    deadline_heap_check_slow(&h);
    deadline_heap_done(&h);
}

Test(lease_table, many_leases_are_found_and_their_memory_is_given_back)
{
    enum { LEASES = 50000 };
    struct lease_table t;
    struct lease_list by_member, by_holder;
    struct member *nobody = (struct member *)(void *)&t; /* only compared, never followed */
    lease_table_init(&t);
    lease_list_init(&by_member);
    lease_list_init(&by_holder);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < LEASES; i++) {
            struct lease l = {.seq = i / 5 * 4096, .group = i % 5, .member = nobody};
            cr_assert_eq(lease_table_reserve(&t), 0);
            lease_table_add(&t, &l, i % 1000, &by_member, &by_holder);
        }
        lease_table_check_slow(&t);
        lease_table_settle(&t, 0);
        lease_table_check_slow(&t);
        cr_assert_eq(lease_table_find(&t, 5, 0), LEASE_NONE);
        cr_assert_eq(lease_table_find(&t, 0, 1), LEASE_NONE);
        size_t bytes = t.slab_count * LEASE_SLAB * sizeof(struct lease) + t.slab_room * sizeof(void *) +
                       (sizeof(uint32_t) << t.bucket_bits) + t.deadlines.capacity * sizeof(struct deadline) +
                       t.deadlines.places * sizeof(uint32_t);
        cr_assert_leq(bytes / LEASES, LEASE_BYTES_MAX);
        for (uint32_t i = 0; i < LEASES; i++) {
            uint32_t id = lease_table_find(&t, i % 5, i / 5 * 4096);
            cr_assert_neq(id, LEASE_NONE);
            lease_table_remove(&t, id, &by_member, &by_holder, NULL);
        }
        lease_table_check_slow(&t);
        cr_assert_eq(t.count, 0);
        cr_assert_eq(by_member.first, LEASE_NONE);
        cr_assert_eq(by_holder.last, LEASE_NONE);
        cr_assert_leq(t.slab_count, 16);
    }
    lease_table_done(&t);
}
