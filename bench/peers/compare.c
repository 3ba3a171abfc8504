/* compare: the same loads on shunt and on its peers, alternately in one go, and the ratios. What is printed
 * for each is the median of the rounds. Servers that are not installed are left out, and said to be. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/disk.h"
#include "bench/floor.h"
#include "bench/peers/peers.h"
#include "bench/run.h"
#include "bench/server.h"

#define ROUNDS_MAX  15
#define SERVERS_MAX 8
#define EXIT_USAGE  64

enum kind { PUBLISH, E2E, DRAIN, STEADY };

struct work {
    const char *name;
    enum kind kind;
    uint32_t body_bytes;
    uint32_t window;
    unsigned publishers;
    double wanted; /* of the rate of the best durable peer, or for STEADY of its latency */
};

/* What is to be reached, by load. */
static const struct work works[] = {
    {"publish 100 B × 1", PUBLISH, 100, 1, 1, 1},
    {"publish 100 B × 64", PUBLISH, 100, 64, 1, 0},
    {"publish 100 B × 1024", PUBLISH, 100, 1024, 1, 5},
    {"publish 1 KiB × 1", PUBLISH, 1024, 1, 1, 1},
    {"publish 1 KiB × 64", PUBLISH, 1024, 64, 1, 3},
    {"publish 1 KiB × 1024", PUBLISH, 1024, 1024, 1, 2},
    {"publish 1 KiB × 64, 16 conn.", PUBLISH, 1024, 64, 16, 1},
    {"publish 16 KiB × 64", PUBLISH, 16384, 64, 1, 2.5},
    {"publish 16 KiB × 1024", PUBLISH, 16384, 1024, 1, 2.5},
    {"e2e 100 B × 1024", E2E, 100, 1024, 1, 6},
    {"e2e 1 KiB × 1024", E2E, 1024, 1024, 1, 6},
    {"e2e 16 KiB × 1024", E2E, 16384, 1024, 1, 1.5},
    {"e2e 100 B at 1000/s", STEADY, 100, 1024, 1, 1},
    {"drain 100 B", DRAIN, 100, 1024, 1, 1.5},
};
#define WORKS (sizeof works / sizeof *works)

struct setup {
    const char *shuntd;
    const char *data;    /* NULL: disk_begin() finds one */
    const char *disk;    /* as given; NULL: real */
    const char *only;    /* part of the names of works; NULL: all */
    const char *servers; /* names, separated by commas; NULL: all */
    double seconds;
    double calm_us; /* a run begins when an fdatasync takes no longer; 0: at once */
    unsigned rounds;
    uint64_t drained;
};

/* One server's rounds of one work. */
struct score {
    const struct peer *peer; /* NULL: shunt */
    struct result rounds[ROUNDS_MAX];
    unsigned count;
    char why[WHY_BYTES]; /* the last round that failed */
};

static bool drain(const struct subject *s, const struct work *w, uint64_t count, struct load *load,
                  struct result *r, char *why)
{
    struct result filled = {0};
    load->window = 4096; /* how it came to be there is not what is measured */
    load->count = count;
    if (!run_fill(s, load, &filled, why))
        return false;
    load->count = 0;
    load->publishers = 0;
    load->consumers = 1;
    load->prefetch = w->window;
    return run_drain(s, load, count, r, why);
}

static bool run_work(const struct setup *o, const struct subject *s, const struct work *w, struct result *r,
                     char *why)
{
    struct load load = {.publishers = w->publishers,
                        .threads = 1,
                        .body_bytes = w->body_bytes,
                        .window = w->window,
                        .prefetch = 2 * w->window,
                        .topics = 1,
                        .groups = 1};
    enum run_counts counts = w->kind == PUBLISH ? RUN_CONFIRMED : RUN_RECEIVED;
    if (w->kind == DRAIN)
        return drain(s, w, o->drained, &load, r, why);
    load.consumers = w->kind != PUBLISH;
    load.backlog_max = w->kind == E2E ? w->window : 0;
    load.rate = w->kind == STEADY ? 1000 : 0;
    return run_timed(s, &load, counts, 0.5, o->seconds, r, why);
}

static bool run_shunt(const struct setup *o, const struct work *w, struct result *r, char *why)
{
    struct server server;
    bool ok =
        server_start(&server, o->shuntd, NULL, o->data, why) && server_topic(&server, "bench", NULL, why);
    struct subject s = {.driver = &link_shunt, .address = server.url, .pid = server.pid};
    ok = ok && run_work(o, &s, w, r, why);
    server_done(&server);
    return ok;
}

static bool run_peer(const struct setup *o, const struct peer *p, const struct work *w, struct result *r,
                     char *why)
{
    struct child child;
    char address[ADDRESS_BYTES];
    if (!peer_start(p, &child, o->data, address, why))
        return false;
    struct subject s = {.driver = p->driver, .address = address, .pid = child.pid};
    bool ok = run_work(o, &s, w, r, why);
    child_done(&child);
    return ok;
}

