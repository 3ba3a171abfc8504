/* dispatcher_turns: credit, fair turns, and that nobody's trouble stops the others. */
#include "tests/unit/core/dispatcher_world.h"

#include <criterion/criterion.h>

WORLD_SUITE(dispatcher_turns);

/* How many leases a member has: it is all that its connection has. */
static uint64_t count_of(struct holder *h)
{
    uint64_t before = dispatcher_leases(w.d);
    world_disconnect(&w, h, true);
    return before - dispatcher_leases(w.d);
}

Test(dispatcher_turns, nothing_is_given_without_messages_or_without_members)
{
    struct assignment a;
    cr_assert_not(dispatcher_next(w.d, &a));
    world_publish(&w, JOBS, 1, 10);
    cr_assert_not(dispatcher_next(w.d, &a));
    world_subscribe(&w, world_connect(&w, "ann", true), MAIL, 1, 1000);
    cr_assert_not(dispatcher_next(w.d, &a));
}

Test(dispatcher_turns, credit_of_messages_is_a_window_on_what_is_unresolved)
{
    struct member *m = world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 3, 1000);
    world_publish(&w, JOBS, 6, 10);
    world_run(&w);
    world_ack(&w, m, 2);
    world_run(&w);
    dispatcher_credit(w.d, m, 5, 1000);
    world_run(&w);
    dispatcher_credit(w.d, m, 1, 1000);
    world_ack(&w, m, 1);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1: 1 2 3\n"
                     "    0 ann acks 1/2\n"
                     "    0 ann gets from 1: 4\n"
                     "    0 ann gets from 1: 5 6\n"
                     "    0 ann acks 1/1\n");
}

Test(dispatcher_turns, no_credit_pauses)
{
    struct member *m = world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 0, 1000);
    world_publish(&w, JOBS, 2, 10);
    world_run(&w);
    world_expect(&w, "");
    dispatcher_credit(w.d, m, 1, 1000);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1: 1\n");
}

Test(dispatcher_turns, credit_of_bytes_is_a_window_too)
{
    struct member *m = world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 10, 100);
    world_publish(&w, JOBS, 4, 40);
    world_run(&w);
    world_ack(&w, m, 1);
    world_run(&w);
    /* 20 bytes are free after two messages, which is too few: it is asked once, then waits for an answer. */
    world_expect(&w, "    0 ann gets from 1: 1 2\n"
                     "    0 ann gets from 1: nothing\n"
                     "    0 ann acks 1/1\n"
                     "    0 ann gets from 1: 3\n"
                     "    0 ann gets from 1: nothing\n");
}

Test(dispatcher_turns, message_larger_than_the_window_comes_when_nothing_else_is_held)
{
    struct member *m = world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 10, 100);
    world_publish(&w, JOBS, 1, 50);
    world_publish(&w, JOBS, 1, 5000);
    world_publish(&w, JOBS, 1, 50);
    world_run(&w);
    world_ack(&w, m, 1);
    world_run(&w);
    world_ack(&w, m, 2);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1: 1\n"
                     "    0 ann gets from 1: nothing\n"
                     "    0 ann acks 1/1\n"
                     "    0 ann gets from 1: 2\n"
                     "    0 ann acks 1/2\n"
                     "    0 ann gets from 1: 3\n");
}

Test(dispatcher_turns, no_credit_of_bytes_means_one_at_a_time)
{
    struct member *m = world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 10, 0);
    world_publish(&w, JOBS, 2, 50);
    world_run(&w);
    world_ack(&w, m, 1);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1: 1\n"
                     "    0 ann acks 1/1\n"
                     "    0 ann gets from 1: 2\n");
}

Test(dispatcher_turns, connection_held_back_gets_nothing_until_let_go)
{
    struct holder *ann = world_connect(&w, "ann", true);
    world_subscribe(&w, ann, JOBS, 1, 1000);
    world_subscribe(&w, ann, MAIL, 1, 1000);
    dispatcher_hold(w.d, ann, true);
    world_publish(&w, JOBS, 1, 10);
    world_publish(&w, MAIL, 1, 10);
    world_run(&w);
    world_expect(&w, "");
    dispatcher_hold(w.d, ann, false);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1: 1\n"
                     "    0 ann gets from 2: 1\n");
}

