/* histogram: see histogram.h. */
#include "broker/engine/histogram.h"

void histogram_add(struct histogram *h, const double bounds[HISTOGRAM_BUCKETS - 1], double value)
{
    size_t i = 0;
    while (i < HISTOGRAM_BUCKETS - 1 && value > bounds[i])
        i++;
    h->bucket[i]++;
    h->count++;
    h->sum += value;
}
