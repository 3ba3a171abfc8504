/* crew: the publishers and consumers of one run, spread over a few threads, each waiting on its links with
 * epoll. */
#ifndef SHUNT_BENCH_CREW_H
#define SHUNT_BENCH_CREW_H

#include "bench/histogram.h"
#include "bench/load.h"

struct crew;

/* Sums over all links. */
struct crew_tally {
    uint64_t confirmed;
    uint64_t received;
    uint64_t refused;
    uint64_t resolved;
    uint64_t failed;
};

/* Connect everybody and start the threads. `load` must outlive the crew. NULL: `why` says why not. */
struct crew *crew_start(struct load *load, char *why);
struct crew_tally crew_tally(const struct crew *c);
/* True when a link broke (`why` says how) or every publisher has published its count. */
bool crew_broken(const struct crew *c, char *why);
bool crew_published(const struct crew *c);
/* Let publishers finish what is under way, stop, and add the latencies to these (either may be NULL). */
void crew_stop(struct crew *c, struct histogram *confirmed, struct histogram *received);
void crew_free(struct crew *c); /* after crew_stop(); takes NULL */

#endif
