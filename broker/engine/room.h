/* room: how full the store is, by marks, and what one transaction may write.
 *
 * LMDB copies each page that it changes, so deletes need free pages too: a store filled to the last page can
 * neither be emptied nor even started. So publishing stops while much is left, and what goes on after that
 * stops writing all it can do without, mark by mark; and no transaction begins what it cannot end.
 *
 *     |---- used ----|---- for messages ----|---------|----------|----------|----------| end
 *                                      FULL ^   SHORT ^     HELD ^     LAST ^
 *
 * Each message in flight has a place in what is left: its end may write a row of its attempt ledger. So the
 * more are in flight, the earlier hand-outs stop.
 */
#ifndef SHUNT_ENGINE_ROOM_H
#define SHUNT_ENGINE_ROOM_H

#include "broker/core/command.h"
#include "broker/store/store.h"

/* What is kept free, at least: so much, a part of the map, and some of the largest transactions; but never
 * more than a part of the map, so that a small one can be used. */
#define ROOM_RESERVE_BYTES        (64ull * 1024 * 1024)
#define ROOM_RESERVE_OF_MAP       10 /* 1/10 */
#define ROOM_RESERVE_TRANSACTIONS 5
#define ROOM_RESERVE_OF_MAP_MOST  4 /* 1/4 */
/* Of what the disk has given, if that is what bounds the store: the same parts of it, but at least so much, or half of it. */
#define ROOM_RESERVE_DISK_BYTES (4ull * 1024 * 1024)
/* What the disk is to give before it is needed, so many times what came in one turn. */
#define ROOM_AHEAD_TURNS 32
/* What the end of one message in flight may add, with a cut error and pages half full. */
#define ROOM_LEASE_BYTES 2048ull
/* What one transaction may write, in bytes of pages (core/cost.h). */
#define ROOM_TRANSACTION_BYTES (64ull * 1024 * 1024)

enum room_cause { ROOM_BY_MAP, ROOM_BY_DISK };

struct room {
    enum fullness fullness;
    enum room_cause cause;  /* what bounds the store */
    uint64_t free_bytes;    /* of it */
    uint64_t largest_bytes; /* of requests in one transaction */
    uint64_t reserve_bytes; /* publishing is refused while less is free */
    /* Of the open transaction, or the next one. */
    uint64_t transaction_bytes, publish_bytes;
    uint64_t spent_bytes;
    uint64_t leases_more; /* so many messages may be handed out before the next look */
    /* What the disk has given and not yet been used for; no transaction takes more of it than leaves a reserve. `may_ask`: it may
     * give more, so what does not fit is not refused, but the disk asked. `ask_bytes`: so much is to be asked for; 0: nothing. */
    uint64_t aside_bytes, ask_bytes;
    bool may_ask;
    bool unfit; /* nothing of what came next fitted, in a transaction of its own */
};

/* What may still be written before publishing is refused, by what bounds the store. It moves with what others
 * put on the disk. */
struct room_left {
    enum room_cause limit; /* the one that comes first, or that it is at */
    uint64_t map_bytes, disk_bytes;
};

/* Between transactions. `leases`: messages in flight; `largest_bytes`: of requests in one transaction. */
void room_look(struct room *r, const struct store_usage *usage, uint64_t leases, uint64_t largest_bytes);
/* `disk_free_bytes`: store_disk_free(). */
struct room_left room_left(const struct room *r, const struct store_usage *usage, uint64_t disk_free_bytes);
const char *room_cause_name(enum room_cause cause);
/* Something did not fit, and the disk may have more: so many bytes are to be asked for, at least twice what there is. */
uint64_t room_ask_more(const struct room *r);
/* What a tick does at once never takes more than STORE_AHEAD_BYTES. */
static inline bool room_may_ask_for_ticks(const struct room *r)
{
    return r->may_ask && r->aside_bytes < STORE_AHEAD_BYTES;
}
/* What a batch may write within the transaction. */
struct batch_room room_of_batch(const struct room *r);

#endif
