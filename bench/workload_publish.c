/* workload_publish: messages in, each size with each window; nobody consumes. */
#include "bench/workload.h"

static bool fill_before(struct bench *b)
{
    struct result unused = {0};
    struct load load = bench_load(b, 100, 4096);
    load.publishers = 1;
    load.rate = 0;
    load.count = b->options->prefill;
    return load.count == 0 || run_fill(&b->subject, &load, &unused, b->why);
}

static bool run_one(struct bench *b, uint32_t body_bytes, uint32_t window)
{
    struct result r = {0};
    if (!bench_server(b))
        return false;
    struct load load = bench_load(b, body_bytes, window);
    bool ok = fill_before(b) && run_timed(&b->subject, &load, RUN_CONFIRMED, b->options->warm_s,
                                          b->options->seconds, &r, b->why);
    bench_server_done(b);
    return ok && bench_report(b, &r, "publish", FLOOR_APPEND);
}

bool workload_publish(struct bench *b)
{
    return bench_each(b, run_one);
}
