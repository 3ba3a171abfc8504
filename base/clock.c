/* clock: see clock.h. */
#include "base/clock.h"

#include <limits.h>
#include <time.h>

#define READINGS_MAX 10

static int64_t read_us(clockid_t which)
{
    struct timespec now;
    (void)clock_gettime(which, &now); /* cannot fail for these clocks */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_coarse_us(void)
{
    return read_us(CLOCK_MONOTONIC_COARSE);
}

int64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

int64_t clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

/* On a machine so busy that no pair is read in one go, what it slept comes out too small rather than too
 * large: then a later look finds it. */
void clock_read(struct clock_reading *ret)
{
    for (unsigned i = 0; i < READINGS_MAX; i++) {
        int64_t boot_us = read_us(CLOCK_BOOTTIME);
        ret->mono_us = clock_mono_us();
        ret->asleep_us = boot_us - ret->mono_us;
        if (read_us(CLOCK_BOOTTIME) - boot_us <= CLOCK_READING_US_MAX)
            break;
    }
    ret->wall_us = read_us(CLOCK_REALTIME);
}

int64_t clock_deadline(int64_t after_ms)
{
    return after_ms < 0 ? CLOCK_NEVER : clock_mono_ms() + after_ms;
}

int clock_poll_ms(int64_t at_mono_ms)
{
    if (at_mono_ms == CLOCK_NEVER)
        return -1;
    int64_t left_ms = at_mono_ms - clock_mono_ms();
    return left_ms <= 0 ? 0 : left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

void clock_cond_init(pthread_cond_t *ret)
{
    pthread_condattr_t clock;
    (void)pthread_condattr_init(&clock); /* none of these fails on Linux */
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_cond_init(ret, &clock);
    (void)pthread_condattr_destroy(&clock);
}

struct timespec clock_until(int64_t after_ms)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at); /* cannot fail for this clock */
    at.tv_sec += after_ms / 1000;
    at.tv_nsec += after_ms % 1000 * 1000000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}
