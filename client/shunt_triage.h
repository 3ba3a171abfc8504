/* shunt_triage.h: from dead letters to what is wrong: their causes, and what is decided about them. Goes with shunt.h.
 *
 * All that stands at the top of shunt.h holds here too. Every call waits up to `timeout_ms`; `group` may be NULL
 * (`default`). Answers are trees of values, whose keys are in PROTOCOL.md section 6.
 *
 * A struct that is passed in begins with `size`, its sizeof as the caller was compiled. Members that are added later
 * stand at the end, and are then known not to be there; NULL and 0 always mean "not given".
 * fails: BAD_ARGUMENT if `size` is no struct's size; UNSUPPORTED if a member is given that this library does not know.
 */
#ifndef SHUNT_TRIAGE_H
#define SHUNT_TRIAGE_H

#include "shunt.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ which dead letters */

/* A dead letter is one of these if it is as all members say that are given. Texts are UTF-8, and not empty. */
struct shunt_dlq_filter {
    size_t size;
    const char *cause; /* a fingerprint: 16 hexadecimal digits */
    /* rejected, max_attempts, ttl_expired, corrupt, predecessor_dead, operator, deadline_exceeded */
    const char *reason;
    const char *type;   /* the error_type, whole */
    const char *match;  /* a part of the error_message */
    int64_t since_ms;   /* it died at this time or later, ms since 1970 in UTC */
    const char *header; /* it has this header with this value; NULL: an empty one */
    const void *header_value;
    size_t header_value_bytes;
    const void *key; /* its ordering key, byte by byte */
    size_t key_bytes;
};

/* One page of the dead letters that `filter` (NULL: all) names, oldest death first: a MAP {rows: LIST, more: BOOL,
 * next: INTEGER}. `after` is 0 for the first page and the `next` of the page before for each further one. A page may be
 * empty and still have more.
 * fails: BAD_ARGUMENT, UNSUPPORTED (the broker is too old to know filters) */
SHUNT_API int shunt_dlq_find(struct shunt *s, const char *topic, const char *group, uint64_t after,
                             uint32_t limit, const struct shunt_dlq_filter *filter, int64_t timeout_ms,
                             struct shunt_value **ret, struct shunt_error *err);

/* ------------------------------------------------------------------ causes */

/* What dead letters died of: a LIST of all causes of the group, the most pressing first. */
SHUNT_API int shunt_dlq_causes(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms,
                               struct shunt_value **ret, struct shunt_error *err);
/* One of them with its example and its hours: a MAP. `cause` is its whole fingerprint. fails: NOT_FOUND */
SHUNT_API int shunt_dlq_cause(struct shunt *s, const char *topic, const char *group, const char *cause,
                              int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err);

/* Say that somebody has looked at a cause with all its letters (`cause`, may be NULL), and at those letters that `ids`
 * names, as for shunt_dlq_show() (at most 1,000; may be NULL if there are none).
 * out    ret_count (may be NULL): how many of what was named were there.
 * fails: NOT_FOUND (none was), BAD_ARGUMENT (nothing is named) */
SHUNT_API int shunt_dlq_attend(struct shunt *s, const char *topic, const char *group, const char *cause,
                               const char *const *ids, size_t ids_count, int64_t timeout_ms,
                               uint64_t *ret_count, struct shunt_error *err);

/* What is decided about a cause; what is NULL stays as it is. */
struct shunt_cause_change {
    size_t size;
    const char *state; /* new, seen, muted, resolved */
    const char *owner; /* at most 64 bytes; "": none any more */
    const char *note;  /* at most 512 bytes; "": none any more */
};

/* Note it. That is a look at the cause, too. ret_count (may be NULL): its letters in the DLQ.
 * fails: NOT_FOUND, TOO_LARGE, BAD_ARGUMENT */
SHUNT_API int shunt_cause_update(struct shunt *s, const char *topic, const char *group, const char *cause,
                                 const struct shunt_cause_change *change, int64_t timeout_ms,
                                 uint64_t *ret_count, struct shunt_error *err);

/* ------------------------------------------------------------------ redrives that cannot make things worse */

