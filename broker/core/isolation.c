/* isolation: a suspect goes to a connection that holds nothing else, and is alone there until it is answered.
 *
 *     OPEN ── chosen for a group's suspects ──► DRAINING ── holds nothing ──► ALONE (has the suspect)
 *      ▲          (held back, no suspects left) ──┘                             │
 *      └──────────────────────────────── the suspect is closed ─────────────────┘
 *
 * A group has at most one connection in DRAINING or ALONE, and a connection is there for at most one group.
 * Afterwards a connection that is somebody's only one owes them a turn first: a pile of suspects, each of
 * which may take long, stops nobody's ordinary messages for longer than one of them takes.
 */
#include "base/check.h"
#include "broker/core/dispatcher_state.h"

static bool another_takes(const struct pool *p, const struct holder *h)
{
    for (struct ring *r = p->takers.next; r != &p->takers; r = r->next) {
        if (ring_of(r, struct member, taker)->holder != h)
            return true;
    }
    return false;
}

/* True if it owes a turn, and some group has ordinary messages that nobody else could take now. That group is
 * runnable then. */
static bool owes(struct dispatcher *d, const struct holder *h)
{
    if (!h->owes_turn)
        return false;
    for (struct ring *r = h->members.next; r != &h->members; r = r->next) {
        struct member *m = ring_of(r, struct member, in_holder);
        if (!ring_linked(&m->taker) || another_takes(m->pool, h))
            continue;
        struct group_ready ready;
        pool_ready(d, m->pool, &ready);
        if (ready.lane[LANE_NORMAL] > 0) {
            pool_wake(d, m->pool);
            return true;
        }
    }
    return false;
}

static void begin(struct dispatcher *d, struct pool *p, struct member *m)
{
    check(!p->lone);
    check(!m->holder->lone);
    p->lone = m;
    m->holder->lone = m;
    m->holder->alone = false;
    holder_refresh(d, m->holder);
}

/* While one connection drains, another may have become idle. Only the one whose turn it is is looked at, so
 * that a visit costs the same however many there are; the turn goes round. */
static void choose_better(struct dispatcher *d, struct pool *p)
{
    if (ring_empty(&p->takers) || holder_idle(p->lone->holder))
        return;
    struct member *m = ring_of(p->takers.next, struct member, taker);
    if (!holder_idle(m->holder) || owes(d, m->holder))
        return;
    isolation_end(d, p->lone->holder, false);
    begin(d, p, m);
}

bool isolation_choose(struct dispatcher *d, struct pool *p)
{
    if (p->lone) {
        if (pool_draining(p))
            choose_better(d, p);
        return false;
    }
    struct member *chosen = NULL;
    bool owing = false;
    for (struct ring *r = p->takers.next; r != &p->takers; r = r->next) {
        struct member *m = ring_of(r, struct member, taker);
        bool idle = holder_idle(m->holder);
        if (chosen && !idle)
            continue;
        if (owes(d, m->holder)) {
            owing = true;
            continue;
        }
        chosen = m;
        if (idle)
            break;
    }
    if (chosen)
        begin(d, p, chosen);
    return !chosen && owing;
}

void isolation_end(struct dispatcher *d, struct holder *h, bool served)
{
    struct member *m = h->lone;
    if (!m)
        return;
    struct pool *p = m->pool;
    check(p->lone == m);
    p->lone = NULL;
    h->lone = NULL;
    h->alone = false;
    h->owes_turn = served;
    /* The connection's other groups, whose suspects may have waited for it as well, come before this one. */
    for (struct ring *r = h->members.next; r != &h->members; r = r->next) {
        if (ring_of(r, struct member, in_holder) != m)
            member_refresh(d, ring_of(r, struct member, in_holder));
    }
    ring_remove(&p->runnable);
    member_refresh(d, m);
    pool_wake(d, p);
}

void isolation_step(struct dispatcher *d, struct holder *h)
{
    if (!h->lone || !holder_idle(h))
        return;
    if (h->alone)
        isolation_end(d, h, true);
    else
        pool_wake(d, h->lone->pool);
}
