/* clock: the two times an engine goes by.
 *
 * Its wall time is the monotonic clock plus an offset, so that a jump of the machine's clock moves nothing at
 * once: the offset follows by at most 1/64 of the time that passes. It never goes back, not even over a
 * restart.
 */
#ifndef SHUNT_ENGINE_CLOCK_H
#define SHUNT_ENGINE_CLOCK_H

#include <stdint.h>

/* Where the machine's two clocks are read. */
typedef void clock_read_fn(void *context, int64_t *ret_wall_us, int64_t *ret_mono_us);

struct clock {
    clock_read_fn *read;
    void *context;
    int64_t offset_us; /* wall = monotonic + offset */
    int64_t seen_us;   /* monotonic time of the last look at the machine's clock */
};

/* Begin at the machine's time, or right behind `last_wall_ms` if that is later. `read` NULL: the real clocks.
 */
void clock_begin(struct clock *c, clock_read_fn *read, void *context, int64_t last_wall_ms);
void clock_now(struct clock *c, int64_t *ret_wall_ms, int64_t *ret_mono_ms);
/* Monotonic microseconds, for measuring. */
int64_t clock_us(void);

/* The pure part of clock_now(), for tests. */
int64_t clock_follow(struct clock *c, int64_t machine_us, int64_t mono_us);

#endif
