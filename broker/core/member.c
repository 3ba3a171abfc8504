/* member: connections and their subscriptions, who comes and who goes. */
#include "base/check.h"
#include "broker/core/dispatcher_state.h"
#include <stdlib.h>

/* ---- connections ---- */

struct holder *dispatcher_connect(struct dispatcher *d, bool marks)
{
    struct holder *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->marks = marks;
    ring_init(&h->members);
    ring_init(&h->silent);
    ring_init(&h->capped);
    lease_list_init(&h->leases);
    lease_list_init(&h->overdue);
    ring_init(&h->asking);
    h->caught_up_ms = INT64_MAX;
    ring_append(&d->holders, &h->link);
    return h;
}

void dispatcher_hold(struct dispatcher *d, struct holder *h, bool held_back)
{
    h->held_back = held_back;
    if (held_back && h->lone && !h->alone)
        isolation_end(d, h, false);
    holder_refresh(d, h);
}

void holder_set_owner(struct holder *h, void *owner)
{
    h->owner = owner;
}

void *holder_owner(const struct holder *h)
{
    return h->owner;
}

/* ---- subscriptions ---- */

struct member *dispatcher_subscribe(struct dispatcher *d, struct holder *h, uint32_t group, uint32_t messages,
                                    uint64_t bytes)
{
    struct member *m = calloc(1, sizeof *m);
    struct pool *p = m ? pool_find_or_add(d, group) : NULL;
    if (!p) {
        free(m);
        return NULL;
    }
    m->holder = h;
    m->pool = p;
    m->group = group;
    m->credit_messages = messages;
    m->credit_bytes = bytes;
    m->answered_mono_ms = -1;
    lease_list_init(&m->leases);
    ring_init(&m->taker);
    ring_append(&p->members, &m->in_pool);
    ring_append(&h->members, &m->in_holder);
    p->member_count++;
    member_refresh(d, m);
    return m;
}

/* Forget the member. If an assignment to it is under way it stays in memory until that is over. */
static void member_remove(struct dispatcher *d, struct member *m)
{
    struct pool *p = m->pool;
    check(m->leased_messages == 0);
    check(m->holder->lone != m);
    check(!ring_linked(&m->taker));
    ring_remove(&m->in_pool);
    ring_remove(&m->in_holder);
    if (m->pending) {
        m->holder->pending--;
        in_flight_take(d, m->holder, m->pending);
        if (m->pending_lane == LANE_NORMAL)
            p->reserved -= m->pending;
        ring_append(&d->departed, &m->in_holder);
    }
    struct holder *h = m->holder;
    m->holder = NULL;
    m->pool = NULL;
    if (!m->pending)
        free(m);
    if (--p->member_count == 0)
        pool_free(d, p);
    else
        pool_wake(d, p);
    isolation_step(d, h);
}

/* And its members. in: it has no leases. */
static void holder_free(struct dispatcher *d, struct holder *h)
{
    h->leaving = true;
    holder_refresh(d, h);
    isolation_end(d, h, false);
    while (!ring_empty(&h->members))
        member_remove(d, ring_of(h->members.next, struct member, in_holder));
    ring_remove(&h->link);
    holder_end_silence(d, h);
    ring_remove(&h->capped);
    ring_remove(&h->asking);
    free(h);
}

void dispatcher_credit(struct dispatcher *d, struct member *m, uint32_t messages, uint64_t bytes)
{
    m->credit_messages = messages;
    m->credit_bytes = bytes;
    m->blocked = false;
    if (messages == 0 && m->holder->lone == m && !m->holder->alone)
        isolation_end(d, m->holder, false);
    member_refresh(d, m);
}

static void say_end(const struct lease *l, struct holder *h, enum attempt_outcome outcome,
                    dispatcher_end_fn *end, void *context)
{
    struct lease_end e = {
        .group = l->group,
        .seq = l->seq,
        .token = l->token,
        .outcome = outcome,
        .leased_ms = l->leased_ms,
        .started_ms = l->started_ms,
        .holder = h,
    };
    end(context, &e);
}

