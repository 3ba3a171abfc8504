/* state: what an engine and its connections are. It is the lowest of the engine's floors: the functions are in the headers next
 * to their files, each of which uses only files below its own (docs/architecture.md has the picture). A part of the state that
 * one file alone looks after is a struct in that file's header.
 */
#ifndef SHUNT_ENGINE_STATE_H
#define SHUNT_ENGINE_STATE_H

#include "base/arena.h"
#include "base/magic.h"
#include "base/ring.h"
#include "broker/core/dispatcher.h"
#include "broker/core/ledger.h"
#include "broker/core/view.h"
#include "broker/engine/collect.h"
#include "broker/engine/deliver.h"
#include "broker/engine/divide.h"
#include "broker/engine/engine.h"
#include "broker/engine/events.h"
#include "broker/engine/inbox.h"
#include "broker/engine/keys.h"
#include "broker/engine/leases.h"
#include "broker/engine/producers.h"
#include "broker/engine/quotas.h"
#include "broker/engine/refusals.h"
#include "broker/engine/room.h"
#include "broker/engine/roster.h"
#include "broker/engine/snapshots.h"
#include "broker/engine/stats.h"
#include "broker/engine/step.h"
#include "broker/engine/who.h"
#include "proto/limits.h"

#include <pthread.h>

/* ---- connections ---- */

#define SUBSCRIPTION_MAGIC 0x53b1a90du
struct subscription {
    uint32_t magic;
    uint64_t id; /* on the connection */
    struct session *session;
    struct member *member;
    bool dead; /* of a DLQ */
    /* The DELIVER frame being written, if open. */
    bool open;
    size_t frame, array;
    uint32_t count;
};

/* What its HELLO asked for besides, until it is answered. */
struct greeting {
    uint64_t request_id;
    bool marks, within;
    bool watches; /* it wants to see what all topics do */
    uint64_t user,
        changed; /* whom it says to be, and in which state of him that is looked at; 0: nobody that is known */
    enum who_how how; /* and how it shows that */
    int64_t wait_ms;  /* of a refusal: until it may try again; 0: not known */
};

#define SESSION_MAGIC 0xd46e7f25u
struct session {
    uint32_t magic;
    struct engine *engine;
    struct session *next, *prev;
    uint64_t number; /* in the roster */
    struct link *link;
    struct holder *holder; /* NULL before HELLO and after GOODBYE */
    struct greeting greeting;
    bool greeted;
    int64_t greeted_ms;     /* wall: when HELLO came */
    struct flow flow;       /* what may go on for it */
    uint64_t planned_bytes; /* while assignments are planned */
    enum flow_ask ask;      /* what the net thread is to be asked to say */
    int64_t ask_ms;         /* it is to be asked whether all was read by now; 0: it is not */
    struct ring output;     /* its link among the sessions with output */
    size_t out_counted;     /* of `out`, in the engine's out_bytes */
    struct mpack_buffer out;
    bool out_secret;        /* it holds a token */
    struct inbox_list held; /* what came while it was QUEUED, BLOCKED or LEAVING */
    struct division division;
    bool silence_told;       /* it has been told of as silent, and not of as heard again */
    int64_t silence_told_ms; /* when it last was; 0: never */
    bool dead_history;       /* its deliveries from DLQs tell the history of the letters */
    bool has_producer;
    bool superseded; /* a newer connection speaks for the producer: nothing more is published on this one */
    uint8_t producer[PRODUCER_ID_BYTES];
    char client[CLIENT_NAME_BYTES_MAX + 1], host[CLIENT_NAME_BYTES_MAX + 1], build[CLIENT_NAME_BYTES_MAX + 1];
    struct subscription **subscriptions; /* in order of id */
    size_t subscriptions_count, subscriptions_capacity;
    uint64_t subscription_next;
    struct who who; /* what it may ask for is decided by that */
    struct gate_memo gate;
    struct session_quotas quotas;
};

struct session_list {
    struct session *head, *tail;
    size_t count;
};

#define ENGINE_MAGIC 0x2ac8e36bu
struct engine {
    uint32_t magic;
    struct engine_config config;
    struct store *store;
    struct ledger *ledger;
    struct dispatcher *dispatcher;
    struct wall_clock clock;
    uint64_t recovered; /* messages in flight at the start */
    bool threaded;
    pthread_t thread;

