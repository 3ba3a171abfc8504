/* lease: from the hand-out of a message to how its lease ends. */
#include "base/check.h"
#include "broker/core/dispatcher_state.h"
#include "proto/errors.h"

/* in: there is room for it. Inlined, because it is done for each message. */
__attribute__((always_inline)) static inline void open_lease(struct dispatcher *d, struct member *m,
                                                             const struct lease *l, int64_t mono_ms)
{
    struct holder *h = m->holder;
    lease_table_add(&d->leases, l, mono_ms + l->lease_ms, &m->leases, &h->leases);
    m->leased_messages++;
    m->leased_bytes += l->bytes;
    h->leased++;
    in_flight_add_one(d, h);
}

int dispatcher_lease(struct dispatcher *d, const struct assignment *a, uint64_t seq, uint64_t token,
                     uint64_t bytes, int64_t lease_ms, int64_t mono_ms, int64_t wall_ms)
{
    struct member *m = a->member;
    check(m->pending > 0);
    check(bytes <= UINT32_MAX);
    check(lease_ms > 0 && lease_ms <= UINT32_MAX);
    check(wall_ms > 0);
    if (!m->holder)
        return SHUNT_STALE;
    if (lease_table_reserve(&d->leases) != 0)
        return SHUNT_NO_MEMORY;
    struct lease l = {
        .seq = seq,
        .token = token,
        .leased_ms = wall_ms,
        .started_ms = m->holder->marks ? 0 : wall_ms,
        .member = m,
        .group = m->group,
        .bytes = (uint32_t)bytes,
        .lease_ms = (uint32_t)lease_ms,
    };
    open_lease(d, m, &l, mono_ms);
    return 0;
}

uint64_t dispatcher_take_up_room(const struct dispatcher *d, const struct member *m)
{
    return m->holder->lone ? 0 : in_flight_room(d, m->holder);
}

int dispatcher_take_up(struct dispatcher *d, struct member *m, uint64_t seq, uint64_t token, uint64_t bytes,
                       int64_t lease_ms, bool started, int64_t mono_ms, int64_t wall_ms)
{
    check(bytes <= UINT32_MAX);
    check(lease_ms > 0 && lease_ms <= UINT32_MAX);
    check(wall_ms > 0);
    check(dispatcher_take_up_room(d, m) > 0);
    if (lease_table_reserve(&d->leases) != 0)
        return SHUNT_NO_MEMORY;
    struct lease l = {
        .seq = seq,
        .token = token,
        .leased_ms = wall_ms,
        .started_ms = started || !m->holder->marks ? wall_ms : 0,
        .member = m,
        .group = m->group,
        .bytes = (uint32_t)bytes,
        .lease_ms = (uint32_t)lease_ms,
    };
    open_lease(d, m, &l, mono_ms);
    member_refresh(d, m);
    return 0;
}

void lease_close(struct dispatcher *d, uint32_t id, struct lease *ret)
{
    *ret = *lease_at(&d->leases, id);
    struct member *m = ret->member;
    struct holder *h = m->holder;
    if (m->leases.first == id)
        m->answered_mono_ms = -1;
    lease_table_remove(&d->leases, id, &m->leases, &h->leases, &h->overdue);
    check(m->leased_messages > 0);
    check(m->leased_bytes >= ret->bytes);
    m->leased_messages--;
    m->leased_bytes -= ret->bytes;
    m->blocked = false;
    h->leased--;
    in_flight_take_one(d, h);
    member_refresh(d, m);
    isolation_step(d, h);
}

/* LEASE_NONE unless the member holds this very delivery. */
static uint32_t held(const struct dispatcher *d, const struct member *m, uint64_t seq, uint64_t token)
{
    uint32_t id = lease_table_find(&d->leases, m->group, seq);
    if (id == LEASE_NONE || lease_at(&d->leases, id)->member != m || lease_at(&d->leases, id)->token != token)
        return LEASE_NONE;
    return id;
}

bool dispatcher_look(const struct dispatcher *d, uint32_t group, uint64_t seq, struct lease_look *ret)
{
    uint32_t id = lease_table_find(&d->leases, group, seq);
    if (id == LEASE_NONE)
        return false;
    const struct lease *l = lease_at(&d->leases, id);
    *ret = (struct lease_look){l->member->holder, l->leased_ms, l->started_ms, l->deadline_ms};
    return true;
}

/* `first`: of its leases, in order of delivery. */
static struct held_look look(const struct dispatcher *d, uint64_t messages, uint32_t first)
{
    return (struct held_look){messages, first == LEASE_NONE ? 0 : lease_at(&d->leases, first)->leased_ms};
}

void holder_look(const struct dispatcher *d, const struct holder *h, struct held_look *ret)
{
    *ret = look(d, h->leased, h->leases.first);
}

void member_look(const struct dispatcher *d, const struct member *m, struct held_look *ret)
{
    *ret = look(d, m->leased_messages, m->leases.first);
}

void member_window(const struct member *m, uint32_t *ret_messages, uint64_t *ret_bytes)
{
    *ret_messages = m->credit_messages;
    *ret_bytes = m->credit_bytes;
}

int dispatcher_claim(struct dispatcher *d, struct member *m, uint64_t seq, uint64_t token,
                     struct lease_times *ret)
{
    uint32_t id = held(d, m, seq, token);
    if (id == LEASE_NONE)
        return SHUNT_STALE;
    struct lease l;
    bool oldest = m->leases.first == id;
    lease_close(d, id, &l);
    if (oldest)
        m->answered_mono_ms = m->holder->heard_mono_ms;
    *ret = (struct lease_times){l.leased_ms, l.started_ms};
    return 0;
}

int dispatcher_extend(struct dispatcher *d, struct member *m, uint64_t seq, uint64_t token,
                      int64_t deadline_mono_ms)
{
    uint32_t id = held(d, m, seq, token);
    if (id == LEASE_NONE)
        return SHUNT_STALE;
    lease_table_set_deadline(&d->leases, id, deadline_mono_ms, false, &m->holder->overdue);
    if (m->leases.first == id)
        m->answered_mono_ms = -1; /* what its holder says of it now counts */
    return 0;
}

int dispatcher_started(struct dispatcher *d, struct member *m, uint64_t seq, uint64_t token, int64_t mono_ms,
                       int64_t wall_ms)
{
    check(wall_ms > 0);
    uint32_t id = held(d, m, seq, token);
    if (id == LEASE_NONE)
        return SHUNT_STALE;
    struct lease *l = lease_at(&d->leases, id);
    /* Said twice, the handler still began when it was first said. */
    if (l->started_ms == 0)
        l->started_ms = wall_ms;
    lease_table_set_deadline(&d->leases, id, mono_ms + l->lease_ms, true, &m->holder->overdue);
    return 0;
}

void dispatcher_revoke(struct dispatcher *d, uint32_t group, uint64_t seq)
{
    uint32_t id = lease_table_find(&d->leases, group, seq);
    struct lease l;
    if (id != LEASE_NONE)
        lease_close(d, id, &l);
}

uint64_t dispatcher_leases(const struct dispatcher *d)
{
    return d->leases.count;
}
