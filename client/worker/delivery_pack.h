/* delivery_pack: a delivery as bytes, for a child process of this very program. */
#ifndef SHUNT_CLIENT_WORKER_DELIVERY_PACK_H
#define SHUNT_CLIENT_WORKER_DELIVERY_PACK_H

#include "client/shunt.h"
#include "proto/mpack.h"

/* All that the accessors tell, appended to `to`. fails: NO_MEMORY. */
int delivery_pack(const struct shunt_delivery *d, struct mpack_buffer *to);
/* A delivery made of such bytes, which it borrows until it is freed. It belongs to no consumer: only the
 * accessors may be used. fails: NO_MEMORY, PROTOCOL (not what delivery_pack() wrote). */
int delivery_unpack(const void *bytes, size_t size, struct shunt_delivery **ret);
void delivery_unpacked_free(struct shunt_delivery *d); /* takes NULL */

#endif
