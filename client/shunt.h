/* shunt.h: the C client of the shunt message broker.
 *
 * A `struct shunt` is one connection to a broker, with everything that waits to be sent or answered. It is not
 * thread-safe: use one per thread. The library starts no threads, installs no signal handlers and never logs.
 * It connects when a connection is first needed, reconnects by itself with full-jitter exponential back-off, and after a
 * reconnect sends unconfirmed publishes again; the broker stores each of them once.
 *
 * Two ways to drive it:
 *   blocking    each call below that takes `timeout_ms` does its own waiting;
 *   event loop  wait until shunt_fd() is readable, then call shunt_process(); use only the calls named *_async.
 *
 * Callbacks are made from inside shunt_process() and the calls that take a timeout (shunt_close() included), never from an
 * *_async call. A callback may use every function of the handle except shunt_close(); a blocking function makes further
 * callbacks meanwhile. Each callback is made exactly once.
 *
 * Timeouts are milliseconds from the call; 0 does only what is possible at once, SHUNT_FOREVER waits without end.
 *
 * Errors: a call that can fail returns 0 or a code of enum shunt_err, and fills in `err` unless it is NULL. Results go
 * to ret_ parameters, which stay untouched on failure. Strings and bytes passed in are copied before the call returns
 * unless its comment says otherwise. A name may be NULL only if the comment says what NULL means (otherwise
 * BAD_ARGUMENT); handles, deliveries and ret_ parameters only if it says that they may.
 *
 * fork(): a handle belongs to the process that opened it. In a forked process its copy makes no callbacks, calls that
 * would use the connection fail with CLOSED, and shunt_close() only frees. Open another there. (vfork() and clone() go unnoticed.)
 */
#ifndef SHUNT_H
#define SHUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(SHUNT_BUILDING) && defined(__GNUC__)
#define SHUNT_API __attribute__((visibility("default")))
#else
#define SHUNT_API
#endif

#define SHUNT_FOREVER (-1)

/* ------------------------------------------------------------------ errors */

/* The numbers are those of the protocol and never change their meaning. (Inside shunt, proto/errors.h, against which this
 * list is checked, may have declared it already.) */
#ifndef SHUNT_PROTO_ERRORS_H
enum shunt_err {
    SHUNT_OK = 0,
    SHUNT_PROTOCOL = 1,
    SHUNT_VERSION_MISMATCH = 2,
    SHUNT_UNAUTHENTICATED = 3,
    SHUNT_FORBIDDEN = 4,
    SHUNT_BAD_ARGUMENT = 5,
    SHUNT_BAD_NAME = 6,
    SHUNT_RESERVED = 7,
    SHUNT_TOO_LARGE = 8,
    SHUNT_UNSUPPORTED = 9,
    SHUNT_UNKNOWN_TOPIC = 20,
    SHUNT_UNKNOWN_GROUP = 21,
    SHUNT_TOPIC_EXISTS = 22,
    SHUNT_GROUP_EXISTS = 23,
    SHUNT_NOT_FOUND = 24,
    SHUNT_STALE = 25,
    SHUNT_LAST_GROUP = 26,
    SHUNT_TOPIC_FULL = 27,
    SHUNT_NO_SPACE = 28,
    SHUNT_TOO_MANY = 29,
    SHUNT_DEDUP_WINDOW = 30,
    SHUNT_NOT_LEADER = 40,
    SHUNT_UNAVAILABLE = 41,
    SHUNT_SHUTTING_DOWN = 42,
    SHUNT_UNREACHABLE = 60,
    SHUNT_DISCONNECTED = 61,
    SHUNT_TIMEOUT = 62,
    SHUNT_CLOSED = 63,
    SHUNT_EMPTY = 64,
    SHUNT_BUSY = 65,
    SHUNT_NO_MEMORY = 80,
    SHUNT_IO = 81,
    SHUNT_CORRUPT = 82,
    SHUNT_STORE_LOCKED = 83,
    SHUNT_STORE_VERSION = 84,
    SHUNT_STORE_TRUNCATED = 85,
    SHUNT_STORE_READ_ONLY = 86,
    SHUNT_INTERNAL = 99
};
#endif

/* Filled in by a call that failed; the caller owns it. `text` is one sentence for people, always terminated. */
struct shunt_error {
    int code;       /* enum shunt_err */
    bool may_retry; /* the same call may succeed later */
    char text[500];
};

