/* result: what one run showed. */
#ifndef SHUNT_BENCH_RESULT_H
#define SHUNT_BENCH_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/histogram.h"

#define RESULT_NAME_BYTES 48

struct result {
    char workload[RESULT_NAME_BYTES];
    const char *server;
    uint32_t body_bytes;
    uint32_t window;
    unsigned publishers;
    unsigned consumers;
    double rate_wanted; /* 0: as fast as the window allows */

    uint64_t messages;
    double seconds;
    double rate;            /* messages a second */
    const char *latency_of; /* "confirm": until confirmed; "arrive": until received */
    double p50_us, p99_us, p999_us, max_us;
    uint64_t failed;

    /* Of the server; 0 where unknown. */
    bool usage_known;
    double cpu_us;          /* for one message */
    double anon_mib;        /* resident, mapped files left out */
    double disk_bytes;      /* written to disk for one message */
    double commit_messages; /* messages a commit */
    double flush_messages;  /* messages a flush, on a model of the disk */
    double flush_late_us;   /* by how much later than the model says a flush ended */
    double store_bytes;     /* for one message held, whole pages of the store; 0 where it was not asked for */
    double page_messages;   /* messages a page of it */
    double memory_bytes;    /* by which the server grew for each message held; 0 where it does not apply */

    char floor[RESULT_NAME_BYTES];   /* what `floor_rate` is of; "" if there is none */
    double floor_rate;               /* or for a given rate, microseconds */
    double floor_ratio;              /* how much of the floor's rate; or how many times its latency */
    char against[RESULT_NAME_BYTES]; /* the run that this one is compared with; "" if none */
    double against_ratio;            /* its rate to that one's */
};

void result_latency(struct result *r, const char *of, const struct histogram *ns);

#endif
