/* clock: deadlines. No assertion on how fast this machine is. */
#include "base/clock.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <time.h>

Test(clock, monotonic_time_never_goes_back)
{
    int64_t last_us = clock_mono_us();
    for (int i = 0; i < 1000; i++) {
        int64_t now_us = clock_mono_us();
        cr_assert_geq(now_us, last_us);
        last_us = now_us;
    }
    cr_expect_geq(clock_mono_ms(), last_us / 1000);
}

Test(clock, poll_waits_for_ever_not_at_all_or_as_long_as_it_can)
{
    cr_expect_eq(clock_poll_ms(CLOCK_NEVER), -1);
    cr_expect_eq(clock_poll_ms(clock_mono_ms()), 0);
    cr_expect_eq(clock_poll_ms(0), 0);
    cr_expect_eq(clock_poll_ms(CLOCK_NEVER - 1), INT_MAX);
    int left_ms = clock_poll_ms(clock_mono_ms() + 3600000);
    cr_expect(left_ms > 0 && left_ms <= 3600000);
}

Test(clock, a_negative_time_is_never)
{
    cr_expect_eq(clock_deadline(-1), CLOCK_NEVER);
    int64_t before_ms = clock_mono_ms(), at_ms = clock_deadline(5), after_ms = clock_mono_ms();
    cr_expect(at_ms >= before_ms + 5 && at_ms <= after_ms + 5);
}

Test(clock, a_time_to_wait_until_carries_its_nanoseconds)
{
    static const int64_t waits_ms[] = {0, 1, 999, 1000, 1999, 86400000};
    for (size_t i = 0; i < sizeof waits_ms / sizeof *waits_ms; i++) {
        int64_t before_us = clock_mono_us();
        struct timespec at = clock_until(waits_ms[i]);
        int64_t after_us = clock_mono_us();
        cr_expect(at.tv_nsec >= 0 && at.tv_nsec < 1000000000);
        int64_t at_us = (int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000 - waits_ms[i] * 1000;
        cr_expect(at_us >= before_us && at_us <= after_us, "%lld ms", (long long)waits_ms[i]);
    }
}

Test(clock, one_reading_has_every_clock)
{
    struct clock_reading r = {-1, -1, -1};
    int64_t before_us = clock_mono_us();
    clock_read(&r);
    cr_expect(r.mono_us >= before_us && r.mono_us <= clock_mono_us());
    cr_expect_gt(r.wall_us, 0);
    cr_expect_geq(r.asleep_us, -CLOCK_READING_US_MAX, "a machine cannot have slept less than not at all");
}
