/* account: the bytes of each connection, and of all, by what they wait for; and how many may wait.
 *
 *     bytes     what they are                 they wait for               added by       taken off by
 *     inbox     requests that were read       the engine                  who posts them the engine
 *     held      requests, and their buffers   their client, or their turn the engine     the engine
 *     unsent    answers and deliveries        their client to read them   the engine     the net thread
 *
 * `waiting` is the sum of what clients make us keep: the memory of unsent bytes until it is freed (an item
 * that is written in part counts as a whole), and held requests. Unsent bytes go when clients read. Held
 * requests go only when their connection goes on, so a connection whose client has read all must not wait for
 * less to be held: it might be its own.
 *
 * Two threads share an account, so its members are atomic. Each wait for bytes to go has one shape, which
 * loses no wake-up: who has to wait first says so, then looks again; who takes bytes off first does that, and
 * then looks whether somebody waits.
 */
#ifndef SHUNT_FLOW_ACCOUNT_H
#define SHUNT_FLOW_ACCOUNT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of all connections of one net and engine. Made by their owner, zeroed. */
struct flow_totals {
    _Atomic size_t sockets;   /* open, whatever was said on them */
    _Atomic uint64_t crowded; /* connections that were refused because their address has as many as it may */
    _Atomic size_t waiting_bytes;
    _Atomic size_t held_bytes; /* of them, requests */
    _Atomic size_t inbox_bytes;
    _Atomic size_t inbox_bytes_max;
    _Atomic bool inbox_room_wanted; /* the net thread found no room in the inbox */
    _Atomic bool room_wanted;       /* the engine assigns nothing, because what is unsent is at its limit */
    _Atomic size_t net_goes_on;     /* connections that the net thread does not read go on below this sum */
    _Atomic size_t net_goes_on_unsent; /* the same, of those that wait for less to be unsent */
};

/* Of one connection. */
struct flow_account {
    struct flow_totals *totals; /* lent; never NULL */
    _Atomic size_t unsent_bytes;
    _Atomic size_t inbox_bytes;
    _Atomic size_t held_bytes;
};

/* ---- what waits for clients ---- */

/* How much may wait to be sent. As more waits on all connections together, each may have less: half of the
 * sum changes nothing yet; three quarters are the most that connections may fill for which something waits
 * already, and what answers that may be long; the last quarter is for deliveries to clients that have read
 * all. Short answers to those are never held. So clients that do not read, however many, do not keep the
 * others from being served, and the sum is passed by one page or message, and a few KiB a connection. */
struct flow_limits {
    size_t one_max; /* bytes, for one connection */
    size_t all_max; /* for all together; 0: no limit */
};

/* Past this, connections are closed whose clients read nothing. */
static inline size_t flow_mark(const struct flow_limits *limits)
{
    return limits->all_max ? limits->all_max - limits->all_max / 4 : SIZE_MAX;
}

/* The most that may wait for a connection with `own` unsent bytes while `all` wait in sum. */
static inline size_t flow_most(const struct flow_limits *limits, size_t own, size_t all)
{
    if (!limits->all_max)
        return limits->one_max;
    size_t mark = own ? flow_mark(limits) : limits->all_max;
    size_t most = mark > all ? mark - all : 0;
    return most < limits->one_max ? most : limits->one_max;
}

/* So much more may be assigned to it. */
static inline size_t flow_left(const struct flow_limits *limits, size_t own, size_t all)
{
    size_t most = flow_most(limits, own, all);
    return own < most ? most - own : 0;
}

/* So much is unsent that its requests wait, and nothing is assigned to it. */
static inline bool flow_is_over(const struct flow_limits *limits, size_t own, size_t all)
{
    return own && own > flow_most(limits, own, all);
}

/* A connection that was over goes on when it is below half of what it may have: while less than this waits in
 * sum. SIZE_MAX: whatever else waits; 0: not before some of its own has gone. */
