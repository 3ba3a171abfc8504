/* Back-off: how long a message waits after a failure. */
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>

Test(ledger_back_off, back_off_is_never_zero_and_stays_under_its_bound)
{
    enum { MIN_MS = 4, MAX_MS = 50, ROUNDS = 400 };
    struct fixture f;
    int64_t least[8] = {0}, most[8] = {0};
    fixture_init(&f);
    f.quiet = true;
    topic_create(
        &f, "t",
        settings(POLICY_max_attempts, 8, POLICY_backoff_min_ms, MIN_MS, POLICY_backoff_max_ms, MAX_MS, -1));
    for (uint64_t seq = 1; seq <= ROUNDS; seq++) {
        publish(&f, "t", 1);
        for (int n = 1; n < 8; n++) {
            tick(&f, f.now_ms + MAX_MS);
            assign(&f, "t", "default", 1);
            nack(&f, "t", "default", seq, DELAY_BACKOFF);
            int64_t wait_ms = row_of(&f, "t", "default", seq).due_ms - T0 - f.now_ms;
            int64_t bound_ms = MIN_MS << (n - 1) < MAX_MS ? MIN_MS << (n - 1) : MAX_MS;
            cr_assert(wait_ms >= 1 && wait_ms <= bound_ms, "attempt %d waits %lld ms", n, (long long)wait_ms);
            least[n] = !least[n] || wait_ms < least[n] ? wait_ms : least[n];
            most[n] = wait_ms > most[n] ? wait_ms : most[n];
        }
        tick(&f, f.now_ms + MAX_MS);
        assign(&f, "t", "default", 1);
        ack(&f, "t", "default", seq);
    }
    /* Full jitter: the whole range is used. */
    for (int n = 1; n < 8; n++) {
        int64_t bound_ms = MIN_MS << (n - 1) < MAX_MS ? MIN_MS << (n - 1) : MAX_MS;
        cr_assert_leq(least[n], 1 + bound_ms / 20, "attempt %d", n);
        cr_assert_geq(most[n], bound_ms - bound_ms / 20, "attempt %d", n);
    }
    fixture_done(&f);
}

Test(ledger_back_off, back_off_has_a_floor_that_gives_way_to_its_bound)
{
    enum { MIN_MS = 10, MAX_MS = 40, FLOOR_MS = 25, ROUNDS = 200, TRIES = 4 };
    static const int64_t least_ms[TRIES] = {10, 20, 25, 25}, most_ms[TRIES] = {10, 20, 40, 40};
    struct fixture f;
    int64_t shortest[TRIES] = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX}, longest[TRIES] = {0};
    fixture_init(&f);
    f.quiet = true;
    topic_create(&f, "t",
                 settings(POLICY_max_attempts, TRIES + 1, POLICY_backoff_min_ms, MIN_MS,
                          POLICY_backoff_max_ms, MAX_MS, POLICY_backoff_floor_ms, FLOOR_MS, -1));
    for (uint64_t seq = 1; seq <= ROUNDS; seq++) {
        publish(&f, "t", 1);
        for (int n = 0; n < TRIES; n++) {
            tick(&f, f.now_ms + MAX_MS);
            assign(&f, "t", "default", 1);
            nack(&f, "t", "default", seq, DELAY_BACKOFF);
            int64_t wait_ms = row_of(&f, "t", "default", seq).due_ms - T0 - f.now_ms;
            shortest[n] = wait_ms < shortest[n] ? wait_ms : shortest[n];
            longest[n] = wait_ms > longest[n] ? wait_ms : longest[n];
        }
        tick(&f, f.now_ms + MAX_MS);
        assign(&f, "t", "default", 1);
        ack(&f, "t", "default", seq);
    }
    for (int n = 0; n < TRIES; n++) {
        cr_assert_eq(shortest[n], least_ms[n], "attempt %d", n + 1);
        cr_assert_eq(longest[n], most_ms[n], "attempt %d", n + 1);
    }
    fixture_done(&f);
}

Test(ledger_back_off, the_largest_back_off_does_not_overflow)
{
    struct fixture f;
    fixture_init(&f);
    f.quiet = true;
    struct policy_change c = settings(POLICY_max_attempts, 1000, -1);
    c.set.given |= 1u << POLICY_backoff_min_ms | 1u << POLICY_backoff_max_ms;
    c.set.value[POLICY_backoff_min_ms] = 1;
    c.set.value[POLICY_backoff_max_ms] = DURATION_MS_MAX;
    topic_create(&f, "t", c);
    publish(&f, "t", 1);
    for (int n = 1; n < 200; n++) {
        assign(&f, "t", "default", 1);
        nack(&f, "t", "default", 1, DELAY_BACKOFF);
        int64_t wait_ms = row_of(&f, "t", "default", 1).due_ms - T0 - f.now_ms;
        cr_assert(wait_ms >= 1 && wait_ms <= DURATION_MS_MAX);
        tick(&f, f.now_ms + wait_ms);
    }
    fixture_done(&f);
}
