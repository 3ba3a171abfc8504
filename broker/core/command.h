/* command: what changes durable state, as data.
 *
 * Requests become commands, commands are gathered into a batch with a time stamp, and the ledger applies the
 * batch. A batch can be written as bytes and read back (batch_encode, batch_decode), so that a log of batches
 * is a full account of a ledger: applied to an empty store it gives the same state, byte for byte.
 *
 * Ownership: slices and arrays in a command are lent by whoever made it, until the batch has been applied.
 */
#ifndef SHUNT_CORE_COMMAND_H
#define SHUNT_CORE_COMMAND_H

#include "broker/core/dispatcher.h"
#include "proto/mpack.h"
#include "proto/policy.h"
#include "proto/words.h"

enum command_kind {
    COMMAND_RECOVER = 1, /* the leases are gone: everything in flight becomes ready, uncharged */
    COMMAND_LIMITS = 2,
    COMMAND_TICK = 3, /* time has passed: due messages, expiries, retention, jobs */
    COMMAND_PUBLISH = 4,
    COMMAND_ASSIGN = 5,
    COMMAND_RESOLVE = 6,
    COMMAND_TOPIC_CREATE = 7,
    COMMAND_TOPIC_UPDATE = 8,
    COMMAND_TOPIC_DELETE = 9,
    COMMAND_TOPIC_PURGE = 10,
    COMMAND_GROUP_CREATE = 11,
    COMMAND_GROUP_UPDATE = 12,
    COMMAND_GROUP_DELETE = 13,
    COMMAND_GROUP_PAUSE = 14,
    COMMAND_DLQ_REDRIVE = 15,
    COMMAND_DLQ_PURGE = 16,
    COMMAND_TAKE_UP = 17, /* a consumer that was away goes on with what it still holds */
    COMMAND_JOB_CANCEL = 18,
    COMMAND_CLOCK = 19, /* the store's time is shown as the machine's clock from now on */
    COMMAND_LAST = COMMAND_CLOCK,
};

/* Limits that the ledger enforces; set by a command, kept in the store. */
struct ledger_limits {
    uint64_t topics_max; /* DLQs not counted */
    uint64_t groups_max; /* of one topic */
    uint64_t body_bytes_max;
    int64_t dedup_window_ms;
};

struct publish_command {
    struct slice topic;
    struct slice producer; /* PRODUCER_ID_BYTES, or empty: no deduplication */
    uint64_t sequence;     /* 0: none */
    uint64_t forget_below;
    struct slice messages; /* the messages, one after the other, without their array's header */
    uint32_t count;
    int refusal;  /* not 0: answer with this, unless it was answered before (the store is full) */
    bool checked; /* whoever made the command has read every message with message_read_new(), and none broke
                     the limits that hold now. A hint that saves the second look: it is not part of a batch's
                     bytes */
    /* A frame may come in several commands, one after the other, none of another publisher of the topic
     * between them. Then a result tells how far the frame has come with it. */
    uint32_t stored;    /* messages of the frame that earlier commands brought, all of which were stored */
    uint64_t first_seq; /* with `stored`: the number of the frame's first */
    bool more;          /* another command brings what follows */
};

struct assign_command {
    uint32_t group;
    enum lane lane;
    uint32_t messages;
    uint64_t bytes;
    bool oversize_first;
    uint64_t enough_bytes; /* stop after the message that reaches this; 0: no such bound */
};

/* A delivery by its message and token. */
struct delivery_name {
    uint64_t seq, token;
};

struct take_up_command {
    uint32_t group;
    const struct delivery_name *entries;
    uint32_t count;
};

/* Who held a delivery, for the attempt ledger. */
struct consumer_name {
    struct slice client, host, build;
};

#define DELAY_BACKOFF (-1)