/* Which letters go back, and how. */
struct shunt_redrive {
    size_t size;
    const char *const *ids; /* these, named as for shunt_dlq_show() (at most 1,000; without a filter); or… */
    size_t ids_count;
    uint64_t count;                        /* … the oldest `count` (SHUNT_ALL: all)… */
    const struct shunt_dlq_filter *filter; /* … that it lets through (NULL: any) */
    uint32_t rate;                         /* at most `rate` a second; 0: no limit */
    uint64_t canary; /* so many first, until they are acked; if one fails, the job stops. 0: none */
    const uint32_t
        *max_fail;     /* NULL: none. It stops if more thousandths of the known outcomes are failures */
    int64_t spread_ms; /* each but the canary's comes back after a random time up to this */
    const char *to; /* a topic: they go there as new messages, with `shunt-origin: TOPIC/SEQ`; NULL: back */
    const char
        *hold_for_build; /* not before a consumer of this build comes; "": of another one than those that
                                   failed. Then the canary begins. NULL: at once */
    /* deadlines stay: what has passed its own dies again at once. Otherwise they are dropped */
    bool keep_deadline;
};

/* Begin it. out: ret_job (0: there is nothing to do), ret_count: how many letters at most; both may be NULL.
 * fails: TOO_MANY (another job is at work on these letters; the text names it), BAD_ARGUMENT (a broker that is too old
 * to know filters, canaries and `to` says this too), TOO_LARGE (a text of the filter), UNKNOWN_TOPIC, RESERVED (`to` is a
 * DLQ), UNSUPPORTED */
SHUNT_API int shunt_dlq_redrive_as(struct shunt *s, const char *topic, const char *group,
                                   const struct shunt_redrive *how, int64_t timeout_ms, uint64_t *ret_job,
                                   uint64_t *ret_count, struct shunt_error *err);
/* Delete the oldest `count` letters that the filter lets through. The rest is as for shunt_dlq_redrive_as(). */
SHUNT_API int shunt_dlq_purge_as(struct shunt *s, const char *topic, const char *group, uint64_t count,
                                 const struct shunt_dlq_filter *filter, int64_t timeout_ms, uint64_t *ret_job,
                                 uint64_t *ret_count, struct shunt_error *err);

/* One page of the jobs that run and of the last ones that are over, in order of number, from the one after `after` on:
 * a MAP {rows: LIST, more: BOOL}. One of them by itself: shunt_job_show(). */
SHUNT_API int shunt_job_list(struct shunt *s, uint64_t after, uint32_t limit, int64_t timeout_ms,
                             struct shunt_value **ret, struct shunt_error *err);
/* A redrive or purge waits, or goes on; to do it twice is no error. fails: NOT_FOUND, BAD_ARGUMENT (it is over) */
SHUNT_API int shunt_job_pause(struct shunt *s, uint64_t job, int64_t timeout_ms, struct shunt_error *err);
SHUNT_API int shunt_job_resume(struct shunt *s, uint64_t job, int64_t timeout_ms, struct shunt_error *err);

/* ------------------------------------------------------------------ rules */

/* What the broker does by itself with dead letters as they come (docs/rules.md). Rules are asked in the order of their
 * numbers; the first that is on and matches decides. */
struct shunt_rule {
    size_t size;
    uint32_t number; /* its name and its place, 1 to 65535; 0: a new one behind the last */
    const struct shunt_dlq_filter *filter; /* NULL: every letter; it has no since_ms */
    const char *action; /* mute, discard, redrive; NULL: the rule stays what it is, and is turned on or off */
    uint32_t times;     /* redrive: so often of one message, at most 20; 0: 3 */
    int64_t wait_ms;    /* redrive: after a random time up to this, which doubles each time … */
    int64_t wait_max_ms; /* … up to this; both at most a day; 0: a minute, an hour */
    const char *to;      /* move: the topic, which is there */
    int disabled;        /* not 0: it is off */
};

/* Set it, as a whole. ret_number (may be NULL): its number.
 * fails: NOT_FOUND (to be turned on or off, and not there), TOO_MANY, TOO_LARGE (a text of the filter), BAD_ARGUMENT */
SHUNT_API int shunt_rule_set(struct shunt *s, const char *topic, const char *group,
                             const struct shunt_rule *rule, int64_t timeout_ms, uint64_t *ret_number,
                             struct shunt_error *err);
/* All of the group, with what each has done: a LIST. */
SHUNT_API int shunt_rule_list(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms,
                              struct shunt_value **ret, struct shunt_error *err);
