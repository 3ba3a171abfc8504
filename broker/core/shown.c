/* shown: the store's times as they are shown.
 *
 * A store whose machine once had a wrong clock goes on from the time that it had then, because its time never
 * goes back: what waits would wait again, or its deadlines would have to be moved, each in its row. So its own
 * time stays as it is, and what an operator puts right is the difference to the time of day. A time that lay
 * in the future when that was done can only be of the wrong clock: those, and all later ones, are shown so
 * much earlier. */
#include "broker/core/state.h"

int64_t ledger_ahead_ms(const struct ledger *l)
{
    const struct meta_record *m = &l->meta;
    return m->shifts_count ? m->shifts[m->shifts_count - 1].ahead_ms : 0;
}

int64_t ledger_shown_ms(const struct ledger *l, int64_t ms)
{
    for (uint32_t i = l->meta.shifts_count; ms && i-- > 0;) {
        if (ms > l->meta.shifts[i].after_ms)
            return ms - l->meta.shifts[i].ahead_ms;
    }
    return ms;
}

static void add_shift(struct meta_record *m, int64_t after_ms, int64_t ahead_ms)
{
    while (m->shifts_count && m->shifts[m->shifts_count - 1].after_ms >= after_ms)
        m->shifts_count--;                     /* nothing is shown by it any more */
    if (m->shifts_count == CLOCK_SHIFTS_MAX) { /* times before the second are shown as they are */
        m->shifts_count--;
        for (uint32_t i = 0; i < m->shifts_count; i++)
            m->shifts[i] = m->shifts[i + 1];
    }
    m->shifts[m->shifts_count++] = (struct clock_shift){after_ms, ahead_ms};
}

int apply_clock(struct ledger *l, int64_t machine_ms)
{
    if (machine_ms <= 0 || machine_ms > CLOCK_MS_MAX) {
        ledger_tell_done(l, SHUNT_BAD_ARGUMENT, "the machine's clock says what cannot be", 0, 0);
        return 0;
    }
    int64_t ahead_ms = l->now_ms - machine_ms;
    int64_t moved_ms = ahead_ms - ledger_ahead_ms(l);
    if (moved_ms) {
        add_shift(&l->meta, moved_ms > 0 ? l->now_ms - moved_ms : l->now_ms, ahead_ms);
        l->changed = true;
    }
    ledger_tell_done(l, 0, NULL, 0, 0);
    return 0;
}
