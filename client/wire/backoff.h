/* backoff: how long to wait before the next attempt. Exponential with full jitter: the bound doubles from
 * `min_ms` to `max_ms` with each attempt, the wait is anything up to it, so that many clients do not come
 * back in step. */
#ifndef SHUNT_CLIENT_WIRE_BACKOFF_H
#define SHUNT_CLIENT_WIRE_BACKOFF_H

#include "client/wire/random.h"

struct backoff {
    int64_t min_ms;
    int64_t max_ms;
    unsigned attempts; /* since backoff_reset() */
};

/* The wait before the next attempt, 1 us to the bound in force; the bound doubles. */
int64_t backoff_next_us(struct backoff *b, struct random *r);
/* Any time up to `ms`, at least 1 us. */
int64_t backoff_spread_us(int64_t ms, struct random *r);
/* The bound backoff_next_us() would use now. */
int64_t backoff_bound_us(const struct backoff *b);
void backoff_reset(struct backoff *b);

#endif
