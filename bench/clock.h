/* clock: monotonic time in nanoseconds; the same for every process of the machine, so a body can carry it. */
#ifndef SHUNT_BENCH_CLOCK_H
#define SHUNT_BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_S  1000000000ull
#define NS_PER_MS 1000000ull
#define NS_PER_US 1000ull

static inline uint64_t clock_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static inline void clock_sleep_ns(uint64_t dur_ns)
{
    struct timespec t = {(time_t)(dur_ns / NS_PER_S), (long)(dur_ns % NS_PER_S)};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) != 0) {
    }
}

#endif
