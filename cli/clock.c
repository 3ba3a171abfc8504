/* clock: the tool's only reader of clocks. */
#include "cli/clock.h"

#include <limits.h>
#include <time.h>

static int64_t read_ms(clockid_t which)
{
    struct timespec now = {0};
    (void)clock_gettime(which, &now); /* cannot fail for these clocks */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_mono_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}

int clock_poll_ms(int64_t at_mono_ms)
{
    if (at_mono_ms == CLOCK_NEVER)
        return -1;
    int64_t left_ms = at_mono_ms - clock_mono_ms();
    return left_ms <= 0 ? 0 : left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

int64_t clock_deadline(int64_t after_ms)
{
    return after_ms < 0 ? CLOCK_NEVER : clock_mono_ms() + after_ms;
}