static inline size_t flow_goes_on_below(const struct flow_limits *limits, size_t own)
{
    size_t mark = flow_mark(limits), half = own ? 2 * (own + 1) : 0;
    if (half > limits->one_max)
        return 0;
    if (!limits->all_max || !own)
        return SIZE_MAX;
    return half > mark ? 0 : mark - half + 1;
}

/* Of all connections, without what is held. */
static inline size_t flow_unsent_sum(const struct flow_totals *t)
{
    size_t all = atomic_load(&t->waiting_bytes), held = atomic_load(&t->held_bytes);
    return all > held ? all - held : 0;
}

/* The engine's: it waits to be sent from now on. */
static inline void flow_unsent(struct flow_account *a, size_t bytes)
{
    atomic_fetch_add(&a->unsent_bytes, bytes);
    atomic_fetch_add(&a->totals->waiting_bytes, bytes);
}

/* The net thread's: it is written, or will never be. */
static inline void flow_written(struct flow_account *a, size_t bytes)
{
    atomic_fetch_sub(&a->unsent_bytes, bytes);
}

/* The net thread's: the memory of what was written is free. */
static inline void flow_freed(struct flow_account *a, size_t bytes)
{
    atomic_fetch_sub(&a->totals->waiting_bytes, bytes);
}

/* The engine's: requests wait for their client, or their turn, from now on; or no longer. */
static inline void flow_hold(struct flow_account *a, size_t bytes)
{
    atomic_fetch_add(&a->held_bytes, bytes);
    atomic_fetch_add(&a->totals->waiting_bytes, bytes);
    atomic_fetch_add(&a->totals->held_bytes, bytes);
}

static inline void flow_release(struct flow_account *a, size_t bytes)
{
    atomic_fetch_sub(&a->held_bytes, bytes);
    atomic_fetch_sub(&a->totals->held_bytes, bytes); /* first: the sum of what is unsent is never too low */
    atomic_fetch_sub(&a->totals->waiting_bytes, bytes);
}

/* The engine's: it stops assigning while as much is unsent as may be; what is held keeps nobody from what
 * is his. True: there is room again by now, so it does not stop. */
bool flow_want_room(struct flow_totals *t, size_t all_max);
/* After bytes went: true, once for each wish, if the engine may assign again. It looks again then: the room
 * may have been taken since, and it wishes anew. */
bool flow_room_came(struct flow_totals *t, size_t all_max);

/* ---- the inbox ---- */

/* `a` NULL: of no connection. */
static inline void flow_inbox_add(struct flow_totals *t, struct flow_account *a, size_t bytes)
{
    atomic_fetch_add(&t->inbox_bytes, bytes);
    if (a)
        atomic_fetch_add(&a->inbox_bytes, bytes);
}

static inline void flow_inbox_take(struct flow_totals *t, struct flow_account *a, size_t bytes)
{
    atomic_fetch_sub(&t->inbox_bytes, bytes);
    if (a)
        atomic_fetch_sub(&a->inbox_bytes, bytes);
}

static inline bool flow_inbox_is_full(const struct flow_totals *t)
{
    return atomic_load(&t->inbox_bytes) >= atomic_load(&t->inbox_bytes_max);
}

/* True: no more of this connection (NULL: of any) may be read until flow_net_goes_on(). The share of a
 * connection shrinks as the inbox fills, so that what one has sent never keeps another from being read. */
bool flow_inbox_must_wait(struct flow_totals *t, const struct flow_account *a);
/* Connections that the net thread does not read may go on. */
static inline bool flow_unread_go_on(const struct flow_totals *t)
{
    return atomic_load(&t->waiting_bytes) < atomic_load(&t->net_goes_on) ||
           flow_unsent_sum(t) < atomic_load(&t->net_goes_on_unsent);
}
/* The engine's, after each turn: true if the net thread waits for room that there is now, in the inbox or in
 * the sums. */
bool flow_net_goes_on(struct flow_totals *t);

#endif