/* The code's name, "UNKNOWN_TOPIC", and what it means. Static storage; never NULL. */
SHUNT_API const char *shunt_error_name(int code);
SHUNT_API const char *shunt_error_text(int code);

/* Version of the library, "0.1.0". */
SHUNT_API const char *shunt_version(void);

/* ----------------------------------------------------------------- options */

/* String-keyed options, for connections, subscriptions, workers and the settings of topics and groups. */
struct shunt_options;

/* NULL without memory. */
SHUNT_API struct shunt_options *shunt_options_new(void);
SHUNT_API void shunt_options_free(struct shunt_options *o); /* takes NULL */
/* Set `key` to `value`, both copied; a NULL value removes the key. The call that uses the options checks their values.
 * fails: NO_MEMORY. */
SHUNT_API int shunt_options_set(struct shunt_options *o, const char *key, const char *value);

/* --------------------------------------------------------------- connection */

struct shunt;

/* Create a handle; nothing is sent yet.
 * url      shunt://HOST[:PORT], NULL for shunt://127.0.0.1:7480. HOST is a name, an IPv4 or a bracketed IPv6 address.
 *          A name is looked up with getaddrinfo(3) for each attempt to connect, which may wait for a name server: if
 *          shunt_process() must not wait, give an address.
 * options  may be NULL; keys:
 *   client            consumer name in the attempt ledger         (default: program's name and pid)
 *   host, build       machine name, build id of the program       (default: host name; the GNU build id if there is one)
 *   connect-timeout   for one attempt to connect                  (default 5s)
 *   reconnect-min, reconnect-max  bounds of the back-off between attempts   (default 50ms, 5s)
 *   window            messages published and not yet confirmed    (default 4096)
 *   window-bytes      their bytes                                 (default 64MiB)
 *   frame-bytes       bytes to gather for one PUBLISH frame       (default 256KiB)
 *   idempotent        yes|no: number publishes                    (default yes)
 *   marks             yes|no: send started marks                  (default yes)
 *   mark-time         handler time one started mark may cover     (default 200us; 0 marks one by one)
 * fails: BAD_ARGUMENT (the url or an option: the text says which), NO_MEMORY, IO. */
SHUNT_API int shunt_open(const char *url, const struct shunt_options *options, struct shunt **ret, struct shunt_error *err);

/* Say goodbye (the messages that are held go back uncharged), wait up to timeout_ms for that, and free everything.
 * Unconfirmed publishes get their callbacks with CLOSED. In a forked process it only frees. Takes NULL. */
SHUNT_API void shunt_close(struct shunt *s, int64_t timeout_ms);

/* Connect now, in one attempt: it returns UNREACHABLE as soon as that fails. All other calls go on trying, with back-off, until
 * their time is over. fails: UNREACHABLE, TIMEOUT, VERSION_MISMATCH, UNAUTHENTICATED. */
SHUNT_API int shunt_connect(struct shunt *s, int64_t timeout_ms, struct shunt_error *err);
SHUNT_API bool shunt_connected(const struct shunt *s);

/* One round trip through the broker's engine. ret_us may be NULL. */
SHUNT_API int shunt_ping(struct shunt *s, int64_t timeout_ms, int64_t *ret_us, struct shunt_error *err);

/* The one descriptor to watch for reading; it stays the same across reconnects and belongs to the handle. */
SHUNT_API int shunt_fd(const struct shunt *s);
/* Read, write, reconnect and call back, without waiting. Call it when shunt_fd() is readable. If a C++ exception leaves a callback, it leaves this call too; the handle
 * stays usable. fails: only if the handle has ended (UNAUTHENTICATED, VERSION_MISMATCH, NO_MEMORY); a lost connection is not a failure. */
SHUNT_API int shunt_process(struct shunt *s, struct shunt_error *err);

/* ----------------------------------------------------------------- messages */

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
SHUNT_API int shunt_message_delay(struct shunt_message *m, int64_t delay_ms); /* fails: BAD_ARGUMENT */
/* Counts from when the message can first be taken: a delay is not part of it. */
SHUNT_API int shunt_message_ttl(struct shunt_message *m, int64_t ttl_ms); /* fails: BAD_ARGUMENT */

