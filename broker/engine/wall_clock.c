/* wall_clock: see wall_clock.h. */
#include "broker/engine/wall_clock.h"

#define SLEW 64 /* the offset moves by at most 1/64 of the time that passed */
/* Two clocks are not read at one moment: what they are apart counts as sleep only if it grew by this much. */
#define SLEEP_US_MIN ((int64_t)10 * CLOCK_READING_US_MAX)

static void read_machine(void *context, struct clock_reading *ret)
{
    (void)context;
    clock_read(ret);
}

void wall_clock_begin(struct wall_clock *c, wall_clock_read_fn *read, void *context, int64_t last_wall_ms,
                      int64_t ahead_ms)
{
    struct clock_reading now;
    c->read = read ? read : read_machine;
    c->context = context;
    c->read(c->context, &now);
    wall_clock_keep_ahead(c, ahead_ms);
    int64_t wall_us = now.wall_us + c->ahead_us;
    if (wall_us <= last_wall_ms * 1000)
        wall_us = (last_wall_ms + 1) * 1000;
    c->offset_us = wall_us - now.mono_us;
    c->seen_us = now.mono_us;
    c->asleep_us = now.asleep_us;
}

void wall_clock_keep_ahead(struct wall_clock *c, int64_t ahead_ms)
{
    c->ahead_us = ahead_ms * 1000;
}

int64_t wall_clock_error_ms(const struct wall_clock *c)
{
    struct clock_reading now;
    c->read(c->context, &now);
    return (now.mono_us + c->offset_us - c->ahead_us - now.wall_us) / 1000;
}

static bool has_slept(const struct wall_clock *c, const struct clock_reading *now)
{
    return now->asleep_us - c->asleep_us >= SLEEP_US_MIN;
}

int64_t wall_clock_follow(struct wall_clock *c, const struct clock_reading *now)
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

void wall_clock_now(struct wall_clock *c, int64_t *ret_wall_ms, int64_t *ret_mono_ms)
{
    struct clock_reading now;
    c->read(c->context, &now);
    *ret_wall_ms = wall_clock_follow(c, &now) / 1000;
    *ret_mono_ms = now.mono_us / 1000;
}

bool wall_clock_slept(const struct wall_clock *c)
{
    struct clock_reading now;
    c->read(c->context, &now);
    return has_slept(c, &now);
}
