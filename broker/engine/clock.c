/* clock: wall time that does not jump. */
#include "broker/engine/clock.h"

#include <time.h>

#define SLEW 64 /* the offset moves by at most 1/64 of the time that passed */
/* Two clocks are not read at one moment: what they are apart counts as sleep only if it grew by this much,
 * and a pair of readings counts only if it took no longer than a tenth of that. */
#define SLEEP_US_MIN   100000
#define READING_US_MAX (SLEEP_US_MIN / 10)
#define READINGS_MAX   10

static int64_t read_us(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t); /* cannot fail for these clocks */
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

/* On a machine so busy that no pair is read in one go, what it slept comes out too small rather than too
 * large: then a later look finds it. */
static void read_machine(void *context, struct clock_reading *ret)
{
    (void)context;
    for (unsigned i = 0; i < READINGS_MAX; i++) {
        int64_t boot_us = read_us(CLOCK_BOOTTIME);
        ret->mono_us = clock_us();
        ret->asleep_us = boot_us - ret->mono_us;
        if (read_us(CLOCK_BOOTTIME) - boot_us <= READING_US_MAX)
            break;
    }
    ret->wall_us = read_us(CLOCK_REALTIME);
}

void clock_begin(struct clock *c, clock_read_fn *read, void *context, int64_t last_wall_ms, int64_t ahead_ms)
{
    struct clock_reading now;
    c->read = read ? read : read_machine;
    c->context = context;
    c->read(c->context, &now);
    clock_keep_ahead(c, ahead_ms);
    int64_t wall_us = now.wall_us + c->ahead_us;
    if (wall_us <= last_wall_ms * 1000)
        wall_us = (last_wall_ms + 1) * 1000;
    c->offset_us = wall_us - now.mono_us;
    c->seen_us = now.mono_us;
    c->asleep_us = now.asleep_us;
}

void clock_keep_ahead(struct clock *c, int64_t ahead_ms)
{
    c->ahead_us = ahead_ms * 1000;
}

int64_t clock_error_ms(const struct clock *c)
{
    struct clock_reading now;
    c->read(c->context, &now);
    return (now.mono_us + c->offset_us - c->ahead_us - now.wall_us) / 1000;
}

static bool has_slept(const struct clock *c, const struct clock_reading *now)
{
    return now->asleep_us - c->asleep_us >= SLEEP_US_MIN;
}

int64_t clock_follow(struct clock *c, const struct clock_reading *now)
{
    if (has_slept(c, now)) {
        c->offset_us += now->asleep_us - c->asleep_us;
        c->asleep_us = now->asleep_us;
    }
    int64_t drift_us = now->wall_us + c->ahead_us - (now->mono_us + c->offset_us);
    int64_t most_us = (now->mono_us - c->seen_us) / SLEW;
    if (most_us > 0) {
        c->offset_us += drift_us > most_us ? most_us : drift_us < -most_us ? -most_us : drift_us;
        c->seen_us = now->mono_us;
    }
    return now->mono_us + c->offset_us;
}

void clock_now(struct clock *c, int64_t *ret_wall_ms, int64_t *ret_mono_ms)
{
    struct clock_reading now;
    c->read(c->context, &now);
    *ret_wall_ms = clock_follow(c, &now) / 1000;
    *ret_mono_ms = now.mono_us / 1000;
}

bool clock_slept(const struct clock *c)
{
    struct clock_reading now;
    c->read(c->context, &now);
    return has_slept(c, &now);
}
