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
#ifndef SHUNT_CLIENT_CONSUMER_H
#define SHUNT_CLIENT_CONSUMER_H

#include "client/backoff.h"
#include "client/input.h"
#include "client/internal.h"
#include "client/resolution.h"
#include "proto/limits.h"
#include "proto/message.h"

enum delivery_place { DELIVERY_QUEUED, DELIVERY_HELD, DELIVERY_ENDING };

struct shunt_delivery {
    struct shunt_delivery *next;
    struct shunt_delivery *prev;
    struct shunt_consumer *consumer;
    struct block *block; /* holds the bytes of `message` */
    uint64_t seq;
    uint64_t token;
    uint64_t epoch;
    uint64_t marked_at; /* place in the output where its mark ends; 0: not marked */
    int64_t lease_ms;
    int64_t deadline_us;
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
    char id[]; /* "" until asked for */
};

struct delivery_list {
    struct shunt_delivery *head;
    struct shunt_delivery *tail;
    size_t count;
};

enum consumer_state { CONSUMER_WANTED, CONSUMER_ASKED, CONSUMER_ACTIVE, CONSUMER_ENDED };

struct core;

struct shunt_consumer {
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
    struct delivery_list queued;
    struct delivery_list held;
    struct delivery_list ending;
    struct shunt_delivery *spare; /* free list */
    void **slabs;                 /* memory of all deliveries */
    size_t slabs_count;
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
void consumer_refused(struct shunt_consumer *c, const struct shunt_error *error, int64_t now_us);
/* CLOSED came. */
void consumer_ended(struct shunt_consumer *c, const struct shunt_error *error);
/* The connection is gone. */
void consumer_lost(struct shunt_consumer *c);
/* One element of DELIVER. fails: PROTOCOL, NO_MEMORY. */
int consumer_delivered(struct shunt_consumer *c, struct mpack_reader *r, struct block *block, int64_t now_us);

/* There is something for shunt_next() to return. */
void consumer_arrived(struct shunt_consumer *c);

/* Write SUBSCRIBE, CREDIT and RESOLVE as needed to the core's output. fails: NO_MEMORY. */
int consumer_write(struct shunt_consumer *c, int64_t now_us);

/* ---- deliveries ---- */

bool delivery_stale(const struct shunt_delivery *d);
/* Its connection is gone, and the broker has not said yet whether it is still ours. */
bool delivery_away(const struct shunt_delivery *d);
/* Queue the resolution of `d`, which is stale, away or held; freed, or kept for itself, unless it is an
 * EXTEND. fails: STALE, NO_MEMORY. */
int delivery_resolve(struct shunt_delivery *d, const struct resolve_entry *entry, struct resolver resolver,
                     int64_t now_us);
void delivery_free(struct shunt_delivery *d);
void delivery_move(struct shunt_delivery *d, enum delivery_place to);

/* ---- what was there when a connection was lost (keep.c) ---- */

/* Keep the answer of one that is away. fails: NO_MEMORY. */
int keep_answer(struct shunt_delivery *d, const struct resolve_entry *entry, struct resolver resolver);
/* How many SUBSCRIBE asks for; write them, and note that they were. */
uint32_t keep_count(const struct shunt_consumer *c);
void keep_write(struct shunt_consumer *c, struct mpack_buffer *out);
/* SUBSCRIBE was answered: `reply` stands before the list of new tokens, or at its end. fails: PROTOCOL. */
int keep_answered(struct shunt_consumer *c, struct mpack_reader *reply, int64_t lease_ms, int64_t now_us);
/* The connection is lost again: nothing has been asked for. */
void keep_lost(struct shunt_consumer *c);
/* Nothing will be asked for any more: kept answers end as STALE. */
void keep_end(struct shunt_consumer *c);
/* `d`, just read and in no list, is of a message that is held or queued already: that one goes on as this
 * delivery, or makes room for it. True: the first; `d` is not needed. fails: NO_MEMORY in *ret_err. */
bool keep_merge(struct shunt_delivery *d, int64_t now_us, int *ret_err);

/* shunt_next() has used up what was prefetched. If that was most of a window and the handler is fast, double
 * the window: the broker should not have to wait for acks to be durable before it sends more. A window never
 * holds more than an eighth of a lease's work. */
void consumer_starved(struct shunt_consumer *c);
#define CREDIT_GROWN_MAX 4096 /* messages */

/* ---- marks (marks.c) ---- */

/* Note that shunt_next() is called: the handler has finished what it got before. */
void marks_next_called(struct shunt_consumer *c, int64_t now_us);
/* How many messages from the head of the queue on the next mark covers, at least 1. */
size_t marks_cover(const struct shunt_consumer *c);
/* Write the resolutions so far and then STARTED for the messages at the head of the queue. fails: NO_MEMORY.
 */
int marks_write(struct shunt_consumer *c, int64_t now_us);
/* STARTED for one held delivery. fails: NO_MEMORY. */
int marks_write_one(struct shunt_delivery *d, int64_t now_us);
/* True if the broker was told, or is not to be told. */
bool marks_done(const struct shunt_delivery *d);

/* Drop what ran out before it was started, then the head of the queue if it may be returned now; it is then
 * held. NULL: nothing there, or its mark is not sent. */
struct shunt_delivery *consumer_take(struct shunt_consumer *c, int64_t now_us);

#endif
