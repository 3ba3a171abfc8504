/* dispatcher_room: how many messages may be in flight in all, and that who hoards leaves room for the others.
 */
#include "tests/unit/core/dispatcher_world.h"

#include <criterion/criterion.h>
#include <stdio.h>

WORLD_SUITE(dispatcher_room);

enum { LOTS = 65536 };

static struct holder *hoarder(const char *name, uint32_t group)
{
    struct holder *h = world_connect(&w, name, true);
    world_subscribe(&w, h, group, LOTS, UINT32_MAX);
    return h;
}

/* How many leases a connection has; it is gone afterwards. */
static uint64_t held_by(struct holder *h)
{
    uint64_t before = dispatcher_leases(w.d);
    world_disconnect(&w, h, true);
    return before - dispatcher_leases(w.d);
}

static void run(void)
{
    world_run(&w);
    dispatcher_check_slow(w.d);
}

Test(dispatcher_room, one_that_hoards_gets_half_and_the_next_half_of_the_rest)
{
    w.quiet = true;
    dispatcher_limit(w.d, 100, 0);
    world_publish(&w, JOBS, 1000, 10);
    struct holder *ann = hoarder("ann", JOBS);
    run();
    cr_assert_eq(dispatcher_leases(w.d), 50);
    struct holder *bob = hoarder("bob", JOBS);
    run();
    cr_assert_eq(dispatcher_leases(w.d), 75);
    struct holder *eve = hoarder("eve", JOBS);
    run();
    cr_assert_leq(dispatcher_leases(w.d), 100);
    cr_assert_eq(held_by(eve), 12);
    cr_assert_eq(held_by(bob), 25);
    cr_assert_eq(held_by(ann), 50);
}

/* However many subscriptions it has, over however many groups. */
Test(dispatcher_room, the_share_is_of_a_connection)
{
    w.quiet = true;
    dispatcher_limit(w.d, 100, 0);
    struct holder *ann = world_connect(&w, "ann", true);
    for (uint32_t group = 0; group < 10; group++) {
        world_publish(&w, 1 + group, 100, 10);
        world_subscribe(&w, ann, 1 + group, LOTS, UINT32_MAX);
        world_subscribe(&w, ann, 1 + group, LOTS, UINT32_MAX);
    }
    world_run_together(&w);
    dispatcher_check_slow(w.d);
    cr_assert_eq(dispatcher_leases(w.d), 50);
    hoarder("bob", 5);
    run();
    cr_assert_eq(dispatcher_leases(w.d), 75);
}

Test(dispatcher_room, who_asks_for_little_gets_it_beside_any_number_that_hoard)
{
    enum { HOARDERS = 99, PART = 5 };
    w.quiet = true;
    dispatcher_limit(w.d, 1000, HOARDERS + 1);
    world_publish(&w, JOBS, 5000, 10);
    world_publish(&w, MAIL, 1000, 10);
    for (int i = 0; i < HOARDERS; i++) {
        hoarder("hog", JOBS);
        run();
    }
    cr_assert_leq(dispatcher_leases(w.d), 1000 - PART);
    cr_assert_geq(dispatcher_leases(w.d), 990);
    struct holder *ann = world_connect(&w, "ann", true);
    struct member *m = world_subscribe(&w, ann, MAIL, PART, 1000);
    run();
    for (uint64_t seq = 1; seq <= PART; seq++)
        cr_assert_neq(world_token(&w, MAIL, seq), 0);
    for (uint64_t seq = 1; seq <= 1000; seq++) {
        run();
        world_ack(&w, m, seq); /* it holds it, or this fails */
    }
    cr_assert_eq(world_ready(&w, MAIL), 0);
}

Test(dispatcher_room, nothing_is_given_at_the_limit_and_what_comes_back_makes_room)
{
    dispatcher_limit(w.d, 2, 0);
    struct member *ann = world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 1, 1000);
    struct member *bob = world_subscribe(&w, world_connect(&w, "bob", true), JOBS, 1, 1000);
    world_subscribe(&w, world_connect(&w, "eve", true), JOBS, 1, 1000);
    world_publish(&w, JOBS, 5, 10);
    run();
    world_ack(&w, ann, 1);
    run();
    world_ack(&w, bob, 2);
    run();
    cr_assert_eq(dispatcher_leases(w.d), 2);
    world_expect(&w, "    0 ann gets from 1: 1\n"
                     "    0 bob gets from 1: 2\n"
                     "    0 ann acks 1/1\n"
                     "    0 eve gets from 1: 3\n"
                     "    0 bob acks 1/2\n"
                     "    0 ann gets from 1: 4\n");
}

