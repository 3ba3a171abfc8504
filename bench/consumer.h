/* consumer: one link that receives, judges and answers each message. */
#ifndef SHUNT_BENCH_CONSUMER_H
#define SHUNT_BENCH_CONSUMER_H

#include "bench/histogram.h"
#include "bench/load.h"

struct consumer {
    struct load *load;
    struct link *link;
    _Atomic uint64_t received; /* deliveries of healthy messages */
    _Atomic uint64_t refused;  /* of poison */
    _Atomic uint64_t resolved; /* answers that are durable */
    _Atomic uint64_t failed;
    struct histogram latency; /* ns from when the message was meant to be sent, while measuring */
};

/* Connect and subscribe. fails: false, with `why`. */
bool consumer_init(struct consumer *c, struct load *load, unsigned number, char *why);
void consumer_done(struct consumer *c);
/* One turn of the link. False: it broke. */
bool consumer_turn(struct consumer *c, char *why);

#endif
