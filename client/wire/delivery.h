/* delivery: where a delivery stands: in which list of its consumer, and whether it is still ours. */
#ifndef SHUNT_CLIENT_WIRE_DELIVERY_H
#define SHUNT_CLIENT_WIRE_DELIVERY_H

#include "client/wire/consumer.h"

bool delivery_stale(const struct shunt_delivery *d);
/* Its connection is gone, and the broker has not said yet whether it is still ours. */
bool delivery_away(const struct shunt_delivery *d);
/* Its lease, though over by our clock, may go on at the broker: that began it again when our mark came or, without marks, when the
 * answer to the one before it did. */
bool delivery_may_last(const struct shunt_delivery *d);
void delivery_free(struct shunt_delivery *d);
void delivery_move(struct shunt_delivery *d, enum delivery_place to);
/* Into the list of its place, at the end. */
void delivery_put(struct shunt_delivery *d);

/* There is something for shunt_next() to return. */
void consumer_arrived(struct shunt_consumer *c);

#endif
