/* workload_keys: groups that are ordered by key. How long a restart takes with a backlog of many keys; what a message that is out takes in
 * memory, beside one of a group without order; and whether others are slower beside a key whose messages all wait for its first one.
 */
#include <stdio.h>

#include "bench/clock.h"
#include "bench/report.h"
#include "bench/sampler.h"
#include "bench/workload.h"
#include "client/shunt.h"

#define COUNT   1000000
#define WINDOW  4096
#define OUT     50000   /* messages that are out at once, to see what they take */
#define WAITING 1000000 /* messages of one key that wait, at most */
#define CALL_MS 60000

static const char *const ordered[] = {"order", "key", "lease", "1h", NULL};
static const char *const unordered[] = {"lease", "1h", NULL};

static bool begin(struct bench *b, const char *const *settings)
{
    if (!bench_server(b))
        return false;
    if (server_topic(&b->server, "bench", settings, b->why))
        return true;
    bench_server_done(b);
    return false;
}

static bool fill(struct bench *b, uint64_t count, uint64_t first_key, uint64_t keys, struct result *ret)
{
    struct load load = bench_load(b, b->options->sizes.values[0], WINDOW);
    load.rate = 0;
    load.count = count;
    load.first_key = first_key;
    load.keys = keys;
    return run_fill(&b->subject, &load, ret, b->why);
}

/* Take so many, and keep them. */
static bool hold(struct bench *b, uint64_t count, struct shunt_consumer **ret)
{
    struct shunt_error err = {.text = "out of memory"};
    struct shunt_options *o = shunt_options_new();
    struct shunt_delivery *d;
    char prefetch[24];
    *ret = NULL;
    (void)snprintf(prefetch, sizeof prefetch, "%llu", (unsigned long long)count);
    bool ok = o && shunt_options_set(o, "prefetch", prefetch) == 0 &&
              shunt_options_set(o, "prefetch-bytes", "64MiB") == 0 &&
              shunt_subscribe(b->server.control, "bench", NULL, o, CALL_MS, ret, &err) == 0;
    for (uint64_t i = 0; ok && i < count; i++)
        ok = shunt_next(*ret, CALL_MS, &d, &err) == 0;
    shunt_options_free(o);
    if (!ok)
        (void)snprintf(b->why, WHY_BYTES, "to hold messages: %.250s", err.text);
    return ok;
}

/* A row without a floor: what memory grew by, for each of so many messages. */
static void report_memory(struct bench *b, struct result *r, const struct usage *before, const char *name)
{
    struct usage after = sampler_read(b->server.pid);
    r->server = "shunt";
    r->latency_of = "";
    r->body_bytes = b->options->sizes.values[0];
    if (before->known && after.known)
        r->memory_bytes = ((double)after.anon_bytes - (double)before->anon_bytes) / (double)r->messages;
    r->rate = r->seconds > 0 ? (double)r->messages / r->seconds : 0;
    (void)snprintf(r->workload, sizeof r->workload, "%s", name);
    report_add(b->options->form, r);
}

static bool backlog(struct bench *b, uint64_t count)
{
    struct result filled = {0};
    if (!begin(b, ordered))
        return false;
    bool ok = fill(b, count, 0, b->options->keys, &filled) &&
              bench_report(b, &filled, "keys, fill", FLOOR_APPEND) &&
              bench_restart(b, true, count, "keys, killed");
    bench_server_done(b);
    return ok;
}

/* Each of a key of its own. */
static bool out(struct bench *b, uint64_t count, const char *const *settings, const char *name)
{
    struct result filled = {0}, r = {.messages = count < OUT ? count : OUT};
    struct shunt_consumer *holder = NULL;
    if (!begin(b, settings))
        return false;
    bool ok = fill(b, r.messages, 0, UINT32_MAX, &filled);
    struct usage before = sampler_read(b->server.pid);
    uint64_t begin_ns = clock_ns();
    ok = ok && hold(b, r.messages, &holder);
    r.seconds = (double)(clock_ns() - begin_ns) / 1e9;
    if (ok)
        report_memory(b, &r, &before, name);
    shunt_unsubscribe(holder, CALL_MS);
    bench_server_done(b);
    return ok;
}

/* The first of key 0 is out; how long until a message of another key comes that was published behind all of key 0. */
static bool let_wait(struct bench *b, uint64_t count, struct shunt_consumer **ret_holder)
{
    struct result filled = {0}, r = {.messages = count};
    struct shunt_consumer *other = NULL;
    bool ok = fill(b, count, 0, 1, &filled) && fill(b, 1, 1, 1, &filled) && hold(b, 1, ret_holder);
    struct usage before = sampler_read(b->server.pid);
    uint64_t begin_ns = clock_ns();
    ok = ok && hold(b, 1, &other);
    r.seconds = (double)(clock_ns() - begin_ns) / 1e9;
    if (ok)
        report_memory(b, &r, &before, "one key, passed");
    shunt_unsubscribe(other, CALL_MS);
    return ok;
}

/* `waiting` 0: without such a key; then *alone becomes the rate. */
static bool others(struct bench *b, uint64_t waiting, double *alone)
{
    const struct options *o = b->options;
    struct result r = {0};
    struct shunt_consumer *holder = NULL;
    if (!begin(b, ordered))
        return false;
    bool ok = !waiting || let_wait(b, waiting, &holder);
    struct load load = bench_load(b, o->sizes.values[0], o->windows.values[o->windows.count - 1]);
    load.consumers = o->consumers;
    load.backlog_max = (uint64_t)load.window * load.publishers;
    load.first_key = 1;
    load.keys = o->keys;
    ok = ok && run_timed(&b->subject, &load, RUN_RECEIVED, o->warm_s, o->seconds, &r, b->why);
    shunt_unsubscribe(holder, CALL_MS);
    bench_server_done(b);
    if (waiting)
        bench_against(&r, "alone", *alone);
    *alone = r.rate;
    return ok && bench_report(b, &r, waiting ? "one key, others" : "keys, alone", FLOOR_PASS);
}

bool workload_keys(struct bench *b)
{
    const struct options *o = b->options;
    uint64_t count = o->count ? o->count : COUNT;
    double alone = 0;
    if (o->url) {
        (void)snprintf(b->why, WHY_BYTES, "keys needs a server of its own: leave --url out");
        return false;
    }
    return backlog(b, count) && out(b, count, unordered, "out, no order") &&
           out(b, count, ordered, "out, by key") && others(b, 0, &alone) &&
           others(b, count < WAITING ? count : WAITING, &alone);
}
