/* dispatcher_state: what the dispatcher's files share.
 *
 *     dispatcher ── runnable ──► pool ── takers ──► member ──► its leases
 *                └─ holders ──► holder ── members ──► member
 *
 * A pool is what the dispatcher keeps of a group: there is one as long as the group has members. A pool is
 * runnable when there may be something ready and somebody to take it; dispatcher_next() takes from the front
 * and drops those that turn out otherwise. What makes a member able to take again, or its group wake, puts
 * the pool back.
 *
 * Each file needs only those before it:
 *
 *     pool, lease_table   the groups that have members, the open leases
 *     taker               which members can take something now
 *     in_flight           how many messages may be in flight
 *     isolation           which connection is kept for suspects
 *     silence             connections of which a lease ran out
 *     lease               from the hand-out to how a lease ends
 *     assign, expiry      whose turn it is; whose time has passed
 *     member              who comes and who goes
 *     dispatcher          where all that begins and ends
 */
#ifndef SHUNT_CORE_DISPATCHER_STATE_H
#define SHUNT_CORE_DISPATCHER_STATE_H

#include "base/ring.h"
#include "broker/core/dispatcher.h"
#include "broker/core/lease_table.h"

struct pool {
    uint32_t group;
    struct pool *hash_next;
    struct ring runnable; /* its link in the dispatcher's ring of that name */
    struct ring members;  /* in order of subscription */
    struct ring takers;   /* those of them that can take something now; the first is next */
    uint64_t member_count;
    uint32_t taker_count;
    uint32_t turns_left; /* of this round over the takers, so that they share evenly */
    uint64_t reserved;   /* messages of normal assignments under way */
    /* The member whose holder is kept from new messages for this group's suspects, or has one of them; NULL:
     * none. */
    struct member *lone;
    /* By lane: what the group had ready when last looked at, and, if an assignment then got nothing although
     * as much is still ready, that number: it is pointless to try again until it changes or the group is
     * woken. 0: none. */
    uint64_t seen[LANES], refused[LANES];
};

struct holder {
    struct ring link;    /* in dispatcher.holders */
    struct ring members; /* in order of subscription */
    struct lease_list leases;
    uint64_t leased;    /* how many */
    uint32_t pending;   /* assignments under way */
    uint64_t in_flight; /* messages it holds, and those of assignments under way */
    struct ring capped; /* its link in the dispatcher's ring of that name: it holds its share of all that may
                           be in flight */
    bool marks;
    bool held_back;
    bool leaving;       /* it is being taken down */
    struct ring silent; /* its link in the dispatcher's ring of that name: a lease of it ended by time, and
                           nothing has come from it since */
    bool charged;       /* … and one that ended was charged: without marks no other is before it is heard */
    int64_t heard_mono_ms;
    /* Isolation. `lone` is the member whose pool named this holder; NULL: none did. First it only gets
     * nothing new (draining); once it holds nothing it gets a suspect, and is `alone` from then until that is
     * closed. */
    struct member *lone;
    bool alone;
    /* Its leases whose deadlines have passed, and how far it was heard (expiry.c). */
    struct lease_list overdue;
    struct ring asking;   /* in one of the dispatcher's rings to_ask, asked, to_end; or in none */
    int64_t caught_up_ms; /* all that came from it by then was handled */
    int64_t charged_ms;   /* without marks: one was charged for all leases that were over by then */
    int64_t asked_ms;     /* when it was last asked about */
    bool owes_turn; /* it had a suspect, and no other message since: those who have nobody else come first */
    void *owner;
};

struct member {
    struct ring in_pool, in_holder;
    struct ring taker; /* linked if and only if it can take something now */
    struct holder *holder;
    struct pool *pool;
    uint32_t group;
    uint32_t credit_messages;
    uint64_t credit_bytes;
    uint32_t leased_messages;
    uint32_t pending; /* messages of the assignment under way; 0: there is none */
    uint64_t leased_bytes;
    struct lease_list leases;
    enum lane pending_lane;
    bool blocked; /* the next message is larger than its free bytes: it waits until it has more */
    /* Without marks: when the oldest of its deliveries was answered, so that the next one came into the
     * consumer's hands; -1: never, or the lease of that one was set since. */
    int64_t answered_mono_ms;
    bool leaving;
    void *owner;
};