/* Publish and wait until the message is durable. ret_seq (may be NULL) gets its number: the message is TOPIC/SEQ.
 * fails: UNKNOWN_TOPIC, RESERVED, BAD_NAME, TOO_LARGE, TOPIC_FULL, NO_SPACE, TIMEOUT (unknown: it may still be
 *        stored), UNREACHABLE, … */
SHUNT_API int shunt_publish(struct shunt *s, const char *topic, const struct shunt_message *m, int64_t timeout_ms,
                            uint64_t *ret_seq, struct shunt_error *err);

/* Called once for each queued message. When it is durable, err is NULL and seq is set; otherwise err says why not, and is lent for the call. */
typedef void shunt_published_cb(void *context, uint64_t seq, const struct shunt_error *err);

/* Queue without waiting. Messages to one topic are stored in the order of the calls.
 * fails: BUSY (the window is full: process or flush, then try again), BAD_NAME, RESERVED, TOO_LARGE, NO_MEMORY. The callback (may
 * be NULL) is not called if this fails. */
SHUNT_API int shunt_publish_async(struct shunt *s, const char *topic, const struct shunt_message *m,
                                  shunt_published_cb *callback, void *context, struct shunt_error *err);

/* Wait until all queued publishes and resolutions are answered. fails: TIMEOUT, or the first failure of a publish without
 * a callback since the last flush. */
SHUNT_API int shunt_flush(struct shunt *s, int64_t timeout_ms, struct shunt_error *err);

/* ----------------------------------------------------------------- consuming */

struct shunt_consumer;
struct shunt_delivery;

/* Consume `topic` (also `dlq:TOPIC:GROUP`) as a member of `group` (NULL: "default"). After a reconnect the library subscribes again by itself.
 * options  may be NULL; keys:
 *   prefetch         messages held at most      (default 64, growing up to 4096 as long as the handler is fast)
 *   prefetch-bytes   bytes held at most         (default 16MiB)
 * fails: UNKNOWN_TOPIC, UNKNOWN_GROUP, TOO_MANY, BAD_ARGUMENT, UNREACHABLE, TIMEOUT. */
SHUNT_API int shunt_subscribe(struct shunt *s, const char *topic, const char *group, const struct shunt_options *options,
                              int64_t timeout_ms, struct shunt_consumer **ret, struct shunt_error *err);
/* Give back, uncharged, the deliveries that were not resolved, and free them with the consumer. Takes NULL. */
SHUNT_API void shunt_unsubscribe(struct shunt_consumer *c, int64_t timeout_ms);
/* Change the window; 0 messages pauses. */
SHUNT_API int shunt_credit(struct shunt_consumer *c, uint32_t messages, uint64_t bytes, struct shunt_error *err);

/* The next message, marked as started. The delivery belongs to the consumer until one of the calls below takes it.
 * Prefetched messages whose lease ran out before they were started are dropped silently: the broker hands them out again.
 * fails: EMPTY (no message came in time), CLOSED (topic or group deleted), UNREACHABLE (not connected at the end of the time; a
 *        later call goes on trying), … */
SHUNT_API int shunt_next(struct shunt_consumer *c, int64_t timeout_ms, struct shunt_delivery **ret, struct shunt_error *err);
/* For event loops: called by shunt_process() whenever messages have arrived; take them with shunt_next(c, 0, …). */
typedef void shunt_arrived_cb(void *context, struct shunt_consumer *c);
SHUNT_API void shunt_on_arrival(struct shunt_consumer *c, shunt_arrived_cb *callback, void *context);

/* Why a message failed. Any member may be NULL; all are copied, and cut at 128, 1,024 and 16,384 bytes. */
struct shunt_failure {
    const char *type;    /* short and stable, the same for similar failures: "SIGSEGV", "bad_json" */
    const char *message; /* one line */
    const char *stack;   /* stack trace or output; if it is cut, its end is kept */
};

/* Finds, in the output that a program wrote before it failed, the line that says what failed (of an uncaught exception or a panic as Python, node, Java, Go, Rust,
 * Ruby, Perl, PHP, C++, assert() and others write it; else the last line that is not blank), and the class of the exception. Feed it all output, in any pieces. */
struct shunt_diagnosis;
SHUNT_API struct shunt_diagnosis *shunt_diagnosis_new(void); /* NULL without memory */
SHUNT_API void shunt_diagnosis_free(struct shunt_diagnosis *d); /* takes NULL */
SHUNT_API void shunt_diagnosis_add(struct shunt_diagnosis *d, const char *bytes, size_t count);
/* Call it at the end. False if the output was empty or blank. *ret_type is NULL if no class is known; *ret_message is at most 1,024 bytes of one line, cut
 * between characters, and UTF-8 if the output was. Both live until the next call. */
