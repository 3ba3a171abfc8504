/* The sum of the topics without series of their own never goes down. */
#include "broker/engine/rest.h"

#include <criterion/criterion.h>

static struct rest rest;

static uint64_t told(uint64_t acked, uint64_t dead, bool there)
{
    struct snapshot_group now = {.acked = acked,
                                 .ready = acked,
                                 .dead_lettered[DEAD_REJECTED] = dead,
                                 .rule_actions[RULE_MOVE] = dead};
    bool is_there = there;
    rest_tell(&rest, &now, &is_there);
    cr_assert_eq(now.ready, acked, "what is no counter is told as it is");
    cr_assert_eq(is_there, there || rest.known);
    cr_assert(!is_there || now.dead_lettered[DEAD_REJECTED] <= now.acked);
    cr_assert(!is_there || now.rule_actions[RULE_MOVE] == now.dead_lettered[DEAD_REJECTED]);
    return now.acked;
}

Test(rest, counters_of_the_rest_never_go_down)
{
    cr_assert_eq(told(0, 0, false), 0);
    cr_assert_not(rest.known);
    cr_assert_eq(told(1000, 10, true), 0, "what was before is not what was counted since");
    cr_assert_eq(told(1005, 12, true), 5);
    cr_assert_eq(told(5, 0, true), 5, "a topic was deleted, or has series of its own now");
    cr_assert_eq(told(9, 1, true), 9);
    cr_assert_eq(told(0, 0, false), 9, "there is none left, and the series stays");
    cr_assert_eq(told(3, 0, true), 12);
}
