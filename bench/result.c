/* result: from nanoseconds as counted to microseconds as shown. */
#include "bench/result.h"

void result_latency(struct result *r, const char *of, const struct histogram *ns)
{
    r->latency_of = of;
    r->p50_us = (double)histogram_quantile(ns, 0.5) / 1e3;
    r->p99_us = (double)histogram_quantile(ns, 0.99) / 1e3;
    r->p999_us = (double)histogram_quantile(ns, 0.999) / 1e3;
    r->max_us = (double)ns->max / 1e3;
}