/* What waits for it stays in the DLQ. fails: NOT_FOUND */
SHUNT_API int shunt_rule_delete(struct shunt *s, const char *topic, const char *group, uint64_t number,
                                int64_t timeout_ms, struct shunt_error *err);
/* One page of the dead letters that lie there now, tested by a rule that has the number (0: behind the last) and the filter
 * (NULL: that of the rule of that number, or with 0 none): a MAP {rows: LIST, more: BOOL, next: INTEGER}. A row is a cause:
 * add up those of all pages. `after` and `next` are as for shunt_dlq_find(). Nothing is changed. fails: NOT_FOUND */
SHUNT_API int shunt_rule_test(struct shunt *s, const char *topic, const char *group, uint64_t number,
                              const struct shunt_dlq_filter *filter, uint64_t after, uint32_t limit,
                              int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err);

/* ------------------------------------------------------------------ another body for a dead letter */

/* What it becomes, for its group alone: the message stays as it was published for others, and its headers, key and type stay. */
struct shunt_edit {
    size_t size;
    const void *body; /* NULL: the one again that it was published with */
    size_t body_bytes;
    uint64_t seen; /* `edit` of the letter as the editor saw it; 0: it was not edited */
};

/* Edit it. It keeps that body until the group is done with it: when it is redriven, moved, dies again. ret_edit (may be NULL):
 * the number of the edit; 0: it is as it was published.
 * fails: NOT_FOUND (no such letter any more; to be undone, and not edited), STALE (it was edited since it was seen), TOO_LARGE,
 * NO_SPACE, CORRUPT (the message is damaged in the store), UNSUPPORTED (the broker is too old) */
SHUNT_API int shunt_dlq_edit(struct shunt *s, const char *topic, const char *group, const char *id,
                             const struct shunt_edit *edit, int64_t timeout_ms, uint64_t *ret_edit,
                             struct shunt_error *err);
/* As shunt_dlq_show(), but with the body that it was published with, and its size. */
SHUNT_API int shunt_dlq_show_original(struct shunt *s, const char *topic, const char *group, const char *id,
                                      int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err);

/* ------------------------------------------------------------------ one message */

/* Where message `seq` of a topic is, how it came there and what comes next: a MAP. `group` NULL: for all its groups. If
 * `topic` is a DLQ, the message that the letter stands for.
 * fails: NOT_FOUND (no such dead letter), UNSUPPORTED (the broker is too old) */
SHUNT_API int shunt_why(struct shunt *s, const char *topic, uint64_t seq, const char *group,
                        int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err);

/* ------------------------------------------------------------------ the audit log */

/* Why all that follows on this handle is done, until it is said otherwise: the broker's audit log keeps it with each act of an
 * operator (what creates, changes, deletes, purges, pauses, redrives, decides, cancels). UTF-8 of at most 512 bytes, which the
 * handle copies; NULL or "": no reason any more. A broker that is too old to know reasons passes over them.
 * fails: TOO_LARGE, BAD_ARGUMENT (not UTF-8), CLOSED */
SHUNT_API int shunt_set_reason(struct shunt *s, const char *reason, struct shunt_error *err);

/* An act is one of these if it is as all members say that are given. */
struct shunt_audit_filter {
    size_t size;
    int64_t since_ms;  /* at this time or later, ms since 1970 in UTC */
    int64_t until_ms;  /* before this time */
    const char *topic; /* on this topic */
    const char
        *act; /* as the broker's log calls it: topic_deleted, dlq_redriven, … (PROTOCOL.md section 7) */
};

/* One page of what operators did, the oldest first, of those acts that `filter` (NULL: all) names: a MAP {rows: LIST, more:
 * BOOL, next: INTEGER}. `after` is 0 for the first page and the `next` of the page before for each further one; with the last
 * `next`, what has been done since. A page may be empty and still have more.
 * fails: BAD_ARGUMENT, UNSUPPORTED (the broker is too old to have an audit log) */
SHUNT_API int shunt_audit_list(struct shunt *s, uint64_t after, uint32_t limit,
                               const struct shunt_audit_filter *filter, int64_t timeout_ms,
                               struct shunt_value **ret, struct shunt_error *err);

#ifdef __cplusplus
}
#endif

#endif
