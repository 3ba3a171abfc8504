/* array: growth, and what remains when there is none. */
#include "base/array.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>

Test(array, grows_and_keeps_what_it_has)
{
    uint64_t *items = NULL;
    size_t capacity = 0, moves = 0;
    for (size_t count = 0; count < 10000; count++) {
        size_t before = capacity;
        cr_assert(array_room(&items, &capacity, count + 1));
        cr_assert_geq(capacity, count + 1);
        moves += capacity != before;
        items[count] = count;
    }
    for (size_t i = 0; i < 10000; i++)
        cr_assert_eq(items[i], i);
    cr_expect_lt(moves, 20, "it doubles: it moved %zu times", moves);
    free(items);
}

Test(array, takes_many_at_once_and_small_and_large_elements)
{
    char *bytes = NULL;
    struct {
        char large[1000];
    } *items = NULL;
    size_t bytes_capacity = 0, capacity = 0;
    cr_assert(array_room(&bytes, &bytes_capacity, 100000));
    cr_expect(bytes_capacity >= 100000 && bytes_capacity < 200000);
    cr_assert(array_room(&items, &capacity, 1));
    cr_expect(capacity >= 1 && capacity <= 16, "a few");
    free(bytes);
    free(items);
}

Test(array, what_no_memory_could_hold_is_refused_and_all_is_as_it_was)
{
    uint64_t *items = NULL;
    size_t capacity = 0;
    cr_assert(array_room(&items, &capacity, 3));
    items[2] = 7;
    uint64_t *was = items;
    size_t had = capacity;
    /* Products and doublings that a size_t does not hold, at the border and beyond. */
    static const size_t counts[] = {SIZE_MAX / 8 + 1, SIZE_MAX / 2, SIZE_MAX / 2 + 2, SIZE_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        cr_expect_not(array_room(&items, &capacity, counts[i]), "%zu", counts[i]);
        cr_expect(items == was && capacity == had && items[2] == 7);
    }
    free(items);
}

Test(array, what_is_put_in_and_taken_out_leaves_the_others_in_order)
{
    uint32_t *items = NULL;
    size_t capacity = 0, count = 0;
    static const uint32_t values[] = {3, 1, 5, 2, 4}; /* each to its place: the end, the beginning, between */
    static const size_t places[] = {0, 0, 2, 1, 3};
    for (size_t i = 0; i < 5; i++) {
        cr_assert(array_room(&items, &capacity, count + 1));
        array_insert(items, &count, places[i]);
        items[places[i]] = values[i];
        cr_assert_eq(count, i + 1);
    }
    for (uint32_t i = 0; i < 5; i++)
        cr_expect_eq(items[i], i + 1, "element %u", i);
    array_remove(items, &count, 4);
    array_remove(items, &count, 1);
    array_remove(items, &count, 0);
    cr_assert_eq(count, 2);
    cr_expect(items[0] == 3 && items[1] == 4);
    free(items);
}
