/* random: numbers for jitter. Not for secrets. */
#ifndef SHUNT_CLIENT_WIRE_RANDOM_H
#define SHUNT_CLIENT_WIRE_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state;
};

/* The next of a sequence that the state alone decides (splitmix64). */
uint64_t random_next(struct random *r);

#endif