SHUNT_API bool shunt_diagnosis_read(struct shunt_diagnosis *d, const char **ret_type, const char **ret_message);

#define SHUNT_BACKOFF (-1) /* nack: wait as the group's back-off says */

enum shunt_outcome {
    SHUNT_ACK = 0,     /* done */
    SHUNT_NACK = 1,    /* failed, try later: charged */
    SHUNT_REJECT = 2,  /* failed for good: to the dead-letter queue at once */
    SHUNT_RELEASE = 3, /* give back uncharged, at once unless a delay is given */
    SHUNT_EXTEND = 4   /* hold it for longer */
};

/* End a delivery and wait until that is durable; over a lost connection too, if no other consumer gets the message meanwhile.
 * Each takes the delivery and frees it, whatever it returns (extend keeps it). fails: STALE (the lease was lost, another consumer
 * has the message or will get it, and this changed nothing), DISCONNECTED or TIMEOUT (unknown whether it took effect), NO_MEMORY. */
SHUNT_API int shunt_ack(struct shunt_delivery *d, int64_t timeout_ms, struct shunt_error *err);
SHUNT_API int shunt_nack(struct shunt_delivery *d, int64_t delay_ms, const struct shunt_failure *failure, int64_t timeout_ms,
                         struct shunt_error *err);
SHUNT_API int shunt_reject(struct shunt_delivery *d, const struct shunt_failure *failure, int64_t timeout_ms,
                           struct shunt_error *err);
SHUNT_API int shunt_release(struct shunt_delivery *d, int64_t timeout_ms, struct shunt_error *err);
/* The lease ends `lease_ms` from now. */
SHUNT_API int shunt_extend(struct shunt_delivery *d, int64_t lease_ms, int64_t timeout_ms, struct shunt_error *err);

/* Called once with the answer; err is NULL if the call took effect and is durable. */
typedef void shunt_resolved_cb(void *context, const struct shunt_error *err);
/* The same without waiting: queued, sent with the next write (shunt_process, shunt_next, shunt_flush). `delay_ms` is for NACK
 * (or SHUNT_BACKOFF), RELEASE (0 or SHUNT_BACKOFF: at once) and EXTEND. The broker may keep an ack back for its setting `ack-wait` (2 ms) if there is nothing else to
 * commit; shunt_ack() is never kept back. Takes the delivery, whatever it returns, unless outcome is EXTEND; callback and failure may be
 * NULL. After BAD_ARGUMENT the message goes back uncharged. The callback is not called if this fails.
 * fails: STALE (the lease is known to be lost), NO_MEMORY, BAD_ARGUMENT. */
SHUNT_API int shunt_resolve_async(struct shunt_delivery *d, enum shunt_outcome outcome, int64_t delay_ms,
                                  const struct shunt_failure *failure, shunt_resolved_cb *callback, void *context,
                                  struct shunt_error *err);

/* The parts of a delivery; they all live as long as the delivery. */
SHUNT_API const char *shunt_delivery_topic(const struct shunt_delivery *d); /* as subscribed */
SHUNT_API const char *shunt_delivery_group(const struct shunt_delivery *d);
SHUNT_API const char *shunt_delivery_id(const struct shunt_delivery *d); /* "orders/1042" */
SHUNT_API uint64_t shunt_delivery_seq(const struct shunt_delivery *d);
SHUNT_API const void *shunt_delivery_body(const struct shunt_delivery *d, size_t *ret_bytes);
SHUNT_API const void *shunt_delivery_key(const struct shunt_delivery *d, size_t *ret_bytes); /* NULL: none */
SHUNT_API size_t shunt_delivery_headers(const struct shunt_delivery *d);                     /* how many */
/* Header number `i` (0-based); false past the last. Keys and values are not terminated. */
SHUNT_API bool shunt_delivery_header_at(const struct shunt_delivery *d, size_t i, const char **ret_key, size_t *ret_key_bytes,
                                        const void **ret_value, size_t *ret_value_bytes);
