/* workload: what can be run, by name. Each runs on a server of its own, or on the one that was given. */
#ifndef SHUNT_BENCH_WORKLOAD_H
#define SHUNT_BENCH_WORKLOAD_H

#include "bench/floor.h"
#include "bench/options.h"
#include "bench/run.h"
#include "bench/server.h"

struct bench {
    const struct options *options;
    struct server server;
    struct subject subject;
    double loopback_us; /* p50; 0: not measured */
    char why[WHY_BYTES];
};

struct workload {
    const char *name;
    bool (*run)(struct bench *b); /* false: b->why says why */
};

bool workload_publish(struct bench *b);
bool workload_e2e(struct bench *b);
bool workload_drain(struct bench *b);
bool workload_poison(struct bench *b);
bool workload_topics(struct bench *b);
bool workload_store(struct bench *b);
bool workload_connections(struct bench *b);
bool workload_groups(struct bench *b);
bool workload_delayed(struct bench *b);
bool workload_restart(struct bench *b);
bool workload_keys(struct bench *b);

/* ---- for workloads ---- */

/* A fresh server (or the given one) with an empty topic `bench`. */
bool bench_server(struct bench *b);
void bench_server_done(struct bench *b);
/* A load as the options say. */
struct load bench_load(const struct bench *b, uint32_t body_bytes, uint32_t window);
/* Run one with each size and each window that the options name, until one fails. */
typedef bool bench_one(struct bench *b, uint32_t body_bytes, uint32_t window);
bool bench_each(struct bench *b, bench_one *one);
/* Put the floor into the result, name it, print it. */
bool bench_report(struct bench *b, struct result *r, const char *name, enum floor_work floor);
/* End the server, with SIGKILL or politely, start it again, and report how long it takes until one of `count` messages comes. */
bool bench_restart(struct bench *b, bool kill, uint64_t count, const char *name);
void bench_against(struct result *r, const char *name, double rate);

#endif
