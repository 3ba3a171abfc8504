/* Jobs that are ended where they are. */
#include "proto/errors.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>

static void kill(struct fixture *f, const char *topic, uint32_t count)
{
    publish(f, topic, count);
    assign(f, topic, "default", count);
    for (uint64_t seq = 1; seq <= count; seq++)
        fail(f, topic, "default", seq, ATTEMPT_REJECTED);
}

Test(ledger_job_cancel, one_that_is_cancelled_does_nothing_more)
{
    const struct dead_command c = {
        .topic = text("t"), .group = text("default"), .count = UINT64_MAX, .rate = 1};
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    kill(&f, "t", 3);
    fixture_run(&f, (struct command){.kind = COMMAND_DLQ_REDRIVE, .dead = c});
    cr_assert_eq(job_of(&f, 1).done, 1);
    job_cancel(&f, 2);
    cr_assert_eq(f.err, SHUNT_NOT_FOUND);
    job_cancel(&f, 1);
    cr_assert(!f.err && job_is_over(&f, 1) && job_of(&f, 1).done == 1);
    tick(&f, 10000);
    tick_until_quiet(&f);
    cr_assert_eq(job_of(&f, 1).done, 1);
    expect_state(&f, "t", "default", 1, "ready");
    expect_state(&f, "t", "default", 2, "dead");
    expect_state(&f, "t", "default", 3, "dead");
    job_cancel(&f, 1);
    cr_assert(!f.err, "it is done: that is what was wanted");
    /* Nothing of it is in the way of the next. */
    dlq_purge(&f, "t", "default", UINT64_MAX);
    tick_until_quiet(&f);
    expect_state(&f, "t", "default", 3, "gone");
    fixture_done(&f);
}

Test(ledger_job_cancel, clearing_away_is_not_cancelled)
{
    enum { MANY = 3000 };
    struct fixture f;
    fixture_init(&f);
    f.quiet = true;
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", MANY);
    topic_delete(&f, "t");
    cr_assert_not(job_is_over(&f, 1));
    job_cancel(&f, 1);
    cr_assert_eq(f.err, SHUNT_BAD_ARGUMENT);
    tick_until_quiet(&f);
    cr_assert(job_is_over(&f, 1));
    cr_assert_eq(rows_in(&f, TABLE_MESSAGE), 0);
    fixture_done(&f);
}
