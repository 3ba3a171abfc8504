/* run: the main thread only looks: at tallies, the server's usage and its commits, before and after. */
#include "bench/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "bench/crew.h"
#include "bench/disk.h"
#include "bench/sampler.h"

#define LOOK_NS  (NS_PER_MS / 2)
#define STALL_NS (60 * NS_PER_S) /* nothing more happened for so long: give up */

struct moment {
    uint64_t at_ns;
    struct crew_tally tally;
    struct usage usage;
    struct disk_usage disk;
    uint64_t commits;
};

static struct moment look(const struct subject *s, const struct crew *c)
{
    struct moment m = {.usage = sampler_read(s->pid),
                       .commits = s->commits ? s->commits(s->context) : 0,
                       .disk = disk_read()};
    m.at_ns = clock_ns();
    m.tally = crew_tally(c);
    return m;
}

static void describe(struct result *r, const struct subject *s, const struct load *load)
{
    r->server = s->driver->name;
    r->body_bytes = load->body_bytes;
    r->window = load->publishers ? load->window : load->prefetch;
    r->publishers = load->publishers;
    r->consumers = load->consumers;
    r->rate_wanted = load->rate;
}

static void compare(struct result *r, const struct moment *a, const struct moment *b, uint64_t messages)
{
    double n = messages ? (double)messages : 1;
    r->messages = messages;
    r->seconds = (double)(b->at_ns - a->at_ns) / (double)NS_PER_S;
    r->rate = (double)messages / r->seconds;
    r->failed = b->tally.failed;
    r->usage_known = a->usage.known && b->usage.known;
    if (r->usage_known) {
        r->cpu_us = (double)(b->usage.cpu_us - a->usage.cpu_us) / n;
        r->anon_mib = (double)b->usage.anon_bytes / 1048576;
        r->disk_bytes = (double)(b->usage.write_bytes - a->usage.write_bytes) / n;
    }
    uint64_t flushes = b->disk.flushes - a->disk.flushes;
    if (b->disk.known) /* what /proc counts never comes to a disk */
        r->disk_bytes = (double)(b->disk.written_bytes - a->disk.written_bytes) / n;
    if (flushes > 0) {
        r->flush_messages = n / (double)flushes;
        r->flush_late_us = (double)(b->disk.late_ns - a->disk.late_ns) / 1e3 / (double)flushes;
    }
    if (b->commits > a->commits)
        r->commit_messages = n / (double)(b->commits - a->commits);
}

/* The histograms are too large for a stack that other threads' libraries may have made small. */
static bool finish(struct crew *c, bool received, struct result *ret, bool ok, char *why)
{
    struct histogram *h = calloc(2, sizeof *h);
    char late[WHY_BYTES];
    if (!h) {
        crew_stop(c, NULL, NULL);
        crew_free(c);
        (void)snprintf(why, WHY_BYTES, "out of memory");
        return false;
    }
    crew_stop(c, &h[0], &h[1]);
    result_latency(ret, received ? "arrive" : "confirm", &h[received]);
    if (ok && crew_broken(c, late)) {
        (void)memcpy(why, late, WHY_BYTES);
        ok = false;
    }
    crew_free(c);
    free(h);
    return ok;
}

bool run_timed(const struct subject *s, struct load *load, enum run_counts counts, double warm_s,
               double seconds, struct result *ret, char *why)
{
    load->driver = s->driver;
    load->address = s->address;
    struct crew *c = crew_start(load, why);
    if (!c)
        return false;
    describe(ret, s, load);
    clock_sleep_ns((uint64_t)(warm_s * (double)NS_PER_S));
    struct moment a = look(s, c);
    load->phase = PHASE_MEASURE;
    clock_sleep_ns((uint64_t)(seconds * (double)NS_PER_S));
    struct moment b = look(s, c);
    uint64_t messages =
        counts == RUN_RECEIVED ? b.tally.received - a.tally.received : b.tally.confirmed - a.tally.confirmed;
    compare(ret, &a, &b, messages);
    return finish(c, counts == RUN_RECEIVED, ret, !crew_broken(c, why), why);
}

/* Wait until as many are done; false if it stalls or breaks. */
static bool wait_for(const struct crew *c, uint64_t count, bool resolved, char *why)
{
    uint64_t seen = 0, seen_ns = clock_ns();
    for (;;) {
        struct crew_tally t = crew_tally(c);
        uint64_t done = (resolved ? t.resolved : t.confirmed) + t.failed;
        if (done >= count)
            return true;
        if (crew_broken(c, why))
            return false;
        uint64_t now_ns = clock_ns();
        if (done != seen) {
            seen = done;
            seen_ns = now_ns;
        }
        if (now_ns - seen_ns > STALL_NS) {
            (void)snprintf(why, WHY_BYTES, "stalled after %llu of %llu messages", (unsigned long long)done,
                           (unsigned long long)count);
            return false;
        }
        clock_sleep_ns(LOOK_NS);
    }
}

static bool run_count(const struct subject *s, struct load *load, uint64_t count, bool drain,
                      struct result *ret, char *why)
{
    load->driver = s->driver;
    load->address = s->address;
    describe(ret, s, load);
    struct moment a = {.at_ns = clock_ns(),
                       .usage = sampler_read(s->pid),
                       .disk = disk_read(),
                       .commits = s->commits ? s->commits(s->context) : 0};
    struct crew *c = crew_start(load, why);
    if (!c)
        return false;
    load->phase = PHASE_MEASURE;
    bool ok = wait_for(c, count, drain, why);
    struct moment b = look(s, c);
    compare(ret, &a, &b, count);
    return finish(c, drain, ret, ok, why);
}

bool run_fill(const struct subject *s, struct load *load, struct result *ret, char *why)
{
    return run_count(s, load, load->count, false, ret, why);
}

bool run_drain(const struct subject *s, struct load *load, uint64_t count, struct result *ret, char *why)
{
    return run_count(s, load, count, true, ret, why);
}