static int by_rate(const void *a, const void *b)
{
    double x = ((const struct result *)a)->rate, y = ((const struct result *)b)->rate;
    return x < y ? -1 : x > y;
}

static int by_p50(const void *a, const void *b)
{
    double x = ((const struct result *)a)->p50_us, y = ((const struct result *)b)->p50_us;
    return x < y ? -1 : x > y;
}

static const struct result *median(struct score *s, enum kind kind)
{
    qsort(s->rounds, s->count, sizeof *s->rounds, kind == STEADY ? by_p50 : by_rate);
    return &s->rounds[s->count / 2];
}

static const char *name_of(const struct score *s)
{
    return s->peer ? s->peer->driver->name : link_shunt.name;
}

/* Ours to theirs: rates, or for a steady rate latencies. */
static double ratio(const struct work *w, const struct result *ours, const struct result *theirs)
{
    double a = w->kind == STEADY ? ours->p50_us : ours->rate,
           b = w->kind == STEADY ? theirs->p50_us : theirs->rate;
    return b > 0 ? a / b : 0;
}

static void print_score(const struct work *w, struct score *s, const struct result *ours)
{
    if (s->count == 0) {
        printf("  %-12s %s\n", name_of(s), s->why);
        return;
    }
    const struct result *r = median(s, w->kind);
    printf("  %-12s %9.0f %9.0f %9.0f %9.0f %8.2f %8.1f %8.2f %8.2f", name_of(s), r->rate, r->p50_us,
           r->p99_us, r->p999_us, r->cpu_us, r->anon_mib, r->disk_bytes / r->body_bytes, r->flush_messages);
    if (s->peer && ours)
        printf("  %6.2f%s", ratio(w, ours, r), s->peer->durable ? "" : "  (does not fsync)");
    if (disk_warning() && r->flush_messages == 0)
        printf("  (not modelled)");
    printf("\n");
}

/* The ratio to the best durable peer, and whether that is what is wanted. */
static void print_verdict(const struct work *w, struct score *scores, unsigned count,
                          const struct result *ours)
{
    double worst = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!ours || !scores[i].peer || !scores[i].peer->durable || scores[i].count == 0)
            continue;
        double now = ratio(w, ours, median(&scores[i], w->kind));
        if (worst == 0 || (w->kind == STEADY ? now > worst : now < worst))
            worst = now;
    }
    if (worst == 0)
        return;
    printf("  to the best durable peer: %.2f", worst);
    if (w->wanted > 0) {
        bool reached = w->kind == STEADY ? worst <= w->wanted : worst >= w->wanted;
        printf("; wanted: %s %.1f%s", w->kind == STEADY ? "at most" : "at least", w->wanted,
               reached ? "" : "  <<<");
    }
    printf("\n");
}

/* A server that flushes before it confirms, and no flush was seen: the model did not reach it. */
static bool is_on_disk(const struct score *s, const struct result *r, char *why)
{
    bool seen = !disk_warning() || r->flush_messages > 0 || (s->peer && !s->peer->durable);
    if (!seen)
        (void)snprintf(why, WHY_BYTES, "the model of the disk saw no flush of it");
    return seen;
}

static bool run_one(const struct setup *o, const struct work *w, struct score *s, struct result *r)
{
    *r = (struct result){0};
    if (o->calm_us > 0)
        (void)floor_disk_calm(o->data, o->calm_us);
    disk_forget();
    bool ok = s->peer ? run_peer(o, s->peer, w, r, s->why) : run_shunt(o, w, r, s->why);
    return ok && is_on_disk(s, r, s->why);
}

/* False: shunt itself failed. */
static bool compare(const struct setup *o, const struct work *w, struct score *scores, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        scores[i].count = 0;
    for (unsigned round = 0; round < o->rounds; round++) {
        for (unsigned i = 0; i < count; i++) {
            struct score *s = &scores[i];
            s->count += run_one(o, w, s, &s->rounds[s->count]);
        }
    }
    const struct result *ours = scores[0].peer || scores[0].count == 0 ? NULL : median(&scores[0], w->kind);
    printf("%s; disk: %s\n  %-12s %9s %9s %9s %9s %8s %8s %8s %8s  %s\n", w->name, disk_name(), "", "msg/s",
           "p50 us", "p99", "p99.9", "cpu us", "anon MiB", "disk ×", "a flush",
           w->kind == STEADY ? "shunt's p50 to it" : "shunt's rate to it");
    for (unsigned i = 0; i < count; i++)
        print_score(w, &scores[i], ours);
    print_verdict(w, scores, count, ours);
    (void)fflush(stdout);
    return ours != NULL;
}