Test(dispatcher_turns, paused_group_gives_nothing_until_resumed)
{
    world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 1, 1000);
    world_publish(&w, JOBS, 1, 10);
    world_pause(&w, JOBS, true);
    world_run(&w);
    world_expect(&w, "");
    world_pause(&w, JOBS, false);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1: 1\n");
}

Test(dispatcher_turns, huge_group_and_small_one_take_turns)
{
    struct assignment a;
    uint32_t messages[3] = {0};
    world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 60000, 1 << 30);
    world_subscribe(&w, world_connect(&w, "bob", true), MAIL, 60000, 1 << 30);
    world_publish(&w, JOBS, 60000, 10);
    world_publish(&w, MAIL, 3000, 10);
    for (int turn = 0; turn < 6; turn++) {
        cr_assert(dispatcher_next(w.d, &a));
        cr_assert_eq(a.group, turn % 2 ? MAIL : JOBS);
        cr_assert_leq(a.messages, ASSIGN_TURN_MESSAGES);
        messages[a.group] += a.messages;
        w.quiet = true;
        world_apply(&w, &a);
    }
    cr_assert_eq(messages[MAIL], 3000, "three turns suffice");
    cr_assert_eq(messages[JOBS], 3 * ASSIGN_TURN_MESSAGES);
}

static void share_evenly(void (*run)(struct world *), unsigned messages)
{
    enum { MEMBERS = 7 };
    struct holder *holders[MEMBERS];
    w.quiet = true;
    for (int i = 0; i < MEMBERS; i++)
        world_subscribe(&w, holders[i] = world_connect(&w, "x", true), JOBS, 60000, 1 << 30);
    world_publish(&w, JOBS, messages, 10);
    run(&w);
    cr_assert_eq(dispatcher_leases(w.d), messages);
    for (int i = 0; i < MEMBERS; i++) {
        uint64_t count = count_of(holders[i]);
        cr_assert_leq(count, messages / MEMBERS + 1, "member %d of %u has %lu", i, messages,
                      (unsigned long)count);
        cr_assert_geq(count, messages / MEMBERS - 1, "member %d of %u has %lu", i, messages,
                      (unsigned long)count);
    }
}

Test(dispatcher_turns, members_share_evenly_when_each_assignment_is_applied_at_once)
{
    share_evenly(world_run, 1000);
}

Test(dispatcher_turns, members_share_evenly_when_assignments_are_applied_together)
{
    share_evenly(world_run_together, 1000);
}

Test(dispatcher_turns, members_share_a_backlog_of_many_turns_evenly)
{
    share_evenly(world_run, 7 * 5 * ASSIGN_TURN_MESSAGES);
}

Test(dispatcher_turns, few_messages_go_to_different_members_each_time)
{
    struct member *ann = world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 10, 1000);
    struct member *bob = world_subscribe(&w, world_connect(&w, "bob", true), JOBS, 10, 1000);
    for (int i = 0; i < 4; i++) {
        world_publish(&w, JOBS, 1, 10);
        world_run(&w);
    }
    world_ack(&w, ann, 1);
    world_ack(&w, bob, 2);
    world_publish(&w, JOBS, 2, 10);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1: 1\n"
                     "    0 bob gets from 1: 2\n"
                     "    0 ann gets from 1: 3\n"
                     "    0 bob gets from 1: 4\n"
                     "    0 ann acks 1/1\n"
                     "    0 bob acks 1/2\n"
                     "    0 ann gets from 1: 5\n"
                     "    0 bob gets from 1: 6\n");
}

Test(dispatcher_turns, stalled_members_do_not_stop_the_others)
{
    struct holder *full = world_connect(&w, "full", true), *held = world_connect(&w, "held", true);
    struct holder *large = world_connect(&w, "large", true), *ok = world_connect(&w, "ok", true);
    world_subscribe(&w, full, JOBS, 1, 1000);
    world_subscribe(&w, held, JOBS, 10, 1000);
    world_subscribe(&w, large, JOBS, 10, 15);
    dispatcher_hold(w.d, held, true);
    world_publish(&w, JOBS, 2, 10);
    world_run(&w);
    struct member *m = world_subscribe(&w, ok, JOBS, 2, 1000);
    world_publish(&w, JOBS, 4, 10);
    world_run(&w);
    world_ack(&w, m, 3);
    world_ack(&w, m, 4);
    world_run(&w);
    world_expect(&w, "    0 full gets from 1: 1\n"
                     "    0 large gets from 1: 2\n"
                     "    0 large gets from 1: nothing\n"
                     "    0 ok gets from 1: 3 4\n"
                     "    0 ok acks 1/3\n"
                     "    0 ok acks 1/4\n"
                     "    0 ok gets from 1: 5 6\n");
}

