/* silence: connections of which a lease ran out, and from which nothing has come since. Their peer may be
 * stopped, or its machine gone, without the network telling; as long as they are silent they get nothing. */
#include "broker/core/dispatcher_state.h"

void holder_fall_silent(struct dispatcher *d, struct holder *h)
{
    if (ring_linked(&h->silent))
        return;
    ring_append(&d->silent, &h->silent);
    d->silent_count++;
    if (h->lone && !h->alone)
        isolation_end(d, h, false);
    holder_refresh(d, h);
}

void holder_end_silence(struct dispatcher *d, struct holder *h)
{
    d->silent_count -= ring_linked(&h->silent);
    ring_remove(&h->silent);
}

void dispatcher_heard(struct dispatcher *d, struct holder *h, int64_t mono_ms)
{
    h->heard_mono_ms = mono_ms;
    if (!ring_linked(&h->silent))
        return;
    holder_end_silence(d, h);
    h->charged = false;
    holder_refresh(d, h);
}

bool holder_is_silent(const struct holder *h)
{
    return ring_linked(&h->silent);
}

int64_t holder_heard(const struct holder *h)
{
    return h->heard_mono_ms;
}

struct holder *dispatcher_silent(const struct dispatcher *d, const struct holder *after)
{
    struct ring *next = after ? after->silent.next : d->silent.next;
    return next == &d->silent ? NULL : ring_of(next, struct holder, silent);
}

uint64_t dispatcher_silent_count(const struct dispatcher *d)
{
    return d->silent_count;
}
