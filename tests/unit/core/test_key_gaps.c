/* Ranges of keys without rows, beside a plain account of all keys. */
#include "broker/core/key_gaps.h"

#include <criterion/criterion.h>
#include <string.h>

#define KEYS 64u

Test(key_gaps, what_is_learned_is_known_until_a_row_is_put)
{
    struct key_gaps g = {0};
    cr_assert(!key_gaps_has(&g, 5));
    key_gaps_learn(&g, 5, 9);
    cr_assert(key_gaps_has(&g, 5) && key_gaps_has(&g, 9) && !key_gaps_has(&g, 4) && !key_gaps_has(&g, 10));
    key_gaps_forget(&g, 8);
    cr_assert(!key_gaps_has(&g, 8));
    cr_assert(key_gaps_has(&g, 5) && key_gaps_has(&g, 7), "the larger part stays");
}

Test(key_gaps, ranges_that_touch_are_one)
{
    struct key_gaps g = {0};
    key_gaps_learn(&g, 10, 20);
    key_gaps_learn(&g, 30, UINT64_MAX);
    cr_assert_eq(g.count, 2);
    key_gaps_learn(&g, 22, 28);
    cr_assert_eq(g.count, 3, "of 21 and 29 nothing is known");
    cr_assert(!key_gaps_has(&g, 21) && !key_gaps_has(&g, 29));
    key_gaps_learn(&g, 21, 29);
    cr_assert_eq(g.count, 1);
    cr_assert(key_gaps_has(&g, 10) && key_gaps_has(&g, UINT64_MAX) && !key_gaps_has(&g, 9));
    key_gaps_learn(&g, 0, 9);
    cr_assert(g.count == 1 && key_gaps_has(&g, 0));
    key_gaps_forget(&g, 0);
    cr_assert(!key_gaps_has(&g, 0) && key_gaps_has(&g, 1));
}

Test(key_gaps, more_ranges_than_there_is_room_for_lose_the_oldest)
{
    struct key_gaps g = {0};
    for (uint64_t i = 0; i <= KEY_GAPS_MAX; i++)
        key_gaps_learn(&g, 10 * i, 10 * i + 5);
    cr_assert_eq(g.count, KEY_GAPS_MAX);
    cr_assert(!key_gaps_has(&g, 0) && key_gaps_has(&g, 10) && key_gaps_has(&g, 10 * KEY_GAPS_MAX));
}

/* It may know less than there is, and never says that a key has no row which has one. */
Test(key_gaps, no_key_with_a_row_is_in_one)
{
    struct key_gaps g = {0};
    bool has[KEYS] = {false};
    uint64_t random = 1, known = 0;
    for (unsigned step = 0; step < 200000; step++) {
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        uint64_t key = random >> 58, what = random >> 40 & 7;
        if (what == 0) {
            has[key] = true;
            key_gaps_forget(&g, key);
        } else if (what < 3) {
            has[key] = false;
        } else {
            uint64_t next = key;
            while (next < KEYS && !has[next])
                next++;
            if (next > key)
                key_gaps_learn(&g, key, next - 1);
        }
        for (uint64_t k = 0; k < KEYS; k++) {
            cr_assert(!key_gaps_has(&g, k) || !has[k], "step %u, key %llu", step, (unsigned long long)k);
            known += key_gaps_has(&g, k);
        }
        cr_assert_leq(g.count, KEY_GAPS_MAX);
    }
    cr_assert_gt(known, 200000u, "and it knows some");
}
