/* backoff: full-jitter exponential waiting. */
#include "client/wire/backoff.h"

int64_t backoff_bound_us(const struct backoff *b)
{
    int64_t bound_ms = b->min_ms;
    for (unsigned i = 0; i < b->attempts && bound_ms < b->max_ms; i++)
        bound_ms *= 2;
    return (bound_ms < b->max_ms ? bound_ms : b->max_ms) * 1000;
}

int64_t backoff_spread_us(int64_t ms, struct random *r)
{
    return 1 + (int64_t)(random_next(r) % (uint64_t)(ms * 1000));
}

int64_t backoff_next_us(struct backoff *b, struct random *r)
{
    int64_t bound_us = backoff_bound_us(b);
    if (b->attempts < 63)
        b->attempts++;
    return backoff_spread_us(bound_us / 1000, r);
}

void backoff_reset(struct backoff *b)
{
    b->attempts = 0;
}
