/* taker: which members can take messages now. */
#include "broker/core/dispatcher_state.h"

static bool can_take(const struct member *m)
{
    const struct holder *h = m->holder;
    if (m->leaving || m->pending || m->blocked || h->leaving || h->held_back || h->lone ||
        ring_linked(&h->silent) || ring_linked(&h->capped))
        return false;
    return m->leased_messages < m->credit_messages &&
           (m->leased_messages == 0 || m->leased_bytes < m->credit_bytes);
}

void member_refresh(struct dispatcher *d, struct member *m)
{
    bool takes = can_take(m);
    if (takes == ring_linked(&m->taker))
        return;
    if (takes) {
        ring_append(&m->pool->takers, &m->taker);
        m->pool->taker_count++;
        pool_wake(d, m->pool);
    } else {
        ring_remove(&m->taker);
        m->pool->taker_count--;
    }
}

void holder_refresh(struct dispatcher *d, struct holder *h)
{
    for (struct ring *r = h->members.next; r != &h->members; r = r->next)
        member_refresh(d, ring_of(r, struct member, in_holder));
}
