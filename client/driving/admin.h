/* admin: what the calls on topics, groups and dead letters share. */
#ifndef SHUNT_CLIENT_DRIVING_ADMIN_H
#define SHUNT_CLIENT_DRIVING_ADMIN_H

#include "client/driving/handle.h"

/* Names that the broker would refuse are refused here, `group` if it is not NULL.
 * fails: BAD_ARGUMENT (no topic), BAD_NAME, RESERVED (a DLQ where `dlq_too` is false). */
int admin_names(const char *topic, bool dlq_too, const char *group, struct shunt_error *err);
/* `group` as given, or the one every topic is made with. */
const char *admin_group(const char *group);
/* Run it and make a tree of the first field of the answer; frees the call. */
int admin_finish_value(struct shunt *s, struct call *c, int64_t timeout_ms, struct shunt_value **ret,
                       struct shunt_error *err);
/* The same for an answer of rows, `more` and perhaps `next` and the broker's time: a MAP {rows, more, next?, now?}. */
int admin_finish_page(struct shunt *s, struct call *c, int64_t timeout_ms, struct shunt_value **ret,
                      struct shunt_error *err);
/* The same for an answer of a job and a count; both may be NULL. */
int admin_finish_job(struct shunt *s, struct call *c, int64_t timeout_ms, uint64_t *ret_job,
                     uint64_t *ret_count, struct shunt_error *err);
/* What is left of `timeout_ms` at `deadline_us`. */
int64_t admin_left_ms(int64_t deadline_us);

#endif
