/* load: what one run asks of a server, and what its publishers and consumers share while it lasts. */
#ifndef SHUNT_BENCH_LOAD_H
#define SHUNT_BENCH_LOAD_H

#include <stdatomic.h>

#include "bench/link.h"

#define BODY_BYTES_LEAST 16 /* time stamp and mark */
#define TOPIC_NAME_BYTES 32
#define KEY_TEXT_BYTES   24

enum phase {
    PHASE_WARM,    /* running, nothing is recorded */
    PHASE_MEASURE, /* latencies are recorded */
    PHASE_END      /* nothing new is published */
};

struct load {
    const struct link_driver *driver;
    const char *address;
    unsigned publishers;
    unsigned consumers;
    unsigned threads;
    uint32_t body_bytes;
    uint32_t window;      /* of each publisher */
    uint32_t prefetch;    /* of each consumer */
    double rate;          /* messages a second of all publishers together; 0: as the window allows */
    uint64_t count;       /* messages of all publishers together; 0: until the end */
    uint64_t backlog_max; /* deliveries that may be waited for before publishing pauses; 0: no limit */
    unsigned topics;
    unsigned groups;       /* of each topic; each message is delivered to every one */
    unsigned poison_every; /* one message in so many is refused by its consumer; 0: none */
    bool poison_nacks;     /* it is nacked until its attempts are used up, and not rejected */
    uint64_t due_ns;       /* messages are delayed until then; 0: not delayed */
    uint64_t keys;         /* messages have so many keys, in no order, … */
    uint64_t first_key;    /* … numbered from here; 0 keys: they have none */

    /* While it runs. */
    _Atomic int phase;
    _Atomic int64_t backlog; /* deliveries waited for, poison not counted */
};

/* Topic number `i` of a run: `bench`, or one of many. Group number `i`; NULL is the server's default. */
const char *load_topic(const struct load *l, unsigned i, char *to);
const char *load_group(const struct load *l, unsigned i, char *to);
/* The key of message number `i`; NULL: none. */
const char *load_key(const struct load *l, uint64_t i, char *to);

static inline enum phase load_phase(struct load *l)
{
    return (enum phase)atomic_load_explicit(&l->phase, memory_order_relaxed);
}

/* One writer, any reader. */
static inline void tally_add(_Atomic uint64_t *tally, uint64_t n)
{
    atomic_store_explicit(tally, atomic_load_explicit(tally, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline uint64_t tally_read(const _Atomic uint64_t *tally)
{
    return atomic_load_explicit(tally, memory_order_relaxed);
}

#endif