/* A suspect needs a connection that holds nothing, and one more in flight. */
Test(dispatcher_room, suspects_wait_at_the_limit_and_come_after_it)
{
    dispatcher_limit(w.d, 1, 0);
    struct member *ann = world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 1, 1000);
    world_publish(&w, JOBS, 1, 10);
    run();
    world_subscribe(&w, world_connect(&w, "bob", true), MAIL, 5, 1000);
    world_publish_suspects(&w, MAIL, 1);
    run();
    cr_assert_eq(world_suspects(&w, MAIL), 1);
    world_ack(&w, ann, 1);
    run();
    cr_assert_eq(world_suspects(&w, MAIL), 0);
    cr_assert_eq(dispatcher_leases(w.d), 1);
}

/* It is given a batch when it has given back enough, not one for one: each look at it costs. */
Test(dispatcher_room, who_is_capped_goes_on_in_batches)
{
    w.quiet = true;
    dispatcher_limit(w.d, 2000, 0);
    struct holder *ann = world_connect(&w, "ann", true);
    struct member *m = world_subscribe(&w, ann, JOBS, LOTS, UINT32_MAX);
    world_publish(&w, JOBS, 5000, 10);
    run();
    cr_assert_eq(dispatcher_leases(w.d), 1000);
    uint64_t held = 1000, most_ms = 0;
    for (uint64_t seq = 1; seq <= 100; seq++) {
        world_ack(&w, m, seq);
        run();
        uint64_t now = dispatcher_leases(w.d);
        most_ms += now >= held;
        held = now;
    }
    cr_assert(most_ms >= 3 && most_ms <= 12, "it was given more %lu times", (unsigned long)most_ms);
    for (uint64_t seq = 101; seq <= 4000; seq++) {
        world_ack(&w, m, seq);
        run();
    }
    cr_assert_eq(world_ready(&w, JOBS), 0, "nothing is left behind");
}

Test(dispatcher_room, a_changed_limit_works_at_once_and_takes_nothing_back)
{
    w.quiet = true;
    world_publish(&w, JOBS, 1000, 10);
    struct holder *ann = world_connect(&w, "ann", true);
    struct member *m = world_subscribe(&w, ann, JOBS, 100, UINT32_MAX);
    run();
    cr_assert_eq(dispatcher_leases(w.d), 100, "0 is no limit");
    dispatcher_limit(w.d, 20, 0);
    for (uint64_t seq = 1; seq <= 95; seq++) {
        world_ack(&w, m, seq);
        run();
        cr_assert_leq(dispatcher_leases(w.d), seq <= 90 ? 100 - seq : 10);
    }
    dispatcher_limit(w.d, 1000, 0);
    run();
    cr_assert_eq(dispatcher_leases(w.d), 100, "its credit");
}

/* Many that come, go, hold and answer at random: never more than the limit, and no message is left when all
 * go on. */
Test(dispatcher_room, never_more_than_the_limit_and_all_come_through)
{
    enum { HOLDERS = 12, MESSAGES = 400 };
    w.quiet = true;
    for (uint64_t limit = 1; limit < 40; limit += 3) {
        uint64_t random = limit * 0x9e3779b97f4a7c15ull, first = MESSAGES * (limit / 3);
        struct member *m[HOLDERS];
        struct holder *h[HOLDERS];
        dispatcher_limit(w.d, limit, 0);
        for (int i = 0; i < HOLDERS; i++) {
            h[i] = world_connect(&w, "any", true);
            m[i] = world_subscribe(&w, h[i], JOBS, 1 + (uint32_t)i * 5, UINT32_MAX);
        }
        world_publish(&w, JOBS, MESSAGES, 10);
        for (unsigned step = 0; world_ready(&w, JOBS) || dispatcher_leases(w.d); step++) {
            cr_assert_lt(step, 200000, "limit %lu: %lu ready, %lu in flight", (unsigned long)limit,
                         (unsigned long)world_ready(&w, JOBS), (unsigned long)dispatcher_leases(w.d));
            run();
            cr_assert_leq(dispatcher_leases(w.d), limit);
            random = random * 6364136223846793005ull + 1442695040888963407ull;
            int i = (int)(random >> 40) % HOLDERS;
            for (uint64_t seq = first + 1; seq <= first + MESSAGES; seq++) {
                struct lease_times times;
                if (dispatcher_claim(w.d, m[i], seq, world_token(&w, JOBS, seq), &times) == 0 &&
                    (random >> 20 & 1))
                    break;
            }
        }
        for (int i = 0; i < HOLDERS; i++)
            (void)held_by(h[i]);
    }
}
