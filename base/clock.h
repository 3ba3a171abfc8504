/* clock: the machine's clocks, and nothing but reading them. Rooms that must be free of time do not include this
 * (graph.txt). */
#ifndef SHUNT_BASE_CLOCK_H
#define SHUNT_BASE_CLOCK_H

#include <pthread.h>
#include <stdint.h>

struct timespec;

#define CLOCK_NEVER INT64_MAX

/* Monotonic time, for deadlines and for measuring: it stands still while the machine sleeps. Safe in a
 * handler of signals. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
/* The same as it was some milliseconds ago at most, for a third of the price. */
int64_t clock_mono_coarse_us(void);
/* The time of day since 1970: it jumps when somebody sets it. */
int64_t clock_wall_ms(void);

/* All clocks at one moment, in microseconds: they are read within this time of each other, on a machine that
 * is not very busy. */
#define CLOCK_READING_US_MAX 10000
struct clock_reading {
    int64_t wall_us, mono_us;
    int64_t asleep_us; /* how long the machine slept since it was started */
};
void clock_read(struct clock_reading *ret);

/* The monotonic time in `after_ms`; of a negative one CLOCK_NEVER. */
int64_t clock_deadline(int64_t after_ms);
/* A poll() timeout that ends at `at_mono_ms`: -1 for CLOCK_NEVER, 0 when it has passed. */
int clock_poll_ms(int64_t at_mono_ms);
/* A condition whose clock is CLOCK_MONOTONIC, and what pthread_cond_timedwait() takes on it: `after_ms` from
 * now, at least 0. */
void clock_cond_init(pthread_cond_t *ret);
struct timespec clock_until(int64_t after_ms);

#endif
