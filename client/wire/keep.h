/* keep: what was there when a connection was lost. */
#ifndef SHUNT_CLIENT_WIRE_KEEP_H
#define SHUNT_CLIENT_WIRE_KEEP_H

#include "client/wire/consumer.h"

/* Keep the answer of one that is away. fails: NO_MEMORY. */
int keep_answer(struct shunt_delivery *d, const struct resolve_entry *entry, struct resolver resolver);
/* How many SUBSCRIBE asks for; write those behind it, and note that they were. */
uint32_t keep_count(const struct shunt_consumer *c);
void keep_write(struct shunt_consumer *c, uint32_t count, struct mpack_buffer *out);
/* SUBSCRIBE was answered: `reply` stands before the list of new tokens, or at its end. fails: PROTOCOL. */
int keep_answered(struct shunt_consumer *c, struct mpack_reader *reply, int64_t lease_ms, int64_t now_us);
/* The connection is lost again: nothing has been asked for. */
void keep_lost(struct shunt_consumer *c);
/* Nothing will be asked for any more: kept answers end as STALE. */
void keep_end(struct shunt_consumer *c);
/* `d` is ours again: under another token, with a whole lease. */
void keep_go_on(struct shunt_delivery *d, uint64_t token, int64_t lease_ms, int64_t now_us);

#endif
