/* histogram: how many values fell into each of some ranges. */
#ifndef SHUNT_ENGINE_HISTOGRAM_H
#define SHUNT_ENGINE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

/* Upper bounds of the ranges, the buckets; one more, +Inf, follows. */
#define COMMIT_SECONDS_BOUNDS                                                                                \
    {                                                                                                        \
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10      \
    }
#define COMMIT_MESSAGES_BOUNDS                                                                               \
    {                                                                                                        \
        1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768                          \
    }
/* From a second to a week, with the default of dlq-slo among them. */
#define ATTEND_SECONDS_BOUNDS                                                                                \
    {                                                                                                        \
        1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400, 259200, 604800               \
    }
#define HISTOGRAM_BUCKETS 17

struct histogram {
    uint64_t bucket[HISTOGRAM_BUCKETS]; /* not cumulative */
    uint64_t count;
    double sum;
};

/* `bounds`: one fewer than there are buckets. */
void histogram_add(struct histogram *h, const double bounds[HISTOGRAM_BUCKETS - 1], double value);

#endif
