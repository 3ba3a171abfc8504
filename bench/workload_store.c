/* workload_store: what messages take while they lie in the store, those of one topic and those of many that
 * were published in turn: when they have left the journal, which a server of its own is made to do. */
#include <stdio.h>
#include <unistd.h>

#include "bench/workload.h"

#define COUNT  200000
#define TOPICS 20

static bool run_one(struct bench *b, const char *name, unsigned topics, double *one)
{
    const struct options *o = b->options;
    struct result r = {0};
    char topic[TOPIC_NAME_BYTES];
    struct load load = bench_load(b, o->sizes.values[0], o->windows.values[o->windows.count - 1]);
    load.rate = 0;
    load.count = o->count ? o->count : COUNT;
    load.topics = topics;
    bool ok = bench_server(b);
    if (!ok)
        return false;
    /* Before the topics: what only the journal has of them counts by a bound that is above what they take. */
    uint64_t before_bytes = server_store_bytes(&b->server);
    for (unsigned i = 0; ok && topics > 1 && i < topics; i++)
        ok = server_topic(&b->server, load_topic(&load, i, topic), NULL, b->why);
    ok = ok && run_fill(&b->subject, &load, &r, b->why);
    if (ok && !o->url)
        ok = server_end_journal(&b->server, b->why);
    r.store_bytes = (double)(server_store_bytes(&b->server) - before_bytes) / (double)load.count;
    r.page_messages = r.store_bytes > 0 ? (double)sysconf(_SC_PAGESIZE) / r.store_bytes : 0;
    bench_server_done(b);
    if (*one > 0)
        bench_against(&r, "one", *one);
    else
        *one = r.rate;
    return ok && bench_report(b, &r, name, FLOOR_APPEND);
}

bool workload_store(struct bench *b)
{
    char name[RESULT_NAME_BYTES];
    unsigned topics = b->options->topics ? b->options->topics : TOPICS;
    double one = 0;
    (void)snprintf(name, sizeof name, "store, %u topics", topics);
    return run_one(b, "store, one topic", 1, &one) && run_one(b, name, topics, &one);
}
