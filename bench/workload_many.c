/* workload_many: the same load on one topic and on many, over one connection and over many; on one group and
 * on several. */
#include <stdio.h>

#include "bench/workload.h"

static bool run_one(struct bench *b, const char *name, struct load *load, double *one)
{
    struct result r = {0};
    char topic[TOPIC_NAME_BYTES];
    bool ok = bench_server(b);
    if (!ok)
        return false;
    for (unsigned i = 0; ok && load->topics > 1 && i < load->topics; i++)
        ok = server_topic(&b->server, load_topic(load, i, topic), NULL, b->why);
    ok = ok &&
         run_timed(&b->subject, load, RUN_CONFIRMED, b->options->warm_s, b->options->seconds, &r, b->why);
    bench_server_done(b);
    if (*one > 0)
        bench_against(&r, "one", *one);
    else
        *one = r.rate;
    return ok && bench_report(b, &r, name, FLOOR_APPEND);
}

bool workload_topics(struct bench *b)
{
    const struct options *o = b->options;
    double one = 0;
    struct load load = bench_load(b, o->sizes.values[0], o->windows.values[o->windows.count - 1]);
    if (!run_one(b, "one topic", &load, &one))
        return false;
    load.topics = o->topics;
    return run_one(b, "topics", &load, &one);
}

/* As many messages are under way in all as over the one connection. */
bool workload_connections(struct bench *b)
{
    const struct options *o = b->options;
    double one = 0;
    uint32_t window = o->windows.values[o->windows.count - 1];
    struct load load = bench_load(b, o->sizes.values[0], window);
    load.publishers = 1;
    if (!run_one(b, "one connection", &load, &one))
        return false;
    load.publishers = o->connections;
    load.window = window / o->connections ? window / o->connections : 1;
    return run_one(b, "connections", &load, &one);
}

static bool run_groups(struct bench *b, unsigned groups, double *one)
{
    const struct options *o = b->options;
    struct result r = {0};
    char name[RESULT_NAME_BYTES];
    struct load load = bench_load(b, o->sizes.values[0], o->windows.values[o->windows.count - 1]);
    bool ok = bench_server(b);
    if (!ok)
        return false;
    for (unsigned i = 0; ok && groups > 1 && i < groups; i++) {
        load.groups = groups;
        ok = server_group(&b->server, "bench", load_group(&load, i, name), b->why);
    }
    load.consumers = groups;
    load.backlog_max = (uint64_t)load.window * load.publishers * groups;
    ok = ok && run_timed(&b->subject, &load, RUN_RECEIVED, o->warm_s, o->seconds, &r, b->why);
    bench_server_done(b);
    if (*one > 0)
        bench_against(&r, "one group", *one);
    else
        *one = r.rate;
    (void)snprintf(name, sizeof name, "%u group%s", groups, groups > 1 ? "s" : "");
    return ok && bench_report(b, &r, name, FLOOR_PASS);
}

bool workload_groups(struct bench *b)
{
    double one = 0;
    bool ok = run_groups(b, 1, &one);
    if (b->options->groups)
        return ok && run_groups(b, b->options->groups, &one);
    for (unsigned groups = 2; ok && groups <= 8; groups *= 2)
        ok = run_groups(b, groups, &one);
    return ok;
}
