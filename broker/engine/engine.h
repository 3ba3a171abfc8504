/* engine: the only writer. One thread that takes requests from the inbox, applies them in one transaction,
 * commits, and only then hands replies and deliveries to the outbox.
 *
 * An engine is an object without globals; several can live in one process, each on its own store and thread.
 */
#ifndef SHUNT_ENGINE_ENGINE_H
#define SHUNT_ENGINE_ENGINE_H

#include "broker/engine/event.h"
#include "broker/engine/port.h"
#include "broker/engine/snapshot.h"
#include "broker/engine/wall_clock.h"
#include "broker/flow/quota.h"
#include <stdint.h>

/* A consumer of which a lease ran out is not heard from (`silent`), or is again. Lent for the call. */
struct consumer_notice {
    const char *client, *host; /* as it named itself; maybe empty */
    const char *peer;          /* its address */
    bool silent;
    int64_t silent_ms; /* since something last came from it */
    int64_t mono_ms;   /* now */
};

/* Somebody could not log in. Lent for the call. */
struct login_notice {
    const char *how;           /* `password`, `token` or `certificate` */
    const char *user;          /* whom it would have been; empty: nobody that is known */
    const char *client, *peer; /* as it named itself; its address */
    const char *why;
    int64_t mono_ms; /* now */
};

/* One address or user has reached what it may have. Lent for the call. */
struct limit_notice {
    const char *setting;       /* whose value that is */
    const char *user;          /* empty: none */
    const char *client, *peer; /* as it named itself; its address */
    uint64_t count;            /* refusals since the last such notice about that owner and setting */
    int64_t wait_ms;           /* how long the last was asked to wait; 0: not known */
    int64_t mono_ms;           /* now */
};

struct batch;
struct engine;
struct login;
struct store;

/* Work that requests may be in one turn, as rows looked at (broker/flow/share.h), before the next of them
 * waits for a later one; a quarter of it is a connection's share. Some 5 to 20 ms. No setting: what is put
 * off goes on in the very next turn, so more would only make others wait. */
#define TURN_ROWS_MAX 40000

/* Each is a row of broker/config.def, and may be changed by engine_reload(). */
struct engine_limits {
    uint64_t max_body_bytes;  /* of a message */
    uint64_t max_topics;      /* DLQs not counted */
    uint64_t max_groups;      /* of one topic */
    uint64_t in_flight_max;   /* messages in flight, in all; 0: no limit */
    uint64_t connections_max; /* for each of them a part of half of these is kept; 0: nothing is */
    int64_t resume_wait_ms;   /* after a start, how long what was in flight waits for its consumers; 0: not */
    int64_t dedup_window_ms;  /* how long answers to idempotent publishes are kept at least */
    int64_t audit_keep_ms;    /* how long the audit log keeps an act; 0: no limit */
    uint64_t audit_bytes_max; /* of its rows; 0: no limit */
    uint64_t unsent_bytes_max; /* waiting on one connection: past it nothing more is assigned to it */
    uint64_t unsent_total_max; /* the same, on all connections together (struct flow_limits); 0: no limit */
    uint64_t inbox_bytes_max;  /* past it engine_inbox_full() is true */
    uint64_t commit_bytes_max; /* of requests taken into one transaction */
    int64_t retry_after_ms;    /* asked of clients after NO_SPACE, TOO_MANY, SHUTTING_DOWN; 0: they are not */
    int64_t ack_wait_ms;       /* acks that nothing waits for are committed after so long; 0: at once */
    uint32_t hot_keys;         /* counters for each look at keys (keys.h); 0: nobody looks */
    int64_t hot_keys_half_life_ms;
    uint64_t hot_keys_memory_max; /* bytes, of all of them */
    struct quota_limits address,
        user; /* of each (quotas.h); the connections of an address are the net thread's to count */
    /* what a rate lets through in so long may come at once; at least 1 if there is a rate */
    int64_t rate_burst_ms;
};

struct engine_config {
    struct engine_limits limits;
    uint64_t turn_rows_max; /* of work for requests in one turn (broker/flow/share.h); 0: TURN_ROWS_MAX */
    /* lent, and bound to this engine: who wants to be let in must say who he is; NULL: anybody is let in */
    struct login *login;
    struct flow_totals *totals; /* lent; those of the links, and of no other engine; never NULL */

