/* test_ledger_clock: a store whose machine had a wrong clock is put right. Its own time goes on, so nothing
 * that waits is moved; what is shown goes by the time of day again. */
#include "proto/errors.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>

#define DAY (24 * 3600 * 1000ll)

/* The store's time of the test's clock at this moment. */
static int64_t at(int64_t ms)
{
    return T0 + ms;
}

static int64_t shown(const struct fixture *f, int64_t ms)
{
    return ledger_shown_ms(f->l, at(ms));
}

Test(ledger_clock, what_was_ahead_is_shown_as_the_machine_says)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    fixture_at(&f, DAY + 5000); /* the machine's clock was a day ahead from here on */
    publish(&f, "t", 1);
    fixture_at(&f, DAY + 9000);
    clock_set(&f, at(9000));
    cr_assert_eq(f.err, 0);
    cr_assert_eq(ledger_ahead_ms(f.l), DAY);
    cr_assert_eq(shown(&f, DAY + 9000), at(9000), "now");
    cr_assert_eq(shown(&f, DAY + 5000), at(5000), "lay in the future");
    cr_assert_eq(shown(&f, 2 * DAY), at(DAY), "what is due");
    cr_assert_eq(shown(&f, 3000), at(3000), "was before that clock");
    cr_assert_eq(ledger_shown_ms(f.l, 0), 0, "no time");
    fixture_reload(&f);
    cr_assert_eq(shown(&f, DAY + 5000), at(5000), "over a restart too");
    cr_assert_eq(ledger_time(f.l), at(DAY + 9000), "the store's time does not go back");
    fixture_done(&f);
}

Test(ledger_clock, what_was_behind_is_shown_right_from_now_on)
{
    struct fixture f;
    fixture_init(&f);
    fixture_at(&f, 5000);
    clock_set(&f, at(DAY + 5000));
    cr_assert_eq(ledger_ahead_ms(f.l), -DAY);
    cr_assert_eq(shown(&f, 5001), at(DAY + 5001));
    cr_assert_eq(shown(&f, 4000), at(4000), "nobody knows since when it was wrong");
    fixture_done(&f);
}

Test(ledger_clock, what_waits_comes_neither_early_nor_late)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(POLICY_backoff_min_ms, 1000, POLICY_backoff_max_ms, 1000, -1));
    topic_create(&f, "mortal", settings(POLICY_ttl_ms, 2000, -1));
    fixture_at(&f, DAY);
    publish_timed(&f, "t", 1000, 0);
    publish(&f, "mortal", 1);
    clock_set(&f, at(0));
    tick(&f, DAY + 999);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.delayed, 1);
    tick(&f, DAY + 1000);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.ready, 1);
    tick(&f, DAY + 1999);
    cr_assert_eq(fixture_group(&f, "mortal", "default")->r.counts.ready, 1);
    tick(&f, DAY + 2000);
    cr_assert_eq(fixture_group(&f, "mortal", "default")->r.counts.dead, 1);
    fixture_done(&f);
}

Test(ledger_clock, it_can_be_put_right_again_and_again)
{
    struct fixture f;
    fixture_init(&f);
    for (int64_t i = 1; i <= 3 * CLOCK_SHIFTS_MAX; i++) {
        fixture_at(&f, i * 2 * DAY); /* a day ahead once more */
        clock_set(&f, at(i * DAY));
        cr_assert_eq(ledger_ahead_ms(f.l), i * DAY);
        cr_assert_eq(shown(&f, i * 2 * DAY), at(i * DAY));
        cr_assert_leq(f.l->meta.shifts_count, CLOCK_SHIFTS_MAX);
    }
    cr_assert_eq(f.l->meta.shifts_count, CLOCK_SHIFTS_MAX);
    fixture_reload(&f);
    cr_assert_eq(ledger_ahead_ms(f.l), 3 * CLOCK_SHIFTS_MAX * DAY);
    clock_set(&f, at(-DAY / 100)); /* from before all that: it hides them */
    cr_assert_lt(f.l->meta.shifts_count, CLOCK_SHIFTS_MAX);
    fixture_done(&f);
}

Test(ledger_clock, what_is_right_stays_as_it_is)
{
    struct fixture f;
    fixture_init(&f);
    fixture_at(&f, 5);
    clock_set(&f, at(5));
    cr_assert_eq(f.err, 0);
    cr_assert(!f.changed);
    cr_assert_eq(f.l->meta.shifts_count, 0);
    clock_set(&f, -1);
    cr_assert_eq(f.err, SHUNT_BAD_ARGUMENT);
    clock_set(&f, INT64_MAX);
    cr_assert_eq(f.err, SHUNT_BAD_ARGUMENT);
    fixture_done(&f);
}

Test(ledger_clock, letters_are_chosen_by_the_time_that_is_shown)
{
    struct fixture f;
    struct mpack_buffer b = {0};
    struct mpack_reader r;
    fixture_init(&f);
    topic_create(&f, "t", settings(POLICY_ttl_ms, 1000, -1));
    publish(&f, "t", 1);
    tick(&f, 1000); /* it died while the clock was right */
    fixture_at(&f, DAY + 5000);
    publish(&f, "t", 1);
    tick(&f, DAY + 6000); /* and this one at a time that is shown as 6000 */
    clock_set(&f, at(6000));
    const int64_t since[] = {0, 1000, 1001, 6000, 6001};
    const uint32_t expected[] = {2, 2, 1, 1, 0};
    struct view v = {.ledger = f.l};
    for (size_t i = 0; i < sizeof since / sizeof *since; i++) {
        const struct letter_filter filter = {.since_ms = since[i] ? at(since[i]) : 0};
        b.size = 0;
        cr_assert_eq(store_begin(f.store, false, &v.txn), 0);
        cr_assert_eq(view_dead_list(&v, fixture_group(&f, "t", "default"), 0, 10, &filter, &b), 0);
        store_abort(v.txn);
        mpack_read_init(&r, b.data, b.size);
        cr_assert_eq(mpack_read_array(&r), expected[i], "since %lld", (long long)since[i]);
    }
    mpack_buffer_done(&b);
    fixture_done(&f);
}
