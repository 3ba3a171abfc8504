/* histogram: a value's bucket is its leading bit and the six bits after it. */
#include "bench/histogram.h"

#define FINE (1u << HISTOGRAM_FINE_BITS)

static unsigned bucket_of(uint64_t value)
{
    if (value < 2 * FINE)
        return (unsigned)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_FINE_BITS;
    unsigned bucket = (shift << HISTOGRAM_FINE_BITS) + (unsigned)(value >> shift);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The largest value of a bucket. */
static uint64_t top_of(unsigned bucket)
{
    if (bucket < 2 * FINE)
        return bucket;
    unsigned shift = (bucket >> HISTOGRAM_FINE_BITS) - 1;
    uint64_t lead = (bucket & (FINE - 1)) + FINE;
    return ((lead + 1) << shift) - 1;
}

void histogram_record(struct histogram *h, uint64_t value)
{
    h->count++;
    h->sum += value;
    h->buckets[bucket_of(value)]++;
    if (value > h->max)
        h->max = value;
}

void histogram_merge(struct histogram *to, const struct histogram *from)
{
    to->count += from->count;
    to->sum += from->sum;
    if (from->max > to->max)
        to->max = from->max;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        to->buckets[i] += from->buckets[i];
}

uint64_t histogram_quantile(const struct histogram *h, double share)
{
    double wanted = share * (double)h->count;
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen > 0 && (double)seen >= wanted)
            return top_of(i) < h->max ? top_of(i) : h->max;
    }
    return h->max;
}

double histogram_mean(const struct histogram *h)
{
    return h->count ? (double)h->sum / (double)h->count : 0;
}
