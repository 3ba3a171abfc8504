/* bucket: how much of something may be done in a time, with an allowance for bursts.
 *
 * A token bucket, kept as the time when it is full again: what is missing is that time less now, and filling needs no timer. It
 * holds what its rate lets through in `burst_ms`. What is more than a bucket holds is let through when it is full, and leaves a
 * debt, for which what follows waits; so a rate is never passed for long, and nothing is too large for ever.
 *
 * Pure: the time is given to it. All zero is full. Its rate is no part of it, and may change at any time. */
#ifndef SHUNT_FLOW_BUCKET_H
#define SHUNT_FLOW_BUCKET_H

#include <stdint.h>

#define BUCKET_AMOUNT_MAX (1ull << 32) /* taken at once; the product with NS_A_SECOND fits */
#define NS_A_SECOND       1000000000ull
#define NS_A_MS           1000000

struct bucket {
    int64_t full_ns; /* mono */
};

struct bucket_rate {
    uint64_t a_second; /* 0: no limit */
    int64_t burst_ms;
};

/* How long the rate takes to bring so much, rounded up. */
static inline int64_t bucket_ns(uint64_t amount, uint64_t a_second)
{
    if (amount > BUCKET_AMOUNT_MAX)
        amount = BUCKET_AMOUNT_MAX;
    return (int64_t)((amount * NS_A_SECOND + a_second - 1) / a_second);
}

/* Ms until so much may be taken, if nobody else takes any; 0: now. */
static inline int64_t bucket_wait_ms(const struct bucket *b, const struct bucket_rate *rate, uint64_t amount,
                                     int64_t now_ms)
{
    if (!rate->a_second || !amount)
        return 0;
    int64_t now_ns = now_ms * NS_A_MS, burst_ns = rate->burst_ms * NS_A_MS;
    int64_t needed_ns = bucket_ns(amount, rate->a_second);
    int64_t missing_ns = b->full_ns > now_ns ? b->full_ns - now_ns : 0;
    int64_t wait_ns = missing_ns + (needed_ns < burst_ns ? needed_ns : burst_ns) - burst_ns;
    return wait_ns > 0 ? (wait_ns + NS_A_MS - 1) / NS_A_MS : 0;
}

static inline void bucket_take(struct bucket *b, const struct bucket_rate *rate, uint64_t amount,
                               int64_t now_ms)
{
    int64_t now_ns = now_ms * NS_A_MS;
    if (rate->a_second && amount)
        b->full_ns = (b->full_ns > now_ns ? b->full_ns : now_ns) + bucket_ns(amount, rate->a_second);
}

#endif
