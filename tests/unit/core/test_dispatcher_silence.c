/* dispatcher_silence: consumers that let leases run out: what they get, and what is charged where there are
 * no marks. */
#include "tests/unit/core/dispatcher_world.h"

#include <criterion/criterion.h>

WORLD_SUITE(dispatcher_silence);

Test(dispatcher_silence, who_lets_a_lease_run_out_gets_nothing_before_it_is_heard)
{
    struct holder *ann = world_connect(&w, "ann", true), *bob = world_connect(&w, "bob", true);
    struct member *frozen = world_subscribe(&w, ann, JOBS, 1, 1000);
    world_publish(&w, JOBS, 1, 10);
    world_run(&w);
    world_wait(&w, 1000);
    cr_assert(holder_is_silent(ann));
    cr_assert_eq(dispatcher_silent(w.d, NULL), ann);
    cr_assert_null(dispatcher_silent(w.d, ann));
    world_run(&w);
    cr_assert_eq(world_ready(&w, JOBS), 1, "nobody else is there, and still it waits");

    struct member *m = world_subscribe(&w, bob, JOBS, 1, 1000);
    for (int i = 0; i < 3; i++) {
        world_run(&w);
        world_ack(&w, m, 1 + (uint64_t)i);
        world_publish(&w, JOBS, 1, 10);
    }
    world_hear(&w, frozen);
    cr_assert_not(holder_is_silent(ann));
    world_publish(&w, JOBS, 1, 10);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1: 1\n"
                     " 1000 1/1 of ann: unstarted\n"
                     " 1000 bob gets from 1: 1\n"
                     " 1000 bob acks 1/1\n"
                     " 1000 bob gets from 1: 2\n"
                     " 1000 bob acks 1/2\n"
                     " 1000 bob gets from 1: 3\n"
                     " 1000 bob acks 1/3\n"
                     " 1000 bob gets from 1: 4\n"
                     " 1000 ann gets from 1: 5\n");
}

Test(dispatcher_silence, a_started_lease_that_runs_out_silences_as_well)
{
    struct holder *ann = world_connect(&w, "ann", true);
    struct member *m = world_subscribe(&w, ann, JOBS, 1, 1000);
    world_publish(&w, JOBS, 2, 10);
    world_run(&w);
    world_start(&w, m, 1);
    world_wait(&w, 1500);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1: 1\n"
                     " 1000 1/1 of ann: lease_expired, started at 0\n");
    world_hear(&w, m);
    world_run(&w);
    world_expect(&w, " 1500 ann gets from 1: 2\n");
}

Test(dispatcher_silence, suspects_do_not_wait_for_the_silent)
{
    struct holder *ann = world_connect(&w, "ann", true), *bob = world_connect(&w, "bob", true);
    world_subscribe(&w, ann, JOBS, 10, 1000);
    world_publish(&w, JOBS, 2, 10);
    world_run(&w);
    world_publish_suspects(&w, JOBS, 1); /* ann is to drain for it */
    world_run(&w);
    world_wait(&w, 1000);
    world_run(&w);
    cr_assert_eq(world_suspects(&w, JOBS), 1);
    world_subscribe(&w, bob, JOBS, 10, 1000);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1: 1 2\n"
                     " 1000 1/1 of ann: unstarted\n"
                     " 1000 1/2 of ann: unstarted\n"
                     " 1000 bob gets from 1, alone: 3\n");
}

Test(dispatcher_silence, without_marks_only_the_oldest_is_charged)
{
    struct holder *ann = world_connect(&w, "ann", false);
    struct member *m = world_subscribe(&w, ann, JOBS, 4, 1000);
    world_publish(&w, JOBS, 4, 10);
    world_run(&w);
    dispatcher_extend(w.d, m, 2, world_token(&w, JOBS, 2), 1500);
    world_wait(&w, 2000);
    world_expect(&w, "    0 ann gets from 1: 1 2 3 4\n"
                     " 1000 1/1 of ann: lease_expired, started at 0\n"
                     " 1000 1/3 of ann: unstarted\n"
                     " 1000 1/4 of ann: unstarted\n"
                     " 1500 1/2 of ann: unstarted\n");
}

Test(dispatcher_silence, without_marks_a_younger_one_that_runs_out_first_does_not_excuse_the_oldest)
{
    struct holder *ann = world_connect(&w, "ann", false);
    struct member *m = world_subscribe(&w, ann, JOBS, 2, 1000);
    world_publish(&w, JOBS, 2, 10);
    world_run(&w);
    dispatcher_extend(w.d, m, 2, world_token(&w, JOBS, 2), 500);
    world_wait(&w, 1000);
    world_expect(&w, "    0 ann gets from 1: 1 2\n"
                     "  500 1/2 of ann: unstarted\n"
                     " 1000 1/1 of ann: lease_expired, started at 0\n");
}

Test(dispatcher_silence, without_marks_one_is_charged_again_only_after_something_came)
{
    struct holder *ann = world_connect(&w, "ann", false);
    struct member *m = world_subscribe(&w, ann, JOBS, 2, 1000),
                  *mail = world_subscribe(&w, ann, MAIL, 1, 1000);
    world_publish(&w, JOBS, 2, 10);
    world_publish(&w, MAIL, 1, 10);
    world_run(&w);
    dispatcher_extend(w.d, m, 2, world_token(&w, JOBS, 2), 3000);
    world_wait(&w, 2000);
    world_expect(&w, "    0 ann gets from 1: 1 2\n"
                     "    0 ann gets from 2: 1\n"
                     " 1000 1/1 of ann: lease_expired, started at 0\n"
                     " 1000 2/1 of ann: unstarted\n");
    world_hear(&w, mail);
    world_wait(&w, 1000);
    world_expect(&w, " 3000 1/2 of ann: lease_expired, started at 0\n");
}

