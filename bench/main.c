/* shunt-bench: put load on a server, and say how near it comes to what the machine allows. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/disk.h"
#include "bench/report.h"
#include "bench/workload.h"

#define EXIT_FAILED 1
#define EXIT_USAGE  64
#define DISK_BYTES  4096

static const struct workload workloads[] = {
    {"publish", workload_publish}, {"e2e", workload_e2e},         {"drain", workload_drain},
    {"poison", workload_poison},   {"topics", workload_topics},   {"connections", workload_connections},
    {"groups", workload_groups},   {"delayed", workload_delayed}, {"restart", workload_restart},
    {"store", workload_store},     {"keys", workload_keys},
};
#define WORKLOADS (sizeof workloads / sizeof *workloads)
#define USUAL     3 /* the first so many run when none is named */

static const struct workload *find(const char *name)
{
    for (size_t i = 0; i < WORKLOADS; i++) {
        if (strcmp(workloads[i].name, name) == 0)
            return &workloads[i];
    }
    return NULL;
}

static void floor_row(const struct options *o, const char *name, uint32_t bytes, const struct histogram *h)
{
    struct result r = {.server = "-", .body_bytes = bytes, .window = 1, .messages = h->count};
    (void)snprintf(r.workload, sizeof r.workload, "%s", name);
    r.seconds = (double)h->sum / 1e9;
    r.rate = r.seconds > 0 ? (double)h->count / r.seconds : 0;
    result_latency(&r, "confirm", h);
    report_add(o->form, &r);
}

/* What no server can beat, first. */
static bool floors(struct bench *b)
{
    static struct histogram disk, loopback, commit; /* large; there is one thread here */
    const struct options *o = b->options;
    double rate = 0;
    if (o->floor_s <= 0)
        return true;
    if (!floor_disk(o->data, DISK_BYTES, o->floor_s, &disk, b->why) ||
        !floor_loopback(o->floor_s, &loopback, b->why) ||
        !floor_lmdb(o->data, FLOOR_APPEND, 100, 1, o->floor_s, &rate, &commit, b->why))
        return false;
    b->loopback_us = (double)histogram_quantile(&loopback, 0.5) / 1e3;
    floor_row(o, "floor: fdatasync", DISK_BYTES, &disk);
    floor_row(o, "floor: loopback", 1, &loopback);
    floor_row(o, "floor: commit", 100, &commit);
    return true;
}

static bool run_all(struct bench *b)
{
    const struct options *o = b->options;
    bool ok = floors(b);
    for (size_t i = 0; ok && i < o->workloads_count; i++) {
        const struct workload *w = find(o->workloads[i]);
        ok = w && w->run(b); /* main() has looked: they are all known */
    }
    for (size_t i = 0; ok && o->workloads_count == 0 && i < USUAL; i++)
        ok = workloads[i].run(b);
    return ok;
}

/* A server that runs already lies on a disk of its own. */
static bool lay_disk(struct options *o, char **argv, char *why)
{
    if (!o->url || !o->disk)
        return disk_begin(o->disk, &o->data, argv, why);
    (void)snprintf(why, WHY_BYTES, "--disk is for servers that are started here: leave --url out");
    return false;
}

/* A thousand connections are two thousand descriptors and a few. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* if it is too few, connecting says so */
}

int main(int argc, char **argv)
{
    struct options options;
    int status = options_read(&options, argc, argv);
    if (status >= 0)
        return status;
    for (size_t i = 0; i < options.workloads_count; i++) {
        if (!find(options.workloads[i])) {
            (void)fprintf(stderr, "shunt-bench: unknown workload `%.60s`; see --help\n",
                          options.workloads[i]);
            return EXIT_USAGE;
        }
    }
    (void)signal(SIGPIPE, SIG_IGN);
    raise_descriptors();
    struct bench b = {.options = &options};
    if (!lay_disk(&options, argv, b.why)) {
        (void)fprintf(stderr, "shunt-bench: %s\n", b.why);
        return EXIT_USAGE;
    }
    report_begin(options.form);
    bool ok = run_all(&b);
    report_end(options.form);
    if (!ok)
        (void)fprintf(stderr, "shunt-bench: %s\n", b.why);
    return ok ? 0 : EXIT_FAILED;
}
