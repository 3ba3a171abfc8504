/* shunt_message.h: messages to publish. Included by shunt.h. */
#ifndef SHUNT_MESSAGE_H
#define SHUNT_MESSAGE_H

#include "shunt_connection.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A message to publish; it can be cleared and used again. */
struct shunt_message;

SHUNT_API struct shunt_message *shunt_message_new(void); /* NULL without memory */
SHUNT_API void shunt_message_free(struct shunt_message *m);
SHUNT_API void shunt_message_clear(struct shunt_message *m);
/* The body is not copied: it must live until the message is passed to a publish call (which copies it). May be empty. */
SHUNT_API void shunt_message_body(struct shunt_message *m, const void *body, size_t bytes);
/* fails: TOO_LARGE, BAD_ARGUMENT (empty key, not UTF-8), NO_MEMORY. A key set twice keeps the later value. */
SHUNT_API int shunt_message_header(struct shunt_message *m, const char *key, const void *value, size_t bytes);
SHUNT_API int shunt_message_key(struct shunt_message *m, const void *key, size_t bytes);
/* Split the key of `m`, which was set before, into `parts`: `K` becomes `K#0` to `K#<parts-1>`, by `number` modulo `parts`, so that messages of one key need not wait for each other where a
 * group has `order` `key`; they are in order within each part only. `number` is a counter, to fill the parts evenly, or a hash of what is still to be in order, such as the line of
 * an order. The header `shunt-split` says how many parts there are, and shunt_delivery_base_key() tells the consumer what the key was. Splitting again begins with the whole key; with 1
 * part it is whole again, as it is after shunt_message_key(). fails: BAD_ARGUMENT (no key, parts 0 or more than SHUNT_SPLIT_PARTS_MAX), TOO_LARGE (the key has no
 * room for the part: it is whole then; or there are too many headers), NO_MEMORY */
#define SHUNT_SPLIT_PARTS_MAX 1024
SHUNT_API int shunt_message_split(struct shunt_message *m, uint32_t parts, uint64_t number);
SHUNT_API int shunt_message_delay(struct shunt_message *m, int64_t delay_ms); /* fails: BAD_ARGUMENT */
/* Counts from when the message can first be taken: a delay is not part of it. */
SHUNT_API int shunt_message_ttl(struct shunt_message *m, int64_t ttl_ms); /* fails: BAD_ARGUMENT */
/* A time (ms since 1970 in UTC; 0: none) after which nobody needs the message to be handled: it is not handed out any more, and goes the way of one whose time to live is over,
 * as `deadline_exceeded`. It counts by the broker's clock. One that has passed is no error: the message is stored, and expires at once. A broker that is too old to know
 * deadlines passes them over. fails: BAD_ARGUMENT (negative, or beyond the year 9999) */
SHUNT_API int shunt_message_deadline(struct shunt_message *m, int64_t deadline_ms);
/* What is published while a delivery is handled is to be done in the time that is left for that: `m` gets the deadline of `d`, or none if `d` has none in force. Another deadline
 * that is set afterwards takes its place. */
struct shunt_delivery;
SHUNT_API void shunt_message_inherit(struct shunt_message *m, const struct shunt_delivery *d);
/* The program's own number for the message, from 1 on, for a handle with the option `producer`: where it stands in its source, for example. The broker
 * stores what comes under a number once, also from another process and after a restart: publishing it again gets the first answer.
 * The numbers rise, and may have gaps. What is more than 4,095 below the highest is refused with DEDUP_WINDOW; the broker forgets a producer that has published nothing for its
 * setting `dedup-window` (an hour). fails: BAD_ARGUMENT (0) */
SHUNT_API int shunt_message_number(struct shunt_message *m, uint64_t number);

/* Publish and wait until the message is durable. ret_seq (may be NULL) gets its number: the message is TOPIC/SEQ.
 * fails: UNKNOWN_TOPIC, RESERVED, BAD_NAME, TOO_LARGE, TOPIC_FULL, NO_SPACE, TIMEOUT (unknown: it may be stored, so may_retry is
 *        false: to publish it again could store it twice), DEADLINE_EXCEEDED (the time was over before the broker came to it: it was not stored and will not be), UNREACHABLE (it was not sent and will not be), … */
SHUNT_API int shunt_publish(struct shunt *s, const char *topic, const struct shunt_message *m,
                            int64_t timeout_ms, uint64_t *ret_seq, struct shunt_error *err);

/* Called once for each queued message. When it is durable, err is NULL and seq is set; otherwise err says why not, and is lent for the call.
 * TIMEOUT after the option `request-timeout`: with may_retry the message was not sent and will not be; without, it may be stored; by a broker that is too old to know
 * time-outs also later, because the library goes on sending what it has begun with. DEADLINE_EXCEEDED: it was not stored and will not be. */
typedef void shunt_published_cb(void *context, uint64_t seq, const struct shunt_error *err);

/* Queue without waiting. Messages to one topic are stored in the order of the calls.
 * fails: BUSY (the window is full: process or flush, then try again), BAD_NAME, RESERVED, TOO_LARGE, NO_MEMORY. The callback (may
 * be NULL) is not called if this fails. */
SHUNT_API int shunt_publish_async(struct shunt *s, const char *topic, const struct shunt_message *m,
                                  shunt_published_cb *callback, void *context, struct shunt_error *err);

/* The highest number of the option `producer` that is stored, or 0: a program that starts again goes on behind it. Lower ones are stored too, except those whose
 * publish failed and was not repeated. fails: BAD_ARGUMENT (the handle has no such option), UNSUPPORTED (the broker is too old) */
SHUNT_API int shunt_producer_last(struct shunt *s, int64_t timeout_ms, uint64_t *ret_number,
                                  struct shunt_error *err);

/* Wait until all queued publishes and resolutions are answered. fails: TIMEOUT, or the first failure of a publish without
 * a callback since the last flush. */
SHUNT_API int shunt_flush(struct shunt *s, int64_t timeout_ms, struct shunt_error *err);

#ifdef __cplusplus
}
#endif

#endif
