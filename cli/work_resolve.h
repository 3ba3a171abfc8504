/* work_resolve: the pool's answers to the broker, counted when they take effect. */
#ifndef SHUNT_CLI_WORK_RESOLVE_H
#define SHUNT_CLI_WORK_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/shunt.h"

struct work_pool;

/* ACK, NACK, REJECT or RELEASE, without waiting; takes the delivery. `delay_ms` may be SHUNT_BACKOFF, `failure` NULL. */
void work_resolve(struct work_pool *p, struct shunt_delivery *delivery, enum shunt_outcome outcome,
                  int64_t delay_ms, const struct shunt_failure *failure);
/* False if the lease is lost already: that shows in the answer at the end. */
bool work_extend(struct work_pool *p, struct shunt_delivery *delivery, int64_t lease_ms);

#define WORK_LATE_BYTES 48
/* `, 3 past their deadline`, for the last line of a worker; empty if there were none. Returns `text`. */
const char *work_late_text(const struct work_pool *p, char text[WORK_LATE_BYTES]);

#endif
