/* histogram: counts of values in buckets whose width grows with the value, as HdrHistogram's do: values below
 * 128 are exact, larger ones within 1/64 of themselves. Any value up to 2^40 fits (18 minutes in
 * nanoseconds). */
#ifndef SHUNT_BENCH_HISTOGRAM_H
#define SHUNT_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_FINE_BITS 6 /* 2^6 buckets for each doubling */
#define HISTOGRAM_TOP_BITS  40
#define HISTOGRAM_BUCKETS   ((HISTOGRAM_TOP_BITS - HISTOGRAM_FINE_BITS + 1) << HISTOGRAM_FINE_BITS)

/* All zero is empty. */
struct histogram {
    uint64_t count;
    uint64_t max;
    uint64_t sum;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_record(struct histogram *h, uint64_t value);
void histogram_merge(struct histogram *to, const struct histogram *from);
/* The least value that at least `share` (0 to 1) of all recorded ones do not exceed; never above the largest
 * recorded; 0 if it is empty. */
uint64_t histogram_quantile(const struct histogram *h, double share);
double histogram_mean(const struct histogram *h);

#endif
