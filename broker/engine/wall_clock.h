/* wall_clock: the two times an engine goes by.
 *
 * Its wall time is the monotonic clock plus an offset, so that a jump of the machine's clock moves nothing at
 * once: the offset follows by at most 1/64 of the time that passes. What the machine slept has passed for
 * everything that waits, and is added at once, whatever its clock says. It never goes back, not even over a
 * restart. The monotonic time stands still while the machine sleeps, and leases with it.
 */
#ifndef SHUNT_ENGINE_WALL_CLOCK_H
#define SHUNT_ENGINE_WALL_CLOCK_H

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

/* Reads the machine's clocks. */
typedef void wall_clock_read_fn(void *context, struct clock_reading *ret);

struct wall_clock {
    wall_clock_read_fn *read;
    void *context;
    int64_t offset_us; /* wall = monotonic + offset */
    int64_t seen_us;   /* monotonic time of the last look at the machine's clock */
    int64_t asleep_us; /* what is in the offset of the machine's sleep */
    int64_t ahead_us;  /* how far this wall time is to be ahead of the machine's */
};

/* While something is to happen at a wall time, the engine looks so often whether the machine slept. */
#define WALL_CLOCK_LOOK_MS 1000

/* Begin so far ahead of the machine's time, or right behind `last_wall_ms` if that is later. `read` NULL: the
 * real clocks. */
void wall_clock_begin(struct wall_clock *c, wall_clock_read_fn *read, void *context, int64_t last_wall_ms,
                      int64_t ahead_ms);
void wall_clock_now(struct wall_clock *c, int64_t *ret_wall_ms, int64_t *ret_mono_ms);
/* From now on it is to be so far ahead of the machine's time. */
void wall_clock_keep_ahead(struct wall_clock *c, int64_t ahead_ms);
/* How far the wall time is ahead of where it is to be. */
int64_t wall_clock_error_ms(const struct wall_clock *c);
/* True if the machine slept since the last wall_clock_now(). */
bool wall_clock_slept(const struct wall_clock *c);

/* The pure part of wall_clock_now(), for tests: the wall time. */
int64_t wall_clock_follow(struct wall_clock *c, const struct clock_reading *now);

#endif
