/* Redrives that wait for a consumer of another build. */
#include "proto/errors.h"
#include "tests/unit/core/ledger_redrive.h"

#include <stdio.h>

/* A letter of type `type` that died on that build. */
static void die_on(struct fixture *f, uint64_t seq, const char *type, const char *build)
{
    struct group *g = fixture_group(f, "t", "default");
    uint32_t id = g->r.id;
    publish(f, "t", 1);
    assign(f, "t", "default", 1);
    struct resolution dead = {.seq = seq,
                              .token = fixture_token(f, id, seq),
                              .outcome = ATTEMPT_REJECTED,
                              .error_type = text(type),
                              .error_message = text("as planted")};
    fixture_run(f, (struct command){
                       .kind = COMMAND_RESOLVE,
                       .resolve = {.group = id, .by = {.build = text(build)}, .entries = &dead, .count = 1}});
    cr_assert_eq(f->stale, 0);
}

static void begin_held(struct fixture *f, const char *build)
{
    fixture_init(f);
    f->quiet = true;
    topic_create(f, "t", settings(POLICY_max_attempts, 2, -1));
    die_on(f, 1, "A", "v1");
    die_on(f, 2, "A", "v2");
    die_on(f, 3, "B", "v3");
    struct dead_command c = all();
    c.held = true;
    c.canary = 1;
    c.build = text(build);
    redrive_as(f, &c);
    cr_assert(!f->err && f->held_jobs == 1);
    expect_phase(f, 1, JOB_HELD);
}

static bool awaits(struct fixture *f, uint64_t job, const char *build)
{
    return ledger_awaits_build(f->l, fixture_group(f, "t", "default")->r.id, job, text(build));
}

Test(ledger_held, it_begins_with_its_canary_when_a_build_comes_that_has_not_failed)
{
    struct fixture f;
    begin_held(&f, "");
    cr_assert_eq(jobs_at(f.l), NEVER, "it costs no tick");
    tick(&f, 100000);
    cr_assert_eq(redriven(&f), 0);
    for (const char *const *old = (const char *const[]){"v1", "v2", "v3", "", NULL}; *old; old++) {
        cr_assert(!awaits(&f, 0, *old), "%s", *old);
        build_seen(&f, "t", "default", *old);
        expect_phase(&f, 1, JOB_HELD);
    }
    fixture_reload(&f);
    expect_phase(&f, 1, JOB_HELD);
    cr_assert(awaits(&f, 0, "v4") && awaits(&f, 1, "v4") && !awaits(&f, 2, "v4"));
    build_seen(&f, "t", "default", "v4");
    expect_phase(&f, 1, JOB_CANARY);
    cr_assert(!awaits(&f, 0, "v5"), "nobody waits any more");
    tick(&f, 100001);
    cr_assert_eq(redriven(&f), 1);
    take_and_ack(&f, 1, 1);
    expect_phase(&f, 1, JOB_RAMP);
    fixture_done(&f);
}

/* The builds of `name`, one after the other, are those that failed; `build` has room for its name. */
static const char *nth_build(char build[8], unsigned n)
{
    snprintf(build, 8, "v%u", n);
    return build;
}

Test(ledger_held, as_many_builds_as_a_cause_remembers_have_failed_and_one_before_them_is_forgotten)
{
    enum { KNOWN = CAUSE_SHARES_MAX + CAUSE_PAST_BUILDS_MAX };
    struct fixture f;
    char build[8];
    fixture_init(&f);
    f.quiet = true;
    topic_create(&f, "t", settings(POLICY_max_attempts, 2, -1));
    for (unsigned n = 1; n <= KNOWN + 1; n++) {
        fixture_at(&f, 1000 + n);
        die_on(&f, n, "A", nth_build(build, n));
    }
    die_on(&f, KNOWN + 2, "A", "v3"); /* it comes back from those before, and they are one fewer */
    struct dead_command c = all();
    c.held = true;
    redrive_as(&f, &c);
    fixture_reload(&f);
    for (unsigned n = 2; n <= KNOWN + 1; n++)
        cr_assert(!awaits(&f, 0, nth_build(build, n)), "%s", build);
    cr_assert(awaits(&f, 0, "v1"), "65 builds are more than it remembers");
    fixture_done(&f);
}

Test(ledger_held, one_that_is_named_is_waited_for_whatever_failed_on_it)
{
    struct fixture f;
    begin_held(&f, "v3");
    cr_assert(!awaits(&f, 0, "v4") && !awaits(&f, 0, "v33") && awaits(&f, 0, "v3"));
    build_seen(&f, "t", "default", "v4");
    expect_phase(&f, 1, JOB_HELD);
    build_seen(&f, "t", "default", "v3");
    expect_phase(&f, 1, JOB_CANARY);
    fixture_done(&f);
}

Test(ledger_held, of_one_cause_only_the_builds_that_failed_of_it_count)
{
    struct fixture f;
    struct dead_command c = all();
    begin_held(&f, "");
    job_cancel(&f, 1);
    expect_phase(&f, 1, JOB_CANCELLED);
    c.held = true;
    c.filter.cause = titled_cause(&f, "A");
    redrive_as(&f, &c);
    cr_assert(!awaits(&f, 0, "v1") && awaits(&f, 0, "v3"));
    build_seen(&f, "t", "default", "v3");
    expect_phase(&f, 2, JOB_RUNNING); /* it has no canary */
    tick(&f, 1);
    cr_assert_eq(redriven(&f), 2);
    fixture_done(&f);
}

Test(ledger_held, a_pause_is_kept_and_resuming_asks_again_who_is_there)
{
    struct fixture f;
    begin_held(&f, "");
    job_pause(&f, 1);
    cr_assert(!awaits(&f, 0, "v4"));
    build_seen(&f, "t", "default", "v4");
    expect_phase(&f, 1, JOB_PAUSED);
    job_resume(&f, 1);
    expect_phase(&f, 1, JOB_HELD);
    cr_assert_eq(f.held_jobs, 2);
    group_create(&f, "t", "other", false);
    group_delete(&f, "t", "default");
    tick_until_quiet(&f);
    cr_assert(job_is_over(&f, 1), "its letters are gone");
    fixture_done(&f);
}
