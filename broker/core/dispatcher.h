/* dispatcher: who holds what until when, and who gets the next messages.
 *
 * Volatile: a restart forgets it, and the ledger gives everything that was in flight back. Its inputs are requests,
 * time (passed in) and the ledger's results; it has no clock, socket, thread or log. Time comes in two kinds that do not
 * mix: `mono_ms` for leases, `wall_ms` for what is written into the attempt ledger.
 *
 *     member with credit, group with ready messages
 *          │ dispatcher_next(): reserves credit, yields an assignment
 *          ▼
 *     ledger applies it ──► dispatcher_lease() for each message, then dispatcher_assigned()
 *          │
 *          ▼                 started mark: lease begins again
 *       LEASED ──────────────────────────────► STARTED
 *          │ dispatcher_claim(): answered          │
 *          │ dispatcher_expire(): lease ran out    │
 *          │ holder lost, unsubscribed, revoked    │
 *          └───────────────► (lease closed) ◄──────┘
 *
 * Isolation: when a connection is lost with several started messages, all of them become suspects (the ledger keeps
 * that). A suspect is handed out only to a connection that holds nothing else, and nothing more is assigned to that
 * connection until it is answered: a second loss then has one culprit.
 */
#ifndef SHUNT_CORE_DISPATCHER_H
#define SHUNT_CORE_DISPATCHER_H

#include "broker/core/lane.h"
#include "proto/words.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dispatcher;
struct holder; /* a connection */
struct member; /* a subscription of a connection to a group */

/* What the ledger knows of a group; asked for each time it matters, so that no count is kept twice. */
struct group_ready {
    uint64_t lane[LANES]; /* how many are ready in each */
    /* a member is given no less at once, if that is ready: all of a key; 0: there is no such number */
    uint32_t run;
    bool paused;
};
typedef void dispatcher_ready_fn(void *context, uint32_t group, struct group_ready *ret);

/* NULL without memory. */
struct dispatcher *dispatcher_new(dispatcher_ready_fn *ready, void *context);
/* Frees all holders, members and leases too. Takes NULL. */
void dispatcher_free(struct dispatcher *d);

/* ---- connections and subscriptions ---- */

/* `marks`: the client sends started marks; without them all it holds counts as started. NULL without memory. */
struct holder *dispatcher_connect(struct dispatcher *d, bool marks);

/* How a closed lease is judged, for the ledger to apply (design: truth table). */
struct lease_end {
    uint32_t group;
    uint64_t seq;
    uint64_t token;
    enum attempt_outcome outcome; /* RELEASED, LEASE_EXPIRED, UNSTARTED, DISCONNECTED or SUSPECTED */
    int64_t leased_ms;            /* wall */
    int64_t started_ms;           /* wall; 0: never */
    bool silent;                  /* it ended by time, and nothing has come from the holder since */
    struct holder *holder;        /* for its name; valid during the call */
};
typedef void dispatcher_end_fn(void *context, const struct lease_end *end);

enum holder_end {
    HOLDER_LOST,    /* its peer went, or broke the protocol */
    HOLDER_GOODBYE, /* it said so */
    HOLDER_CLOSED,  /* the server closed it for want of room or patience */
};
/* The connection is gone. With a goodbye all it held is RELEASED. Otherwise what was not started is UNSTARTED;
 * one started message (over all its subscriptions) is DISCONNECTED; several are all SUSPECTED. If the server closed it, a
 * started message is SUSPECTED even if it is the only one, but for a suspect, which is DISCONNECTED as ever: so this is
 * forgiven once for each message.
 * Calls `end` for each lease, in order of delivery, then frees the holder and its members. */
void dispatcher_disconnect(struct dispatcher *d, struct holder *h, enum holder_end how,
                           dispatcher_end_fn *end, void *context);
/* Something came from the connection, at that time. A connection of which a lease ran out is SILENT until then, and nothing is
 * assigned to it: a process that is stopped, or a machine that has gone, would be given message after message. */
