/* workload_drain: a backlog is published, then consumed and acked with nothing more coming. */
#include "bench/workload.h"

#define COUNT      1000000
#define FILL_BYTES (1ull << 30) /* at most this much is published before */
#define PREFETCH   4096

static bool run_one(struct bench *b, uint32_t body_bytes)
{
    struct result filled = {0}, r = {0};
    uint64_t count = b->options->count ? b->options->count : COUNT;
    if (count > FILL_BYTES / body_bytes && !b->options->count)
        count = FILL_BYTES / body_bytes;
    if (!bench_server(b))
        return false;
    struct load load = bench_load(b, body_bytes, PREFETCH);
    load.rate = 0;
    load.count = count;
    bool ok = run_fill(&b->subject, &load, &filled, b->why);
    load.count = 0;
    load.publishers = 0;
    load.consumers = b->options->consumers;
    load.prefetch = b->options->prefetch ? b->options->prefetch : PREFETCH;
    ok = ok && run_drain(&b->subject, &load, count, &r, b->why);
    bench_server_done(b);
    r.p50_us = 0; /* how long a message lay there says nothing */
    return ok && bench_report(b, &filled, "fill", FLOOR_APPEND) && bench_report(b, &r, "drain", FLOOR_TAKE);
}

bool workload_drain(struct bench *b)
{
    bool ok = true;
    for (size_t i = 0; ok && i < b->options->sizes.count; i++)
        ok = run_one(b, b->options->sizes.values[i]);
    return ok;
}
