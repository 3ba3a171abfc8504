/* room: see room.h. */
#include "broker/engine/room.h"

#include "broker/core/cost.h"

/* Kept of every transaction for what its count leaves out. */
#define MARGIN_BYTES_MAX (4ull * 1024 * 1024)

/* The marks, in quarters of the reserve. */
static const struct {
    enum fullness fullness;
    uint64_t quarters;
} marks[] = {{STORE_LAST, 1}, {STORE_HELD, 2}, {STORE_SHORT, 3}, {STORE_FULL, 4}};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t greatest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static uint64_t reserve(uint64_t map_bytes, uint64_t largest_bytes)
{
    uint64_t bytes = greatest(ROOM_RESERVE_BYTES, map_bytes / ROOM_RESERVE_OF_MAP);
    bytes = greatest(bytes, ROOM_RESERVE_TRANSACTIONS * largest_bytes);
    return least(bytes, map_bytes / ROOM_RESERVE_OF_MAP_MOST);
}

void room_look(struct room *r, const struct store_usage *u, uint64_t leases, uint64_t largest_bytes)
{
    uint64_t kept = reserve(u->map_bytes, largest_bytes);
    *r = (struct room){.cause = u->disk_full ? ROOM_BY_DISK : ROOM_BY_MAP,
                       .free_bytes = u->free_bytes,
                       .largest_bytes = largest_bytes,
                       .reserve_bytes = kept};
    uint64_t growth = u->disk_full ? 0 : less(u->map_bytes_max, u->map_bytes);
    uint64_t unclaimed = less(u->free_bytes + growth, leases * ROOM_LEASE_BYTES);
    for (size_t i = 0; !r->fullness && i < sizeof marks / sizeof *marks; i++) {
        uint64_t left = marks[i].fullness == STORE_HELD ? unclaimed : u->free_bytes;
        if (left < kept / 4 * marks[i].quarters)
            r->fullness = marks[i].fullness;
    }
    r->leases_more = less(unclaimed, kept / 2) / ROOM_LEASE_BYTES;
    uint64_t margin = least(kept / 8, MARGIN_BYTES_MAX) + COST_TRANSACTION_BYTES;
    uint64_t usable = less(u->usable_bytes, margin);
    r->transaction_bytes = least(usable, ROOM_TRANSACTION_BYTES);
    /* A publish by itself may take more than that, but never what is kept for what must go on. */
    r->publish_bytes = least(usable, less(u->free_bytes, kept / 4 * 3));
}

struct room_left room_left(const struct room *r, const struct store_usage *u, uint64_t disk_free_bytes)
{
    uint64_t ahead = u->disk_full ? u->free_bytes : less(u->allocated_bytes, u->used_bytes);
    struct room_left left = {
        .map_bytes = less(u->map_bytes_max, u->used_bytes + reserve(u->map_bytes_max, r->largest_bytes)),
        .disk_bytes = disk_free_bytes < UINT64_MAX - ahead ? less(ahead + disk_free_bytes, r->reserve_bytes)
                                                           : UINT64_MAX};
    if (u->disk_full) /* whatever the file system says, it gives no more */
        left.disk_bytes = less(ahead, r->reserve_bytes);
    left.limit = left.disk_bytes < left.map_bytes ? ROOM_BY_DISK : ROOM_BY_MAP;
    if (r->fullness >= STORE_FULL) {
        left.limit = r->cause;
        *(r->cause == ROOM_BY_DISK ? &left.disk_bytes : &left.map_bytes) = 0;
    }
    return left;
}

const char *room_cause_name(enum room_cause cause)
{
    return cause == ROOM_BY_DISK ? "disk" : "map";
}

struct batch_room room_of_batch(const struct room *r)
{
    uint64_t left = less(r->transaction_bytes, r->spent_bytes);
    return (struct batch_room){.bytes = left ? left : 1,
                               .publish_bytes = less(r->publish_bytes, r->spent_bytes),
                               .first = !r->spent_bytes,
                               .fullness = r->fullness};
}
