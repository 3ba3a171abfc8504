/* dispatcher_ends: the rows of the truth table that the dispatcher judges, one test each. */
#include "tests/unit/core/dispatcher_world.h"

#include "proto/errors.h"
#include <criterion/criterion.h>

WORLD_SUITE(dispatcher_ends);

Test(dispatcher_ends, lease_that_runs_out_is_charged_only_if_started)
{
    struct holder *ann = world_connect(&w, "ann", true);
    struct member *m = world_subscribe(&w, ann, JOBS, 10, 1000);
    world_publish(&w, JOBS, 3, 10);
    world_run(&w);
    world_wait(&w, 200);
    world_start(&w, m, 2);
    world_wait(&w, 2000);
    world_expect(&w, "    0 ann gets from 1: 1 2 3\n"
                     " 1000 1/1 of ann: unstarted\n"
                     " 1000 1/3 of ann: unstarted\n"
                     " 1200 1/2 of ann: lease_expired, started at 200\n");
    cr_assert_eq(world_ready(&w, JOBS), 2);
}

Test(dispatcher_ends, loss_with_one_started_charges_that_one)
{
    struct holder *ann = world_connect(&w, "ann", true);
    struct member *m = world_subscribe(&w, ann, JOBS, 10, 1000);
    world_publish(&w, JOBS, 3, 10);
    world_run(&w);
    world_wait(&w, 5);
    world_start(&w, m, 2);
    world_wait(&w, 5);
    world_disconnect(&w, ann, false);
    world_expect(&w, "    0 ann gets from 1: 1 2 3\n"
                     "   10 ann is lost\n"
                     "   10 1/1 of ann: unstarted\n"
                     "   10 1/2 of ann: disconnected, started at 5\n"
                     "   10 1/3 of ann: unstarted\n");
}

Test(dispatcher_ends, loss_with_several_started_makes_suspects_over_all_subscriptions)
{
    struct holder *ann = world_connect(&w, "ann", true);
    struct member *jobs = world_subscribe(&w, ann, JOBS, 10, 1000);
    struct member *mail = world_subscribe(&w, ann, MAIL, 10, 1000);
    world_publish(&w, JOBS, 2, 10);
    world_run(&w);
    world_publish(&w, MAIL, 2, 10);
    world_run(&w);
    world_wait(&w, 7);
    world_start(&w, jobs, 1);
    world_start(&w, mail, 2);
    world_disconnect(&w, ann, false);
    world_expect(&w, "    0 ann gets from 1: 1 2\n"
                     "    0 ann gets from 2: 1 2\n"
                     "    7 ann is lost\n"
                     "    7 1/1 of ann: suspected, started at 7\n"
                     "    7 1/2 of ann: unstarted\n"
                     "    7 2/1 of ann: unstarted\n"
                     "    7 2/2 of ann: suspected, started at 7\n");
}

Test(dispatcher_ends, without_marks_all_that_is_held_counts_as_started)
{
    struct holder *ann = world_connect(&w, "ann", false);
    struct holder *bob = world_connect(&w, "bob", false);
    world_subscribe(&w, ann, JOBS, 2, 1000);
    world_publish(&w, JOBS, 3, 10);
    world_wait(&w, 3);
    world_run(&w);
    world_disconnect(&w, ann, false);
    world_expect(&w, "    3 ann gets from 1: 1 2\n"
                     "    3 ann is lost\n"
                     "    3 1/1 of ann: suspected, started at 3\n"
                     "    3 1/2 of ann: suspected, started at 3\n");

    world_subscribe(&w, bob, JOBS, 1, 1000);
    world_run(&w);
    world_disconnect(&w, bob, false);
    world_expect(&w, "    3 bob gets from 1, alone: 1\n"
                     "    3 bob is lost\n"
                     "    3 1/1 of bob: disconnected, started at 3\n");
}

Test(dispatcher_ends, without_marks_a_lease_that_runs_out_is_charged)
{
    world_subscribe(&w, world_connect(&w, "ann", false), JOBS, 1, 1000);
    world_publish(&w, JOBS, 1, 10);
    world_run(&w);
    world_wait(&w, 1000);
    world_expect(&w, "    0 ann gets from 1: 1\n"
                     " 1000 1/1 of ann: lease_expired, started at 0\n");
}