struct dispatcher {
    dispatcher_ready_fn *ready;
    void *context;
    struct lease_table leases;
    struct ring holders;
    struct ring runnable;
    struct ring silent;        /* holders, the one that has been so for longest first */
    uint64_t in_flight_max;    /* messages, in all; 0: no limit */
    uint64_t in_flight_part;   /* what each connection may have in any case */
    uint64_t in_flight_shared; /* what all may have together beyond their parts, and have now */
    uint64_t in_flight_beyond;
    uint64_t in_flight;   /* the sum of all holders' */
    struct ring capped;   /* holders */
    bool room_came;       /* since the capped ones were looked at */
    struct ring to_ask;   /* holders with leases overdue, of whom more may have come */
    struct ring asked;    /* those about whom it was asked, the first of them first */
    struct ring to_end;   /* those with overdue leases that are to be ended */
    struct ring departed; /* members that left with an assignment under way; freed when that is over */
    uint64_t silent_count;
    struct pool **buckets;
    uint32_t bucket_count, pool_count;
};

/* ---- pool.c ---- */
struct pool *pool_find(const struct dispatcher *d, uint32_t group);  /* NULL: none */
struct pool *pool_find_or_add(struct dispatcher *d, uint32_t group); /* NULL without memory */
void pool_free(struct dispatcher *d, struct pool *p);                /* in: it has no members */
/* There may be something for it to do. */
void pool_wake(struct dispatcher *d, struct pool *p);
/* What its group has ready, less what is reserved or known to be refused; nothing while paused. */
void pool_ready(const struct dispatcher *d, struct pool *p, struct group_ready *ret);

/* ---- taker.c ---- */
/* Put it among its pool's takers, or take it out, as its state says. */
void member_refresh(struct dispatcher *d, struct member *m);
void holder_refresh(struct dispatcher *d, struct holder *h); /* all its members */

/* ---- in_flight.c ---- */
bool in_flight_is_full(const struct dispatcher *d);
/* How many more messages the holder may have now. */
uint64_t in_flight_room(const struct dispatcher *d, const struct holder *h);
/* So many more are in flight, or fewer. */
void in_flight_add(struct dispatcher *d, struct holder *h, uint32_t messages);
void in_flight_take(struct dispatcher *d, struct holder *h, uint32_t messages);
/* The same for one: this is done for each message. */
static inline void in_flight_add_one(struct dispatcher *d, struct holder *h)
{
    d->in_flight++;
    d->in_flight_beyond += ++h->in_flight > d->in_flight_part;
}
static inline void in_flight_take_one(struct dispatcher *d, struct holder *h)
{
    d->in_flight--;
    d->in_flight_beyond -= h->in_flight-- > d->in_flight_part;
    d->room_came = true;
}
/* It has no room: its members take nothing. in: it is not capped. */
void in_flight_cap(struct dispatcher *d, struct holder *h);
/* Let those go on who have room again. Costs nothing unless some came. */
void in_flight_look(struct dispatcher *d);

/* ---- isolation.c ---- */
static inline bool holder_idle(const struct holder *h)
{
    return h->leased == 0 && h->pending == 0;
}
static inline bool pool_draining(const struct pool *p)
{
    return p->lone && !p->lone->holder->alone;
}
/* in:  the group has suspects ready.
 * out: if one of its holders can be kept for them now, one is. True if all that could be owe an ordinary turn
 * to a pool, which is runnable and will give it. */
bool isolation_choose(struct dispatcher *d, struct pool *p);
/* The holder, if isolated, is like the others again. `served`: it had a suspect. */
void isolation_end(struct dispatcher *d, struct holder *h, bool served);
/* What the holder held has changed: if it is isolated and now idle, go on. */
void isolation_step(struct dispatcher *d, struct holder *h);

/* ---- silence.c ---- */
/* A lease of it ran out. */
void holder_fall_silent(struct dispatcher *d, struct holder *h);
/* If it is silent. It takes again only when refreshed. */
void holder_end_silence(struct dispatcher *d, struct holder *h);

/* ---- lease.c ---- */
/* Close a lease; `ret` gets a copy. */
void lease_close(struct dispatcher *d, uint32_t id, struct lease *ret);

#endif
