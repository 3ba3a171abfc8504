/* floor: what the machine itself allows, measured in the same run, on the same file system, with nothing of
 * ours in between. Every result is printed as a ratio to one of these. */
#ifndef SHUNT_BENCH_FLOOR_H
#define SHUNT_BENCH_FLOOR_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/histogram.h"

/* What LMDB does in one commit. */
enum floor_work {
    FLOOR_APPEND, /* put `batch` new records */
    FLOOR_PASS,   /* put `batch` new ones, delete the `batch` oldest */
    FLOOR_TAKE,   /* read and delete the `batch` oldest */
    FLOOR_CROWD   /* nothing: see floor_crowd() */
};

/* fdatasync after each append of `bytes` to a file in `dir`, for `seconds`; latencies in ns. */
bool floor_disk(const char *dir, uint32_t bytes, double seconds, struct histogram *ret, char *why);
/* Wait until an append with fdatasync takes at most `us` (median of a tenth of a second), for at most half a
 * minute: others use the disk too, and what is measured while they do says nothing. Returns what it took
 * last; 0 if it cannot tell. */
double floor_disk_calm(const char *dir, double us);
/* One byte there and back over TCP on the loopback interface, between two threads. */
bool floor_loopback(double seconds, struct histogram *ret, char *why);
/* Requests of `bytes` and small replies over TCP on the loopback interface, one under way on each of
 * `connections`, between two threads that do nothing else: replies a second. */
bool floor_crowd(unsigned connections, uint32_t bytes, double seconds, double *ret_rate, char *why);
/* LMDB with its own syncing on: records a second of `bytes` each, `batch` to a commit, over `seconds`, after
 * as long that does not count: the pages of a new file lie side by side, which does not last. `ret_commit`
 * (may be NULL) gets the latencies of the commits, in ns. */
bool floor_lmdb(const char *dir, enum floor_work work, uint32_t bytes, uint32_t batch, double seconds,
                double *ret_rate, struct histogram *ret_commit, char *why);

#endif
