/* dispatcher_check: every invariant of the dispatcher, for tests and the simulator. */
#include "base/check.h"
#include "broker/core/dispatcher_state.h"

/* The list's own links and order, and what it adds up to. */
static void check_list(const struct dispatcher *d, const struct lease_list *list, enum lease_list_kind kind,
                       const struct member *member, const struct holder *holder, uint64_t *ret_count,
                       uint64_t *ret_bytes)
{
    uint32_t prev = LEASE_NONE;
    *ret_count = *ret_bytes = 0;
    for (uint32_t id = list->first; id != LEASE_NONE; id = lease_at(&d->leases, id)->in[kind].next) {
        const struct lease *l = lease_at(&d->leases, id);
        check(l->in[kind].prev == prev);
        check(!member || l->member == member);
        check(l->member->holder == holder);
        check(l->group == l->member->group);
        check(holder->marks || l->started_ms == l->leased_ms);
        check(lease_table_find(&d->leases, l->group, l->seq) == id);
        prev = id;
        *ret_count += 1;
        *ret_bytes += l->bytes;
    }
    check(list->last == prev);
}

static void check_member(const struct dispatcher *d, const struct member *m)
{
    const struct holder *h = m->holder;
    uint64_t count, bytes;
    check_list(d, &m->leases, BY_MEMBER, m, h, &count, &bytes);
    check(count == m->leased_messages);
    check(bytes == m->leased_bytes);
    check(pool_find(d, m->group) == m->pool);
    check(!m->leaving && !h->leaving);

    bool credit = m->leased_messages < m->credit_messages && (count == 0 || bytes < m->credit_bytes);
    bool takes = credit && !m->pending && !m->blocked && !h->held_back && !h->lone && !holder_is_silent(h) &&
                 !ring_linked(&h->capped);
    check(ring_linked(&m->taker) == takes);
    check(!m->blocked || count > 0);
}

static void check_holder(const struct dispatcher *d, const struct holder *h, uint64_t *ret_leases)
{
    uint64_t bytes, in_members = 0, promised = 0;
    uint32_t pending = 0;
    check_list(d, &h->leases, BY_HOLDER, NULL, h, ret_leases, &bytes);
    check(*ret_leases == h->leased);
    for (struct ring *r = h->members.next; r != &h->members; r = r->next) {
        const struct member *m = ring_of(r, struct member, in_holder);
        check(m->holder == h);
        check_member(d, m);
        in_members += m->leased_messages;
        pending += m->pending > 0;
        promised += m->pending;
    }
    check(in_members == h->leased);
    int64_t before_ms = INT64_MIN;
    for (uint32_t id = h->overdue.first; id != LEASE_NONE; id = lease_at(&d->leases, id)->in[BY_CLOCK].next) {
        const struct lease *l = lease_at(&d->leases, id);
        check(l->clock == LEASE_OVERDUE);
        check(l->member->holder == h);
        check(l->deadline_ms >= before_ms);
        before_ms = l->deadline_ms;
    }
    check(h->overdue.first == LEASE_NONE || ring_linked(&h->asking));
    check(pending == h->pending);
    check(!h->charged || holder_is_silent(h));
    check(in_members + promised == h->in_flight);

    if (!h->lone) {
        check(!h->alone);
        return;
    }
    check(h->lone->holder == h);
    check(h->lone->pool->lone == h->lone);
    /* Alone is to hold, or to be about to hold, one message and nothing else. */
    if (h->alone) {
        check(h->leased + h->pending >= 1);
        check(h->leased <= 1);
        check(h->pending <= 1);
        check(h->leased == h->lone->leased_messages);
    }
}

static void check_pool(const struct dispatcher *d, const struct pool *p)
{
    uint64_t members = 0, takers = 0, reserved = 0;
    for (struct ring *r = p->members.next; r != &p->members; r = r->next) {
        const struct member *m = ring_of(r, struct member, in_pool);
        check(m->pool == p);
        check(m->group == p->group);
        members++;
        if (m->pending && m->pending_lane == LANE_NORMAL)
            reserved += m->pending;
    }
    for (struct ring *r = p->takers.next; r != &p->takers; r = r->next) {
        check(ring_of(r, struct member, taker)->pool == p);
        takers++;
    }
    check(members > 0);
    check(members == p->member_count);
    check(takers == p->taker_count);
    check(reserved == p->reserved);
    check(!p->lone || p->lone->holder->lone == p->lone);
    /* A connection that drains for a group and is idle gets its suspect at the next look, which must be due.
     */
    check(!pool_draining(p) || !holder_idle(p->lone->holder) || ring_linked(&p->runnable));
    check(pool_find(d, p->group) == p);
}

void dispatcher_check_slow(const struct dispatcher *d)
{
    uint64_t leases = 0, in_flight = 0, pools = 0, runnable = 0, runnable_seen = 0;
    for (struct ring *r = d->holders.next; r != &d->holders; r = r->next) {
        uint64_t held;
        check_holder(d, ring_of(r, struct holder, link), &held);
        leases += held;
        in_flight += ring_of(r, struct holder, link)->in_flight;
    }
    check(leases == d->leases.count);
    check(in_flight == d->in_flight);
    for (uint32_t i = 0; i < d->bucket_count; i++) {
        for (const struct pool *p = d->buckets[i]; p; p = p->hash_next) {
            check_pool(d, p);
            pools++;
            runnable += ring_linked(&p->runnable);
        }
    }
    check(pools == d->pool_count);
    for (struct ring *r = d->runnable.next; r != &d->runnable; r = r->next)
        runnable_seen++;
    check(runnable == runnable_seen);
    for (struct ring *r = d->departed.next; r != &d->departed; r = r->next)
        check(!ring_of(r, struct member, in_holder)->holder);
    lease_table_check_slow(&d->leases);
}