/* The end of one delivery. */
struct resolution {
    uint64_t seq;
    uint64_t token;
    bool acked; /* done; the rest does not count then */
    enum attempt_outcome outcome;
    int64_t delay_ms; /* nacked: or DELAY_BACKOFF; released: none if that or 0 */
    int64_t leased_ms, started_ms;
    struct slice error_type, error_message, error_stack;
};

struct resolve_command {
    uint32_t group;
    struct consumer_name by;
    const struct resolution *entries;
    uint32_t count;
};

/* A change of settings: fields in `reset` go back to what they inherit. */
struct policy_change {
    struct policy set;
    uint32_t reset;
};

struct topic_command {
    struct slice topic;
    struct policy_change change; /* create, update */
    const struct slice *groups;  /* create: none means "default" */
    uint32_t groups_count;
};

struct group_command {
    struct slice topic;
    struct slice group;
    struct policy_change change; /* create, update */
    bool from_now;               /* create */
    bool paused;                 /* pause */
};

/* Purging a topic: `group` empty means all. */
struct purge_command {
    struct slice topic;
    struct slice group;
};

/* Some of the dead letters of a group. */
struct dead_command {
    struct slice topic;
    struct slice group;
    const struct slice *ids; /* count > 0: these */
    uint32_t ids_count;
    uint64_t count; /* otherwise the oldest so many; UINT64_MAX: all */
    uint32_t rate;  /* messages a second; 0: as fast as possible */
};

/* Recovery goes in steps, each a batch and a commit of its own. */
struct recover_command {
    bool again;      /* not the first step since the restart */
    int64_t wait_ms; /* what was in flight waits so long for those who held it, but no longer than a lease; 0:
                        not */
};

struct command {
    enum command_kind kind;
    union {
        struct recover_command recover;
        struct ledger_limits limits;
        struct publish_command publish;
        struct assign_command assign;
        struct resolve_command resolve;
        struct topic_command topic;
        struct group_command group;
        struct purge_command purge;
        struct dead_command dead;
        struct take_up_command take_up;
        uint64_t job;       /* cancel */
        int64_t machine_ms; /* clock: what the machine's clock says */
    };
};

/* How full the store is, by the engine's marks (engine/room.h). What that changes is decided by this alone,
 * never by a look at the store: who applies the batch elsewhere does the same. */
enum fullness {
    STORE_HAS_ROOM = 0,
    STORE_FULL = 1,  /* publishes are refused (by publish_command.refusal) */
    STORE_SHORT = 2, /* new rows of the attempt ledger carry no stack */
    STORE_HELD = 3,  /* nothing expires into a dead-letter queue, messages of errors are cut, and what charges
                        nothing leaves no row; no hand-outs come */
    STORE_LAST = 4,  /* redrives wait, too: only what makes room goes on, and the ends of what is in flight */
};

/* What a batch may write, in bytes of pages (core/cost.h). It ends before the command, or the entry of a
 * RESOLVE, that would not fit any more: ledger_applied() says how far it came. Ticks, jobs, recovery and
 * hand-outs do as much as fits. */
struct batch_room {
    uint64_t bytes;         /* 0: no bound */
    uint64_t publish_bytes; /* of those, what publishes may take */
    bool first;             /* nothing was written in the transaction before: then what comes first is applied
                               whatever it takes, but for a publish, which is taken as far as it fits */
    enum fullness fullness;
};

struct batch {
    uint64_t index;  /* one higher than the batch before it */
    int64_t time_ms; /* wall; later than that of the batch before it */
    const struct command *commands;
    size_t count;
    struct batch_room room;
};

/* Append the batch's bytes to `to`. fails: NO_MEMORY */
int batch_encode(struct mpack_buffer *to, const struct batch *b);

/* Memory that a decoded batch lives in; freed as one. */
struct batch_memory;
/* Read one batch back. `*ret` points into `bytes` and into `*ret_memory`. fails: CORRUPT, NO_MEMORY */
int batch_decode(struct slice bytes, struct batch *ret, struct batch_memory **ret_memory);
void batch_memory_free(struct batch_memory *m); /* takes NULL */

#endif
