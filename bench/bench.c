/* bench: what all workloads share: a server each, loads from the options, floors to the results. */
#include <stdio.h>
#include <string.h>

#include "bench/disk.h"
#include "bench/report.h"
#include "bench/workload.h"

static uint64_t commits(void *context)
{
    return server_figure(context, "commits");
}

bool bench_server(struct bench *b)
{
    const struct options *o = b->options;
    if (o->calm_us > 0)
        (void)floor_disk_calm(o->data, o->calm_us);
    disk_forget();
    bool ok = o->url ? server_join(&b->server, o->url, o->pid, b->why)
                     : server_start(&b->server, o->shuntd, o->config, o->data, b->why);
    ok = ok && server_topic(&b->server, "bench", NULL, b->why);
    b->subject = (struct subject){.driver = &link_shunt,
                                  .address = b->server.url,
                                  .pid = b->server.pid,
                                  .context = &b->server,
                                  .commits = commits};
    if (!ok)
        bench_server_done(b);
    return ok;
}

void bench_server_done(struct bench *b)
{
    server_done(&b->server);
}

struct load bench_load(const struct bench *b, uint32_t body_bytes, uint32_t window)
{
    const struct options *o = b->options;
    uint32_t prefetch = 2 * window < 64 ? 64 : 2 * window > 65536 ? 65536 : 2 * window;
    return (struct load){.publishers = o->publishers,
                         .threads = o->threads,
                         .body_bytes = body_bytes,
                         .window = window,
                         .prefetch = o->prefetch ? o->prefetch : prefetch,
                         .rate = o->rate,
                         .topics = 1,
                         .groups = 1};
}

bool bench_each(struct bench *b, bench_one *one)
{
    const struct options *o = b->options;
    for (size_t i = 0; i < o->sizes.count; i++) {
        for (size_t k = 0; k < o->windows.count; k++) {
            if (!one(b, o->sizes.values[i], o->windows.values[k]))
                return false;
        }
    }
    return true;
}

/* At a given rate the floor is a latency: a message alone in its commit, and the way there and back. */
static bool latency_floor(struct bench *b, struct result *r)
{
    static struct histogram commit; /* large; there is one thread here */
    double rate = 0;
    memset(&commit, 0, sizeof commit);
    if (!floor_lmdb(b->options->data, FLOOR_APPEND, r->body_bytes, 1, b->options->floor_s, &rate, &commit,
                    b->why))
        return false;
    r->floor_rate = (double)histogram_quantile(&commit, 0.5) / 1e3 + b->loopback_us;
    r->floor_ratio = r->floor_rate > 0 ? r->p50_us / r->floor_rate : 0;
    (void)snprintf(r->floor, sizeof r->floor, "commit + loopback, us");
    return true;
}

static bool rate_floor(struct bench *b, struct result *r, enum floor_work work)
{
    static const char *const names[] = {"append", "pass", "take"};
    uint32_t batch = r->commit_messages < 1 ? 1 : (uint32_t)(r->commit_messages + 0.5);
    if (!floor_lmdb(b->options->data, work, r->body_bytes, batch, b->options->floor_s, &r->floor_rate, NULL,
                    b->why))
        return false;
    r->floor_ratio = r->floor_rate > 0 ? r->rate / r->floor_rate : 0;
    (void)snprintf(r->floor, sizeof r->floor, "lmdb %s ×%u", names[work], batch);
    return true;
}

static bool crowd_floor(struct bench *b, struct result *r)
{
    if (!floor_crowd(r->publishers, r->body_bytes, b->options->floor_s, &r->floor_rate, b->why))
        return false;
    r->floor_ratio = r->floor_rate > 0 ? r->rate / r->floor_rate : 0;
    (void)snprintf(r->floor, sizeof r->floor, "loopback ×%u", r->publishers);
    return true;
}

bool bench_report(struct bench *b, struct result *r, const char *name, enum floor_work floor)
{
    (void)snprintf(r->workload, sizeof r->workload, "%s", name);
    bool ok = true;
    if (b->options->floor_s > 0) {
        ok = r->rate_wanted > 0     ? latency_floor(b, r)
             : floor == FLOOR_CROWD ? crowd_floor(b, r)
                                    : rate_floor(b, r, floor);
    }
    if (ok)
        report_add(b->options->form, r);
    return ok;
}

void bench_against(struct result *r, const char *name, double rate)
{
    (void)snprintf(r->against, sizeof r->against, "%s", name);
    r->against_ratio = rate > 0 ? r->rate / rate : 0;
}
