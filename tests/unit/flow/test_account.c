/* test_account: each limit at it and beyond it, and the waits for room, which lose no wake-up. */
#include "broker/flow/account.h"
#include <criterion/criterion.h>

Test(account, the_more_waits_for_all_the_less_may_wait_for_one)
{
    const struct flow_limits limits = {.one_max = 100, .all_max = 1000};
    cr_assert_eq(flow_most(&limits, 1, 0), 100);
    cr_assert_eq(flow_most(&limits, 1, 650), 100);
    cr_assert_eq(flow_most(&limits, 1, 651), 99);
    cr_assert_eq(flow_most(&limits, 1, 750), 0);
    cr_assert_eq(flow_most(&limits, 1, 751), 0);
    cr_assert_eq(flow_most(&limits, 0, 950), 50, "who has read all may have of the last quarter");
    cr_assert_eq(flow_most(&limits, 0, 1000), 0);
    cr_assert_eq(flow_left(&limits, 40, 700), 10);
    cr_assert_eq(flow_left(&limits, 50, 700), 0);
    cr_assert_eq(flow_left(&limits, 51, 700), 0);
    cr_assert(flow_is_over(&limits, 51, 700) && !flow_is_over(&limits, 50, 700));
    cr_assert(flow_is_over(&limits, 101, 0) && !flow_is_over(&limits, 100, 0));
    cr_assert(!flow_is_over(&limits, 0, 5000), "short answers go out to those who have read all");
}

Test(account, without_a_limit_on_the_sum_it_does_not_matter)
{
    const struct flow_limits alone = {.one_max = 100};
    cr_assert_eq(flow_most(&alone, 1, SIZE_MAX), 100);
    cr_assert_eq(flow_mark(&alone), SIZE_MAX);
    cr_assert_eq(flow_goes_on_below(&alone, 49), SIZE_MAX);
    cr_assert_eq(flow_goes_on_below(&alone, 50), 0);
}

/* Half of what it may have, at each sum. */
Test(account, who_was_over_goes_on_below_half_of_what_it_may_have)
{
    const struct flow_limits limits = {.one_max = 100, .all_max = 1000};
    for (size_t own = 0; own < 120; own++) {
        for (size_t all = 0; all < 1100; all++) {
            bool back = !own || own < flow_most(&limits, own, all) / 2;
            cr_assert_eq(all < flow_goes_on_below(&limits, own), back, "%zu of %zu", own, all);
            cr_assert(!back || !flow_is_over(&limits, own, all), "who goes on does not wait at once again");
        }
    }
}

Test(account, what_waits_is_counted_until_its_memory_is_free)
{
    struct flow_totals t = {0};
    struct flow_account a = {.totals = &t};
    flow_unsent(&a, 10);
    flow_hold(&a, 5);
    cr_assert_eq(atomic_load(&t.waiting_bytes), 15);
    flow_written(&a, 10);
    cr_assert_eq(atomic_load(&a.unsent_bytes), 0);
    cr_assert_eq(atomic_load(&t.waiting_bytes), 15, "its memory is not free yet");
    cr_assert_eq(flow_unsent_sum(&t), 10, "without what is held");
    flow_freed(&a, 10);
    flow_release(&a, 5);
    cr_assert_eq(atomic_load(&a.held_bytes), 0);
    cr_assert_eq(atomic_load(&t.waiting_bytes), 0);
}

Test(account, the_engine_that_wants_room_is_told_once_whichever_comes_first)
{
    struct flow_totals t = {0};
    struct flow_account a = {.totals = &t};
    cr_assert(!flow_room_came(&t, 10), "nobody wants it");
    flow_unsent(&a, 10);
    cr_assert(!flow_want_room(&t, 10));
    cr_assert(!flow_room_came(&t, 10), "as much waits as may");
    flow_freed(&a, 1);
    cr_assert(flow_room_came(&t, 10));
    cr_assert(!flow_room_came(&t, 10), "once");
    /* The bytes went after the engine had looked, and before it said so: it sees that itself. */
    cr_assert(flow_want_room(&t, 10));
    cr_assert(!flow_room_came(&t, 10));
    flow_unsent(&a, 1);
    cr_assert(!flow_want_room(&t, 10));
    cr_assert(flow_room_came(&t, 11), "a higher limit");
    cr_assert(!flow_want_room(&t, 10));
    cr_assert(flow_room_came(&t, 0), "or none");
    flow_freed(&a, 1);
    flow_hold(&a, 10);
    cr_assert(flow_want_room(&t, 10), "requests that are held take no room from messages");
}

Test(account, one_connection_may_have_a_sixteenth_of_what_is_free_in_the_inbox)
{
    struct flow_totals t = {.inbox_bytes_max = 1600};
    struct flow_account a = {.totals = &t}, other = {.totals = &t};
    flow_inbox_add(&t, &a, 94);
    cr_assert(!flow_inbox_must_wait(&t, &a), "94 of 1,506 that are free");
    flow_inbox_add(&t, &a, 1);
    cr_assert(flow_inbox_must_wait(&t, &a));
    cr_assert(!flow_inbox_must_wait(&t, &other), "another has its own part");
    cr_assert(!flow_inbox_must_wait(&t, NULL));
    flow_inbox_take(&t, &a, 95);
    flow_hold(&a, 101);
    cr_assert(flow_inbox_must_wait(&t, &a), "what is held for it counts");
    flow_release(&a, 101);
    cr_assert(!flow_inbox_must_wait(&t, &a));
    flow_inbox_add(&t, NULL, 1599);
    cr_assert(!flow_inbox_is_full(&t) && !flow_inbox_must_wait(&t, &other));
    flow_inbox_add(&t, NULL, 1);
    cr_assert(flow_inbox_is_full(&t) && flow_inbox_must_wait(&t, &other) && flow_inbox_must_wait(&t, NULL));
}

Test(account, the_net_thread_that_found_no_room_is_woken_once_there_is_some)
{
    struct flow_totals t = {.inbox_bytes_max = 100};
    struct flow_account a = {.totals = &t};
    cr_assert(!flow_net_goes_on(&t), "nobody waits");
    flow_inbox_add(&t, &a, 100);
    cr_assert(flow_inbox_must_wait(&t, &a));
    cr_assert(!flow_net_goes_on(&t), "the inbox is full");
    flow_inbox_take(&t, &a, 1);
    cr_assert(flow_net_goes_on(&t));
    cr_assert(!flow_net_goes_on(&t), "once");
    flow_unsent(&a, 50);
    atomic_store(&t.net_goes_on, 50);
    cr_assert(!flow_net_goes_on(&t), "as much waits as it waits for");
    flow_freed(&a, 1);
    cr_assert(flow_net_goes_on(&t), "less");
    atomic_store(&t.net_goes_on, 0);
    flow_hold(&a, 1000);
    atomic_store(&t.net_goes_on_unsent, 49);
    cr_assert(!flow_net_goes_on(&t), "as much is unsent as it waits for");
    flow_freed(&a, 1);
    cr_assert(flow_net_goes_on(&t), "less, whatever is held");
}
