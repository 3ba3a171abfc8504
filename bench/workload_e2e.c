/* workload_e2e: publish, consume and ack at the same time. No more than a window of each publisher waits to
 * be received, so that the latency is that of the server and not of a queue that the load itself let grow. */
#include "bench/workload.h"

static bool run_one(struct bench *b, uint32_t body_bytes, uint32_t window)
{
    struct result r = {0};
    if (!bench_server(b))
        return false;
    struct load load = bench_load(b, body_bytes, window);
    load.consumers = b->options->consumers;
    load.backlog_max = (uint64_t)window * load.publishers;
    bool ok =
        run_timed(&b->subject, &load, RUN_RECEIVED, b->options->warm_s, b->options->seconds, &r, b->why);
    bench_server_done(b);
    return ok && bench_report(b, &r, "e2e", FLOOR_PASS);
}

bool workload_e2e(struct bench *b)
{
    return bench_each(b, run_one);
}
