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
    expect(&u, 1000 * MIB, ROOM_BY_DISK, 3500 * MIB, (180 - 100 + 1000 - 100) * MIB);
    expect(&u, 3 * MIB, ROOM_BY_DISK, 3500 * MIB, 0); /* what is set aside by now is to be kept free */
    cr_assert_str_eq(room_cause_name(ROOM_BY_DISK), "disk");
}

Test(room, a_disk_that_gives_no_more_is_believed_whatever_the_file_system_says)
{
    struct store_usage u = usage(1000 * MIB, 4000 * MIB, 500 * MIB, 620 * MIB);
    u.disk_full = true;
    u.free_bytes = u.usable_bytes = 120 * MIB;
    expect(&u, 9000 * MIB, ROOM_BY_DISK, 3100 * MIB, 20 * MIB);
}

Test(room, past_the_mark_nothing_is_left_and_the_cause_stands)
{
    struct store_usage u = usage(1000 * MIB, 1000 * MIB, 950 * MIB, 1000 * MIB);
    expect(&u, 100 * MIB, ROOM_BY_MAP, 0, 50 * MIB);
    u.disk_full = true;
    u.free_bytes = u.usable_bytes = 40 * MIB;
    expect(&u, 10 * MIB, ROOM_BY_DISK, 0, 0);
}
