/* test_quota: what may be done in a time, and who has which quota. */
#include "broker/flow/quota.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* ---- buckets ---- */

static int64_t ask(struct bucket *b, const struct bucket_rate *rate, uint64_t amount, int64_t now_ms)
{
    int64_t wait_ms = bucket_wait_ms(b, rate, amount, now_ms);
    if (!wait_ms)
        bucket_take(b, rate, amount, now_ms);
    return wait_ms;
}

Test(bucket, as_much_as_a_burst_comes_at_once_and_then_its_rate)
{
    const struct bucket_rate rate = {.a_second = 10, .burst_ms = 2000};
    struct bucket b = {0};
    for (int i = 0; i < 20; i++)
        cr_assert_eq(ask(&b, &rate, 1, 5000), 0, "%d", i);
    cr_assert_eq(ask(&b, &rate, 1, 5000), 100);
    cr_assert_eq(ask(&b, &rate, 1, 5099), 1);
    cr_assert_eq(ask(&b, &rate, 1, 5100), 0, "the time that was told is the time");
    cr_assert_eq(ask(&b, &rate, 3, 5100), 300);
    cr_assert_eq(ask(&b, &rate, 3, 5400), 0);
}

Test(bucket, what_was_refused_took_nothing)
{
    const struct bucket_rate rate = {.a_second = 1, .burst_ms = 1000};
    struct bucket b = {0};
    cr_assert_eq(ask(&b, &rate, 1, 0), 0);
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(ask(&b, &rate, 1, 0), 1000);
    cr_assert_eq(ask(&b, &rate, 1, 1000), 0);
}

Test(bucket, in_a_long_time_no_more_than_the_rate_and_one_burst)
{
    const struct bucket_rate rate = {.a_second = 7, .burst_ms = 1000};
    struct bucket b = {0};
    uint64_t taken = 0;
    for (int64_t now_ms = 0; now_ms < 100000; now_ms++)
        taken += ask(&b, &rate, 1, now_ms) == 0;
    cr_assert(taken >= 700 && taken <= 707, "%llu", (unsigned long long)taken);
}

Test(bucket, after_a_rest_there_is_one_burst_and_no_more)
{
    const struct bucket_rate rate = {.a_second = 1000, .burst_ms = 100};
    struct bucket b = {0};
    cr_assert_eq(ask(&b, &rate, 100, 0), 0);
    cr_assert_eq(ask(&b, &rate, 100, 3600000), 0);
    cr_assert_eq(ask(&b, &rate, 1, 3600000), 1);
}

/* A debt, so that the rate holds and nobody waits for ever. */
Test(bucket, what_is_more_than_a_bucket_holds_is_let_through_when_it_is_full)
{
    const struct bucket_rate rate = {.a_second = 10, .burst_ms = 1000};
    struct bucket b = {0};
    cr_assert_eq(ask(&b, &rate, 1, 0), 0);
    cr_assert_eq(ask(&b, &rate, 50, 0), 100, "it is not full");
    cr_assert_eq(ask(&b, &rate, 50, 100), 0);
    cr_assert_eq(ask(&b, &rate, 1, 100), 4100);
    cr_assert_eq(ask(&b, &rate, 1, 4200), 0);
}

Test(bucket, without_a_rate_there_is_no_limit_and_a_new_rate_counts_at_once)
{
    struct bucket_rate rate = {.a_second = 0, .burst_ms = 1000};
    struct bucket b = {0};
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(ask(&b, &rate, BUCKET_AMOUNT_MAX, 0), 0);
    rate.a_second = 1;
    cr_assert_eq(ask(&b, &rate, 1, 0), 0);
    cr_assert_eq(ask(&b, &rate, 1, 0), 1000);
    rate.a_second = 1000; /* what is missing is time */
    cr_assert_eq(ask(&b, &rate, 1, 0), 1);
}

Test(bucket, the_least_and_the_most_do_not_overflow)
{
    const struct bucket_rate slow = {.a_second = 1, .burst_ms = 10}, fast = {16ull << 30, 600000};
    struct bucket b = {0};
    cr_assert_eq(ask(&b, &slow, UINT64_MAX, 0), 0);
    cr_assert_eq(ask(&b, &slow, 1, 0), (int64_t)(BUCKET_AMOUNT_MAX * 1000));
    b = (struct bucket){0};
    cr_assert_eq(ask(&b, &fast, 1, 0), 0);
    cr_assert_gt(b.full_ns, 0, "the smallest part is rounded up");
}

/* ---- who has which ---- */

static struct slice key_of(unsigned number)
{
    static char text[QUOTA_KEY_BYTES];
    return (struct slice){text, (size_t)snprintf(text, sizeof text, "key %u", number)};
}

static void use_up(struct quota *q, int64_t until_ms)
{
    q->buckets[QUOTA_REQUESTS].full_ns = until_ms * NS_A_MS;
}

Test(quota, the_same_key_is_the_same_quota_and_connections_are_counted)
{
    struct quota_table t;
    quota_table_init(&t, 1);
    struct quota *a = quota_hold(&t, key_of(1), 0), *b = quota_hold(&t, key_of(2), 0);
    cr_assert_neq(a, b);
    cr_assert_eq(quota_hold(&t, key_of(1), 0), a);
    cr_assert_eq(a->connections, 2);
    quota_drop(&t, a, 0);
    cr_assert_eq(a->connections, 1);
    quota_drop(&t, b, 0);
    cr_assert_eq(t.count, 1, "one whose buckets are full is gone with its last connection");
    quota_drop(&t, a, 0);
    cr_assert_eq(t.count, 0);
    quota_table_done(&t);
}

Test(quota, to_connect_anew_fills_no_bucket)
{
    struct quota_table t;
    quota_table_init(&t, 1);
    struct quota *q = quota_hold(&t, key_of(1), 0);
    use_up(q, 500);
    quota_drop(&t, q, 100);
    cr_assert_eq(quota_hold(&t, key_of(1), 499), q);
    cr_assert_eq(q->buckets[QUOTA_REQUESTS].full_ns, 500 * NS_A_MS);
    quota_drop(&t, q, 499);
    cr_assert_eq(t.count, 1);
    quota_drop(&t, quota_hold(&t, key_of(2), 500), 500);
    cr_assert_eq(t.count, 0, "it has become full, and is forgotten");
    quota_table_done(&t);
}

Test(quota, at_most_so_many_that_nobody_holds_are_kept_and_the_first_left_goes)
{
    struct quota_table t;
    quota_table_init(&t, 1);
    for (unsigned i = 0; i < QUOTA_IDLE_MAX; i++) {
        struct quota *q = quota_hold(&t, key_of(i), 0);
        use_up(q, 1000000);
        quota_drop(&t, q, 0);
    }
    cr_assert_eq(t.idle_count, QUOTA_IDLE_MAX);
    struct quota *held = quota_hold(&t, key_of(0), 0), *more = quota_hold(&t, key_of(QUOTA_IDLE_MAX), 0);
    cr_assert_gt(held->buckets[QUOTA_REQUESTS].full_ns, 0, "at the limit it is still there");
    use_up(more, 1000000);
    quota_drop(&t, more, 0);
    cr_assert_eq(t.idle_count, QUOTA_IDLE_MAX);
    quota_drop(&t, held, 0);
    cr_assert_eq(t.idle_count, QUOTA_IDLE_MAX);
    struct quota *first = quota_hold(&t, key_of(1), 0);
    cr_assert_eq(first->buckets[QUOTA_REQUESTS].full_ns, 0, "it was left first, and made room");
    quota_drop(&t, first, 0);
    quota_table_done(&t);
}
