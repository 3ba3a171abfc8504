/* random: numbers for jitter and producer ids. Not for secrets. */
#ifndef SHUNT_CLIENT_RANDOM_H
#define SHUNT_CLIENT_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

/* Fill with the system's random bytes. False if there are none. */
bool random_bytes(void *to, size_t size);
/* The next of a sequence that the state alone decides (splitmix64). */
uint64_t random_next(struct random *r);

#endif
