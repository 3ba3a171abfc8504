/* options: what the command line asks for. */
#ifndef SHUNT_BENCH_OPTIONS_H
#define SHUNT_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LIST_MAX 16

struct list {
    uint32_t values[LIST_MAX];
    size_t count;
};

enum form { FORM_TABLE, FORM_TSV, FORM_JSON };

struct options {
    const char *url;    /* NULL: start a server */
    pid_t pid;          /* of the server at url */
    const char *shuntd; /* program to start */
    const char *config; /* of the server started; NULL: none */
    const char *data;   /* directory for temporary directories; NULL: disk_begin() finds one */
    const char *disk;   /* as given; NULL: real */
    struct list sizes;
    struct list windows;
    unsigned publishers;
    unsigned consumers;
    unsigned threads;
    uint32_t prefetch; /* 0: follows the window */
    double rate;
    double warm_s;
    double seconds;
    double floor_s; /* 0: no floors */
    double calm_us; /* a run begins when an fdatasync takes no longer; 0: at once */
    uint64_t count; /* 0: the workload's own */
    uint64_t prefill;
    unsigned topics; /* 0: the workload's own */
    unsigned connections;
    unsigned groups; /* 0: 2, 4 and 8 */
    unsigned keys;
    enum form form;
    char **workloads; /* as given; none: the usual ones */
    size_t workloads_count;
};

/* Fill in from argv. Returns -1 to go on, or the exit status (after --help, or a mistake that was told). */
int options_read(struct options *o, int argc, char **argv);

#endif