Test(dispatcher_ends, goodbye_releases_all_even_what_was_started)
{
    struct holder *ann = world_connect(&w, "ann", true);
    struct member *m = world_subscribe(&w, ann, JOBS, 10, 1000);
    world_publish(&w, JOBS, 2, 10);
    world_run(&w);
    world_start(&w, m, 1);
    world_start(&w, m, 2);
    world_disconnect(&w, ann, true);
    world_expect(&w, "    0 ann gets from 1: 1 2\n"
                     "    0 ann says goodbye\n"
                     "    0 1/1 of ann: released, started at 0\n"
                     "    0 1/2 of ann: released, started at 0\n");
    cr_assert_eq(world_ready(&w, JOBS), 2);
}

Test(dispatcher_ends, unsubscribing_releases_what_that_subscription_holds)
{
    struct holder *ann = world_connect(&w, "ann", true);
    struct member *jobs = world_subscribe(&w, ann, JOBS, 10, 1000);
    world_subscribe(&w, ann, MAIL, 10, 1000);
    world_publish(&w, JOBS, 2, 10);
    world_publish(&w, MAIL, 1, 10);
    world_run(&w);
    world_unsubscribe(&w, jobs);
    world_expect(&w, "    0 ann gets from 1: 1 2\n"
                     "    0 ann gets from 2: 1\n"
                     "    0 ann leaves 1\n"
                     "    0 1/1 of ann: released\n"
                     "    0 1/2 of ann: released\n");
    cr_assert_eq(dispatcher_leases(w.d), 1);
    cr_assert_eq(dispatcher_members(w.d, JOBS), 0);
    cr_assert_eq(dispatcher_members(w.d, MAIL), 1);
}

Test(dispatcher_ends, lost_suspect_is_charged_if_started_and_free_if_not)
{
    struct holder *ann = world_connect(&w, "ann", true), *bob;
    struct member *m = world_subscribe(&w, ann, JOBS, 10, 1000);
    world_publish_suspects(&w, JOBS, 1);
    world_run(&w);
    world_disconnect(&w, ann, false);
    bob = world_connect(&w, "bob", true);
    m = world_subscribe(&w, bob, JOBS, 10, 1000);
    world_run(&w);
    world_start(&w, m, 1);
    world_disconnect(&w, bob, false);
    world_expect(&w, "    0 ann gets from 1, alone: 1\n"
                     "    0 ann is lost\n"
                     "    0 1/1 of ann: unstarted\n"
                     "    0 bob gets from 1, alone: 1\n"
                     "    0 bob is lost\n"
                     "    0 1/1 of bob: disconnected, started at 0\n");
}

Test(dispatcher_ends, claim_tells_when_and_closes_the_lease)
{
    struct holder *ann = world_connect(&w, "ann", true);
    struct member *m = world_subscribe(&w, ann, JOBS, 10, 1000);
    struct lease_times times;
    world_publish(&w, JOBS, 2, 10);
    world_wait(&w, 40);
    world_run(&w);
    world_wait(&w, 2);
    world_start(&w, m, 1);
    world_wait(&w, 2);
    world_start(&w, m, 1);
    cr_assert_eq(dispatcher_claim(w.d, m, 1, world_token(&w, JOBS, 1), &times), 0);
    cr_assert_eq(times.leased_ms, WORLD_WALL_MS + 40);
    cr_assert_eq(times.started_ms, WORLD_WALL_MS + 42, "said twice, it began when it was first said");
    cr_assert_eq(dispatcher_claim(w.d, m, 1, world_token(&w, JOBS, 1), &times), SHUNT_STALE);
    cr_assert_eq(dispatcher_claim(w.d, m, 2, world_token(&w, JOBS, 2), &times), 0);
    cr_assert_eq(times.started_ms, 0);
    cr_assert_eq(dispatcher_leases(w.d), 0);
}

