/* assign: whose turn it is. Runnable groups take turns, and within a group its takers do. */
#include "base/check.h"
#include "broker/core/dispatcher_state.h"
#include <stdlib.h>

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t free_bytes(const struct member *m)
{
    return m->credit_bytes - least(m->credit_bytes, m->leased_bytes);
}

static void reserve(struct dispatcher *d, struct member *m, const struct assignment *a)
{
    if (a->lane == LANE_NORMAL)
        m->pool->reserved += a->messages;
    m->pending = a->messages;
    m->pending_lane = a->lane;
    m->holder->pending++;
    in_flight_add(d, m->holder, a->messages);
    member_refresh(d, m);
}

static void give_suspect(struct dispatcher *d, struct pool *p, struct assignment *ret)
{
    struct member *m = p->lone;
    *ret = (struct assignment){
        .member = m,
        .group = p->group,
        .lane = LANE_SUSPECT,
        .messages = 1,
        .bytes = m->credit_bytes,
        .oversize_first = true,
    };
    m->holder->alone = true;
    reserve(d, m, ret);
}

/* The next taker's share of what is ready. Turns are counted, not members: within one round each of the
 * takers is given the same, whether the ones before it have come back into the ring or not. */
static uint32_t share(struct pool *p, const struct member *m, uint64_t ready, uint32_t run, uint64_t room)
{
    if (p->turns_left == 0 || p->turns_left > p->taker_count)
        p->turns_left = p->taker_count;
    uint64_t even = (ready + p->turns_left - 1) / p->turns_left;
    p->turns_left--;
    if (even < run)
        even = least(run, ready);
    even = least(least(even, ASSIGN_TURN_MESSAGES), room);
    return (uint32_t)least(even, m->credit_messages - m->leased_messages);
}

/* The taker whose turn it is, of those that do not hold their share of all yet; NULL: there is none. */
static struct member *next_taker(struct dispatcher *d, struct pool *p, uint64_t *ret_room)
{
    while (!ring_empty(&p->takers)) {
        struct member *m = ring_of(p->takers.next, struct member, taker);
        *ret_room = in_flight_room(d, m->holder);
        if (*ret_room)
            return m;
        in_flight_cap(d, m->holder);
    }
    return NULL;
}

static bool give_normal(struct dispatcher *d, struct pool *p, const struct group_ready *ready,
                        struct assignment *ret)
{
    uint64_t room;
    struct member *m = next_taker(d, p, &room);
    if (!m)
        return false;
    *ret = (struct assignment){
        .member = m,
        .group = p->group,
        .lane = LANE_NORMAL,
        .messages = share(p, m, ready->lane[LANE_NORMAL], ready->run, room),
        .bytes = free_bytes(m),
        .oversize_first = m->leased_messages == 0,
    };
    reserve(d, m, ret);
    m->holder->owes_turn = false;
    return true;
}

enum visit {
    GIVEN,
    NOTHING, /* nothing to give in this pool, or nobody to take it */
    LATER,   /* its suspects wait until somebody has had an ordinary turn, in a pool that is runnable */
};

static enum visit visit(struct dispatcher *d, struct pool *p, struct assignment *ret)
{
    if (ring_empty(&p->takers) && !pool_draining(p))
        return NOTHING;
    struct group_ready ready;
    bool later = false;
    pool_ready(d, p, &ready);
    if (ready.lane[LANE_SUSPECT] > 0) {
        later = isolation_choose(d, p);
        if (pool_draining(p) && holder_idle(p->lone->holder)) {
            give_suspect(d, p, ret);
            return GIVEN;
        }
    } else if (pool_draining(p)) {
        isolation_end(d, p->lone->holder, false);
    }
    if (ready.lane[LANE_NORMAL] && give_normal(d, p, &ready, ret))
        return GIVEN;
    return later ? LATER : NOTHING;
}

bool dispatcher_next(struct dispatcher *d, struct assignment *ret)
{
    in_flight_look(d);
    while (!ring_empty(&d->runnable) && !in_flight_is_full(d)) {
        struct pool *p = ring_of(d->runnable.next, struct pool, runnable);
        enum visit result = visit(d, p, ret);
        ring_remove(&p->runnable);
        if (result != NOTHING)
            pool_wake(d, p);
        if (result == GIVEN)
            return true;
    }
    return false;
}

/* An assignment got nothing. If as much is ready as at the last look, then that is because of bytes, or
 * because the ledger will not hand it out; the same assignment must not be made again and again. */
static void refused(struct dispatcher *d, struct member *m, const struct assignment *a)
{
    struct pool *p = m->pool;
    struct group_ready ready = {0};
    d->ready(d->context, p->group, &ready);
    uint64_t now = ready.lane[a->lane];
    if (ready.paused || now != p->seen[a->lane])
        return;
    if (a->oversize_first)
        p->refused[a->lane] = now;
    else if (m->leased_messages > 0 && free_bytes(m) <= a->bytes)
        m->blocked = true;
}

void dispatcher_assigned(struct dispatcher *d, const struct assignment *a, uint32_t count)
{
    struct member *m = a->member;
    check(m->pending == a->messages);
    check(count <= a->messages);
    if (!m->holder) {
        ring_remove(&m->in_holder);
        free(m);
        return;
    }
    struct pool *p = m->pool;
    if (a->lane == LANE_NORMAL)
        p->reserved -= a->messages;
    m->pending = 0;
    m->holder->pending--;
    in_flight_take(d, m->holder, a->messages);
    if (count == 0)
        refused(d, m, a);
    isolation_step(d, m->holder);
    member_refresh(d, m);
    pool_wake(d, p);
}

void dispatcher_wake(struct dispatcher *d, uint32_t group)
{
    struct pool *p = pool_find(d, group);
    if (!p)
        return;
    for (enum lane lane = 0; lane < LANES; lane++)
        p->refused[lane] = 0;
    pool_wake(d, p);
}
