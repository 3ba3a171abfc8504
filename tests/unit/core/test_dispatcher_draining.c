/* dispatcher_draining: a connection that is kept from new messages for a suspect's sake gets them again when
 * there is no more reason for that. */
#include "tests/unit/core/dispatcher_world.h"

#include <criterion/criterion.h>

WORLD_SUITE(dispatcher_draining);

/* ann has one message, and is drained for a suspect, while another ordinary message waits. */
static void drain(struct holder **ret_holder, struct member **ret_member)
{
    *ret_holder = world_connect(&w, "ann", true);
    *ret_member = world_subscribe(&w, *ret_holder, JOBS, 2, 1000);
    world_publish(&w, JOBS, 1, 10);
    world_run(&w);
    world_publish_suspects(&w, JOBS, 1);
    world_run(&w);
    world_publish(&w, JOBS, 1, 10);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1: 1\n");
}

Test(dispatcher_draining, draining_ends_when_the_group_is_paused)
{
    struct holder *ann;
    struct member *m;
    drain(&ann, &m);
    world_subscribe(&w, ann, MAIL, 2, 1000);
    world_publish(&w, MAIL, 1, 10);
    world_run(&w);
    world_expect(&w, "");
    world_pause(&w, JOBS, true);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 2: 1\n");
}

Test(dispatcher_draining, draining_passes_to_another_when_the_connection_is_held_back)
{
    struct holder *ann;
    struct member *m;
    drain(&ann, &m);
    dispatcher_hold(w.d, ann, true);
    world_subscribe(&w, world_connect(&w, "bob", true), JOBS, 2, 1000);
    world_run(&w);
    world_expect(&w, "    0 bob gets from 1, alone: 2\n");
    dispatcher_hold(w.d, ann, false);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1: 3\n");
}

Test(dispatcher_draining, draining_passes_to_a_busy_one_when_the_connection_is_held_back)
{
    struct holder *bob = world_connect(&w, "bob", true);
    world_subscribe(&w, bob, JOBS, 2, 1000);
    struct member *ann = world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 2, 1000);
    world_publish(&w, JOBS, 2, 10);
    world_run(&w);
    world_publish_suspects(&w, JOBS, 1);
    world_run(&w);
    dispatcher_hold(w.d, bob, true);
    world_run(&w);
    world_ack(&w, ann, 2);
    world_run(&w);
    world_expect(&w, "    0 bob gets from 1: 1\n"
                     "    0 ann gets from 1: 2\n"
                     "    0 ann acks 1/2\n"
                     "    0 ann gets from 1, alone: 3\n");
}

Test(dispatcher_draining, draining_ends_when_the_member_pauses_leaves_or_is_lost)
{
    for (int how = 0; how < 4; how++) {
        struct holder *ann, *bob;
        struct member *m;
        world_done(&w);
        world_init(&w);
        drain(&ann, &m);
        bob = world_connect(&w, "bob", true);
        if (how == 0)
            dispatcher_credit(w.d, m, 0, 1000);
        else if (how == 1)
            world_unsubscribe(&w, m);
        else
            world_disconnect(&w, ann, how == 2);
        dispatcher_check_slow(w.d);
        w.trace_len = 0;
        world_subscribe(&w, bob, JOBS, 1, 1000);
        world_run(&w);
        world_expect(&w, "    0 bob gets from 1, alone: 2\n");
    }
}

Test(dispatcher_draining, suspect_that_is_revoked_runs_out_or_leaves_frees_its_connection)
{
    struct holder *ann = world_connect(&w, "ann", true);
    struct member *m = world_subscribe(&w, ann, JOBS, 2, 1000);
    world_publish_suspects(&w, JOBS, 1);
    world_publish(&w, JOBS, 1, 10);
    world_run(&w);
    dispatcher_revoke(w.d, JOBS, 1);
    world_run(&w);
    world_ack(&w, m, 2);
    world_publish_suspects(&w, JOBS, 1);
    world_run(&w);
    world_start(&w, m, 3);
    world_wait(&w, 1000);
    world_hear(&w, m);
    world_publish(&w, JOBS, 1, 10);
    world_run(&w);
    world_ack(&w, m, 4);
    world_publish_suspects(&w, JOBS, 1);
    world_run(&w);
    world_unsubscribe(&w, m);
    world_expect(&w, "    0 ann gets from 1, alone: 1\n"
                     "    0 ann gets from 1: 2\n"
                     "    0 ann acks 1/2\n"
                     "    0 ann gets from 1, alone: 3\n"
                     " 1000 1/3 of ann: lease_expired, started at 0\n"
                     " 1000 ann gets from 1: 4\n"
                     " 1000 ann acks 1/4\n"
                     " 1000 ann gets from 1, alone: 5\n"
                     " 1000 ann leaves 1\n"
                     " 1000 1/5 of ann: released\n");
}

Test(dispatcher_draining, suspects_that_the_ledger_withholds_do_not_keep_the_connection)
{
    struct assignment a;
    world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 2, 1000);
    world_publish_suspects(&w, JOBS, 1);
    world_publish(&w, JOBS, 1, 10);
    cr_assert(dispatcher_next(w.d, &a));
    cr_assert_eq(a.lane, LANE_SUSPECT);
    cr_assert_eq(a.messages, 1);
    cr_assert(a.oversize_first);
    dispatcher_assigned(w.d, &a, 0);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1: 2\n");
}
