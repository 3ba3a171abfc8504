/* arena: what it hands out is zeroed, aligned, and apart; what it keeps is one block. */
#include "base/arena.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

Test(arena, memory_is_zeroed_aligned_and_apart)
{
    struct arena a = {0};
    unsigned char *taken[100];
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 100; i++) {
            taken[i] = arena_take(&a, i * 37 + 1);
            cr_assert_not_null(taken[i]);
            cr_expect_eq((uintptr_t)taken[i] % _Alignof(max_align_t), 0);
            for (size_t byte = 0; byte < i * 37 + 1; byte++)
                cr_assert_eq(taken[i][byte], 0, "also of a block that was used before");
            memset(taken[i], (int)i + 1, i * 37 + 1);
        }
        for (size_t i = 0; i < 100; i++) {
            for (size_t byte = 0; byte < i * 37 + 1; byte++)
                cr_assert_eq(taken[i][byte], i + 1);
        }
        arena_reset(&a);
    }
    arena_done(&a);
    cr_expect_null(a.blocks);
}

Test(arena, room_is_apart_from_what_was_taken_before_and_after)
{
    struct arena a = {0};
    unsigned char *before = arena_take(&a, 100), *room = arena_room(&a, 100), *after = arena_take(&a, 100);
    cr_assert(before && room && after);
    memset(room, 0xff, 100);
    for (size_t i = 0; i < 100; i++)
        cr_assert(before[i] == 0 && after[i] == 0, "byte %zu", i);
    cr_assert_eq((uintptr_t)room % _Alignof(max_align_t), 0);
    arena_done(&a);
}

Test(arena, a_reset_keeps_one_block_and_no_large_one)
{
    struct arena a = {0};
    cr_assert_not_null(arena_take(&a, 1));
    size_t one = a.bytes;
    cr_assert_not_null(arena_take(&a, 10 * one));
    cr_assert_not_null(arena_take(&a, one));
    cr_expect_geq(a.bytes, 12 * one);
    arena_reset(&a);
    cr_expect_eq(a.bytes, one);
    arena_done(&a);
}
