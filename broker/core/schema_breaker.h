/* schema_breaker: the record of a group's breaker (breaker.h). A group whose messages are well has none. */
#ifndef SHUNT_CORE_SCHEMA_BREAKER_H
#define SHUNT_CORE_SCHEMA_BREAKER_H

#include "broker/core/schema.h"

/* A message in the breaker's window, or out; in the window, `seq` 0 is an ack. */
struct breaker_entry {
    uint64_t seq;
    uint64_t key; /* of a failure: the hash of its key; 0: it has none */
};

struct breaker_record {
    enum breaker_state state;
    int64_t since_ms; /* not closed: when it opened; closed: when it closed, 0: it never was open */
    int64_t until_ms; /* open: when the pause is over; else 0 */
    int64_t well_ms; /* when a probe was acked last; what was handed out before is not charged. 0: none was */
    uint32_t pauses; /* since it opened */
    uint32_t limit;  /* half open, ramp: so many may be out */
    uint64_t trips;  /* how often it has opened */
    uint32_t count;  /* closed: of the latest outcomes, the oldest first; half open, ramp: of what is out */
    struct breaker_entry entries[BREAKER_WINDOW_MAX];
};

/* As those of schema.h. */
size_t breaker_encode(uint8_t *to, struct slice key, const struct breaker_record *r);
int breaker_decode(struct slice key, struct slice value, struct breaker_record *ret);

#endif
