/* publisher: one link that publishes, as fast as its window allows or at a given rate.
 *
 * At a rate, a message's latency counts from when it was due to be sent, not from when there was room to send
 * it: a server that stalls is charged for all that waited meanwhile (no coordinated omission).
 */
#ifndef SHUNT_BENCH_PUBLISHER_H
#define SHUNT_BENCH_PUBLISHER_H

#include "bench/histogram.h"
#include "bench/load.h"

/* One message under way. */
struct promise {
    void *driver; /* the driver's own, for as long as it is under way */
    struct promise *next;
    uint64_t intended_ns;
};

struct publisher {
    struct load *load;
    struct link *link;
    unsigned number;
    uint64_t count; /* to publish; 0: until the end */
    uint64_t sent;
    double interval_ns; /* 0: no rate */
    double next_ns;
    uint32_t in_flight;
    struct promise *promises;
    struct promise *spare;
    uint8_t *body;
    _Atomic uint64_t confirmed;
    _Atomic uint64_t failed;
    struct histogram latency; /* ns, of what was confirmed while measuring */
};

/* Connect. fails: false, with `why`. */
bool publisher_init(struct publisher *p, struct load *load, unsigned number, char *why);
void publisher_done(struct publisher *p);
/* Publish what is due now. */
void publisher_fill(struct publisher *p, uint64_t now_ns);
/* One turn of the link. False: it broke. */
bool publisher_turn(struct publisher *p, char *why);
/* It has nothing more to do. */
bool publisher_finished(const struct publisher *p);
/* When it is to be filled again though nothing was confirmed; UINT64_MAX: never. */
uint64_t publisher_due_ns(const struct publisher *p);

#endif
