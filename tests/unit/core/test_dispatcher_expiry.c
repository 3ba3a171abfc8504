/* dispatcher_expiry: when a lease begins, and that none is ended before its holder was heard. */
#include "tests/unit/core/dispatcher_world.h"

#include "broker/core/dispatcher_state.h"
#include "proto/limits.h"
#include <criterion/criterion.h>

WORLD_SUITE(dispatcher_expiry);

/* A connection with so many messages, of which the server keeps account of what came. */
static struct holder *holding(unsigned messages, struct member **ret)
{
    struct holder *ann = world_connect(&w, "ann", false);
    *ret = world_subscribe(&w, ann, JOBS, messages, 1000);
    dispatcher_caught_up(w.d, ann, w.now_ms);
    world_publish(&w, JOBS, messages, 10);
    return ann;
}

static void ignore(void *context, const struct lease_end *end)
{
    (void)end;
    ++*(unsigned *)context;
}

static unsigned expire(int64_t mono_ms)
{
    unsigned ended = 0;
    cr_assert_eq(dispatcher_expire(w.d, mono_ms, 100, ignore, &ended), ended);
    dispatcher_check_slow(w.d);
    return ended;
}

Test(dispatcher_expiry, a_lease_begins_when_the_delivery_leaves_and_an_extension_when_its_answer_does)
{
    struct assignment a;
    struct member *m = world_subscribe(&w, world_connect(&w, "ann", false), JOBS, 2, 1000);
    world_publish(&w, JOBS, 2, 10);
    cr_assert(dispatcher_next(w.d, &a));
    cr_assert_eq(dispatcher_lease(w.d, &a, 1, 7, 10, WORLD_LEASE_MS, 0, WORLD_WALL_MS), 0);
    cr_assert_eq(dispatcher_lease(w.d, &a, 2, 8, 10, WORLD_LEASE_MS, 0, WORLD_WALL_MS), 0);
    dispatcher_assigned(w.d, &a, 2);
    cr_assert_eq(expire(WORLD_LEASE_MS * 10), 0, "not before it has begun");
    cr_assert_eq(dispatcher_deadline(w.d), INT64_MAX);
    dispatcher_settle(w.d, 5000);
    cr_assert_eq(dispatcher_deadline(w.d), 5000 + WORLD_LEASE_MS);
    cr_assert_eq(dispatcher_extend(w.d, m, 1, 7, 8000), 0);
    cr_assert_eq(expire(5000 + WORLD_LEASE_MS - 1), 0);
    cr_assert_eq(expire(5000 + WORLD_LEASE_MS), 1, "the other");
    cr_assert_eq(expire(100000), 0, "the answer to the extension has not left");
    dispatcher_settle(w.d, 300);
    cr_assert_eq(dispatcher_deadline(w.d), 8300);
    dispatcher_settle(w.d, 1000);
    cr_assert_eq(dispatcher_deadline(w.d), 8300, "once is enough");
    cr_assert_eq(expire(8300), 1);
}

Test(dispatcher_expiry, a_lease_that_is_over_waits_until_all_that_came_before_was_handled)
{
    struct member *m;
    struct lease_times times;
    struct holder *ann = holding(3, &m);
    world_run(&w);
    cr_assert_eq(expire(WORLD_LEASE_MS), 0);
    cr_assert_eq(dispatcher_deadline(w.d), 0, "it is to be asked");
    cr_assert_eq(dispatcher_ask(w.d, WORLD_LEASE_MS + 1), ann);
    cr_assert_null(dispatcher_ask(w.d, WORLD_LEASE_MS + 1), "once");
    cr_assert_eq(expire(WORLD_LEASE_MS + 2000), 0);
    cr_assert_eq(dispatcher_claim(w.d, m, 1, world_token(&w, JOBS, 1), &times), 0, "it was on its way");
    cr_assert_eq(dispatcher_extend(w.d, m, 2, world_token(&w, JOBS, 2), 9000), 0, "and this");
    dispatcher_settle(w.d, 0);
    dispatcher_caught_up(w.d, ann, WORLD_LEASE_MS + 1);
    cr_assert_eq(dispatcher_deadline(w.d), 0);
    cr_assert_eq(expire(WORLD_LEASE_MS + 2000), 1, "what nobody answered");
    cr_assert_eq(dispatcher_deadline(w.d), 9000);
}

