/* shunt_consumer.h: consuming: what comes, and how it is answered. Included by shunt.h. */
#ifndef SHUNT_CONSUMER_H
#define SHUNT_CONSUMER_H

#include "shunt_connection.h"

#ifdef __cplusplus
extern "C" {
#endif

struct shunt_consumer;
struct shunt_delivery;

/* Consume `topic` (also `dlq:TOPIC:GROUP`) as a member of `group` (NULL: "default"). After a reconnect the library subscribes again by itself.
 * options  may be NULL; keys:
 *   prefetch         messages held at most      (default 64, growing up to 4096 as long as the handler is fast)
 *   prefetch-bytes   bytes held at most         (default 16MiB)
 * fails: UNKNOWN_TOPIC, UNKNOWN_GROUP, TOO_MANY, BAD_ARGUMENT, FORBIDDEN, UNREACHABLE, TIMEOUT. */
SHUNT_API int shunt_subscribe(struct shunt *s, const char *topic, const char *group,
                              const struct shunt_options *options, int64_t timeout_ms,
                              struct shunt_consumer **ret, struct shunt_error *err);
/* The same without waiting. *ret is there at once, and can be told of arrivals; the callback (may be NULL) is made when the subscription stands or has
 * failed, with TIMEOUT or UNREACHABLE after the option `request-timeout`. The consumer has ended then, and is still the caller's to unsubscribe. If it
 * is unsubscribed before, the callback is told CLOSED. fails: BAD_NAME, BAD_ARGUMENT, CLOSED, NO_MEMORY; nothing is there then. */
SHUNT_API int shunt_subscribe_async(struct shunt *s, const char *topic, const char *group,
                                    const struct shunt_options *options, shunt_done_cb *callback,
                                    void *context, struct shunt_consumer **ret, struct shunt_error *err);
/* Give back, uncharged, the deliveries that were not resolved, and free them with the consumer. Takes NULL. */
SHUNT_API void shunt_unsubscribe(struct shunt_consumer *c, int64_t timeout_ms);
/* The same without waiting. Consumer and deliveries are gone when it returns 0; the callback (may be NULL) is made when the broker has given the messages
 * back, or with DISCONNECTED, TIMEOUT or UNREACHABLE. fails: CLOSED, NO_MEMORY; the consumer is as before. */
SHUNT_API int shunt_unsubscribe_async(struct shunt_consumer *c, shunt_done_cb *callback, void *context,
                                      struct shunt_error *err);
/* Change the window; 0 messages pauses. */
SHUNT_API int shunt_credit(struct shunt_consumer *c, uint32_t messages, uint64_t bytes,
                           struct shunt_error *err);

/* The next message, marked as started. The delivery belongs to the consumer until one of the calls below takes it.
 * Prefetched messages whose lease ran out before they were started are dropped silently: the broker hands them out again.
 * fails: EMPTY (no message came in time), CLOSED (topic or group deleted), FORBIDDEN (its user lost the right to it), UNREACHABLE (not connected at
 *        the end of the time; a later call goes on trying), … */
SHUNT_API int shunt_next(struct shunt_consumer *c, int64_t timeout_ms, struct shunt_delivery **ret,
                         struct shunt_error *err);
/* For event loops: called by shunt_process() whenever messages have arrived; take them with shunt_next(c, 0, …). */
typedef void shunt_arrived_cb(void *context, struct shunt_consumer *c);
SHUNT_API void shunt_on_arrival(struct shunt_consumer *c, shunt_arrived_cb *callback, void *context);

/* Why a message failed. Any member may be NULL; all are copied, and cut at 128, 1,024, 16,384 and 128 bytes. */
struct shunt_failure {
    const char *type;    /* short and stable, the same for similar failures: "SIGSEGV", "bad_json" */
    const char *message; /* one line */
    const char *stack;   /* stack trace or output; if it is cut, its end is kept */
    /* what names the fault, instead of the three above: equal for failures that are one cause */
    const char *fingerprint;
};

/* Finds, in the output that a program wrote before it failed, the line that says what failed (of an uncaught exception or a panic as Python, node, Java, Go, Rust,
 * Ruby, Perl, PHP, C++, assert() and others write it; else the last line that is not blank), and the class of the exception. Feed it all output, in any pieces. */
struct shunt_diagnosis;
SHUNT_API struct shunt_diagnosis *shunt_diagnosis_new(void);    /* NULL without memory */
SHUNT_API void shunt_diagnosis_free(struct shunt_diagnosis *d); /* takes NULL */
SHUNT_API void shunt_diagnosis_add(struct shunt_diagnosis *d, const char *bytes, size_t count);
/* Call it at the end. False if the output was empty or blank. *ret_type is NULL if no class is known; *ret_message is at most 1,024 bytes of one line, cut
 * between characters, and UTF-8 if the output was. Both live until the next call. */
SHUNT_API bool shunt_diagnosis_read(struct shunt_diagnosis *d, const char **ret_type,
                                    const char **ret_message);

#define SHUNT_BACKOFF (-1) /* nack: wait as the group's back-off says */

enum shunt_outcome {
    SHUNT_ACK = 0,     /* done */
    SHUNT_NACK = 1,    /* failed, try later: charged */
    SHUNT_REJECT = 2,  /* failed for good: to the dead-letter queue at once */
    SHUNT_RELEASE = 3, /* give back uncharged, at once unless a delay is given */
    SHUNT_EXTEND = 4,  /* hold it for longer */
    SHUNT_LATE =
        5 /* its deadline leaves no time for it: uncharged, and then as if nobody had taken it before its
                          deadline: dead or discarded as `deadline_exceeded`. Without a deadline: a nack */
};

/* End a delivery and wait until that is durable; over a lost connection too, if no other consumer gets the message meanwhile.
 * Each takes the delivery and frees it, whatever it returns (extend keeps it). fails: STALE (the lease was lost, another consumer
 * has the message or will get it, and this changed nothing), DISCONNECTED or TIMEOUT (unknown whether it took effect), NO_MEMORY. */
SHUNT_API int shunt_ack(struct shunt_delivery *d, int64_t timeout_ms, struct shunt_error *err);
SHUNT_API int shunt_nack(struct shunt_delivery *d, int64_t delay_ms, const struct shunt_failure *failure,
                         int64_t timeout_ms, struct shunt_error *err);
SHUNT_API int shunt_reject(struct shunt_delivery *d, const struct shunt_failure *failure, int64_t timeout_ms,
                           struct shunt_error *err);
SHUNT_API int shunt_release(struct shunt_delivery *d, int64_t timeout_ms, struct shunt_error *err);
/* The lease ends `lease_ms` from now. */
SHUNT_API int shunt_extend(struct shunt_delivery *d, int64_t lease_ms, int64_t timeout_ms,
                           struct shunt_error *err);

/* Told NULL if the answer took effect and is durable; TIMEOUT after the option `request-timeout`: it may take effect, now or later. */
typedef shunt_done_cb shunt_resolved_cb;
/* The same without waiting: queued, sent with the next write (shunt_process, shunt_next, shunt_flush). `delay_ms` is for NACK
 * (or SHUNT_BACKOFF), RELEASE (0 or SHUNT_BACKOFF: at once) and EXTEND. The broker may keep an ack back for its setting `ack-wait` (2 ms) if there is nothing else to
 * commit; shunt_ack() is never kept back. Takes the delivery, whatever it returns, unless outcome is EXTEND; callback and failure may be
 * NULL. After BAD_ARGUMENT the message goes back uncharged. The callback is not called if this fails.
 * fails: STALE (the lease is known to be lost), NO_MEMORY, BAD_ARGUMENT. */
SHUNT_API int shunt_resolve_async(struct shunt_delivery *d, enum shunt_outcome outcome, int64_t delay_ms,
                                  const struct shunt_failure *failure, shunt_resolved_cb *callback,
                                  void *context, struct shunt_error *err);

/* The parts of a delivery; they all live as long as the delivery. */
SHUNT_API const char *shunt_delivery_topic(const struct shunt_delivery *d); /* as subscribed */
SHUNT_API const char *shunt_delivery_group(const struct shunt_delivery *d);
SHUNT_API const char *shunt_delivery_id(const struct shunt_delivery *d); /* "orders/1042" */
SHUNT_API uint64_t shunt_delivery_seq(const struct shunt_delivery *d);
SHUNT_API const void *shunt_delivery_body(const struct shunt_delivery *d, size_t *ret_bytes);
SHUNT_API const void *shunt_delivery_key(const struct shunt_delivery *d, size_t *ret_bytes); /* NULL: none */
/* The key as it was before its publisher split it (shunt_message_split()); the key of a message whose key was not. NULL: none */
SHUNT_API const void *shunt_delivery_base_key(const struct shunt_delivery *d, size_t *ret_bytes);
SHUNT_API size_t shunt_delivery_headers(const struct shunt_delivery *d); /* how many */
/* Header number `i` (0-based); false past the last. Keys and values are not terminated. */
SHUNT_API bool shunt_delivery_header_at(const struct shunt_delivery *d, size_t i, const char **ret_key,
                                        size_t *ret_key_bytes, const void **ret_value,
                                        size_t *ret_value_bytes);
/* NULL: none */
SHUNT_API const void *shunt_delivery_header(const struct shunt_delivery *d, const char *key,
                                            size_t *ret_bytes);
/* failed attempts before this one */
SHUNT_API uint32_t shunt_delivery_attempts(const struct shunt_delivery *d);
SHUNT_API uint32_t shunt_delivery_deliveries(const struct shunt_delivery *d); /* this one included */
SHUNT_API uint32_t shunt_delivery_generation(const struct shunt_delivery *d); /* 0 until redriven */
SHUNT_API int64_t shunt_delivery_published_ms(const struct shunt_delivery *d);
/* The time to live that the message was published with (ms); 0: none of its own, it has its topic's. */
SHUNT_API int64_t shunt_delivery_ttl_ms(const struct shunt_delivery *d);
/* The deadline that is in force for the message (ms since 1970 in UTC, by the broker's clock), as its publisher set it; 0: none. A redrive drops it unless it is asked to keep it, and
 * a message from a DLQ has none in force. */
SHUNT_API int64_t shunt_delivery_deadline_ms(const struct shunt_delivery *d);
/* How long that is off (ms), by this machine's own monotonic clock since the message came, so that clocks may differ; 0: it has passed, and nobody needs the message any more.
 * -1: the message has none. A handler divides it among what it calls. */
SHUNT_API int64_t shunt_message_remaining_ms(const struct shunt_delivery *d);
struct shunt_value; /* shunt_admin.h */
/* Of a message from a DLQ: what it died of, as a MAP with the keys of `dead` in PROTOCOL.md section 6: `reason`, `cause` (the fingerprint of its cause), `died` (ms since
 * 1970 in UTC), `origin`, `error_type`, `error_message`, `error_stack`, `edited`, and more; and `history`, a LIST of its attempts, each a MAP with `number`, `consumer`, `build`,
 * `started`, `ended`, `outcome`, `error_type`, `error_message`, `error_stack` and more. An older broker leaves out `error_stack`, `history` and what else shunt_dlq_show() adds. It is read when it
 * is first asked for, and lives as long as the delivery. NULL: the message is from no DLQ, or there is no memory. To consume a letter is no look at it: shunt_dlq_attend(). */
SHUNT_API const struct shunt_value *shunt_delivery_dead(const struct shunt_delivery *d);
/* Time left of the lease (ms, as far as this side knows); 0 when it ran out. */
SHUNT_API int64_t shunt_delivery_lease_left_ms(const struct shunt_delivery *d);

#ifdef __cplusplus
}
#endif

#endif
