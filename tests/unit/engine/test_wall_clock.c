/* test_clock: the engine's wall time against what the machine's clocks say. */
#include "broker/engine/wall_clock.h"

#include <criterion/criterion.h>

#define SECOND 1000000ll
#define HOUR   (3600 * SECOND)
#define BEGAN  (1700000000 * SECOND) /* the true time when the monotonic clock says 0 */

static struct clock_reading machine;

static void read(void *context, struct clock_reading *ret)
{
    (void)context;
    *ret = machine;
}

/* So much passes: awake by all clocks, asleep by the monotonic one not. */
static void pass(int64_t awake_us, int64_t asleep_us)
{
    machine.mono_us += awake_us;
    machine.asleep_us += asleep_us;
    machine.wall_us += awake_us + asleep_us;
}

static struct wall_clock begin(int64_t last_wall_ms)
{
    struct wall_clock c;
    machine = (struct clock_reading){.wall_us = BEGAN, .asleep_us = 7 * HOUR};
    wall_clock_begin(&c, read, NULL, last_wall_ms, 0);
    return c;
}

static int64_t wall_ms(struct wall_clock *c)
{
    int64_t wall, mono;
    wall_clock_now(c, &wall, &mono);
    cr_assert_eq(mono, machine.mono_us / 1000, "leases go by the monotonic clock");
    return wall;
}

Test(clock, a_sleep_has_passed_at_once)
{
    struct wall_clock c = begin(0);
    pass(SECOND, 0);
    cr_assert_eq(wall_ms(&c), machine.wall_us / 1000);
    pass(1000, 8 * HOUR);
    cr_assert(wall_clock_slept(&c));
    cr_assert_eq(wall_ms(&c), machine.wall_us / 1000);
    cr_assert(!wall_clock_slept(&c), "once");
    pass(SECOND, 0);
    cr_assert_eq(wall_ms(&c), machine.wall_us / 1000);
}

Test(clock, what_it_slept_before_it_began_is_not_added)
{
    struct wall_clock c = begin(0);
    cr_assert(!wall_clock_slept(&c));
    cr_assert_eq(wall_ms(&c), BEGAN / 1000);
}

Test(clock, a_sleep_counts_whatever_the_machine_makes_of_its_clock)
{
    struct wall_clock c = begin(0);
    pass(0, HOUR);
    machine.wall_us = BEGAN - 10 * HOUR; /* it woke with a wrong one */
    cr_assert_eq(wall_ms(&c), (BEGAN + HOUR) / 1000);
}

Test(clock, a_jump_is_no_sleep)
{
    struct wall_clock c = begin(0);
    machine.wall_us += HOUR;
    cr_assert(!wall_clock_slept(&c));
    cr_assert_eq(wall_ms(&c), BEGAN / 1000);
    pass(64 * SECOND, 0);
    cr_assert_eq(wall_ms(&c), BEGAN / 1000 + 65 * 1000);
}

Test(clock, clocks_that_are_not_read_at_one_moment_make_no_sleep)
{
    struct wall_clock c = begin(0);
    for (int i = 0; i < 1000; i++) {
        machine.asleep_us += i % 2 ? 99999 : -99999;
        pass(SECOND, 0);
        cr_assert(!wall_clock_slept(&c));
        cr_assert_eq(wall_ms(&c), machine.wall_us / 1000);
    }
}

Test(clock, time_goes_on_from_the_last_one)
{
    struct wall_clock c = begin((BEGAN + HOUR) / 1000);
    cr_assert_eq(wall_ms(&c), (BEGAN + HOUR) / 1000 + 1);
    pass(0, HOUR);
    cr_assert_eq(wall_ms(&c), (BEGAN + 2 * HOUR) / 1000 + 1);
}

Test(clock, it_can_be_kept_ahead_of_the_machine)
{
    struct wall_clock c = begin((BEGAN + HOUR) / 1000);
    cr_assert_eq(wall_clock_error_ms(&c), 3600001);
    wall_clock_keep_ahead(&c, 3600001);
    cr_assert_eq(wall_clock_error_ms(&c), 0);
    pass(64 * SECOND, 0);
    cr_assert_eq(wall_ms(&c), machine.wall_us / 1000 + 3600001, "it does not slow down any more");
    wall_clock_begin(&c, read, NULL, 0, 3600001);
    cr_assert_eq(wall_ms(&c), machine.wall_us / 1000 + 3600001, "after a restart too");
    cr_assert_eq(wall_clock_error_ms(&c), 0);
}