static bool is_wanted(const struct setup *o, const char *name)
{
    const char *at = o->servers ? strstr(o->servers, name) : name;
    return at != NULL;
}

/* The servers that take part, ours first. */
static unsigned line_up(const struct setup *o, struct score *scores)
{
    unsigned count = 0;
    scores[count++].peer = NULL;
    if (disk_warning())
        printf("%s\n\n", disk_warning());
    printf("shunt: %s\n", link_shunt.durability);
    for (size_t i = 0; i < peers_count && count < SERVERS_MAX; i++) {
        if (!is_wanted(o, peers[i].driver->name))
            continue;
        if (!peer_is_there(&peers[i])) {
            printf("%s: not here (apt-get install %s)\n", peers[i].driver->name, peers[i].package);
            continue;
        }
        printf("%s: %s\n", peers[i].driver->name, peers[i].driver->durability);
        scores[count++].peer = &peers[i];
    }
    printf("\n");
    return count;
}

static int help(void)
{
    printf(
        "Usage: compare [--shuntd FILE] [--data DIR] [--disk DISK] [--seconds N] [--rounds N] [--drain N] "
        "[--servers "
        "a,b] [WORK]\n\n"
        "Run the same loads on shunt and on its peers, alternately, and print the ratios of the medians.\n"
        "WORK is a name below or a part of some; without it all run. With --calm, a run begins only when an "
        "fdatasync takes\n"
        "at most that many microseconds, or after half a minute.\n\n"
        "--disk model[:FLUSH][,RATE]: on a model of a disk, the same for all. Files lie in memory (a "
        "tmpfs, or "
        "--data on one),\nand a preload library lets each flush take FLUSH and its bytes over RATE "
        "(150us,500MB/s), one flush at a time.\nIt reaches servers that call the C library, so not "
        "nats-server "
        "(Go), whose figures are then those of memory.\n\n");
    for (size_t i = 0; i < WORKS; i++)
        printf("  %s\n", works[i].name);
    return 0;
}

/* -1 to go on, else the exit status. */
static int read_options(struct setup *o, int argc, char **argv)
{
    static const struct option names[] = {{"shuntd", 1, NULL, 's'},  {"data", 1, NULL, 'd'},
                                          {"seconds", 1, NULL, 't'}, {"rounds", 1, NULL, 'r'},
                                          {"calm", 1, NULL, 'c'},    {"drain", 1, NULL, 'n'},
                                          {"servers", 1, NULL, 'p'}, {"disk", 1, NULL, 'k'},
                                          {"help", 0, NULL, 'h'},    {0}};
    for (int c; (c = getopt_long(argc, argv, "h", names, NULL)) != -1;) {
        if (c == 'h')
            return help();
        if (c == 's')
            o->shuntd = optarg;
        else if (c == 'd')
            o->data = optarg;
        else if (c == 'k')
            o->disk = optarg;
        else if (c == 'p')
            o->servers = optarg;
        else if (c == 't')
            o->seconds = strtod(optarg, NULL);
        else if (c == 'c')
            o->calm_us = strtod(optarg, NULL);
        else if (c == 'r')
            o->rounds = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'n')
            o->drained = strtoull(optarg, NULL, 10);
        else
            return EXIT_USAGE;
    }
    o->only = optind < argc ? argv[optind] : NULL;
    if (o->seconds > 0 && o->rounds > 0 && o->rounds <= ROUNDS_MAX && o->drained > 0)
        return -1;
    (void)fprintf(stderr, "compare: seconds, rounds (at most %d) and drain are numbers above 0\n",
                  ROUNDS_MAX);
    return EXIT_USAGE;
}

/* Whether the load is asked for: by its whole name, or else by a part of one. */
static bool is_asked(const struct setup *o, const char *name)
{
    for (size_t i = 0; o->only && i < WORKS; i++) {
        if (!strcmp(works[i].name, o->only))
            return !strcmp(name, o->only);
    }
    return !o->only || strstr(name, o->only);
}

int main(int argc, char **argv)
{
    static struct score scores[SERVERS_MAX];
    char why[WHY_BYTES];
    struct setup o = {.shuntd = server_program(), .seconds = 3, .rounds = 3, .drained = 1000000};
    int status = read_options(&o, argc, argv);
    if (status >= 0)
        return status;
    if (!disk_begin(o.disk, &o.data, argv, why)) {
        (void)fprintf(stderr, "compare: %s\n", why);
        return EXIT_USAGE;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    unsigned count = line_up(&o, scores);
    bool ok = true;
    for (size_t i = 0; ok && i < WORKS; i++) {
        if (!is_asked(&o, works[i].name))
            continue;
        ok = compare(&o, &works[i], scores, count);
        (void)fflush(stdout); /* who reads a file sees what there is */
    }
    return ok ? 0 : 1;
}