SHUNT_API const void *shunt_delivery_header(const struct shunt_delivery *d, const char *key, size_t *ret_bytes); /* NULL: none */
SHUNT_API uint32_t shunt_delivery_attempts(const struct shunt_delivery *d);   /* failed attempts before this one */
SHUNT_API uint32_t shunt_delivery_deliveries(const struct shunt_delivery *d); /* this one included */
SHUNT_API uint32_t shunt_delivery_generation(const struct shunt_delivery *d); /* 0 until redriven */
SHUNT_API int64_t shunt_delivery_published_ms(const struct shunt_delivery *d);
/* Time left of the lease (ms, as far as this side knows); 0 when it ran out. */
SHUNT_API int64_t shunt_delivery_lease_left_ms(const struct shunt_delivery *d);

/* -------------------------------------------------------------------- values */

/* A tree of named values, in which the broker describes topics, groups, dead letters and jobs. The caller owns the root and
 * frees it with shunt_value_free(); everything under it lives as long as the root. */
struct shunt_value;

enum shunt_type { SHUNT_NIL, SHUNT_BOOL, SHUNT_INTEGER, SHUNT_TEXT, SHUNT_BYTES, SHUNT_LIST, SHUNT_MAP };

SHUNT_API void shunt_value_free(struct shunt_value *v); /* only the root; takes NULL */
SHUNT_API enum shunt_type shunt_value_type(const struct shunt_value *v); /* NULL is NIL */
SHUNT_API int64_t shunt_value_integer(const struct shunt_value *v);      /* 0 if it is not an INTEGER; BOOL as 0 or 1; saturates */
/* Bytes of TEXT or BYTES, terminated for convenience; "" and 0 if it is neither. */
SHUNT_API const char *shunt_value_text(const struct shunt_value *v, size_t *ret_bytes);
SHUNT_API size_t shunt_value_count(const struct shunt_value *v);                                /* of LIST or MAP */
SHUNT_API const struct shunt_value *shunt_value_at(const struct shunt_value *v, size_t i);      /* NULL past the end */
SHUNT_API const char *shunt_value_key_at(const struct shunt_value *v, size_t i);                /* MAP; NULL past the end */
SHUNT_API const struct shunt_value *shunt_value_get(const struct shunt_value *v, const char *key); /* NULL: not there */

/* --------------------------------------------------------------- topics, groups */

/* `settings` (may be NULL) are those that shunt_setting() lists, as people write them: "max-attempts" "3", "lease" "30s",
 * "backoff" "1s..5m", "expired" "discard"; the value "inherit" restores the default. shunt_topic_create() takes one more key:
 * `groups` "billing,audit", the groups that are created with the topic instead of `default`.
 * fails: TOPIC_EXISTS, BAD_NAME, RESERVED, BAD_ARGUMENT (the text names the setting), TOO_MANY, … */
SHUNT_API int shunt_topic_create(struct shunt *s, const char *topic, const struct shunt_options *settings, int64_t timeout_ms,
                                 struct shunt_error *err);
SHUNT_API int shunt_topic_update(struct shunt *s, const char *topic, const struct shunt_options *settings, int64_t timeout_ms,
                                 struct shunt_error *err);
/* A MAP as in PROTOCOL.md section 5, with the key `groups`. */
SHUNT_API int shunt_topic_show(struct shunt *s, const char *topic, int64_t timeout_ms, struct shunt_value **ret,
                               struct shunt_error *err);
/* A LIST of all topics, in order of their names (fetched page by page). */
SHUNT_API int shunt_topic_list(struct shunt *s, int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err);
/* Delete the topic, its groups and their dead letters. ret_job (may be NULL) gets the job that removes them. */
SHUNT_API int shunt_topic_delete(struct shunt *s, const char *topic, int64_t timeout_ms, uint64_t *ret_job,
                                 struct shunt_error *err);
/* Drop the messages that are ready or delayed now, of one group or (NULL) of all. */
SHUNT_API int shunt_topic_purge(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms, uint64_t *ret_job,
                                struct shunt_error *err);
/* `from_now`: start with the next message published instead of the oldest stored. */
SHUNT_API int shunt_group_create(struct shunt *s, const char *topic, const char *group, const struct shunt_options *settings,
                                 bool from_now, int64_t timeout_ms, struct shunt_error *err);
SHUNT_API int shunt_group_update(struct shunt *s, const char *topic, const char *group, const struct shunt_options *settings,
                                 int64_t timeout_ms, struct shunt_error *err);