void dispatcher_heard(struct dispatcher *d, struct holder *h, int64_t mono_ms);
bool holder_is_silent(const struct holder *h);
int64_t holder_heard(const struct holder *h); /* mono ms; 0: never */
/* The silent ones, those first that have been so for longest; `after` NULL: the first. NULL: no more. */
struct holder *dispatcher_silent(const struct dispatcher *d, const struct holder *after);
uint64_t dispatcher_silent_count(const struct dispatcher *d);
/* Keep back (or let go on) assignments to this connection: its bytes wait unsent. */
void dispatcher_hold(struct dispatcher *d, struct holder *h, bool held_back);
/* The caller's pointer, kept with the holder and the member. */
void holder_set_owner(struct holder *h, void *owner);
void *holder_owner(const struct holder *h);
void member_set_owner(struct member *m, void *owner);
void *member_owner(const struct member *m);
uint32_t member_group(const struct member *m);
struct holder *member_holder(const struct member *m);

/* Credit is a window on unresolved messages and bytes. NULL without memory. */
struct member *dispatcher_subscribe(struct dispatcher *d, struct holder *h, uint32_t group, uint32_t messages,
                                    uint64_t bytes);
void dispatcher_credit(struct dispatcher *d, struct member *m, uint32_t messages, uint64_t bytes);
/* All it holds is RELEASED. Frees the member. */
void dispatcher_unsubscribe(struct dispatcher *d, struct member *m, dispatcher_end_fn *end, void *context);
/* The group is gone: closes its members' leases without a verdict, calls `closed` for each member (which may read it), frees them. */
typedef void dispatcher_closed_fn(void *context, struct member *m);
void dispatcher_group_gone(struct dispatcher *d, uint32_t group, dispatcher_closed_fn *closed, void *context);
uint64_t dispatcher_members(const struct dispatcher *d, uint32_t group); /* how many */
/* When the oldest of the group's open leases was handed out, wall ms; 0: there is none. cost: O(members) */
int64_t dispatcher_oldest_lease(const struct dispatcher *d, uint32_t group);

/* ---- leases ---- */

/* What a connection, or a subscription, holds, to look at it. */
struct held_look {
    uint64_t messages;
    int64_t oldest_ms; /* wall: when the oldest of them was handed out; 0: there is none */
};
void holder_look(const struct dispatcher *d, const struct holder *h, struct held_look *ret);
void member_look(const struct dispatcher *d, const struct member *m, struct held_look *ret);
/* The credit that it has been given. */
void member_window(const struct member *m, uint32_t *ret_messages, uint64_t *ret_bytes);
/* Which connection holds a message, to look at it. False: none. */
struct lease_look {
    const struct holder *holder;
    int64_t leased_ms, started_ms; /* wall; started 0: never, as far as its holder says */
    int64_t deadline_mono_ms;
};
bool dispatcher_look(const struct dispatcher *d, uint32_t group, uint64_t seq, struct lease_look *ret);

/* out: the lease is closed; its credit is free again. fails: STALE (this member holds no such delivery). */
struct lease_times {
    int64_t leased_ms, started_ms; /* wall; started 0: never (with marks off: the time of the lease) */
};
int dispatcher_claim(struct dispatcher *d, struct member *m, uint64_t seq, uint64_t token,
                     struct lease_times *ret);
/* The lease ends at `deadline_mono_ms`, or later by what dispatcher_settle() says. fails: STALE */
int dispatcher_extend(struct dispatcher *d, struct member *m, uint64_t seq, uint64_t token,
                      int64_t deadline_mono_ms);
/* A handler runs on it: the lease begins again and lasts as long as when it was given. fails: STALE */
int dispatcher_started(struct dispatcher *d, struct member *m, uint64_t seq, uint64_t token, int64_t mono_ms,
                       int64_t wall_ms);
/* What was given and prolonged since the last time is told to the consumers now, `passed_ms` after the times that were passed
 * in: until now those deadlines have stood still. To be called at the end of each turn. */
void dispatcher_settle(struct dispatcher *d, int64_t passed_ms);
bool dispatcher_is_settled(const struct dispatcher *d); /* there is nothing to do for it */
/* The next holder with overdue leases, of which it is to be asked whether all that has come from it was handled. NULL: there is
 * none (more). The answer is dispatcher_caught_up(). Without one, the leases end LEASE_OVERDUE_MS_MAX after the question. */
