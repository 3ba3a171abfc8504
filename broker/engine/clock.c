/* clock: wall time that does not jump. */
#include "broker/engine/clock.h"

#include <time.h>

#define SLEW 64 /* the offset moves by at most 1/64 of the time that passed */

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

static void read_machine(void *context, int64_t *ret_wall_us, int64_t *ret_mono_us)
{
    (void)context;
    *ret_mono_us = clock_us();
    *ret_wall_us = read_us(CLOCK_REALTIME);
}

void clock_begin(struct clock *c, clock_read_fn *read, void *context, int64_t last_wall_ms)
{
    int64_t wall_us, mono_us;
    c->read = read ? read : read_machine;
    c->context = context;
    c->read(c->context, &wall_us, &mono_us);
    if (wall_us <= last_wall_ms * 1000)
        wall_us = (last_wall_ms + 1) * 1000;
    c->offset_us = wall_us - mono_us;
    c->seen_us = mono_us;
}

int64_t clock_follow(struct clock *c, int64_t machine_us, int64_t mono_us)
{
    int64_t drift_us = machine_us - (mono_us + c->offset_us);
    int64_t most_us = (mono_us - c->seen_us) / SLEW;
    if (most_us > 0) {
        c->offset_us += drift_us > most_us ? most_us : drift_us < -most_us ? -most_us : drift_us;
        c->seen_us = mono_us;
    }
    return mono_us + c->offset_us;
}

void clock_now(struct clock *c, int64_t *ret_wall_ms, int64_t *ret_mono_ms)
{
    int64_t wall_us, mono_us;
    c->read(c->context, &wall_us, &mono_us);
    *ret_wall_ms = clock_follow(c, wall_us, mono_us) / 1000;
    *ret_mono_ms = mono_us / 1000;
}
