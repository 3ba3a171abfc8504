/* The ledger: what grows has a limit, or a cost that does not grow with it. Costs are calls of the store, one
 * run beside another. */
#include "proto/errors.h"
#include "tests/unit/core/faults.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* ---- counting ---- */

static struct faults counter;

/* From now on the fixture's store is counted. */
static void begin_to_count(struct fixture *f)
{
    f->quiet = f->careless = true; /* an audit of this many rows after each step takes long */
    faults_init(&counter, f->store);
    counter.counts = true;
    f->store = &counter.base;
}

static void end_counting(struct fixture *f)
{
    f->store = counter.inner;
    fixture_done(f);
}

static uint64_t calls_of_tick(struct fixture *f, int64_t ms)
{
    faults_arm(&counter, 0, 0);
    tick(f, ms);
    return counter.calls;
}

/* ---- jobs ---- */

static void kill(struct fixture *f, uint32_t count)
{
    uint64_t head = ledger_topic(f->l, text("t"))->r.head;
    publish(f, "t", count);
    assign(f, "t", "default", count);
    for (uint64_t seq = head; seq < head + count; seq++)
        resolve(f, "t", "default",
                (struct resolution){
                    .seq = seq, .token = 1, .outcome = ATTEMPT_REJECTED, .delay_ms = DELAY_BACKOFF});
}

Test(ledger_bounds, redrives_with_a_rate_leave_room_for_other_jobs)
{
    struct fixture f;
    fixture_init(&f);
    begin_to_count(&f);
    topic_create(&f, "t", settings(-1));
    topic_create(&f, "u", settings(-1));
    kill(&f, 2 * JOBS_RATED_MAX + 700);
    for (unsigned i = 0; i < JOBS_RATED_MAX; i++) {
        redrive(&f, "t", "default", UINT64_MAX, 1);
        cr_assert_eq(f.err, 0);
    }
    redrive(&f, "t", "default", UINT64_MAX, 1);
    cr_assert_eq(f.err, SHUNT_TOO_MANY);
    cr_assert(f.why && !f.changed && f.l->jobs_count == JOBS_RATED_MAX);
    dlq_purge(&f, "t", "default", 600);
    cr_assert(!f.err && f.count == 600, "what makes room begins all the same");
    fixture_reload(&f);
    redrive(&f, "t", "default", UINT64_MAX, 1);
    cr_assert_eq(f.err, SHUNT_TOO_MANY, "a restart changes nothing");
    while (f.l->jobs_count < JOBS_MAX) { /* jobs that a step does not end */
        struct job_record r = {
            .kind = JOB_PURGE_DLQ, .topic = 2, .group = 1, .total = 1 << 20, .last = 1 << 20};
        struct job_record *j;
        r.id = f.l->meta.job_next++;
        cr_assert_eq(job_keep(f.l, &r, &j), 0);
        job_is_due(f.l, j);
    }
    publish(&f, "u", 1);
    dlq_purge(&f, "t", "default", 1);
    cr_assert_eq(f.err, SHUNT_TOO_MANY);
    topic_purge(&f, "u", NULL);
    cr_assert_eq(f.err, SHUNT_TOO_MANY);
    topic_delete(&f, "u");
    cr_assert_eq(f.err, SHUNT_TOO_MANY);
    cr_assert_not_null(ledger_topic(f.l, text("u")), "nothing was deleted");
    tick_until_quiet(&f); /* those without a rate find nothing more, and end */
    topic_delete(&f, "u");
    cr_assert_eq(f.err, 0);
    f.careless = true;
    end_counting(&f);
}

/* So many redrives with a rate, begun at the same time by a server that had no limit. */
static void begin_many(struct fixture *f, unsigned count)
{
    fixture_init(f);
    begin_to_count(f);
    topic_create(f, "t", settings(-1));
    kill(f, 3 * count);
    for (unsigned i = 0; i < count; i++) {
        f->l->jobs_rated = 0;
        redrive(f, "t", "default", 2, 1);
        cr_assert_eq(f->err, 0);
    }
    fixture_reload(f);
}

Test(ledger_bounds, a_tick_serves_a_bounded_number_of_jobs)
{
    struct fixture few, many;
    begin_many(&few, 256);
    uint64_t calls_few = calls_of_tick(&few, 1000);
    cr_assert_eq(few.l->jobs_count, 0);
    end_counting(&few);
    begin_many(&many, 1500);
    uint64_t calls_many = calls_of_tick(&many, 1000);
    cr_log_info("a tick costs %llu calls with 256 jobs due, %llu with 1500", (unsigned long long)calls_few,
                (unsigned long long)calls_many);
    cr_assert_lt(calls_many, calls_few * 3 / 2);
    tick_until_quiet(&many);
    cr_assert_eq(many.l->jobs_count, 0, "all come to their end");
    cr_assert_eq(fixture_group(&many, "t", "default")->r.counts.redriven, 3000);
    end_counting(&many);
}
