/* sampler: what a process has used so far, as /proc says. */
#ifndef SHUNT_BENCH_SAMPLER_H
#define SHUNT_BENCH_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct usage {
    bool known;
    uint64_t cpu_us;      /* user and system; the kernel counts it in hundredths of a second */
    uint64_t anon_bytes;  /* resident, its own */
    uint64_t file_bytes;  /* resident, of mapped files */
    uint64_t write_bytes; /* sent to the disk */
};

/* Processes below `pid` are counted in, as some servers are several. */
struct usage sampler_read(pid_t pid);

#endif