SHUNT_API int shunt_group_show(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms,
                               struct shunt_value **ret, struct shunt_error *err);
SHUNT_API int shunt_group_list(struct shunt *s, const char *topic, int64_t timeout_ms, struct shunt_value **ret,
                               struct shunt_error *err);
SHUNT_API int shunt_group_delete(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms, uint64_t *ret_job,
                                 struct shunt_error *err);
SHUNT_API int shunt_group_pause(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms,
                                struct shunt_error *err);
SHUNT_API int shunt_group_resume(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms,
                                 struct shunt_error *err);

/* The settings that a topic or group can have, for help texts: row `i`; false past the last. Static storage. */
struct shunt_setting {
    const char *name;    /* "max-attempts" */
    const char *unit;    /* "count", "duration", "size", "dlq|discard", "duration..duration" */
    const char *initial; /* "5", "30s" */
    const char *text;
    bool of_group; /* false: only topics have it */
};
SHUNT_API bool shunt_setting(size_t i, struct shunt_setting *ret);

/* ------------------------------------------------------------ looking, dead letters */

/* Look at one page of messages without changing them: a MAP {rows: LIST, more: BOOL, next: INTEGER}. `after` is 0 for the first page and the `next` of the page
 * before for each further one. A page may be empty and still have more. */
SHUNT_API int shunt_peek(struct shunt *s, const char *topic, const char *group, uint64_t after, uint32_t limit, bool bodies,
                         int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err);
/* One page of dead letters, oldest death first: a MAP {rows: LIST, more: BOOL}; rows as in PROTOCOL.md section 6. */
SHUNT_API int shunt_dlq_list(struct shunt *s, const char *topic, const char *group, uint64_t after, uint32_t limit,
                             int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err);
/* One dead letter with body and history. `id`: its id, its origin's name, or its number in the DLQ. fails: NOT_FOUND */
SHUNT_API int shunt_dlq_show(struct shunt *s, const char *topic, const char *group, const char *id, int64_t timeout_ms,
                             struct shunt_value **ret, struct shunt_error *err);

#define SHUNT_ALL UINT64_MAX

/* Send dead letters back to the failing group: those named by `ids` (ids_count > 0), else the oldest `count`, or SHUNT_ALL.
 * rate  messages per second; 0: as fast as possible.
 * out   ret_job: the job that does it (0: nothing to do); ret_count: how many dead letters it will touch; both may be NULL. */
SHUNT_API int shunt_dlq_redrive(struct shunt *s, const char *topic, const char *group, const char *const *ids,
                                size_t ids_count, uint64_t count, uint32_t rate, int64_t timeout_ms, uint64_t *ret_job,
                                uint64_t *ret_count, struct shunt_error *err);
/* Delete dead letters, named in the same way, for good. */
SHUNT_API int shunt_dlq_purge(struct shunt *s, const char *topic, const char *group, const char *const *ids, size_t ids_count,
                              uint64_t count, int64_t timeout_ms, uint64_t *ret_job, uint64_t *ret_count,
                              struct shunt_error *err);
/* A job's MAP (PROTOCOL.md section 7). */
SHUNT_API int shunt_job_show(struct shunt *s, uint64_t job, int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err);
/* Stop a job where it is: what it has done stays done. fails: NOT_FOUND, BAD_ARGUMENT (the job removes what was deleted) */
SHUNT_API int shunt_job_cancel(struct shunt *s, uint64_t job, int64_t timeout_ms, struct shunt_error *err);
/* Make the times that the broker shows follow its machine's clock again. *ret_was_off_ms (may be NULL): how far they were ahead. */
SHUNT_API int shunt_clock_set(struct shunt *s, int64_t timeout_ms, int64_t *ret_was_off_ms, struct shunt_error *err);
/* Wait until a job is done. */
SHUNT_API int shunt_job_wait(struct shunt *s, uint64_t job, int64_t timeout_ms, struct shunt_error *err);
/* The broker's statistics: a MAP. */
SHUNT_API int shunt_stats(struct shunt *s, int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err);

/* -------------------------------------------------------------------- worker */

/* Takes what a handler says beyond its outcome. Lent for the call. */
struct shunt_verdict;
SHUNT_API void shunt_verdict_failure(struct shunt_verdict *v, const struct shunt_failure *failure); /* copied */
SHUNT_API void shunt_verdict_delay(struct shunt_verdict *v, int64_t delay_ms);                      /* for NACK and RELEASE */

