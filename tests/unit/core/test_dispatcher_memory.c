/* The dispatcher without memory: what needs some is refused, nothing else has changed, and once there is
 * memory again it works. */
#include "proto/errors.h"
#include "tests/unit/core/dispatcher_world.h"
#include "tests/unit/core/faults.h"

#include <criterion/criterion.h>

static void nothing_ready(void *context, uint32_t group, struct group_ready *ret)
{
    (void)context;
    (void)group;
    *ret = (struct group_ready){0};
}

Test(dispatcher_memory, none_for_a_dispatcher)
{
    no_memory_arm(1);
    cr_assert_null(dispatcher_new(nothing_ready, NULL));
    no_memory_arm(0);
    dispatcher_free(NULL);
}

Test(dispatcher_memory, none_for_a_connection)
{
    struct world w;
    world_init(&w);
    no_memory_arm(1);
    cr_assert_null(dispatcher_connect(w.d, true));
    no_memory_arm(0);
    dispatcher_check_slow(w.d);
    world_disconnect(&w, world_connect(&w, "a", true), true);
    world_done(&w);
}

/* So many groups that the table of groups has to grow; each subscription fails at each of its allocations
 * first. */
Test(dispatcher_memory, none_for_a_subscription)
{
    struct world w;
    unsigned most = 0;
    world_init(&w);
    struct holder *h = world_connect(&w, "a", true);
    for (uint32_t group = 1; group <= 200; group++) {
        struct member *m = NULL;
        for (unsigned n = 1; !m; n++) {
            no_memory_arm(n);
            m = dispatcher_subscribe(w.d, h, group, 1, 100);
            bool failed = no_memory_calls() >= n;
            no_memory_arm(0);
            cr_assert_eq(!m, failed);
            dispatcher_check_slow(w.d);
            cr_assert_eq(dispatcher_members(w.d, group), m != NULL);
            most = n > most ? n : most;
        }
    }
    cr_assert_eq(most, 4, "subscription, table of groups, group; then it went well");
    world_done(&w);
}

#define LEASES 20000 /* more than an empty table keeps room for */

/* What was allocated before an allocation failed is kept: each try gets one further. Returns how often one
 * lease failed at the most. */
static unsigned lease_all(struct dispatcher *d, const struct assignment *a)
{
    uint64_t held = dispatcher_leases(d);
    unsigned most = 0;
    for (uint64_t seq = held + 1; seq <= held + a->messages; seq++) {
        int err = SHUNT_NO_MEMORY;
        for (unsigned tries = 0; err; tries++) {
            uint64_t n = tries ? 2 : 1;
            no_memory_arm(n);
            err = dispatcher_lease(d, a, seq, seq, 1, WORLD_LEASE_MS, 0, WORLD_WALL_MS);
            bool failed = no_memory_calls() >= n;
            no_memory_arm(0);
            cr_assert_eq(err, failed ? SHUNT_NO_MEMORY : 0);
            cr_assert_eq(dispatcher_leases(d), seq - (err != 0));
            most = tries > most ? tries : most;
        }
    }
    return most;
}

static void enough_ready(void *context, uint32_t group, struct group_ready *ret)
{
    struct dispatcher **d = context;
    (void)group;
    *ret = (struct group_ready){.lane[LANE_NORMAL] = LEASES - dispatcher_leases(*d)};
}

static void count_end(void *context, const struct lease_end *end)
{
    unsigned *count = context;
    *count += end->outcome == ATTEMPT_UNSTARTED;
}

Test(dispatcher_memory, none_for_a_lease_and_none_to_keep_less)
{
    struct dispatcher *d = dispatcher_new(enough_ready, &d);
    dispatcher_subscribe(d, dispatcher_connect(d, true), 1, LEASES, LEASES);
    unsigned most = 0, ended = 0;
    for (struct assignment a; dispatcher_next(d, &a);) {
        unsigned needed = lease_all(d, &a);
        most = needed > most ? needed : most;
        dispatcher_assigned(d, &a, a.messages);
        dispatcher_check_slow(d);
    }
    cr_assert_eq(dispatcher_leases(d), LEASES);
    cr_assert_eq(most, 5, "buckets, two arrays of deadlines, the list of slabs, a slab: %u", most);
    dispatcher_settle(d, 0);
    no_memory_arm(1);
    dispatcher_expire(d, INT64_MAX, LEASES, count_end, &ended);
    cr_assert_geq(no_memory_calls(), 1, "an empty table keeps less");
    no_memory_arm(0);
    cr_assert_eq(ended, LEASES);
    dispatcher_check_slow(d);
    dispatcher_free(d);
}