    /* Called on the thread that runs the turn when the outbox is no longer empty, or the inbox no longer full. Must not
     * block. */
    void (*notify)(void *context);
    /* Called on the thread that runs the turn when durability is in doubt (a commit failed, a damaged page): must not
     * return. `text` is one sentence. After a longjmp() out of it, all that may be done is engine_free(). */
    void (*fatal)(void *context, int err, const char *text);
    /* Called on the thread that runs the turn; must not block. NULL: nobody listens. */
    void (*consumer)(void *context, const struct consumer_notice *notice);
    /* Called on the thread that runs the turn; must not block. NULL: nobody listens. */
    void (*refused)(void *context, const struct login_notice *notice);
    /* Called on the thread that runs the turn; must not block. NULL: nobody listens. */
    void (*limited)(void *context, const struct limit_notice *notice);
    /* Called on the thread that runs the turn for the log, after the commit that made it so. Must not block. `event` is
     * lent. NULL: nobody wants to know. */
    void (*told)(void *context, const struct event *event);
    void *context;

    /* For tests; NULL in the server. */
    /* Read the clocks: virtual time. */
    void (*read_clocks)(void *context, struct clock_reading *ret);
    /* Called with each batch when it has been applied, and may not be durable yet. `batch` is lent. */
    void (*applied)(void *context, const struct batch *batch);
    /* Of all requests, only those that look wait for later turns: for a model that takes the others as
     * handled in the turn after they came. */
    bool only_looks_wait;
};

/* Make an engine on an open store (which it takes on success and closes at the end) and load its state.
 * fails: CORRUPT, IO, NO_MEMORY; `ret_why` gets one sentence. */
int engine_new(const struct engine_config *config, struct store *store, struct engine **ret, char *ret_why,
               size_t why_bytes);
/* Whether an administrator can log in; before its thread starts. */
bool engine_has_administrator(const struct engine *e);
/* How many messages were in flight when it was made: they wait for those who held them. */
uint64_t engine_recovered(const struct engine *e);
/* Start its thread. fails: IO, NO_MEMORY. */
int engine_start(struct engine *e);
/* Finish what is in the inbox (but for what is more than its connection's share of a turn), tell every
 * connection SHUTTING_DOWN, mark the store clean, end the thread. Call from the thread that drains the
 * outbox; that is then filled for the last time. Blocks for at most the commits that are due. */
void engine_stop(struct engine *e);
/* Free it and close its store. Takes NULL. */
void engine_free(struct engine *e);
/* From its next turn on, these limits hold; any thread. */
void engine_reload(struct engine *e, const struct engine_limits *limits);

/* Post one item; any thread. Takes the item. Never fails, never blocks for long. */
void engine_post(struct engine *e, struct inbox_item *item);
/* The net thread only, before it sleeps, after it has posted items with `soon`. If the engine's thread sleeps, no more than
 * ENGINE_SERVE_BYTES_MAX wait in the inbox, and the store allows it, the turn is run here: two threads that wake each other take longer than all
 * that a lone request needs beside its flush. True: it was, and what is to be sent waits at engine_take(), without notify(). It takes as long as
 * the turn, with its commit. False: the engine's thread does it. */
bool engine_serve(struct engine *e);
#define ENGINE_SERVE_BYTES_MAX (128u * 1024)
/* True if the caller should post no more of this connection (NULL: of any) until notify() was called. */
bool engine_inbox_full(struct engine *e, const struct link *link);
/* Take all that waits to be sent, in order, as a list; NULL if there is nothing. The net thread only. */
struct outbox_item *engine_take(struct engine *e);

/* Ask for a snapshot and wait for it; any thread but the engine's and (as it blocks) the net thread's.
 * in:    `topics_max` bounds the rows (the same in each call, or SNAPSHOT_NO_GROUPS, SNAPSHOT_UNATTENDED); `commit`: force a
 * commit, so that the answer proves that the disk answers too. Many groups take several turns, and their rows
 * are of different ones. fails: TIMEOUT (the engine may be busy or stuck), NO_MEMORY, SHUTTING_DOWN. */
int engine_snapshot(struct engine *e, uint32_t topics_max, bool commit, int64_t timeout_ms,
                    struct snapshot **ret);

#endif