struct holder *dispatcher_ask(struct dispatcher *d, int64_t mono_ms);
/* All that came from it before `mono_ms` was handled: those of its leases that fell due by then may be ended. Whom that was never
 * said of is not asked about, and its leases end as soon as they are due. */
void dispatcher_caught_up(struct dispatcher *d, struct holder *h, int64_t mono_ms);
/* Close every lease whose deadline is <= mono_ms and <= how far its holder was caught up with, in order of deadlines for each holder:
 * LEASE_EXPIRED if started, else UNSTARTED. At most `max`; returns how many. Their holders are silent then.
 * Without marks one delivery at most is taken for started: the oldest of its subscription that is not answered. The lease of the
 * next one lasts at least as long again from the answer to the one before it; and while the holder is silent after such a charge,
 * nothing else of it is charged. */
size_t dispatcher_expire(struct dispatcher *d, int64_t mono_ms, size_t max, dispatcher_end_fn *end,
                         void *context);
/* The ledger took a message away that was in flight (purge, redrive): close its lease, if there is one, without a verdict. */
void dispatcher_revoke(struct dispatcher *d, uint32_t group, uint64_t seq);
/* When dispatcher_expire() has something to do again; INT64_MAX without leases, 0: now. */
int64_t dispatcher_deadline(const struct dispatcher *d);
uint64_t dispatcher_leases(const struct dispatcher *d); /* how many are open */
/* At most `messages` are in flight in all; 0: no limit. A lower limit takes nothing back. There are at most `connections`: each of
 * them may have its even part of one half; of the rest one may have, beyond its part, as many as are still free, so that one that
 * hoards leaves room for the others. connections 0: none has a part. */
void dispatcher_limit(struct dispatcher *d, uint64_t messages, uint64_t connections);

/* ---- assignment ---- */

struct assignment {
    struct member *member;
    uint32_t group;
    enum lane lane;
    uint32_t messages;   /* at most; 1 in LANE_SUSPECT */
    uint64_t bytes;      /* at most … */
    bool oversize_first; /* … but the first may be larger: nothing else is held */
};

/* Something may have become ready in the group: look at it again at the next dispatcher_next(). */
void dispatcher_wake(struct dispatcher *d, uint32_t group);

/* The next assignment, in fair turns over groups, and over the members of a group; false when there is nothing to give or nobody
 * to take it. Each turn gives a member at most its even share of what is ready and ASSIGN_TURN_MESSAGES. The credit is
 * reserved until dispatcher_assigned(); several may be taken before the first is applied.
 * Suspects: if a group has some ready, one of its connections at a time is kept from new messages until it holds nothing (at
 * once if one already holds nothing), then gets one suspect alone; a group with one connection alternates in that
 * way too, so that both suspects and the others move on. */
bool dispatcher_next(struct dispatcher *d, struct assignment *ret);
#define ASSIGN_TURN_MESSAGES 1024

/* One message of an assignment was handed out. fails: NO_MEMORY, and STALE if the member is gone meanwhile (the caller gives the
 * message back as RELEASED; dispatcher_assigned() is still due). in: wall_ms > 0. */
int dispatcher_lease(struct dispatcher *d, const struct assignment *a, uint64_t seq, uint64_t token,
                     uint64_t bytes, int64_t lease_ms, int64_t mono_ms, int64_t wall_ms);
/* A message that the member's consumer has kept from an earlier connection is its own again, whatever its credit; `started`: a
 * handler runs on it. fails: NO_MEMORY. in: nobody holds it, the member may; wall_ms > 0. */
/* How many it may take up: none if its connection has a suspect alone, or is to have one. */
uint64_t dispatcher_take_up_room(const struct dispatcher *d, const struct member *m);
int dispatcher_take_up(struct dispatcher *d, struct member *m, uint64_t seq, uint64_t token, uint64_t bytes,
                       int64_t lease_ms, bool started, int64_t mono_ms, int64_t wall_ms);
/* The assignment is over; `count` were handed out. */
void dispatcher_assigned(struct dispatcher *d, const struct assignment *a, uint32_t count);

/* For tests: walks all structures and check()s every invariant. */
void dispatcher_check_slow(const struct dispatcher *d);

#endif
