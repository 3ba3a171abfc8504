/* Purging takes what was ready or delayed when it was asked for; what was in flight or dead then stays,
 * whatever becomes of it while the purge goes on. */
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>

enum { FIRST = 600, BEHIND = 100 }; /* a step takes 512 */

/* A topic of which a purge has looked at a page. Behind it: 601 and 602 in flight, 603 dead, 604 delayed, 605
 * was nacked before. */
static void begin_purge(struct fixture *f)
{
    fixture_init(f);
    f->careless = f->quiet = true;
    topic_create(f, "t", settings(-1));
    publish(f, "t", FIRST + BEHIND);
    assign(f, "t", "default", FIRST + 5);
    for (uint64_t seq = 1; seq <= FIRST; seq++)
        resolve(f, "t", "default", (struct resolution){.seq = seq, .token = 1, .outcome = ATTEMPT_RELEASED});
    fail(f, "t", "default", FIRST + 3, ATTEMPT_REJECTED);
    nack(f, "t", "default", FIRST + 4, 3600000);
    nack(f, "t", "default", FIRST + 5, 0);
    topic_purge(f, "t", NULL);
    cr_assert_eq(f->count, FIRST + BEHIND - 3);
    cr_assert_eq(f->l->jobs_count, 1, "it goes on");
}

static void end_purge(struct fixture *f, uint64_t purged)
{
    tick_until_quiet(f);
    cr_assert_eq(f->l->jobs_count, 0);
    cr_assert_eq(fixture_group(f, "t", "default")->r.counts.purged, purged);
    f->careless = false;
    publish(f, "t", 1); /* with an audit */
    topic_purge(f, "t", NULL);
    tick_until_quiet(f);
    cr_assert_eq(fixture_group(f, "t", "default")->r.counts.ready, 0,
                 "the next purge takes what is ready then");
    fixture_done(f);
}

Test(ledger_purge, takes_what_was_ready_or_delayed)
{
    struct fixture f;
    begin_purge(&f);
    end_purge(&f, FIRST + BEHIND - 3);
}

Test(ledger_purge, leaves_what_was_in_flight_and_comes_back)
{
    struct fixture f;
    begin_purge(&f);
    fail(&f, "t", "default", FIRST + 1, ATTEMPT_RELEASED);
    nack(&f, "t", "default", FIRST + 2, 3600000);
    fixture_reload(&f); /* it is not forgotten */
    tick_until_quiet(&f);
    expect_state(&f, "t", "default", FIRST + 1, "ready");
    expect_state(&f, "t", "default", FIRST + 2, "delayed");
    end_purge(&f, FIRST + BEHIND - 3);
}

Test(ledger_purge, leaves_what_was_in_flight_when_the_broker_restarted)
{
    struct fixture f;
    begin_purge(&f);
    fixture_crash(&f);
    recover(&f);
    tick_until_quiet(&f);
    expect_state(&f, "t", "default", FIRST + 1, "ready");
    expect_state(&f, "t", "default", FIRST + 2, "ready");
    expect_state(&f, "t", "default", FIRST + 4, "gone");
    end_purge(&f, FIRST + BEHIND - 3);
}

Test(ledger_purge, leaves_what_was_dead_and_is_redriven)
{
    struct fixture f;
    begin_purge(&f);
    redrive(&f, "t", "default", 1, 0);
    expect_state(&f, "t", "default", FIRST + 3, "ready");
    tick_until_quiet(&f);
    expect_state(&f, "t", "default", FIRST + 3, "ready");
    end_purge(&f, FIRST + BEHIND - 3);
}

/* It was redriven before: that purge is the later one. */
Test(ledger_purge, takes_what_was_redriven_before)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(POLICY_ttl_ms, 100000, -1));
    publish(&f, "t", 3);
    assign(&f, "t", "default", 3);
    fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
    fail(&f, "t", "default", 2, ATTEMPT_REJECTED);
    redrive(&f, "t", "default", 1, 0);
    fail(&f, "t", "default", 3, ATTEMPT_RELEASED);
    topic_purge(&f, "t", NULL);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.purged, 2);
    expect_state(&f, "t", "default", 2, "dead");
    /* What was left of a time to live shares its place with that mark. */
    cr_assert_eq(row_of(&f, "t", "default", 2).ttl_left_ms, 100000);
    redrive(&f, "t", "default", 1, 0);
    cr_assert_eq(row_of(&f, "t", "default", 2).expires_ms, T0 + 100000);
    cr_assert_eq(row_of(&f, "t", "default", 2).back_job, f.l->meta.job_next);
    fixture_done(&f);
}
