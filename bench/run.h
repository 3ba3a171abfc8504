/* run: one load on one server, timed. */
#ifndef SHUNT_BENCH_RUN_H
#define SHUNT_BENCH_RUN_H

#include <sys/types.h>

#include "bench/load.h"
#include "bench/result.h"

/* What is measured. */
struct subject {
    const struct link_driver *driver;
    const char *address;
    pid_t pid; /* 0: not known */
    void *context;
    uint64_t (*commits)(void *context); /* NULL: not known */
};

enum run_counts {
    RUN_CONFIRMED, /* a message is done when it is confirmed */
    RUN_RECEIVED   /* when it is received, by each group */
};

/* Run `load` for `warm_s` and then `seconds`; what happens in the latter counts. */
bool run_timed(const struct subject *s, struct load *load, enum run_counts counts, double warm_s,
               double seconds, struct result *ret, char *why);
/* Publish load->count messages and no more. */
bool run_fill(const struct subject *s, struct load *load, struct result *ret, char *why);
/* Receive and resolve `count` messages that are there. */
bool run_drain(const struct subject *s, struct load *load, uint64_t count, struct result *ret, char *why);

#endif
