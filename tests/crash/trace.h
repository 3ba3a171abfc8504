/* trace: a log of record.c in memory. */
#ifndef SHUNT_TESTS_CRASH_TRACE_H
#define SHUNT_TESTS_CRASH_TRACE_H

#include "tests/crash/record_log.h"

#include <stdbool.h>
#include <stddef.h>

struct trace_entry {
    struct record r;
    const char *text;
    const uint8_t *data;
};

struct trace {
    struct trace_entry *entries;
    size_t count;
    void *map;
    size_t map_bytes;
};

/* False if the file cannot be read or is not a log. A last entry that is cut off is left out: the server was
 * killed. */
bool trace_load(struct trace *t, const char *path);
void trace_done(struct trace *t);

/* A generator that has no state: the same number for the same two. */
uint64_t trace_random(uint64_t seed, uint64_t number);

#endif
