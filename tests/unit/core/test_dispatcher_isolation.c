/* dispatcher_isolation: a suspect is alone on its connection, and suspects stop nobody else. */
#include "tests/unit/core/dispatcher_world.h"

#include <criterion/criterion.h>

WORLD_SUITE(dispatcher_isolation);

Test(dispatcher_isolation, suspects_come_one_at_a_time)
{
    struct member *m = world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 10, 1000);
    world_publish_suspects(&w, JOBS, 3);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        world_run(&w);
        world_wait(&w, 5);
        world_ack(&w, m, seq);
    }
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1, alone: 1\n"
                     "    5 ann acks 1/1\n"
                     "    5 ann gets from 1, alone: 2\n"
                     "   10 ann acks 1/2\n"
                     "   10 ann gets from 1, alone: 3\n"
                     "   15 ann acks 1/3\n");
}

Test(dispatcher_isolation, connection_with_a_suspect_gets_nothing_else_on_any_subscription)
{
    struct holder *ann = world_connect(&w, "ann", true);
    struct member *jobs = world_subscribe(&w, ann, JOBS, 10, 1000);
    world_subscribe(&w, ann, MAIL, 10, 1000);
    world_publish_suspects(&w, JOBS, 1);
    world_run(&w);
    world_publish(&w, JOBS, 1, 10);
    world_publish(&w, MAIL, 1, 10);
    world_run(&w);
    world_subscribe(&w, ann, 3, 10, 1000);
    world_publish(&w, 3, 1, 10);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1, alone: 1\n");
    world_ack(&w, jobs, 1);
    world_run(&w);
    world_expect(&w, "    0 ann acks 1/1\n"
                     "    0 ann gets from 2: 1\n"
                     "    0 ann gets from 3: 1\n"
                     "    0 ann gets from 1: 2\n");
}

Test(dispatcher_isolation, busy_connection_is_drained_first)
{
    struct holder *ann = world_connect(&w, "ann", true);
    struct member *m = world_subscribe(&w, ann, JOBS, 2, 1000);
    struct member *mail = world_subscribe(&w, ann, MAIL, 2, 1000);
    world_publish(&w, JOBS, 1, 10);
    world_publish(&w, MAIL, 2, 10);
    world_run(&w);
    world_publish_suspects(&w, JOBS, 1);
    world_run(&w);
    world_ack(&w, mail, 1);
    world_ack(&w, m, 1);
    world_run(&w);
    world_publish(&w, JOBS, 1, 10);
    world_publish(&w, MAIL, 1, 10);
    world_run(&w);
    world_ack(&w, mail, 2);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1: 1\n"
                     "    0 ann gets from 2: 1 2\n"
                     "    0 ann acks 2/1\n"
                     "    0 ann acks 1/1\n"
                     "    0 ann acks 2/2\n"
                     "    0 ann gets from 1, alone: 2\n");
}

Test(dispatcher_isolation, single_connection_alternates_between_suspects_and_the_others)
{
    struct member *m = world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 2, 1000);
    world_publish(&w, JOBS, 6, 10);
    world_publish_suspects(&w, JOBS, 3);
    world_run(&w);
    for (int i = 0; i < 2; i++) {
        world_ack(&w, m, 7 + (uint64_t)i);
        world_run(&w);
        world_ack(&w, m, 1 + 2 * (uint64_t)i);
        world_ack(&w, m, 2 + 2 * (uint64_t)i);
        world_run(&w);
    }
    world_expect(&w, "    0 ann gets from 1, alone: 7\n"
                     "    0 ann acks 1/7\n"
                     "    0 ann gets from 1: 1 2\n"
                     "    0 ann acks 1/1\n"
                     "    0 ann acks 1/2\n"
                     "    0 ann gets from 1, alone: 8\n"
                     "    0 ann acks 1/8\n"
                     "    0 ann gets from 1: 3 4\n"
                     "    0 ann acks 1/3\n"
                     "    0 ann acks 1/4\n"
                     "    0 ann gets from 1, alone: 9\n");
}

Test(dispatcher_isolation, one_of_several_connections_takes_the_suspects_and_the_others_go_on)
{
    struct member *ann = world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 4, 1000);
    struct member *bob = world_subscribe(&w, world_connect(&w, "bob", true), JOBS, 4, 1000);
    world_publish_suspects(&w, JOBS, 2);
    world_publish(&w, JOBS, 6, 10);
    world_run(&w);
    world_ack(&w, bob, 3);
    world_ack(&w, ann, 1);
    world_run(&w);
    world_ack(&w, ann, 2);
    world_run(&w);
    /* bob can take more, so ann goes on with the next suspect at once. */
    world_expect(&w, "    0 ann gets from 1, alone: 1\n"
                     "    0 bob gets from 1: 3 4 5 6\n"
                     "    0 bob acks 1/3\n"
                     "    0 ann acks 1/1\n"
                     "    0 ann gets from 1, alone: 2\n"
                     "    0 bob gets from 1: 7\n"
                     "    0 ann acks 1/2\n"
                     "    0 ann gets from 1: 8\n");
}

