/* workload_poison: what one bad message in a hundred costs the good ones: first none, then some rejected,
 * then some nacked until their attempts are used up; each failure with an error of its own, as a real handler
 * would send. */
#include <stdio.h>

#include "bench/workload.h"

#define POISON_EVERY 100

static bool run_one(struct bench *b, const char *name, uint32_t body_bytes, uint32_t window, unsigned every,
                    bool nacks, double *rate)
{
    static const char *const settings[] = {"max-attempts", "3", "backoff", "10ms..50ms", NULL};
    struct result r = {0};
    if (!bench_server(b))
        return false;
    struct load load = bench_load(b, body_bytes, window);
    load.consumers = b->options->consumers;
    load.backlog_max = (uint64_t)window * load.publishers;
    load.poison_every = every;
    load.poison_nacks = nacks;
    bool ok =
        server_topic(&b->server, "bench", settings, b->why) &&
        run_timed(&b->subject, &load, RUN_RECEIVED, b->options->warm_s, b->options->seconds, &r, b->why);
    bench_server_done(b);
    if (every)
        r.rate *= (double)every / (every - 1); /* only the healthy ones were counted */
    if (*rate > 0)
        bench_against(&r, "no poison", *rate);
    else
        *rate = r.rate;
    return ok && bench_report(b, &r, name, FLOOR_PASS);
}

bool workload_poison(struct bench *b)
{
    const struct options *o = b->options;
    bool ok = true;
    for (size_t i = 0; ok && i < o->sizes.count; i++) {
        uint32_t bytes = o->sizes.values[i], window = o->windows.values[o->windows.count - 1];
        double rate = 0;
        ok = run_one(b, "no poison", bytes, window, 0, false, &rate) &&
             run_one(b, "1 % rejected", bytes, window, POISON_EVERY, false, &rate) &&
             run_one(b, "1 % nacked", bytes, window, POISON_EVERY, true, &rate);
    }
    return ok;
}
