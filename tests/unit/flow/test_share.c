/* test_share: what is left of a turn, and for whom. */
#include "broker/flow/share.h"
#include <criterion/criterion.h>

#define ROWS  32000u
#define ALONE (ROWS / 4 + 1)
#define AMONG (ROWS / 16 + 1)

static struct share_turn alone(void)
{
    struct share_turn t = {.number = 1000, .rows_max = ROWS};
    return t;
}

Test(share, one_that_is_alone_has_a_quarter_and_with_company_a_sixteenth_for_some_turns)
{
    struct share_turn t = alone();
    int one = 1, two = 2;
    cr_assert_eq(flow_share(&t), ALONE);
    flow_serve(&t, &one);
    for (unsigned i = 0; i < 100; i++) {
        flow_turn_begin(&t);
        flow_serve(&t, &one);
    }
    cr_assert_eq(flow_share(&t), ALONE, "the same one is no company");
    flow_serve(&t, &two);
    cr_assert_eq(flow_share(&t), AMONG);
    for (unsigned i = 0; i < 63; i++) {
        flow_turn_begin(&t);
        flow_serve(&t, &two);
        cr_assert_eq(flow_share(&t), AMONG, "%u turns later", i + 1);
    }
    flow_turn_begin(&t);
    cr_assert_eq(flow_share(&t), ALONE);
}

Test(share, a_turn_of_few_rows_is_never_split_into_sixteen)
{
    int one = 1;
    struct share_turn t = {.number = 1000, .rows_max = 16 * SHARE_FREE_ROWS - 1};
    flow_serve(&t, &one);
    cr_assert_eq(flow_share(&t), (16 * SHARE_FREE_ROWS - 1) / 4 + 1);
    t.rows_max++;
    cr_assert_eq(flow_share(&t), SHARE_FREE_ROWS + 1);
}

Test(share, who_has_used_it_waits_and_one_row_less_does_not)
{
    struct share_turn t = alone();
    struct share s = {0};
    flow_count(&t, &s, ALONE - 1);
    cr_assert_eq(flow_share_left(&t, &s), 1);
    cr_assert(!flow_share_is_up(&t, &s, true));
    flow_count(&t, &s, 1);
    cr_assert_eq(flow_share_left(&t, &s), 0);
    cr_assert(flow_share_is_up(&t, &s, false));
    flow_turn_begin(&t);
    cr_assert(!flow_share_is_up(&t, &s, true), "each turn pays one");
    cr_assert_eq(flow_share_left(&t, &s), ALONE);
}

Test(share, more_than_a_share_counts_three_times_and_is_paid_by_later_turns)
{
    struct share_turn t = alone();
    struct share s = {0};
    flow_count(&t, &s, ALONE + 1);
    cr_assert_eq(flow_share_used(&t, &s), 3 * (ALONE + 1));
    for (unsigned i = 0; i < 2; i++) {
        flow_turn_begin(&t);
        cr_assert(flow_share_is_up(&t, &s, false), "turn %u", i);
    }
    flow_turn_begin(&t);
    cr_assert_eq(flow_share_used(&t, &s), 3);
    flow_count(&t, &s, 1ull << 60);
    cr_assert_eq(flow_share_used(&t, &s), ALONE * 1024ull, "a debt has a bound");
}

Test(share, in_a_full_turn_who_has_had_next_to_nothing_is_served_but_for_what_weighs)
{
    struct share_turn t = alone();
    struct share s = {.turn = t.number, .rows = SHARE_FREE_ROWS - 1};
    t.rows = ROWS - 1;
    cr_assert(!flow_share_is_up(&t, &s, true));
    t.rows++;
    cr_assert(flow_turn_is_full(&t));
    cr_assert(flow_share_is_up(&t, &s, true));
    cr_assert(!flow_share_is_up(&t, &s, false));
    s.rows++;
    cr_assert(flow_share_is_up(&t, &s, false));
    cr_assert_eq(flow_share_left(&t, &s), 0);
    flow_turn_begin(&t);
    cr_assert(!flow_turn_is_full(&t));
}

Test(share, for_a_model_only_what_weighs_waits)
{
    struct share_turn t = alone();
    struct share s = {0};
    t.only_looks_wait = true;
    flow_count(&t, &s, ALONE);
    cr_assert(flow_share_is_up(&t, &s, true) && !flow_share_is_up(&t, &s, false));
    cr_assert_eq(flow_share_left(&t, &s), UINT64_MAX);
}
