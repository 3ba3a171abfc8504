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

/* The same where the disk, and not the map, is what ends there. */
static uint64_t reserve_on_disk(uint64_t bytes, uint64_t largest_bytes)
{
    return greatest(reserve(bytes, largest_bytes), least(ROOM_RESERVE_DISK_BYTES, bytes / 2));
}

/* What has to be set aside by now, for all that is known to come: never more than a store that much is written to has anyway. */
static uint64_t ahead_wanted(uint64_t kept, uint64_t leases, uint64_t largest_bytes)
{
    uint64_t bytes = kept + ROOM_AHEAD_TURNS * largest_bytes + leases * ROOM_LEASE_BYTES;
    return least(bytes, STORE_AHEAD_BYTES);
}

void room_look(struct room *r, const struct store_usage *u, uint64_t leases, uint64_t largest_bytes)
{
    uint64_t aside = less(u->usable_bytes, u->unasked_bytes);
    uint64_t given = u->used_bytes + (u->unasked_bytes ? aside : u->free_bytes);
    uint64_t kept_on_disk = reserve_on_disk(given, largest_bytes);
    uint64_t kept = u->disk_full ? kept_on_disk : reserve(u->map_bytes, largest_bytes);
    *r = (struct room){.cause = u->disk_full ? ROOM_BY_DISK : ROOM_BY_MAP,
                       .free_bytes = u->free_bytes,
                       .largest_bytes = largest_bytes,
                       .reserve_bytes = kept,
                       .aside_bytes = aside,
                       .may_ask = u->unasked_bytes > 0};
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
    if (r->may_ask) {
        uint64_t wanted = ahead_wanted(kept_on_disk, leases, largest_bytes);
        usable = least(usable, less(aside, kept_on_disk));
        r->ask_bytes = aside < wanted ? wanted : 0;
    }
    r->transaction_bytes = least(usable, ROOM_TRANSACTION_BYTES);
    /* A publish by itself may take more than that, but never what is kept for what must go on. */
    r->publish_bytes = least(usable, less(u->free_bytes, kept / 4 * 3));
}

struct room_left room_left(const struct room *r, const struct store_usage *u, uint64_t disk_free_bytes)
{
    uint64_t ahead = u->disk_full ? u->free_bytes : less(u->allocated_bytes, u->used_bytes);
    struct room_left left = {
        .map_bytes = less(u->map_bytes_max, u->used_bytes + reserve(u->map_bytes_max, r->largest_bytes)),
        .disk_bytes = UINT64_MAX};
    if (disk_free_bytes < UINT64_MAX - u->used_bytes - ahead) {
        uint64_t most = least(u->used_bytes + ahead + disk_free_bytes, u->map_bytes_max);
        left.disk_bytes = less(ahead + disk_free_bytes, reserve_on_disk(most, r->largest_bytes));
    }
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

uint64_t room_ask_more(const struct room *r)
{
    return greatest(2 * r->aside_bytes, STORE_AHEAD_BYTES);
}

struct batch_room room_of_batch(const struct room *r)
{
    uint64_t left = less(r->transaction_bytes, r->spent_bytes);
    return (struct batch_room){.bytes = left ? left : 1,
                               .publish_bytes = less(r->publish_bytes, r->spent_bytes),
                               .first = !r->spent_bytes && !r->may_ask,
                               .fullness = r->fullness};
}
