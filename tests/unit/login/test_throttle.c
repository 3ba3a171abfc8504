/* throttle: who waits for how long, by a clock that the test turns. */
#include "broker/login/throttle.h"

#include <criterion/criterion.h>

static const struct throttle_who attacker = {11, 1}, owner = {22, 1}, neighbour = {11, 2};

static void fail(struct throttle *t, const struct throttle_who *who, unsigned times, int64_t now_ms)
{
    for (unsigned i = 0; i < times; i++)
        throttle_failed(t, who, now_ms);
}

Test(throttle, the_first_failures_change_nothing)
{
    struct throttle *t = throttle_new(1);
    for (unsigned i = 0; i < THROTTLE_FREE_FAILURES; i++) {
        cr_assert_eq(throttle_wait_ms(t, &attacker, 1000), 0);
        throttle_failed(t, &attacker, 1000);
    }
    cr_assert_eq(throttle_wait_ms(t, &attacker, 1000), 0);
    throttle_free(t);
}

Test(throttle, attempts_of_an_address_that_fails_stand_in_a_line)
{
    struct throttle *t = throttle_new(1);
    fail(t, &attacker, THROTTLE_FREE_FAILURES + 1, 1000);
    fail(t, &neighbour, 1, 1000);
    int64_t last_ms = throttle_wait_ms(t, &attacker, 1000), wait_ms;
    unsigned let_in = 1;
    while ((wait_ms = throttle_wait_ms(t, &attacker, 1000)) >= 0) {
        cr_assert_geq(wait_ms + THROTTLE_NAME_MS_MAX, last_ms);
        last_ms = wait_ms;
        let_in++;
    }
    cr_assert_leq(let_in, 1 + THROTTLE_LINE_MS_MAX / (THROTTLE_ADDRESS_MS / 2) + 1);
    cr_assert_lt(THROTTLE_LINE_MS_MAX, -wait_ms, "it is refused because the line is too long");
    cr_assert_lt(throttle_wait_ms(t, &neighbour, 1000), 0, "for another name the address is the same");
    throttle_free(t);
}

Test(throttle, a_refusal_takes_no_place_in_the_line)
{
    struct throttle *t = throttle_new(1);
    fail(t, &attacker, 100, 1000);
    cr_assert_geq(throttle_wait_ms(t, &attacker, 1000), 0);
    cr_assert_geq(throttle_wait_ms(t, &attacker, 1000 + THROTTLE_ADDRESS_MS_MAX * 2), 0);
    int64_t refused_ms = throttle_wait_ms(t, &attacker, 1000 + THROTTLE_ADDRESS_MS_MAX * 2);
    for (unsigned i = 0; refused_ms < 0 && i < 1000; i++)
        cr_assert_eq(throttle_wait_ms(t, &attacker, 1000 + THROTTLE_ADDRESS_MS_MAX * 2), refused_ms);
    throttle_free(t);
}

Test(throttle, the_pace_falls_with_each_failure_to_its_least)
{
    struct throttle *t = throttle_new(7);
    int64_t now_ms = 1000;
    fail(t, &attacker, 1000, now_ms);
    for (unsigned i = 0; i < 100; i++) { /* as soon as it may, each time */
        int64_t wait_ms = throttle_wait_ms(t, &attacker, now_ms), before_ms = now_ms;
        while (wait_ms < 0) {
            now_ms -= wait_ms;
            wait_ms = throttle_wait_ms(t, &attacker, now_ms);
        }
        cr_assert(i < 2 || now_ms - before_ms + THROTTLE_LINE_MS_MAX >= THROTTLE_ADDRESS_MS_MAX / 2);
        throttle_failed(t, &attacker, now_ms);
    }
    cr_assert_geq(now_ms, 90 * THROTTLE_ADDRESS_MS_MAX / 2, "a hundred attempts took %lld ms",
                  (long long)now_ms);
    throttle_free(t);
}

Test(throttle, nobody_can_make_the_owner_of_a_name_wait_for_long)
{
    struct throttle *t = throttle_new(3);
    for (uint64_t address = 100; address < 100000; address++)
        throttle_failed(t, &(struct throttle_who){address, owner.name}, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        int64_t wait_ms = throttle_wait_ms(t, &owner, 1000);
        cr_assert(wait_ms >= 0 && wait_ms <= THROTTLE_NAME_MS_MAX, "%lld ms", (long long)wait_ms);
    }
    throttle_free(t);
}

Test(throttle, who_has_succeeded_from_there_does_not_wait_at_all)
{
    struct throttle *t = throttle_new(3);
    throttle_succeeded(t, &owner, 1000);
    for (uint64_t address = 100; address < 1000; address++)
        throttle_failed(t, &(struct throttle_who){address, owner.name}, 1000);
    fail(t, &(struct throttle_who){owner.address, 99}, 1000, 1000);
    cr_assert_eq(throttle_wait_ms(t, &owner, 1000), 0);
    fail(t, &owner, THROTTLE_FREE_FAILURES + 1, 1000);
    cr_assert_eq(throttle_wait_ms(t, &owner, 1000), 0);
    cr_assert_neq(throttle_wait_ms(t, &owner, 1000), 0, "his own failures count");
    cr_assert_neq(throttle_wait_ms(t, &(struct throttle_who){owner.address, 99}, 1000), 0);
    throttle_free(t);
}

Test(throttle, trust_ends)
{
    struct throttle *t = throttle_new(3);
    throttle_succeeded(t, &neighbour, 1000);
    int64_t now_ms = 1000 + THROTTLE_TRUST_MS - 1;
    fail(t, &attacker, 100, now_ms);
    (void)throttle_wait_ms(t, &attacker, now_ms);
    cr_assert_eq(throttle_wait_ms(t, &neighbour, now_ms), 0);
    cr_assert_neq(throttle_wait_ms(t, &neighbour, now_ms + 1), 0);
    throttle_free(t);
}

Test(throttle, failures_are_forgotten)
{
    struct throttle *t = throttle_new(3);
    fail(t, &attacker, 100, 1000);
    (void)throttle_wait_ms(t, &attacker, 1000 + THROTTLE_FORGET_MS - 1);
    cr_assert_neq(throttle_wait_ms(t, &attacker, 1000 + THROTTLE_FORGET_MS - 1), 0);
    for (unsigned i = 0; i < 10; i++)
        cr_assert_eq(throttle_wait_ms(t, &attacker, 1000 + 2 * THROTTLE_FORGET_MS), 0);
    throttle_free(t);
}

Test(throttle, the_waits_differ)
{
    struct throttle *t = throttle_new(3);
    fail(t, &(struct throttle_who){5, owner.name}, 100, 1000);
    int64_t first_ms = throttle_wait_ms(t, &owner, 1000);
    bool differ = false;
    for (unsigned i = 0; i < 20; i++)
        differ |= throttle_wait_ms(t, &owner, 1000) != first_ms;
    cr_assert(differ);
    throttle_free(t);
}
