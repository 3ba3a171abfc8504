/* workload_delayed: many messages that wait for a time far off, what the server keeps in memory for each, and
 * how fast they come once they are due. */
#include "bench/clock.h"
#include "bench/sampler.h"
#include "bench/workload.h"

#define COUNT         1000000
#define WINDOW        4096
#define SECONDS_EACH  (1.0 / 25000) /* they come due when all are surely published at this rate, */
#define SECONDS_LEAST 3             /* but not sooner than this */

static bool drain(struct bench *b, struct load *load, uint64_t count, struct result *r)
{
    load->count = 0;
    load->publishers = 0;
    load->consumers = b->options->consumers;
    load->prefetch = b->options->prefetch ? b->options->prefetch : WINDOW;
    uint64_t now_ns = clock_ns();
    if (load->due_ns > now_ns)
        clock_sleep_ns(load->due_ns - now_ns);
    return run_drain(&b->subject, load, count, r, b->why);
}

bool workload_delayed(struct bench *b)
{
    const struct options *o = b->options;
    struct result waiting = {0}, due = {0};
    if (!bench_server(b))
        return false;
    struct load load = bench_load(b, o->sizes.values[0], WINDOW);
    load.rate = 0;
    load.count = o->count ? o->count : COUNT;
    uint64_t count = load.count;
    load.due_ns = clock_ns() + (uint64_t)((SECONDS_LEAST + (double)count * SECONDS_EACH) * (double)NS_PER_S);
    struct usage before = sampler_read(b->server.pid);
    bool ok = run_fill(&b->subject, &load, &waiting, b->why);
    bool late = clock_ns() > load.due_ns;
    struct usage after = sampler_read(b->server.pid);
    if (after.known && !late)
        waiting.memory_bytes = ((double)after.anon_bytes - (double)before.anon_bytes) / (double)count;
    ok = ok && drain(b, &load, count, &due);
    bench_server_done(b);
    return ok && bench_report(b, &waiting, "delayed", FLOOR_APPEND) &&
           bench_report(b, &due, "due", FLOOR_TAKE);
}
