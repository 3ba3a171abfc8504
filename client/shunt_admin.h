/* shunt_admin.h: topics, groups, dead letters, jobs and statistics. Included by shunt.h. */
#ifndef SHUNT_ADMIN_H
#define SHUNT_ADMIN_H

#include "shunt_connection.h"

#ifdef __cplusplus
extern "C" {
#endif

/* -------------------------------------------------------------------- values */

/* A tree of named values, in which the broker describes topics, groups, dead letters and jobs. The caller owns the root and
 * frees it with shunt_value_free(); everything under it lives as long as the root. */
struct shunt_value;

enum shunt_type { SHUNT_NIL, SHUNT_BOOL, SHUNT_INTEGER, SHUNT_TEXT, SHUNT_BYTES, SHUNT_LIST, SHUNT_MAP };

SHUNT_API void shunt_value_free(struct shunt_value *v);                  /* only the root; takes NULL */
SHUNT_API enum shunt_type shunt_value_type(const struct shunt_value *v); /* NULL is NIL */
/* 0 if it is not an INTEGER; BOOL as 0 or 1; saturates */
SHUNT_API int64_t shunt_value_integer(const struct shunt_value *v);
/* Bytes of TEXT or BYTES, terminated for convenience; "" and 0 if it is neither. */
SHUNT_API const char *shunt_value_text(const struct shunt_value *v, size_t *ret_bytes);
/* of LIST or MAP */
SHUNT_API size_t shunt_value_count(const struct shunt_value *v);
/* NULL past the end */
SHUNT_API const struct shunt_value *shunt_value_at(const struct shunt_value *v, size_t i);
/* MAP; NULL past the end */
SHUNT_API const char *shunt_value_key_at(const struct shunt_value *v, size_t i);
/* NULL: not there */
SHUNT_API const struct shunt_value *shunt_value_get(const struct shunt_value *v, const char *key);

/* --------------------------------------------------------------- topics, groups */

/* `settings` (may be NULL) are those that shunt_setting() lists, as people write them: "max-attempts" "3", "lease" "30s",
 * "backoff" "1s..5m", "expired" "discard", "order" "key", "on-dead" "block"; the value "inherit" restores the default. shunt_topic_create() takes one more key:
 * `groups` "billing,audit", the groups that are created with the topic instead of `default`.
 * fails: TOPIC_EXISTS, BAD_NAME, RESERVED, BAD_ARGUMENT (the text names the setting), TOO_MANY, … */
SHUNT_API int shunt_topic_create(struct shunt *s, const char *topic, const struct shunt_options *settings,
                                 int64_t timeout_ms, struct shunt_error *err);
SHUNT_API int shunt_topic_update(struct shunt *s, const char *topic, const struct shunt_options *settings,
                                 int64_t timeout_ms, struct shunt_error *err);
/* A MAP as in PROTOCOL.md section 5, with the key `groups`. */
SHUNT_API int shunt_topic_show(struct shunt *s, const char *topic, int64_t timeout_ms,
                               struct shunt_value **ret, struct shunt_error *err);
/* A LIST of all topics, in order of their names (fetched page by page). */
SHUNT_API int shunt_topic_list(struct shunt *s, int64_t timeout_ms, struct shunt_value **ret,
                               struct shunt_error *err);
/* Delete the topic, its groups and their dead letters. ret_job (may be NULL) gets the job that removes them. */
SHUNT_API int shunt_topic_delete(struct shunt *s, const char *topic, int64_t timeout_ms, uint64_t *ret_job,
                                 struct shunt_error *err);
/* Drop the messages that are ready or delayed now, of one group or (NULL) of all. */
SHUNT_API int shunt_topic_purge(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms,
                                uint64_t *ret_job, struct shunt_error *err);
/* `from_now`: start with the next message published instead of the oldest stored. */
SHUNT_API int shunt_group_create(struct shunt *s, const char *topic, const char *group,
                                 const struct shunt_options *settings, bool from_now, int64_t timeout_ms,
                                 struct shunt_error *err);
SHUNT_API int shunt_group_update(struct shunt *s, const char *topic, const char *group,
                                 const struct shunt_options *settings, int64_t timeout_ms,
                                 struct shunt_error *err);
SHUNT_API int shunt_group_show(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms,
                               struct shunt_value **ret, struct shunt_error *err);
SHUNT_API int shunt_group_list(struct shunt *s, const char *topic, int64_t timeout_ms,
                               struct shunt_value **ret, struct shunt_error *err);
SHUNT_API int shunt_group_delete(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms,
                                 uint64_t *ret_job, struct shunt_error *err);
SHUNT_API int shunt_group_pause(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms,
                                struct shunt_error *err);
SHUNT_API int shunt_group_resume(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms,
                                 struct shunt_error *err);
/* Close the breaker of a group that holds messages back because most of them failed; it opens again if they fail as before. */
SHUNT_API int shunt_group_reset_breaker(struct shunt *s, const char *topic, const char *group,
                                        int64_t timeout_ms, struct shunt_error *err);

/* The settings that a topic or group can have, for help texts: row `i`; false past the last. Static storage. */
struct shunt_setting {
    const char *name; /* "max-attempts" */
    /* "count", "duration", "size", "duration..duration", or the words that can be said: "dlq|discard" */
    const char *unit;
    const char *initial; /* "5", "30s" */
    const char *text;
    bool of_group; /* false: only topics have it */
};
SHUNT_API bool shunt_setting(size_t i, struct shunt_setting *ret);

/* ------------------------------------------------------------ looking, dead letters */

/* Look at one page of messages without changing them: a MAP {rows: LIST, more: BOOL, next: INTEGER}. `after` is 0 for the first page and the `next` of the page
 * before for each further one. A page may be empty and still have more. */
SHUNT_API int shunt_peek(struct shunt *s, const char *topic, const char *group, uint64_t after,
                         uint32_t limit, bool bodies, int64_t timeout_ms, struct shunt_value **ret,
                         struct shunt_error *err);
/* One page of dead letters, oldest death first: a MAP {rows: LIST, more: BOOL}; rows as in PROTOCOL.md section 6. */
SHUNT_API int shunt_dlq_list(struct shunt *s, const char *topic, const char *group, uint64_t after,
                             uint32_t limit, int64_t timeout_ms, struct shunt_value **ret,
                             struct shunt_error *err);
/* One dead letter with body and history. `id`: its id, its origin's name, or its number in the DLQ. fails: NOT_FOUND */
SHUNT_API int shunt_dlq_show(struct shunt *s, const char *topic, const char *group, const char *id,
                             int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err);

/* --------------------------------------------------------------------- overview */

/* One page of all groups of all topics in a few numbers each, in the order of the topics' names: a MAP {rows: LIST, more: BOOL, next: TEXT, now: INTEGER}; rows are
 * the glances of PROTOCOL.md section 5: what is 0, false or nil is left out of them. `after` is NULL for the first page and the `next` of the page before for each
 * further one; `limit` 0: 100 rows, more than 1000 are that many; a page holds all groups of a topic or none. `now` is the broker's time in ms since 1970.
 * fails: UNSUPPORTED (the broker is too old for this) */
SHUNT_API int shunt_overview(struct shunt *s, const char *after, uint32_t limit, int64_t timeout_ms,
                             struct shunt_value **ret, struct shunt_error *err);

/* ------------------------------------------------------------ connections, holders */

/* One page of the connections that have said HELLO, in the order in which they came: a MAP {rows: LIST, more: BOOL, next: INTEGER, now: INTEGER}; rows as in
 * PROTOCOL.md section 7: client, host, build, peer, since when, what it subscribes to, how many messages it holds and since when the oldest, and how much waits for it.
 * `after` is 0 for the first page and the `next` of the page before for each further one; `limit` 0: 100 rows, more than 1000 are that many; `now` is the broker's time in
 * ms since 1970. A page may be empty and still have more. Texts are as their clients gave them: make control characters harmless before you show them.
 * fails: UNSUPPORTED (the broker is too old for this) */
SHUNT_API int shunt_client_list(struct shunt *s, uint64_t after, uint32_t limit, int64_t timeout_ms,
                                struct shunt_value **ret, struct shunt_error *err);
/* One page of the messages of a group (NULL: `default`) that are in flight, in order of number, each with the consumer that holds it: a MAP as above, rows as in
 * PROTOCOL.md section 5. `topic` may be a DLQ.
 * fails: UNKNOWN_TOPIC, UNKNOWN_GROUP, UNSUPPORTED (the broker is too old for this) */
SHUNT_API int shunt_group_holders(struct shunt *s, const char *topic, const char *group, uint64_t after,
                                  uint32_t limit, int64_t timeout_ms, struct shunt_value **ret,
                                  struct shunt_error *err);

/* Which keys weigh most in a topic, the heaviest first: a MAP {by, keys: LIST, …} as in PROTOCOL.md section 5.
 * by     `rate` (NULL: the same; of the topic, by messages published), or of a group `waiting`, `in_flight`, `failures`, `blocked`
 * group  NULL: `default`, or by rate none
 * limit  keys; 0: 100, more than 1000 are that many
 * Keys are bytes as publishers gave them (shunt_value_text() with their number): make control characters harmless before you show them.
 * All but `blocked` are estimates of the last minute or so, of which the map tells the error's bound, and begin again with the broker.
 * fails: BAD_ARGUMENT (`by`), UNKNOWN_TOPIC, UNKNOWN_GROUP, UNSUPPORTED (the broker is too old for this) */
SHUNT_API int shunt_keys(struct shunt *s, const char *topic, const char *group, const char *by,
                         uint32_t limit, int64_t timeout_ms, struct shunt_value **ret,
                         struct shunt_error *err);

#define SHUNT_ALL UINT64_MAX

/* Send dead letters back to the failing group: those named by `ids` (ids_count > 0), else the oldest `count`, or SHUNT_ALL.
 * rate  messages per second; 0: as fast as possible.
 * out   ret_job: the job that does it (0: nothing to do); ret_count: how many dead letters it will touch; both may be NULL. */
SHUNT_API int shunt_dlq_redrive(struct shunt *s, const char *topic, const char *group, const char *const *ids,
                                size_t ids_count, uint64_t count, uint32_t rate, int64_t timeout_ms,
                                uint64_t *ret_job, uint64_t *ret_count, struct shunt_error *err);
/* Delete dead letters, named in the same way, for good. */
SHUNT_API int shunt_dlq_purge(struct shunt *s, const char *topic, const char *group, const char *const *ids,
                              size_t ids_count, uint64_t count, int64_t timeout_ms, uint64_t *ret_job,
                              uint64_t *ret_count, struct shunt_error *err);
/* A job's MAP (PROTOCOL.md section 7). */
SHUNT_API int shunt_job_show(struct shunt *s, uint64_t job, int64_t timeout_ms, struct shunt_value **ret,
                             struct shunt_error *err);
/* Stop a job where it is: what it has done stays done. fails: NOT_FOUND, BAD_ARGUMENT (the job removes what was deleted) */
SHUNT_API int shunt_job_cancel(struct shunt *s, uint64_t job, int64_t timeout_ms, struct shunt_error *err);
/* Make the times that the broker shows follow its machine's clock again. *ret_was_off_ms (may be NULL): how far they were ahead. */
SHUNT_API int shunt_clock_set(struct shunt *s, int64_t timeout_ms, int64_t *ret_was_off_ms,
                              struct shunt_error *err);
/* Wait until a job is done. */
SHUNT_API int shunt_job_wait(struct shunt *s, uint64_t job, int64_t timeout_ms, struct shunt_error *err);
/* The broker's statistics: a MAP. */
SHUNT_API int shunt_stats(struct shunt *s, int64_t timeout_ms, struct shunt_value **ret,
                          struct shunt_error *err);

#ifdef __cplusplus
}
#endif

#endif