static void note(void *context, const struct lease_end *end)
{
    unsigned *outcomes = context;
    outcomes[end->outcome]++;
}

/* So many leases are over that it takes several turns to end them, and something comes in between. */
enum { LEASES = 5, STEP = 2 };

/* `moved`: so many of them are found to be over at first. */
static void end_in_steps(size_t moved)
{
    struct holder *ann = world_connect(&w, "ann", false);
    (void)world_subscribe(&w, ann, JOBS, LEASES, 1000);
    unsigned outcomes[ATTEMPT_OUTCOMES] = {0}, steps = 0;
    world_publish(&w, JOBS, LEASES, 10);
    world_run(&w);
    dispatcher_caught_up(w.d, ann, w.now_ms);
    dispatcher_settle(w.d, 0);
    w.now_ms = 1000;
    cr_assert_eq(dispatcher_expire(w.d, w.now_ms, moved, note, outcomes), 0, "they are asked about");
    cr_assert_eq(dispatcher_ask(w.d, w.now_ms), ann);
    dispatcher_caught_up(w.d, ann, w.now_ms);
    while (dispatcher_expire(w.d, w.now_ms, STEP, note, outcomes)) {
        steps++;
        w.now_ms++;
        dispatcher_heard(w.d, ann, w.now_ms);
    }
    cr_assert_eq(steps, 3);
    cr_assert_eq(outcomes[ATTEMPT_LEASE_EXPIRED], 1);
    cr_assert_eq(outcomes[ATTEMPT_UNSTARTED], LEASES - 1);
    cr_assert_not(holder_is_silent(ann), "it has been heard");
}

Test(dispatcher_silence, without_marks_one_is_charged_however_many_turns_it_takes_to_end_all)
{
    end_in_steps(LEASES);
}

Test(dispatcher_silence, without_marks_one_is_charged_however_many_turns_it_takes_to_find_all)
{
    end_in_steps(STEP);
}

/* A slow and healthy consumer: each takes 400 ms, and only two and a half fit into a lease. */
Test(dispatcher_silence, without_marks_the_next_one_has_a_lease_from_the_answer_to_the_one_before_it)
{
    struct holder *ann = world_connect(&w, "ann", false);
    struct member *m = world_subscribe(&w, ann, JOBS, 5, 1000);
    world_publish(&w, JOBS, 5, 10);
    world_run(&w);
    world_wait(&w, 400);
    world_ack(&w, m, 1);
    world_wait(&w, 400);
    world_ack(&w, m, 2);
    world_wait(&w, 400); /* the leases of those behind run out meanwhile */
    world_ack(&w, m, 3);
    world_expect(&w, "    0 ann gets from 1: 1 2 3 4 5\n"
                     "  400 ann acks 1/1\n"
                     "  800 ann acks 1/2\n"
                     " 1000 1/4 of ann: unstarted\n"
                     " 1000 1/5 of ann: unstarted\n"
                     " 1200 ann acks 1/3\n");
    world_run(&w);
    world_wait(&w, 5000); /* and now it hangs */
    world_expect(&w, " 1200 ann gets from 1: 5 4\n"
                     " 2200 1/5 of ann: lease_expired, started at 1200\n"
                     " 2200 1/4 of ann: unstarted\n");
}

Test(dispatcher_silence, without_marks_answers_to_others_do_not_prolong_the_oldest)
{
    struct holder *ann = world_connect(&w, "ann", false);
    struct member *m = world_subscribe(&w, ann, JOBS, 3, 1000);
    world_publish(&w, JOBS, 3, 10);
    world_run(&w);
    world_wait(&w, 900);
    world_ack(&w, m, 2);
    world_ack(&w, m, 3);
    world_wait(&w, 100);
    world_expect(&w, "    0 ann gets from 1: 1 2 3\n"
                     "  900 ann acks 1/2\n"
                     "  900 ann acks 1/3\n"
                     " 1000 1/1 of ann: lease_expired, started at 0\n");
}

Test(dispatcher_silence, a_connection_that_the_server_closes_charges_nobody_but_who_was_suspect)
{
    struct holder *ann = world_connect(&w, "ann", true);
    struct member *m = world_subscribe(&w, ann, JOBS, 2, 1000);
    world_publish(&w, JOBS, 2, 10);
    world_run(&w);
    world_start(&w, m, 1);
    world_close(&w, ann);
    struct holder *bob = world_connect(&w, "bob", true);
    m = world_subscribe(&w, bob, JOBS, 2, 1000);
    world_run(&w);
    world_start(&w, m, 1);
    world_close(&w, bob);
    world_expect(&w, "    0 ann gets from 1: 1 2\n"
                     "    0 ann is closed\n"
                     "    0 1/1 of ann: suspected, started at 0\n"
                     "    0 1/2 of ann: unstarted\n"
                     "    0 bob gets from 1, alone: 1\n"
                     "    0 bob is closed\n"
                     "    0 1/1 of bob: disconnected, started at 0\n");
}