Test(dispatcher_isolation, idle_connection_is_chosen_before_a_busy_one)
{
    struct member *ann = world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 4, 1000);
    world_publish(&w, JOBS, 1, 10);
    world_run(&w);
    world_subscribe(&w, world_connect(&w, "bob", true), JOBS, 4, 1000);
    world_publish_suspects(&w, JOBS, 1);
    world_run(&w);
    world_ack(&w, ann, 1);
    world_publish(&w, JOBS, 1, 10);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1: 1\n"
                     "    0 bob gets from 1, alone: 2\n"
                     "    0 ann acks 1/1\n"
                     "    0 ann gets from 1: 3\n");
}

Test(dispatcher_isolation, newcomer_takes_the_suspect_when_the_draining_connection_hangs)
{
    world_subscribe(&w, world_connect(&w, "hangs", true), JOBS, 4, 1000);
    world_publish(&w, JOBS, 2, 10);
    world_run(&w);
    world_publish_suspects(&w, JOBS, 1);
    world_run(&w);
    world_subscribe(&w, world_connect(&w, "bob", true), JOBS, 4, 1000);
    world_run(&w);
    world_publish(&w, JOBS, 1, 10);
    world_run(&w);
    world_expect(&w, "    0 hangs gets from 1: 1 2\n"
                     "    0 bob gets from 1, alone: 3\n"
                     "    0 hangs gets from 1: 4\n");
}

Test(dispatcher_isolation, suspects_of_two_groups_take_turns_on_their_only_connection)
{
    struct holder *ann = world_connect(&w, "ann", true);
    struct member *jobs = world_subscribe(&w, ann, JOBS, 4, 1000),
                  *mail = world_subscribe(&w, ann, MAIL, 4, 1000);
    world_publish_suspects(&w, JOBS, 2);
    world_publish_suspects(&w, MAIL, 2);
    world_run(&w);
    world_ack(&w, jobs, 1);
    world_run(&w);
    world_ack(&w, mail, 1);
    world_run(&w);
    world_ack(&w, jobs, 2);
    world_run(&w);
    world_ack(&w, mail, 2);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1, alone: 1\n"
                     "    0 ann acks 1/1\n"
                     "    0 ann gets from 2, alone: 1\n"
                     "    0 ann acks 2/1\n"
                     "    0 ann gets from 1, alone: 2\n"
                     "    0 ann acks 1/2\n"
                     "    0 ann gets from 2, alone: 2\n"
                     "    0 ann acks 2/2\n");
}

Test(dispatcher_isolation, suspects_take_turns_even_if_one_group_was_woken_meanwhile)
{
    struct holder *ann = world_connect(&w, "ann", true);
    struct member *jobs = world_subscribe(&w, ann, JOBS, 4, 1000);
    world_subscribe(&w, ann, MAIL, 4, 1000);
    world_subscribe(&w, world_connect(&w, "bob", true), JOBS, 4, 1000);
    world_publish_suspects(&w, JOBS, 2);
    world_publish(&w, JOBS, 1, 10);
    world_run(&w);
    world_publish_suspects(&w, MAIL, 1);
    world_publish(&w, JOBS, 1, 10);
    world_ack(&w, jobs, 1);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1, alone: 1\n"
                     "    0 bob gets from 1: 3\n"
                     "    0 ann acks 1/1\n"
                     "    0 ann gets from 2, alone: 1\n");
}

Test(dispatcher_isolation, pile_of_suspects_does_not_starve_another_group_of_the_connection)
{
    struct holder *ann = world_connect(&w, "ann", true);
    struct member *jobs = world_subscribe(&w, ann, JOBS, 4, 1000),
                  *mail = world_subscribe(&w, ann, MAIL, 4, 1000);
    world_subscribe(&w, world_connect(&w, "bob", true), JOBS, 4, 1000);
    world_publish_suspects(&w, JOBS, 100);
    world_run(&w);
    world_publish(&w, MAIL, 1, 10);
    world_ack(&w, jobs, 1);
    world_run(&w);
    world_ack(&w, mail, 1);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1, alone: 1\n"
                     "    0 ann acks 1/1\n"
                     "    0 ann gets from 2: 1\n"
                     "    0 bob gets from 1, alone: 2\n"
                     "    0 ann acks 2/1\n");
}