/* Handle one message and return its outcome. With isolation `fork` this runs in a child process. */
typedef enum shunt_outcome shunt_handler(void *context, const struct shunt_delivery *d, struct shunt_verdict *v);

/* Consume until SIGTERM or SIGINT, shunt_worker_stop(), or (with `drain`) nothing is left; then give back the messages that were not started.
 * options  may be NULL; keys:
 *   isolation   none|fork: run the handler here, or in standing child processes     (default none)
 *   workers     children with isolation fork                                        (default 1)
 *   timeout     for one message with isolation fork; 0: no limit                    (default 0)
 *   prefetch, prefetch-bytes   as for shunt_subscribe()                             (default with fork 16 × workers)
 *   drain       yes|no: return when the group has nothing ready, in flight or delayed (default no)
 *   signals     yes|no: stop on SIGTERM and SIGINT; the old handlers are put back    (default yes)
 *   child-messages  with fork: replace a child after this many messages; 0: never   (default 0)
 *   child-memory    with fork: replace a child that has more resident memory after a message, as in `512MiB`; 0: never (default 0)
 * With fork, a child that crashes, hangs or exits becomes a nack whose failure says so:
 *   type `SIGSEGV` …, a message with the fault address, a stack with file:line if there are symbols, and the
 *   last 4 KiB of its stderr (which is also passed on to the program's stderr while that is read); `timeout` with the stack of the place where it hung; `exit 7`, or the
 *   class of the exception that stderr names; `exec` if it became another program; `channel_closed` if the handler closed the descriptor that its verdict goes through.
 * If a NACK or REJECT gives no failure, its message is the line of the handler's stderr that says what failed, its stack the end of stderr, and its type `nacked` or
 * `rejected`. A message that the handler gives back (RELEASE) comes again after 100 ms, twice as long with each further
 * time, at most 5 s, unless shunt_verdict_delay() says otherwise; at once when the worker stops.
 * A C++ exception that leaves the handler is caught: the message is rejected, with the exception's class as type and its
 * what() as message, and the worker goes on.
 * With fork, the handler has a copy of the process as it was when the child was forked, and must not use `s`. Signal handlers
 * and masks are those of a new program. The lease is extended while the handler runs; with isolation none it cannot be, so
 * the group's lease must be longer than the handler takes. The handler may fork: only the process in which it was called
 * answers, and processes left in that process's group are killed when it ends. It must not close descriptors that it has not opened.
 * A stop lets running handlers finish. A second SIGTERM or SIGINT, half a second or more after the first, does not: with
 * fork their messages go back uncharged; with none the signal does what it would have done without the worker.
 * If the broker cannot be reached, this waits until it can, also at the start.
 * fails: as shunt_subscribe(), except UNREACHABLE; TIMEOUT (stopped, but not all answers were confirmed); IO (children
 *        cannot be started); 0 after a clean stop. */
SHUNT_API int shunt_worker_run(struct shunt *s, const char *topic, const char *group, const struct shunt_options *options,
                               shunt_handler *handler, void *context, struct shunt_error *err);
/* Make the shunt_worker_run() of this handle return; may be called from a signal handler or the message handler. A call
 * from a handler with fork reaches the worker; in any other forked process it does nothing. */
SHUNT_API void shunt_worker_stop(struct shunt *s);

/* ------------------------------------------------------------------- helpers */

/* Durations as `250ms`, `30s`, `1h30m`, `7d`, `0`; sizes as `512`, `64KiB`, `10MB`. Both refuse values that are negative or overflow.
 * fails: BAD_ARGUMENT, with the reason. */
SHUNT_API int shunt_parse_duration(const char *text, int64_t *ret_ms, struct shunt_error *err);
SHUNT_API int shunt_parse_size(const char *text, int64_t *ret_bytes, struct shunt_error *err);
/* RFC 3339 in UTC with milliseconds; `to` holds at least 32 bytes; returns `to`. */
SHUNT_API char *shunt_format_time(char *to, int64_t wall_ms);
/* `1m30s`; `1.5 GiB`; `to` holds at least 32 bytes; returns `to`. */
SHUNT_API char *shunt_format_duration(char *to, int64_t ms);
SHUNT_API char *shunt_format_size(char *to, int64_t bytes);

#ifdef __cplusplus
}
#endif

#endif
