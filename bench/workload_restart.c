/* workload_restart: a server with a backlog is killed; how long until the first message comes from its
 * successor. */
#include <stdio.h>

#include "bench/clock.h"
#include "bench/report.h"
#include "bench/workload.h"
#include "client/shunt.h"

#define COUNT   1000000
#define WINDOW  4096
#define CALL_MS 60000

static bool first_delivery(struct bench *b)
{
    struct shunt_consumer *consumer = NULL;
    struct shunt_delivery *d = NULL;
    struct shunt_error err;
    bool ok = shunt_subscribe(b->server.control, "bench", NULL, NULL, CALL_MS, &consumer, &err) == 0 &&
              shunt_next(consumer, CALL_MS, &d, &err) == 0 && shunt_ack(d, CALL_MS, &err) == 0;
    shunt_unsubscribe(consumer, CALL_MS);
    if (!ok)
        (void)snprintf(b->why, WHY_BYTES, "after the restart: %.250s", err.text);
    return ok;
}

bool bench_restart(struct bench *b, bool kill, uint64_t count, const char *name)
{
    struct histogram once = {0};
    struct result r = {.server = "shunt", .body_bytes = b->options->sizes.values[0], .messages = count};
    uint64_t begin_ns = clock_ns();
    if (!server_restart(&b->server, kill, b->why) || !first_delivery(b))
        return false;
    histogram_record(&once, clock_ns() - begin_ns);
    result_latency(&r, "arrive", &once);
    r.seconds = r.p50_us / 1e6;
    (void)snprintf(r.workload, sizeof r.workload, "%s", name);
    report_add(b->options->form, &r);
    return true;
}

bool workload_restart(struct bench *b)
{
    const struct options *o = b->options;
    struct result filled = {0};
    if (o->url) {
        (void)snprintf(b->why, WHY_BYTES, "restart needs a server of its own: leave --url out");
        return false;
    }
    if (!bench_server(b))
        return false;
    struct load load = bench_load(b, o->sizes.values[0], WINDOW);
    load.rate = 0;
    load.count = o->count ? o->count : COUNT;
    bool ok = run_fill(&b->subject, &load, &filled, b->why);
    ok = ok && bench_restart(b, true, load.count, "restart, killed") &&
         bench_restart(b, false, load.count, "restart, clean");
    bench_server_done(b);
    return ok;
}
