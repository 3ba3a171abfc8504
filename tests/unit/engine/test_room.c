/* room: what is left until publishing is refused, and what bounds it. */
#include "broker/engine/room.h"

#include <criterion/criterion.h>

#define MIB (1024ull * 1024)

static struct store_usage usage(uint64_t map, uint64_t map_max, uint64_t used, uint64_t allocated)
{
    return (struct store_usage){.map_bytes = map,
                                .map_bytes_max = map_max,
                                .used_bytes = used,
                                .free_bytes = map - used,
                                .usable_bytes = map - used,
                                .allocated_bytes = allocated};
}

static void expect(const struct store_usage *u, uint64_t disk_free, enum room_cause limit, uint64_t map_left,
                   uint64_t disk_left)
{
    struct room r;
    room_look(&r, u, 0, 0);
    struct room_left left = room_left(&r, u, disk_free);
    cr_assert_eq(left.limit, limit);
    cr_assert_eq(left.map_bytes, map_left, "%llu", (unsigned long long)left.map_bytes);
    cr_assert_eq(left.disk_bytes, disk_left, "%llu", (unsigned long long)left.disk_bytes);
}

Test(room, the_map_bounds_the_store_with_all_that_it_may_grow_to)
{
    struct store_usage u = usage(1000 * MIB, 4000 * MIB, 100 * MIB, 200 * MIB);
    expect(&u, UINT64_MAX, ROOM_BY_MAP, (4000 - 400 - 100) * MIB, UINT64_MAX);
    cr_assert_str_eq(room_cause_name(ROOM_BY_MAP), "map");
}

Test(room, the_disk_bounds_it_where_that_ends_first)
{
    struct store_usage u = usage(1000 * MIB, 4000 * MIB, 100 * MIB, 180 * MIB);
    expect(&u, 1000 * MIB, ROOM_BY_DISK, 3500 * MIB, (180 - 100 + 1000 - 118) * MIB);
    expect(&u, 4 * MIB, ROOM_BY_DISK, 3500 * MIB, (180 - 100 + 4 - 46) * MIB);
    u.used_bytes = 150 * MIB;
    expect(&u, 4 * MIB, ROOM_BY_DISK, 3450 * MIB, 0); /* what is set aside by now is to be kept free */
    cr_assert_str_eq(room_cause_name(ROOM_BY_DISK), "disk");
}

Test(room, a_disk_that_gives_no_more_is_believed_whatever_the_file_system_says)
{
    struct store_usage u = usage(1000 * MIB, 4000 * MIB, 500 * MIB, 620 * MIB);
    u.disk_full = true;
    u.free_bytes = u.usable_bytes = 120 * MIB;
    expect(&u, 9000 * MIB, ROOM_BY_DISK, 3100 * MIB, (120 - 64) * MIB);
}

Test(room, past_the_mark_nothing_is_left_and_the_cause_stands)
{
    struct store_usage u = usage(1000 * MIB, 1000 * MIB, 950 * MIB, 1000 * MIB);
    expect(&u, 100 * MIB, ROOM_BY_MAP, 0, 50 * MIB);
    u.disk_full = true;
    u.free_bytes = u.usable_bytes = 40 * MIB;
    expect(&u, 10 * MIB, ROOM_BY_DISK, 0, 0);
}

/* ---- what the disk has not given yet ---- */

static struct store_usage asking(uint64_t aside)
{
    struct store_usage u = usage(1000 * MIB, 4000 * MIB, 2 * MIB, 2 * MIB + aside);
    u.unasked_bytes = u.usable_bytes - aside;
    return u;
}

Test(room, no_transaction_counts_on_what_the_disk_may_refuse)
{
    for (uint64_t aside = 0; aside <= 200 * MIB; aside += MIB / 2) {
        struct store_usage u = asking(aside);
        struct room r;
        room_look(&r, &u, 0, 0);
        cr_assert(r.may_ask);
        cr_assert_eq(r.fullness, STORE_HAS_ROOM, "it may have more");
        cr_assert_leq(r.transaction_bytes, aside, "%llu", (unsigned long long)aside);
        cr_assert_leq(r.publish_bytes, aside, "%llu", (unsigned long long)aside);
        cr_assert(!room_of_batch(&r).first, "what does not fit is not refused before the disk was asked");
        cr_assert_geq(room_ask_more(&r), 2 * aside);
        /* The disk refuses, and all that was begun has been written: what ends messages still has its place. */
        u.used_bytes += r.publish_bytes > r.transaction_bytes ? r.publish_bytes : r.transaction_bytes;
        u.free_bytes = u.usable_bytes = 2 * MIB + aside - u.used_bytes;
        u.unasked_bytes = 0;
        u.disk_full = true;
        room_look(&r, &u, 0, 0);
        cr_assert(!r.may_ask && room_of_batch(&r).first);
        if (aside >= 6 * MIB) /* what a store has that nothing was written to */
            cr_assert_leq(r.fullness, STORE_FULL, "%llu: %d", (unsigned long long)aside, r.fullness);
    }
}

Test(room, what_is_known_to_come_is_asked_for_and_no_more_than_a_store_has_anyway)
{
    struct store_usage u = asking(6 * MIB);
    struct room r;
    room_look(&r, &u, 0, 0);
    cr_assert_eq(r.ask_bytes, 0, "nothing is to come");
    room_look(&r, &u, 0, MIB);
    cr_assert_eq(r.ask_bytes, (ROOM_AHEAD_TURNS + 4) * MIB);
    room_look(&r, &u, 10000, 0);
    cr_assert_eq(r.ask_bytes, 10000 * ROOM_LEASE_BYTES + 4 * MIB);
    room_look(&r, &u, 1000000, 20 * MIB);
    cr_assert_eq(r.ask_bytes, STORE_AHEAD_BYTES);
    u = asking(STORE_AHEAD_BYTES);
    room_look(&r, &u, 1000000, 20 * MIB);
    cr_assert_eq(r.ask_bytes, 0);
}
