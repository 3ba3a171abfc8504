/* clock: the two times an engine goes by.
 *
 * Its wall time is the monotonic clock plus an offset, so that a jump of the machine's clock moves nothing at
 * once: the offset follows by at most 1/64 of the time that passes. What the machine slept has passed for
 * everything that waits, and is added at once, whatever its clock says. It never goes back, not even over a
 * restart. The monotonic time stands still while the machine sleeps, and leases with it.
 */
#ifndef SHUNT_ENGINE_CLOCK_H
#define SHUNT_ENGINE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* The machine's clocks at one moment, in microseconds. */
struct clock_reading {
    int64_t wall_us, mono_us;
    int64_t asleep_us; /* since the machine was started */
};
typedef void clock_read_fn(void *context, struct clock_reading *ret);

struct clock {
    clock_read_fn *read;
    void *context;
    int64_t offset_us; /* wall = monotonic + offset */
    int64_t seen_us;   /* monotonic time of the last look at the machine's clock */
    int64_t asleep_us; /* what is in the offset of the machine's sleep */
    int64_t ahead_us;  /* how far this wall time is to be ahead of the machine's */
};

/* While something is to happen at a wall time, the engine looks so often whether the machine slept. */
#define CLOCK_LOOK_MS 1000

/* Begin so far ahead of the machine's time, or right behind `last_wall_ms` if that is later. `read` NULL: the
 * real clocks. */
void clock_begin(struct clock *c, clock_read_fn *read, void *context, int64_t last_wall_ms, int64_t ahead_ms);
void clock_now(struct clock *c, int64_t *ret_wall_ms, int64_t *ret_mono_ms);
/* From now on it is to be so far ahead of the machine's time. */
void clock_keep_ahead(struct clock *c, int64_t ahead_ms);
/* How far the wall time is ahead of where it is to be. */
int64_t clock_error_ms(const struct clock *c);
/* True if the machine slept since the last clock_now(). */
bool clock_slept(const struct clock *c);
/* Monotonic microseconds, for measuring. */
int64_t clock_us(void);

/* The pure part of clock_now(), for tests: the wall time. */
int64_t clock_follow(struct clock *c, const struct clock_reading *now);

#endif
