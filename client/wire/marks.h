/* marks: telling the broker that a handler now runs. */
#ifndef SHUNT_CLIENT_WIRE_MARKS_H
#define SHUNT_CLIENT_WIRE_MARKS_H

#include "client/wire/consumer.h"

/* Note that shunt_next() is called: the handler has finished what it got before. */
void marks_next_called(struct shunt_consumer *c, int64_t now_us);
/* How many messages from the head of the queue on the next mark covers, at least 1. */
size_t marks_cover(const struct shunt_consumer *c);
/* Write the resolutions so far and then STARTED for the messages at the head of the queue. fails: NO_MEMORY.
 */
int marks_write(struct shunt_consumer *c, int64_t now_us);
/* STARTED for one held delivery. fails: NO_MEMORY. */
int marks_write_one(struct shunt_delivery *d, int64_t now_us);
/* True if the broker was told, or is not to be told. */
bool marks_done(const struct shunt_delivery *d);

#endif