/* `alone`: it is a suspect. */
static enum attempt_outcome loss_of(const struct lease *l, enum holder_end how, uint64_t started, bool alone)
{
    if (how == HOLDER_GOODBYE)
        return ATTEMPT_RELEASED;
    if (l->started_ms == 0)
        return ATTEMPT_UNSTARTED;
    return started > 1 || (how == HOLDER_CLOSED && !alone) ? ATTEMPT_SUSPECTED : ATTEMPT_DISCONNECTED;
}

void dispatcher_disconnect(struct dispatcher *d, struct holder *h, enum holder_end how,
                           dispatcher_end_fn *end, void *context)
{
    uint64_t started = 0;
    bool alone = h->alone; /* closing its lease ends that */
    for (uint32_t id = h->leases.first; id != LEASE_NONE; id = lease_at(&d->leases, id)->in[BY_HOLDER].next)
        started += lease_at(&d->leases, id)->started_ms != 0;

    h->leaving = true;
    holder_refresh(d, h);
    while (h->leases.first != LEASE_NONE) {
        struct lease l;
        lease_close(d, h->leases.first, &l);
        say_end(&l, h, loss_of(&l, how, started, alone), end, context);
    }
    holder_free(d, h);
}

/* Nothing more is assigned to it, and it is nobody's choice for suspects. */
static void member_leave(struct dispatcher *d, struct member *m)
{
    m->leaving = true;
    member_refresh(d, m);
    if (m->holder->lone == m)
        isolation_end(d, m->holder, false);
}

void dispatcher_unsubscribe(struct dispatcher *d, struct member *m, dispatcher_end_fn *end, void *context)
{
    member_leave(d, m);
    while (m->leases.first != LEASE_NONE) {
        struct lease l;
        lease_close(d, m->leases.first, &l);
        say_end(&l, m->holder, ATTEMPT_RELEASED, end, context);
    }
    member_remove(d, m);
}

void dispatcher_group_gone(struct dispatcher *d, uint32_t group, dispatcher_closed_fn *closed, void *context)
{
    struct pool *p = pool_find(d, group);
    if (!p)
        return;
    for (struct ring *r = p->members.next; r != &p->members; r = r->next)
        member_leave(d, ring_of(r, struct member, in_pool));
    for (uint64_t left = p->member_count; left > 0; left--) {
        struct member *m = ring_of(p->members.next, struct member, in_pool);
        while (m->leases.first != LEASE_NONE) {
            struct lease l;
            lease_close(d, m->leases.first, &l);
        }
        closed(context, m);
        member_remove(d, m);
    }
}

uint64_t dispatcher_members(const struct dispatcher *d, uint32_t group)
{
    const struct pool *p = pool_find(d, group);
    return p ? p->member_count : 0;
}

int64_t dispatcher_oldest_lease(const struct dispatcher *d, uint32_t group)
{
    const struct pool *p = pool_find(d, group);
    int64_t oldest_ms = 0;
    if (!p)
        return 0;
    for (struct ring *r = p->members.next; r != &p->members; r = r->next) {
        const struct member *m = ring_of(r, struct member, in_pool);
        if (m->leases.first == LEASE_NONE)
            continue;
        int64_t leased_ms = lease_at(&d->leases, m->leases.first)->leased_ms;
        if (!oldest_ms || leased_ms < oldest_ms)
            oldest_ms = leased_ms;
    }
    return oldest_ms;
}

void member_set_owner(struct member *m, void *owner)
{
    m->owner = owner;
}

void *member_owner(const struct member *m)
{
    return m->owner;
}

uint32_t member_group(const struct member *m)
{
    return m->group;
}

struct holder *member_holder(const struct member *m)
{
    return m->holder;
}