Test(dispatcher_turns, ready_messages_that_the_ledger_withholds_are_not_asked_for_again_and_again)
{
    struct assignment a;
    world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 10, 1000);
    world_subscribe(&w, world_connect(&w, "bob", true), JOBS, 10, 1000);
    world_publish(&w, JOBS, 5, 10);
    int turns = 0;
    for (; dispatcher_next(w.d, &a); turns++) {
        cr_assert_lt(turns, 10);
        dispatcher_assigned(w.d, &a, 0);
    }
    cr_assert_eq(turns, 1);
    dispatcher_wake(w.d, JOBS);
    cr_assert(dispatcher_next(w.d, &a));
    world_apply(&w, &a);
    world_run(&w);
    cr_assert_eq(dispatcher_leases(w.d), 5);
}

static void count_ready(void *context, uint32_t group, struct group_ready *ret)
{
    (void)group;
    *ret = (struct group_ready){.lane[LANE_NORMAL] = *(uint64_t *)context};
}

Test(dispatcher_turns, assignment_that_got_nothing_is_tried_again_if_less_is_ready_than_before)
{
    uint64_t ready = 5;
    struct dispatcher *d = dispatcher_new(count_ready, &ready);
    struct assignment a;
    dispatcher_subscribe(d, dispatcher_connect(d, true), JOBS, 10, 1000);
    cr_assert(dispatcher_next(d, &a));
    /* Three had expired, say, and the ledger looked at no more. */
    ready = 2;
    dispatcher_assigned(d, &a, 0);
    cr_assert(dispatcher_next(d, &a));
    dispatcher_free(d);
}

Test(dispatcher_turns, look_between_application_and_report_loses_nothing)
{
    uint64_t ready = 15;
    struct dispatcher *d = dispatcher_new(count_ready, &ready);
    struct assignment a, b;
    dispatcher_subscribe(d, dispatcher_connect(d, true), JOBS, 8, 1000);
    cr_assert(dispatcher_next(d, &a));
    cr_assert_eq(a.messages, 8);
    dispatcher_subscribe(d, dispatcher_connect(d, true), JOBS, 10, 1000);
    for (uint64_t seq = 1; seq <= 8; seq++)
        cr_assert_eq(dispatcher_lease(d, &a, seq, seq, 10, 1000, 0, 1), 0);
    /* The ledger has counted them already and the reservation still stands, so that it looks as if nothing
     * were left. */
    ready = 7;
    cr_assert_not(dispatcher_next(d, &b));
    dispatcher_assigned(d, &a, 8);
    cr_assert(dispatcher_next(d, &b));
    cr_assert_eq(b.messages, 7);
    dispatcher_free(d);
}

Test(dispatcher_turns, bytes_freed_while_an_assignment_is_under_way_are_seen)
{
    struct member *m = world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 10, 100);
    struct assignment a;
    world_publish(&w, JOBS, 3, 30);
    world_run(&w);
    world_publish(&w, JOBS, 1, 60);
    cr_assert(dispatcher_next(w.d, &a));
    world_ack(&w, m, 1);
    world_ack(&w, m, 2);
    world_apply(&w, &a);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1: 1 2 3\n"
                     "    0 ann acks 1/1\n"
                     "    0 ann acks 1/2\n"
                     "    0 ann gets from 1: nothing\n"
                     "    0 ann gets from 1: 4\n");
}

Test(dispatcher_turns, pause_while_an_assignment_is_under_way_does_not_block_the_member)
{
    struct assignment a;
    world_subscribe(&w, world_connect(&w, "ann", true), JOBS, 10, 100);
    world_publish(&w, JOBS, 1, 30);
    world_run(&w);
    world_publish(&w, JOBS, 1, 30);
    cr_assert(dispatcher_next(w.d, &a));
    world_pause(&w, JOBS, true);
    dispatcher_assigned(w.d, &a, 0);
    world_run(&w);
    world_pause(&w, JOBS, false);
    world_run(&w);
    world_expect(&w, "    0 ann gets from 1: 1\n"
                     "    0 ann gets from 1: 2\n");
}

/* What a step costs is counted in questions to the ledger: one for each group that something may be ready in,
 * whatever else there is. */
