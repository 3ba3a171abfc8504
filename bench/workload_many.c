/* workload_many: the same load on one topic and on many, over one connection and over many; on one group and
 * on several. */
#include <stdio.h>

#include "bench/workload.h"

#define TOPICS 10000

/* `against` says what *one is the rate of. */
static bool run_one(struct bench *b, const char *name, struct load *load, const char *against, double *one)
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
        bench_against(&r, against, *one);
    else
        *one = r.rate;
    /* With one message for each connection the way there and back is the limit, not the disk. */
    return ok &&
           bench_report(b, &r, name, load->publishers > 1 && load->window == 1 ? FLOOR_CROWD : FLOOR_APPEND);
}

bool workload_topics(struct bench *b)
{
    const struct options *o = b->options;
    double one = 0;
    struct load load = bench_load(b, o->sizes.values[0], o->windows.values[o->windows.count - 1]);
    if (!run_one(b, "one topic", &load, "", &one))
        return false;
    load.topics = o->topics ? o->topics : TOPICS;
    return run_one(b, "topics", &load, "one", &one);
}

/* What many connections cost (as many messages are under way in all as over the one), what many busy ones
 * reach, and what many clients that wait for each answer get out of group commit. */
bool workload_connections(struct bench *b)
{
    const struct options *o = b->options;
    uint32_t window = o->windows.values[o->windows.count - 1];
    uint32_t share = window / o->connections ? window / o->connections : 1;
    double busy = 0, waiting = 0;
    struct {
        const char *name, *against;
        unsigned publishers;
        uint32_t window;
        double *one;
    } rows[] = {{"one connection", "", 1, window, &busy},
                {"connections", "one", o->connections, share, &busy},
                {"connections × 64", "one", o->connections, 64, &busy},
                {"one × 1", "", 1, 1, &waiting},
                {"connections × 1", "one × 1", o->connections, 1, &waiting}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct load load = bench_load(b, o->sizes.values[0], rows[i].window);
        load.publishers = rows[i].publishers;
        if (!run_one(b, rows[i].name, &load, rows[i].against, rows[i].one))
            return false;
    }
    return true;
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