Test(dispatcher_ends, answers_to_another_delivery_are_stale_and_change_nothing)
{
    struct member *m = world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 1, 1000);
    struct member *other = world_subscribe(&w, world_connect(&w, "bob", true), JOBS, 1, 1000);
    struct lease_times times = {-1, -1};
    world_publish(&w, JOBS, 2, 10);
    world_run(&w);
    uint64_t token = world_token(&w, JOBS, 1);
    cr_assert_eq(dispatcher_claim(w.d, m, 1, token + 1000, &times), SHUNT_STALE, "another token");
    cr_assert_eq(dispatcher_claim(w.d, m, 3, token, &times), SHUNT_STALE, "a message nobody holds");
    cr_assert_eq(dispatcher_claim(w.d, other, 1, token, &times), SHUNT_STALE, "another's lease");
    cr_assert_eq(dispatcher_extend(w.d, m, 1, token + 1000, 5000), SHUNT_STALE);
    cr_assert_eq(dispatcher_extend(w.d, other, 1, token, 5000), SHUNT_STALE);
    cr_assert_eq(dispatcher_started(w.d, m, 1, token + 1000, 1, 1), SHUNT_STALE);
    cr_assert_eq(dispatcher_started(w.d, other, 1, token, 1, 1), SHUNT_STALE);
    cr_assert_eq(times.leased_ms, -1);
    cr_assert_eq(dispatcher_leases(w.d), 2);
    cr_assert_eq(dispatcher_deadline(w.d), 1000);

    /* Delivered again to the same member, the old token is no good. */
    world_wait(&w, 1000);
    world_hear(&w, m);
    world_hear(&w, other);
    world_run(&w);
    cr_assert_neq(world_token(&w, JOBS, 1), token);
    cr_assert_eq(dispatcher_claim(w.d, m, 1, token, &times), SHUNT_STALE);
}

Test(dispatcher_ends, extended_and_started_leases_run_out_in_order_of_their_new_deadlines)
{
    struct member *m = world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 10, 1000);
    cr_assert_eq(dispatcher_deadline(w.d), INT64_MAX);
    world_publish(&w, JOBS, 5, 10);
    world_run(&w);
    cr_assert_eq(dispatcher_deadline(w.d), 1000);
    dispatcher_extend(w.d, m, 1, world_token(&w, JOBS, 1), 3000);
    dispatcher_extend(w.d, m, 3, world_token(&w, JOBS, 3), 400);
    dispatcher_settle(w.d, 0);
    cr_assert_eq(dispatcher_deadline(w.d), 400);
    world_wait(&w, 300);
    world_start(&w, m, 5);
    world_start(&w, m, 4);
    world_wait(&w, 3000);
    world_expect(&w, "    0 ann gets from 1: 1 2 3 4 5\n"
                     "  400 1/3 of ann: unstarted\n"
                     " 1000 1/2 of ann: unstarted\n"
                     " 1300 1/5 of ann: lease_expired, started at 300\n"
                     " 1300 1/4 of ann: lease_expired, started at 300\n"
                     " 3000 1/1 of ann: unstarted\n");
}

static void count_end(void *context, const struct lease_end *end)
{
    (void)end;
    *(unsigned *)context += 1;
}

Test(dispatcher_ends, expire_closes_what_is_due_and_no_more_than_asked)
{
    unsigned ends = 0;
    world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 10, 1000);
    world_publish(&w, JOBS, 5, 10);
    world_run(&w);
    cr_assert_eq(dispatcher_expire(w.d, 999, 10, count_end, &ends), 0);
    cr_assert_eq(dispatcher_expire(w.d, 1000, 3, count_end, &ends), 3);
    cr_assert_eq(dispatcher_expire(w.d, 1000, 3, count_end, &ends), 2);
    cr_assert_eq(dispatcher_expire(w.d, 1000, 3, count_end, &ends), 0);
    cr_assert_eq(ends, 5);
}

Test(dispatcher_ends, revoked_lease_is_gone_without_a_verdict_and_frees_its_credit)
{
    struct member *m = world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 2, 1000);
    struct lease_times times;
    world_publish(&w, JOBS, 3, 10);
    world_run(&w);
    dispatcher_revoke(w.d, JOBS, 2);
    dispatcher_revoke(w.d, JOBS, 2);
    dispatcher_revoke(w.d, MAIL, 1);
    cr_assert_eq(dispatcher_claim(w.d, m, 2, world_token(&w, JOBS, 2), &times), SHUNT_STALE);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1: 1 2\n"
                     "    0 ann gets from 1: 3\n");
}

Test(dispatcher_ends, group_that_is_gone_closes_its_members_and_no_others)
{
    struct holder *ann = world_connect(&w, "ann", true), *bob = world_connect(&w, "bob", true);
    world_subscribe(&w, ann, JOBS, 2, 1000);
    world_subscribe(&w, ann, MAIL, 2, 1000);
    world_subscribe(&w, bob, JOBS, 2, 1000);
    world_publish(&w, JOBS, 4, 10);
    world_publish(&w, MAIL, 1, 10);
    world_run(&w);
    world_group_gone(&w, JOBS);
    world_group_gone(&w, JOBS);
    world_expect(&w, "    0 ann gets from 1: 1 2\n"
                     "    0 ann gets from 2: 1\n"
                     "    0 bob gets from 1: 3 4\n"
                     "    0 ann: 1 is gone\n"
                     "    0 bob: 1 is gone\n");
    cr_assert_eq(dispatcher_leases(w.d), 1);
    cr_assert_eq(dispatcher_members(w.d, JOBS), 0);
    cr_assert_eq(dispatcher_members(w.d, MAIL), 1);
    dispatcher_check_slow(w.d);
}

