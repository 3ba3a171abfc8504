/* producers: which connection speaks for a producer. */
#ifndef SHUNT_ENGINE_PRODUCERS_H
#define SHUNT_ENGINE_PRODUCERS_H

#include "base/ring.h"

#include <stddef.h>

struct engine;
struct seat;
struct session;

#define EMPTY_SEATS_MAX 16384            /* kept at most, or what a flood of ids costs */
#define EMPTY_SEAT_MS   (20 * 60 * 1000) /* how long one is kept: longer than hello-timeout may be */

struct producers {
    struct seat *seats; /* a table of uthash */
    struct ring empty;  /* those whose connection has gone, the one that is so for longest first */
    size_t empty_count;
};

void producers_init(struct producers *p);
void producers_free(struct producers *p);

/* It said hello for its producer. False without memory. */
bool producer_seat(struct session *s);
void producer_leave(struct session *s); /* it is gone */

#endif