Test(dispatcher_expiry, a_mark_that_was_on_its_way_begins_the_lease_anew)
{
    struct member *m;
    struct holder *ann = holding(1, &m);
    world_run(&w);
    cr_assert_eq(expire(WORLD_LEASE_MS), 0);
    cr_assert_eq(dispatcher_ask(w.d, WORLD_LEASE_MS), ann);
    w.now_ms = WORLD_LEASE_MS + 10;
    world_start(&w, m, 1);
    dispatcher_caught_up(w.d, ann, WORLD_LEASE_MS);
    cr_assert_eq(expire(WORLD_LEASE_MS + 10), 0);
    cr_assert_eq(dispatcher_deadline(w.d), 2 * WORLD_LEASE_MS + 10);
}

Test(dispatcher_expiry, what_falls_due_after_the_question_is_asked_about_again)
{
    struct member *m;
    struct holder *ann = holding(1, &m);
    world_run(&w);
    world_publish(&w, JOBS, 1, 10);
    dispatcher_credit(w.d, m, 2, 1000);
    w.now_ms = 500;
    world_run(&w);
    cr_assert_eq(expire(WORLD_LEASE_MS), 0);
    cr_assert_eq(dispatcher_ask(w.d, WORLD_LEASE_MS), ann);
    cr_assert_eq(expire(WORLD_LEASE_MS + 500), 0, "the second is over too");
    dispatcher_caught_up(w.d, ann, WORLD_LEASE_MS);
    cr_assert_eq(expire(WORLD_LEASE_MS + 500), 1, "the first");
    cr_assert_eq(dispatcher_ask(w.d, WORLD_LEASE_MS + 501), ann);
    dispatcher_caught_up(w.d, ann, WORLD_LEASE_MS + 501);
    cr_assert_eq(expire(WORLD_LEASE_MS + 501), 1);
}

Test(dispatcher_expiry, whose_bytes_are_never_read_keeps_its_leases_for_so_long_and_no_longer)
{
    struct member *m;
    struct holder *ann = holding(1, &m);
    world_run(&w);
    cr_assert_eq(expire(WORLD_LEASE_MS), 0);
    cr_assert_eq(dispatcher_ask(w.d, WORLD_LEASE_MS), ann);
    cr_assert_eq(dispatcher_deadline(w.d), WORLD_LEASE_MS + LEASE_OVERDUE_MS_MAX);
    cr_assert_eq(expire(WORLD_LEASE_MS + LEASE_OVERDUE_MS_MAX - 1), 0);
    cr_assert_eq(expire(WORLD_LEASE_MS + LEASE_OVERDUE_MS_MAX), 1);
    cr_assert_eq(dispatcher_deadline(w.d), INT64_MAX);
    dispatcher_caught_up(w.d, ann, WORLD_LEASE_MS); /* after all */
    cr_assert_eq(dispatcher_deadline(w.d), INT64_MAX);
}

Test(dispatcher_expiry, one_that_is_not_heard_holds_up_nobody_else_and_may_be_lost)
{
    struct member *m;
    struct holder *ann = holding(1, &m);
    struct holder *bob = world_connect(&w, "bob", false);
    dispatcher_caught_up(w.d, bob, 0);
    world_subscribe(&w, bob, MAIL, 1, 1000);
    world_publish(&w, MAIL, 1, 10);
    world_run(&w);
    cr_assert_eq(expire(WORLD_LEASE_MS), 0);
    cr_assert_neq(dispatcher_ask(w.d, WORLD_LEASE_MS), dispatcher_ask(w.d, WORLD_LEASE_MS));
    dispatcher_caught_up(w.d, bob, WORLD_LEASE_MS);
    cr_assert_eq(expire(WORLD_LEASE_MS), 1);
    world_disconnect(&w, ann, false);
    dispatcher_check_slow(w.d);
    cr_assert_eq(dispatcher_deadline(w.d), INT64_MAX);
}