    /* The port; under `mutex`. */
    pthread_mutex_t mutex;
    pthread_cond_t wake; /* on the monotonic clock */
    struct inbox_list inbox;
    struct outbox_item *outbox, **outbox_tail;
    bool stopping, stopped;
    bool asleep;           /* the engine's thread is, or was woken and has not looked yet */
    bool served;           /* engine_serve() runs a turn: all below is its thread's until it has ended */
    int64_t due_mono_ms;   /* when there is something to do, whatever comes in … */
    int64_t until_mono_ms; /* … and what the sleeping thread took that to be */
    bool reload;
    struct engine_limits new_limits; /* while `reload` is set */

    /* Everything from here on is of the thread that runs the turn: the engine's, or that of engine_serve(). */

    struct session_list sessions;
    struct roster roster;     /* the same, to find by number */
    struct session_list gone; /* to be freed at the end of the turn */
    struct producers producers;
    struct ring line;       /* of sessions that wait for their turn, by flow.line */
    struct ring publishing; /* of those that publish in parts, by division.publishing */
    struct ring outputs;    /* of those with something to send, by output */
    size_t out_bytes;       /* what they have, as last counted */

    /* This turn: its times, what it took in, what it does. */
    int64_t wall_ms, mono_ms;
    struct inbox_list backlog;  /* taken from the inbox, not yet handled */
    struct inbox_item *handled; /* steps and commands point into them */
    uint64_t taken_bytes;       /* of the requests handled */
    struct share_turn turn;     /* its number, and the rows looked at for requests */
    struct steps steps;
    struct collected collected;
    struct ended_list ended;
    struct hand_out hand_out;
    struct keys keys;
    struct arena arena;
    bool ticked;
    int64_t tick_not_before_ms; /* mono: the last tick had things to do, and no room for any */

    /* The transaction, and when it is committed. */
    struct store_txn *txn;  /* open once something needed it */
    bool urgent;            /* more than patient acks came in, or something was handed out: commit now */
    bool force_commit;      /* even if nothing was changed */
    int64_t open_until_ms;  /* mono; else the turn waits for company until then; 0: no such ack came in */
    uint64_t turn_messages; /* published, delivered, resolved */
    uint64_t commit_us;     /* the commits of this turn took */
    struct room room;       /* how full the store is, and what the transaction may write */
    uint64_t largest_bytes; /* of requests in one transaction */
    int64_t disk_ask_ms;    /* mono: when a full disk is asked for more again */
    bool packing;           /* the store is full, and has thin pages left to look at */

    /* What others are told. */
    struct event_list events;
    struct snapshots snapshots;
    struct totals totals;
    int64_t clock_error_ms; /* when the clock was last put right */
    uint64_t subscriptions, commits;
    uint64_t logins, logins_failed; /* by password, token or certificate */
    uint64_t requests_expired;      /* their time was over before their turn came */
    struct refusals refusals;
    struct quotas quotas;
    uint64_t identities; /* ledger_identities() when all sessions were last looked at (review.h) */
    bool review;         /* something was applied that may have changed that */
    int64_t begun_mono_ms;
    struct histogram commit_seconds, commit_messages, attend_seconds;
};

/* Whom the dispatcher knows as a holder, and as a member. */
static inline struct session *session_of(const struct holder *h)
{
    return magic_of(holder_owner(h), session, SESSION_MAGIC);
}
static inline struct subscription *subscription_of(const struct member *m)
{
    return magic_of(member_owner(m), subscription, SUBSCRIPTION_MAGIC);
}

static inline struct keys_limits engine_keys_limits(const struct engine_limits *limits)
{
    return (struct keys_limits){.counters = limits->hot_keys,
                                .half_life_ms = limits->hot_keys_half_life_ms,
                                .memory_max = limits->hot_keys_memory_max};
}

_Noreturn void engine_die(struct engine *e, int err, const char *what);

/* What was done for the session is as much work as looking at so many rows. */
static inline void share_count(struct session *s, uint64_t rows)
{
    flow_count(&s->engine->turn, &s->flow.share, rows);
}

#endif
