/* consumer: one subscription and what came on it.
 *
 *   WANTED ── SUBSCRIBE queued ──> ASKED ── OK ──> ACTIVE ── CLOSED or refused ──> ENDED
 *      ^────────── connection lost, or refused for now ──┘
 *
 * A delivery is QUEUED until shunt_next() returns it, then HELD until it is resolved. It carries the epoch of
 * its consumer; a lost subscription begins a new epoch, and what is there from an older one is AWAY:
 *
 *   HELD ── connection lost ──> AWAY ── SUBSCRIBE asks for it, and the broker has given it to nobody else ──>
 * HELD └── the broker has ──> STALE ── it is handed to this consumer again ──> HELD
 *
 * The same goes for the QUEUED, but they are dropped where a HELD one is STALE, and not handed out while
 * AWAY. What is answered while AWAY waits, ENDING, with its answer kept, until the broker has said whether it
 * is ours again. A message whose handler still runs is never returned a second time: the running one goes on
 * under the new delivery's token. */
#ifndef SHUNT_CLIENT_WIRE_CONSUMER_H
#define SHUNT_CLIENT_WIRE_CONSUMER_H

#include "client/wire/backoff.h"
#include "client/wire/input.h"
#include "client/wire/notice.h"
#include "client/wire/resolution.h"
#include "proto/limits.h"
#include "proto/message.h"

enum delivery_place { DELIVERY_QUEUED, DELIVERY_HELD, DELIVERY_ENDING };

#define DELIVERY_MAGIC 0xb5609881u
struct shunt_delivery {
    uint32_t magic; /* until it is resolved */
    struct shunt_delivery *next;
    struct shunt_delivery *prev;
    struct shunt_consumer *consumer;
    struct block *block; /* holds the bytes of `message` */
    uint64_t seq;
    uint64_t token;
    uint64_t epoch;
    uint64_t marked_at; /* place in the output where its mark ends; 0: not marked */
    int64_t lease_ms;
    int64_t deadline_us; /* of its lease */
    int64_t expires_us;  /* when the message's own deadline has passed; INT64_MAX: it has none in force */
    int64_t published_ms;
    uint32_t attempts;
    uint32_t deliveries;
    uint32_t generation;
    enum delivery_place place;
    bool stale;              /* the broker gave it to somebody else, or may */
    uint32_t asked;          /* its place in the SUBSCRIBE under way, from 1; 0: not in it */
    struct resolution *kept; /* AWAY: the one answer that waits; NULL: none */
    void *tag;
    struct message_view message;
    struct slice dead; /* of a DLQ: what is known of the letter, as it came; size 0: nothing is */
    struct shunt_value *dead_value; /* the same as a tree; NULL until it is asked for */
    char id[];                      /* "" until asked for */
};

struct delivery_list {
    struct shunt_delivery *head;
    struct shunt_delivery *tail;
    size_t count;
};

enum consumer_state { CONSUMER_WANTED, CONSUMER_ASKED, CONSUMER_ACTIVE, CONSUMER_ENDED };

struct core;

#define CONSUMER_MAGIC 0xee062364u
struct shunt_consumer {
    uint32_t magic;
    struct shunt_consumer *next;
    struct core *core;
    struct shunt *handle;
    char topic[TOPIC_BYTES_MAX + 1];
    char group[NAME_BYTES_MAX + 1];
    enum consumer_state state;
    uint64_t sub;
    uint64_t request_id; /* ASKED: of the SUBSCRIBE */
    uint64_t epoch;
    uint64_t credit_messages;
    uint64_t credit_bytes;
    bool credit_changed;
    bool credit_grows;   /* the user named no window: see consumer_starved() */
    uint64_t taken;      /* by shunt_next() since it last had to wait */
    int64_t lease_ms;    /* of the latest delivery; 0: none yet */
    bool was_active;     /* a refusal "for now" is tried again only for a subscription that once stood */
    int64_t retry_at_us; /* WANTED: not before */
    struct backoff backoff;
    struct shunt_error end; /* ENDED: why */
    int64_t until_us;       /* somebody waits until then for it to be ACTIVE; INT64_MAX: without end */
    struct notice *decided; /* is told when it first is ACTIVE, or ENDED; NULL: nobody waits, or it is told */
    struct delivery_list queued;
    struct delivery_list held;
    struct delivery_list ending;
    struct shunt_delivery *spare; /* free list */
    void **slabs;                 /* memory of all deliveries */
    size_t slabs_count, slabs_capacity;
    struct resolution *open; /* resolutions not sent; NULL if there are none */
    /* marks */
    bool marks_explicit;
    int64_t handler_ns;  /* what one message lately took, smoothed; -1: not known */
    int64_t returned_us; /* when shunt_next() last returned one; 0: not yet */
    int64_t resolved_us; /* when the oldest of `open` was added */
    /* arrival */
    shunt_arrived_cb *callback;
    void *context;
    bool arrived; /* the callback is due */
};

/* Make one, WANTED, in the core's list. NULL without memory. */
struct shunt_consumer *consumer_new(struct core *core, const char *topic, const char *group,
                                    uint64_t messages, uint64_t bytes);
/* Out of the list, its deliveries freed. If it is ACTIVE, its open resolutions go to the output first, and
 * UNSUBSCRIBE after them unless `told` (the broker knows already); else they end as STALE. */
void consumer_free(struct shunt_consumer *c, bool told, int64_t now_us);

/* SUBSCRIBE was answered. fails: PROTOCOL. */
int consumer_subscribed(struct shunt_consumer *c, struct mpack_reader *reply, int64_t now_us);
void consumer_refused(struct shunt_consumer *c, const struct shunt_error *error, int64_t wait_ms,
                      int64_t now_us);
/* CLOSED came. */
void consumer_ended(struct shunt_consumer *c, const struct shunt_error *error);
/* It was not answered in time. */
void consumer_given_up(struct shunt_consumer *c, const struct shunt_error *error);
/* The connection is gone. */
void consumer_lost(struct shunt_consumer *c);
/* One element of DELIVER. fails: PROTOCOL, NO_MEMORY. */
int consumer_delivered(struct shunt_consumer *c, struct mpack_reader *r, struct block *block, int64_t now_us);

/* Queue the resolution of `d`, which is stale, away or held; freed, or kept for itself, unless it is an
 * EXTEND. fails: STALE, NO_MEMORY. */
int delivery_resolve(struct shunt_delivery *d, const struct resolve_entry *entry, struct resolver resolver,
                     int64_t now_us);

/* shunt_next() has used up what was prefetched. If that was most of a window and the handler is fast, double
 * the window: the broker should not have to wait for acks to be durable before it sends more. A window never
 * holds more than an eighth of a lease's work. */
void consumer_starved(struct shunt_consumer *c);
#define CREDIT_GROWN_MAX 4096 /* messages */

/* Drop what ran out before it was started, then the head of the queue if it may be returned now; it is then
 * held. NULL: nothing there, or its mark is not sent. */
struct shunt_delivery *consumer_take(struct shunt_consumer *c, int64_t now_us);

/* ---- writing (consumer_write.c) ---- */

/* Write SUBSCRIBE, CREDIT and RESOLVE as needed to the core's output. fails: NO_MEMORY. */
int consumer_write(struct shunt_consumer *c, int64_t now_us);
/* RESOLVE with what is open; UNSUBSCRIBE, which is left out without memory: the leases end by themselves
 * then. */
int consumer_write_resolution(struct shunt_consumer *c);
void consumer_write_unsubscribe(struct shunt_consumer *c);

#endif