Test(dispatcher_isolation, suspects_wait_for_the_turn_owed_and_then_move_on)
{
    struct holder *ann = world_connect(&w, "ann", true);
    struct member *jobs = world_subscribe(&w, ann, JOBS, 4, 1000),
                  *mail = world_subscribe(&w, ann, MAIL, 4, 1000);
    world_publish_suspects(&w, JOBS, 2);
    world_run(&w);
    world_publish(&w, MAIL, 1, 10);
    world_ack(&w, jobs, 1);
    world_run(&w);
    world_ack(&w, mail, 1);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1, alone: 1\n"
                     "    0 ann acks 1/1\n"
                     "    0 ann gets from 2: 1\n"
                     "    0 ann acks 2/1\n"
                     "    0 ann gets from 1, alone: 2\n");
}

struct two_groups {
    uint64_t suspects, mail;
};

static void two_groups_ready(void *context, uint32_t group, struct group_ready *ret)
{
    const struct two_groups *ready = context;
    *ret = (struct group_ready){0};
    if (group == JOBS)
        ret->lane[LANE_SUSPECT] = ready->suspects;
    else
        ret->lane[LANE_NORMAL] = ready->mail;
}

/* Nothing woke the group that the turn is owed to: a mistake of the caller, which must not cost an endless
 * loop. */
Test(dispatcher_isolation, turn_owed_to_a_group_that_nobody_woke_is_given)
{
    struct two_groups ready = {.suspects = 1};
    struct dispatcher *d = dispatcher_new(two_groups_ready, &ready);
    struct holder *h = dispatcher_connect(d, true);
    struct member *m = dispatcher_subscribe(d, h, JOBS, 2, 1000);
    struct assignment a;
    struct lease_times times;
    dispatcher_subscribe(d, h, MAIL, 2, 1000);
    cr_assert(dispatcher_next(d, &a));
    cr_assert_eq(dispatcher_lease(d, &a, 1, 1, 10, 1000, 0, 1), 0);
    dispatcher_assigned(d, &a, 1);
    ready.suspects = 0;
    cr_assert_eq(dispatcher_claim(d, m, 1, 1, &times), 0);
    cr_assert_not(dispatcher_next(d, &a));
    ready = (struct two_groups){1, 1};
    dispatcher_wake(d, JOBS);
    cr_assert(dispatcher_next(d, &a));
    cr_assert_eq(a.group, MAIL);
    dispatcher_free(d);
}

/* One message of a thousand kills each worker that handles it; the client has 100 in hand and marks them all. Nobody
 * else is charged. */
Test(dispatcher_isolation, poison_is_found_among_a_hundred_started_messages)
{
    enum { POISON = 500, MESSAGES = 1000, IN_HAND = 100 };
    unsigned deaths = 0;
    bool done[MESSAGES + 1] = {0};
    w.quiet = true;
    world_publish(&w, JOBS, MESSAGES, 10);
    while (!done[POISON]) {
        struct holder *ann = world_connect(&w, "ann", false);
        struct member *m = world_subscribe(&w, ann, JOBS, IN_HAND, 100000);
        bool dead = false;
        while (!dead) {
            world_run(&w);
            cr_assert_gt(dispatcher_leases(w.d), 0);
            uint64_t held = dispatcher_leases(w.d);
            for (uint64_t seq = 1; seq <= MESSAGES && !dead; seq++) {
                struct lease_times times;
                uint64_t token = world_token(&w, JOBS, seq);
                if (seq == POISON && token && dispatcher_extend(w.d, m, seq, token, 100000) == 0) {
                    dead = true;
                    done[POISON] = held == 1; /* charged: the stand-in lets it go */
                } else if (dispatcher_claim(w.d, m, seq, token, &times) == 0) {
                    done[seq] = true;
                    held--;
                }
            }
        }
        deaths++;
        world_disconnect(&w, ann, false);
        cr_assert_lt(deaths, 100);
    }
    cr_assert_leq(deaths, 2, "once among others, once alone: %u", deaths);
    world_subscribe(&w, world_connect(&w, "bob", true), JOBS, IN_HAND, 100000);
    world_run(&w);
    for (uint64_t seq = 1; seq < POISON; seq++)
        cr_assert(done[seq], "%lu was lost", (unsigned long)seq);
    cr_assert_eq(world_suspects(&w, JOBS) + world_ready(&w, JOBS) + dispatcher_leases(w.d),
                 MESSAGES - POISON);
}
