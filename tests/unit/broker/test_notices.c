/* Notices of overdue dead letters: told together, tried again at random times, given up, and bounded. */
#include "broker/notices.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct notices n;
static struct notice due;
static int64_t due_ms;

static void add(const char *topic, uint64_t count, uint64_t seq, int64_t now_ms)
{
    struct notice more = {.count = count, .seq = seq, .died_ms = (int64_t)seq * 10};
    (void)snprintf(more.topic, sizeof more.topic, "%s", topic);
    (void)snprintf(more.group, sizeof more.group, "%s", topic[0] ? "default" : "");
    notices_add(&n, &more, now_ms);
}

static bool is_due(int64_t now_ms)
{
    return notices_due(&n, now_ms, &due, &due_ms);
}

Test(notices, the_first_is_due_at_once_and_what_comes_then_is_told_together)
{
    cr_assert(!is_due(0) && due_ms == INT64_MAX);
    add("t", 2, 5, 100);
    cr_assert(is_due(100) && due.count == 2 && due.seq == 5 && due.died_ms == 50);
    add("t", 1, 9, 101); /* while that one is being told */
    notices_told(&n, &due, 200);
    add("t", 4, 11, 300);
    cr_assert_not(is_due(200 + NOTICE_REST_MS - 1));
    cr_assert_eq(due_ms, 200 + NOTICE_REST_MS);
    cr_assert(is_due(200 + NOTICE_REST_MS) && due.count == 5);
    notices_told(&n, &due, 20000);
    cr_assert(!is_due(50000) && n.count == 0, "it is forgotten");
    add("t", 1, 99, 50000);
    cr_assert(is_due(50000) && due.count == 1 && due.seq == 99, "at once again");
}

Test(notices, one_that_failed_is_tried_again_at_random_and_in_the_end_given_up)
{
    int64_t now_ms = 0, most = NOTICE_BACKOFF_MS;
    add("t", 3, 1, 0);
    for (unsigned i = 1; i < NOTICE_TRIES_MAX; i++, most *= 2) {
        int64_t bound = most < NOTICE_BACKOFF_MAX_MS ? most : NOTICE_BACKOFF_MAX_MS;
        cr_assert(is_due(now_ms) && due.count == 3 && due.failures == i - 1);
        int64_t first_ms = notices_failed(&n, &due, 0, now_ms);
        cr_assert_eq(first_ms, now_ms + 1, "never at once");
        n.all[0].failures--;
        int64_t last_ms = notices_failed(&n, &due, (uint64_t)bound - 1, now_ms);
        cr_assert_eq(last_ms, now_ms + bound);
        cr_assert_not(is_due(last_ms - 1));
        now_ms = last_ms;
    }
    add("t", 1, 8, now_ms);
    cr_assert(is_due(now_ms) && due.count == 4);
    cr_assert_eq(notices_failed(&n, &due, 7, now_ms), 0, "given up");
    cr_assert_eq(notices_left(&n), 0);
    add("t", 1, 9, now_ms);
    cr_assert_not(is_due(now_ms), "but not for the next one, when it has rested");
    cr_assert(is_due(now_ms + NOTICE_REST_MS) && due.failures == 0 && due.count == 1);
}

Test(notices, groups_beyond_the_limit_share_one_and_nothing_is_lost)
{
    uint64_t told = 0;
    for (int i = 0; i < 1000; i++) {
        char topic[16];
        (void)snprintf(topic, sizeof topic, "t%d", i);
        add(topic, 2, 1, 0);
    }
    add("", 5, 0, 0);
    cr_assert_eq(notices_left(&n), 2005);
    for (unsigned i = 0; i <= NOTICES_MAX; i++) {
        cr_assert(is_due(0));
        told += due.count;
        cr_assert_eq(due.count == 2, due.topic[0] != '\0');
        notices_told(&n, &due, 0);
    }
    cr_assert_eq(told, 2005);
    cr_assert_not(is_due(0));
    add("new", 1, 1, NOTICE_REST_MS);
    cr_assert(is_due(NOTICE_REST_MS) && due.count == 1 && due.topic[0] == 'n', "those that rested made room");
}
