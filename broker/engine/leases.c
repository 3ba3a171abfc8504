/* leases: when they begin and end in a turn. Whose they are is the dispatcher's (core/expiry.c). */
#include "broker/engine/engine_private.h"

#define EXPIRE_LEASES_MAX 4096 /* in one turn */

/* Its leases that were over then may be ended: no answer to them is on its way. */
bool leases_caught_up(struct engine *e, struct inbox_item *item)
{
    struct session *s = item->link->session;
    if (!s || !s->holder)
        return true;
    if (s->parked) {
        session_park(s, item);
        return false;
    }
    dispatcher_caught_up(e->dispatcher, s->holder, item->ask_ms);
    return true;
}

/* After this turn's requests: what came in time is judged before what fell due. */
void leases_end(struct engine *e)
{
    struct ends ends = {.engine = e};
    struct holder *h;
    if (dispatcher_deadline(e->dispatcher) > e->mono_ms)
        return;
    (void)dispatcher_expire(e->dispatcher, e->mono_ms, EXPIRE_LEASES_MAX, ends_add, &ends);
    e->urgent |= ends.count > 0;
    ends_gather(&ends);
    while ((h = dispatcher_ask(e->dispatcher, e->mono_ms))) {
        struct session *s = holder_owner(h);
        s->ask_ms = e->mono_ms;
        (void)session_out(s);
        e->urgent = true;
    }
}

/* The leases of what leaves now begin now: the commit, which may have taken long, is no consumer's time. */
void leases_settle(struct engine *e)
{
    int64_t wall_ms, mono_ms;
    if (dispatcher_is_settled(e->dispatcher))
        return;
    wall_clock_now(&e->clock, &wall_ms, &mono_ms);
    dispatcher_settle(e->dispatcher, mono_ms > e->mono_ms ? mono_ms - e->mono_ms : 0);
}
