/* keys: which keys a topic's messages have, and what they cost its groups: how often they come, how long they wait, how long they
 * are in flight, how often they fail. For people who look for the one key that keeps a group busy: nothing is decided by it, and
 * it is forgotten with the process.
 *
 * A topic and each of its groups is a *watch*, from its first message with a key on. Messages without a key cost a look at one byte
 * or bit. Memory is bounded by `memory_max`, watches also by KEY_WATCHES_MAX: when that is used up, the watch that was idle for
 * longest makes place. Of the messages in flight no more than KEYS_OUT_MAX are remembered with their keys, and those take half of
 * that memory at most: what is handed out beyond counts as waiting alone.
 */
#ifndef SHUNT_ENGINE_KEYS_H
#define SHUNT_ENGINE_KEYS_H

#include "broker/engine/key_sketch.h"
#include "proto/words.h"

#define KEYS_OUT_MAX    65536
#define KEY_WATCHES_MAX 16384 /* topics and groups */

/* The settings of broker/config.def. */
struct keys_limits {
    uint32_t counters;    /* of each sketch; 0: nothing is watched */
    int64_t half_life_ms; /* some seconds at least */
    uint64_t memory_max;  /* bytes, of all watches */
};

struct key_watch {
    uint64_t id;
    struct key_watch *next;          /* of its bucket */
    struct key_watch *newer, *idler; /* in the order of use */
    struct key_sketch sketch[KEY_MEASURES];
};

struct key_out; /* a message in flight, and its key */

#define KEY_BUCKETS     4096
#define KEY_OUT_BUCKETS 16384

struct keys {
    struct keys_limits limits;
    uint64_t seed;    /* of hashes, so that nobody can choose keys that share one */
    size_t bytes;     /* of memory, all but the struct's own */
    size_t out_bytes; /* of them, for messages in flight */
    struct key_watch *buckets[KEY_BUCKETS];
    struct key_watch *newest, *idlest; /* in the order of use */
    uint32_t watches;
    struct key_out **out_buckets; /* KEY_OUT_BUCKETS of them, made with the first */
    uint32_t out;                 /* messages in flight whose keys are remembered */
};

void keys_init(struct keys *k, const struct keys_limits *limits);
/* If they have changed, all that is known is forgotten. */
void keys_limit(struct keys *k, const struct keys_limits *limits);
void keys_done(struct keys *k);

/* ---- what happens ---- */

/* True if the message, as it was published, may have a key. */
static inline bool keys_may_have(struct slice message)
{
    const uint8_t *bytes = message.data;
    return message.size && *bytes != 0x91 && *bytes != 0x92; /* an array of more than body and headers */
}
/* How an attempt ended: whether it counts as failed. */
static inline bool keys_failed(enum attempt_outcome outcome)
{
    return outcome == ATTEMPT_NACKED || outcome == ATTEMPT_REJECTED || outcome == ATTEMPT_LEASE_EXPIRED ||
           outcome == ATTEMPT_DISCONNECTED || outcome == ATTEMPT_DEADLINE_EXCEEDED;
}
/* So many messages, which follow each other, were stored in the topic. */
void keys_published(struct keys *k, struct slice topic, struct slice messages, uint32_t count,
                    int64_t mono_ms);
/* One was handed out; `waited_ms` since it was published, negative if it was handed out before. */
void keys_handed_out(struct keys *k, uint32_t group, uint64_t seq, struct slice message, int64_t waited_ms,
                     int64_t mono_ms);
/* Its lease is over. */
void keys_ended(struct keys *k, uint32_t group, uint64_t seq, int64_t held_ms, bool failed, int64_t mono_ms);
/* It was taken away, or its group was deleted, or the topic with all its groups. */
void keys_forget(struct keys *k, uint32_t group, uint64_t seq);
void keys_forget_group(struct keys *k, uint32_t group);
void keys_forget_topic(struct keys *k, struct slice topic);

/* ---- looking ---- */

/* NULL: it has had no message with a key, or not for long. */
struct key_watch *keys_of_topic(const struct keys *k, struct slice topic);
struct key_watch *keys_of_group(const struct keys *k, uint32_t group);
/* How much of the whole the hottest key is, at least, in thousandths rounded up; 0: no key is known. */
int64_t keys_share(const struct keys *k, enum key_measure measure, struct slice topic, uint32_t group,
                   int64_t mono_ms);

#endif
