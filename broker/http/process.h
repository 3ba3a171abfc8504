/* process: what the kernel says about this process, from /proc. */
#ifndef SHUNT_HTTP_PROCESS_H
#define SHUNT_HTTP_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* A number that could not be read is negative. */
struct process_stats {
    double cpu_seconds; /* user and system */
    double start_time_seconds;
    double resident_bytes;
    double virtual_bytes;
    double threads;
    double open_fds;
    double max_fds;
};

/* Fill in what can be read.  cost: one pass over /proc/self/fd.  fails: never. */
void process_read(struct process_stats *ret);

#endif