Test(dispatcher_turns, cost_of_a_turn_does_not_grow_with_idle_members)
{
    struct assignment a;
    for (int i = 0; i < 1000; i++)
        world_subscribe(&w, world_connect(&w, "x", true), JOBS, 10, 1000);
    cr_assert_not(dispatcher_next(w.d, &a));
    w.asked = 0;
    for (int i = 0; i < 100; i++)
        cr_assert_not(dispatcher_next(w.d, &a));
    cr_assert_eq(w.asked, 0, "no question without an event");
    for (uint64_t seq = 1; seq <= 100; seq++) {
        world_publish(&w, JOBS, 1, 10);
        world_run(&w);
        cr_assert_eq(dispatcher_leases(w.d), 1);
        dispatcher_revoke(w.d, JOBS, seq);
    }
    cr_assert_leq(w.asked, 200, "asked %lu times", (unsigned long)w.asked);
}

static uint64_t asked_many;

static void one_ready(void *context, uint32_t group, struct group_ready *ret)
{
    asked_many++;
    *ret = (struct group_ready){.lane[LANE_NORMAL] = *(uint32_t *)context == group};
}

Test(dispatcher_turns, ten_thousand_groups_are_asked_only_when_woken)
{
    uint32_t ready_group = UINT32_MAX;
    struct dispatcher *d = dispatcher_new(one_ready, &ready_group);
    struct holder *h = dispatcher_connect(d, true);
    struct assignment a;
    for (uint32_t group = 0; group < 10000; group++)
        dispatcher_subscribe(d, h, group * 977, 1, 1000);
    cr_assert_not(dispatcher_next(d, &a));
    cr_assert_eq(asked_many, 10000, "each new subscription is a reason to look once");
    asked_many = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        ready_group = i * 7 * 977;
        dispatcher_wake(d, ready_group);
        cr_assert(dispatcher_next(d, &a));
        cr_assert_eq(a.group, ready_group);
        cr_assert_eq(dispatcher_lease(d, &a, i + 1, i + 1, 10, 1000, 0, 1), 0);
        dispatcher_assigned(d, &a, 1);
        ready_group = UINT32_MAX;
        cr_assert_not(dispatcher_next(d, &a));
    }
    cr_assert_eq(asked_many, 1000, "asked %lu times", (unsigned long)asked_many);
    dispatcher_check_slow(d);
    dispatcher_free(d);
}

Test(dispatcher_turns, thousand_members_with_full_windows_cost_nothing)
{
    enum { MEMBERS = 1000 };
    static struct member *members[MEMBERS];
    w.quiet = true;
    for (int i = 0; i < MEMBERS; i++)
        members[i] = world_subscribe(&w, world_connect(&w, "x", true), JOBS, 1, 1000);
    world_publish(&w, JOBS, 5 * MEMBERS, 10);
    world_run(&w);
    cr_assert_eq(dispatcher_leases(w.d), MEMBERS);
    w.asked = 0;
    for (uint64_t seq = 1; seq <= MEMBERS; seq++) {
        world_ack(&w, members[seq - 1], seq);
        world_run(&w);
    }
    cr_assert_eq(dispatcher_leases(w.d), MEMBERS);
    cr_assert_leq(w.asked, 2 * MEMBERS, "asked %lu times", (unsigned long)w.asked);
}

static void never_ends(void *context, const struct lease_end *end)
{
    (void)context;
    cr_assert_fail("%llu was leased", (unsigned long long)end->seq);
}

/* Groups are found by a hash, of which these have the same. */
Test(dispatcher_turns, groups_in_one_bucket_come_and_go_by_themselves)
{
    enum { GROUPS = 4, APART = 1 << 20 };
    struct holder *ann = world_connect(&w, "ann", true);
    struct member *m[GROUPS];
    for (uint32_t i = 0; i < GROUPS; i++)
        m[i] = dispatcher_subscribe(w.d, ann, 1 + i * APART, 1, 100);
    dispatcher_check_slow(w.d);
    for (uint32_t i = 0; i < GROUPS; i++) {
        dispatcher_unsubscribe(w.d, m[i], never_ends, NULL);
        dispatcher_check_slow(w.d);
        for (uint32_t k = 0; k < GROUPS; k++)
            cr_assert_eq(dispatcher_members(w.d, 1 + k * APART), k > i);
    }
}