Test(dispatcher_ends, member_that_leaves_during_an_assignment_gets_nothing_of_it)
{
    struct holder *ann = world_connect(&w, "ann", true), *bob = world_connect(&w, "bob", true);
    struct member *m = world_subscribe(&w, ann, JOBS, 2, 1000);
    struct assignment first, second;
    world_subscribe(&w, bob, MAIL, 2, 1000);
    world_publish(&w, JOBS, 2, 10);
    world_publish(&w, MAIL, 2, 10);
    cr_assert(dispatcher_next(w.d, &first));
    cr_assert(dispatcher_next(w.d, &second));
    world_unsubscribe(&w, m);
    world_disconnect(&w, bob, false);
    cr_assert_eq(dispatcher_lease(w.d, &first, 1, 1, 10, 1000, 0, 1), SHUNT_STALE);
    dispatcher_assigned(w.d, &first, 0);
    dispatcher_check_slow(w.d);
    (void)second; /* is never told that it is over: freed with the dispatcher */
    world_subscribe(&w, ann, JOBS, 2, 1000);
    world_run(&w);
    world_expect(&w, "    0 ann leaves 1\n"
                     "    0 bob is lost\n"
                     "    0 ann gets from 1: 1 2\n");
}

Test(dispatcher_ends, nothing_is_revoked_before_anything_was_leased)
{
    struct member *m = world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 10, 1000);
    struct lease_times times;
    dispatcher_revoke(w.d, JOBS, 1);
    cr_assert_eq(dispatcher_claim(w.d, m, 1, 1, &times), SHUNT_STALE);
    world_publish(&w, JOBS, 1, 10);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1: 1\n");
}

Test(dispatcher_ends, what_is_taken_up_counts_against_the_credit_and_ends_like_the_rest)
{
    struct holder *ann = world_connect(&w, "ann", true);
    struct member *m = world_subscribe(&w, ann, JOBS, 1, 1000);
    struct lease_times times;
    cr_assert_gt(dispatcher_take_up_room(w.d, m), 0);
    cr_assert_eq(dispatcher_take_up(w.d, m, 100, 7, 10, 500, true, w.now_ms, WORLD_WALL_MS), 0);
    cr_assert_eq(dispatcher_take_up(w.d, m, 101, 9, 10, 500, false, w.now_ms, WORLD_WALL_MS), 0);
    world_publish(&w, JOBS, 1, 10);
    world_run(&w);
    world_expect(&w, "");
    dispatcher_settle(w.d, 7); /* it begins when the answer leaves */
    cr_assert_eq(dispatcher_deadline(w.d), 507);
    cr_assert_eq(dispatcher_claim(w.d, m, 100, 6, &times), SHUNT_STALE);
    cr_assert_eq(dispatcher_claim(w.d, m, 100, 7, &times), 0);
    cr_assert_eq(times.started_ms, WORLD_WALL_MS);
    cr_assert_eq(dispatcher_claim(w.d, m, 101, 9, &times), 0);
    cr_assert_eq(times.started_ms, 0);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1: 1\n");
}

Test(dispatcher_ends, nothing_is_taken_up_beside_a_suspect)
{
    struct holder *ann = world_connect(&w, "ann", true);
    struct member *m = world_subscribe(&w, ann, JOBS, 5, 1000),
                  *mail = world_subscribe(&w, ann, MAIL, 5, 1000);
    world_publish_suspects(&w, JOBS, 1);
    world_run(&w);
    cr_assert_eq(dispatcher_take_up_room(w.d, m), 0);
    cr_assert_eq(dispatcher_take_up_room(w.d, mail), 0);
    world_ack(&w, m, 1);
    cr_assert_gt(dispatcher_take_up_room(w.d, mail), 0);
    dispatcher_limit(w.d, 4, 0);
    cr_assert_leq(dispatcher_take_up_room(w.d, mail), 4, "no more than may be in flight in all");
    world_expect(&w, "    0 ann gets from 1, alone: 1\n"
                     "    0 ann acks 1/1\n");
}
