/* Outages and poison, in simulated time: a pool of workers, a ledger, and a downstream that is away for a while. */
#include "broker/core/breaker.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

enum { WORKERS = 50, STEP_MS = 50, WORK_MS = 500, FAIL_MS = 50 };

/* What a worker comes to with a message at that time. */
typedef bool well_fn(int64_t ms, uint64_t seq);

struct pool {
    struct fixture f;
    well_fn *well;
    struct worker {
        uint64_t seq; /* 0: idle */
        int64_t until_ms, leased_ms;
        bool well;
    } workers[WORKERS];
    unsigned idle;
    uint64_t outcomes, failed; /* of workers */
    uint64_t opened_after;     /* outcomes when it opened first */
};

static const struct group_counts *counts(struct pool *p)
{
    return &fixture_group(&p->f, "t", "default")->r.counts;
}

static void begin(struct pool *p, struct policy_change change, well_fn *well, uint32_t messages)
{
    memset(p, 0, sizeof *p);
    fixture_init(&p->f);
    p->f.quiet = p->f.careless = true;
    topic_create(&p->f, "t", change);
    for (uint32_t left = messages; left > 0;) {
        uint32_t count = left < 1000 ? left : 1000;
        publish(&p->f, "t", count);
        left -= count;
    }
    p->well = well;
    p->idle = WORKERS;
}

static void answer(struct pool *p, struct worker *w)
{
    p->outcomes++;
    p->failed += !w->well;
    resolve(&p->f, "t", "default",
            (struct resolution){.seq = w->seq,
                                .acked = w->well,
                                .outcome = ATTEMPT_NACKED,
                                .delay_ms = DELAY_BACKOFF,
                                .leased_ms = T0 + w->leased_ms,
                                .error_type = text("Refused")});
    if (p->f.opened && !p->opened_after)
        p->opened_after = p->outcomes;
    w->seq = 0;
    p->idle++;
}

static void take(struct pool *p, enum lane lane)
{
    int64_t now_ms = p->f.now_ms;
    uint32_t given = 0;
    assign_lane(&p->f, "t", "default", lane, p->idle);
    for (struct worker *w = p->workers; given < p->f.handed; w++) {
        if (w->seq)
            continue;
        w->seq = p->f.handed_seqs[given++];
        w->well = p->well(now_ms, w->seq);
        w->leased_ms = now_ms;
        w->until_ms = now_ms + (w->well ? WORK_MS : FAIL_MS);
    }
    p->idle -= given;
}

/* Until all are done or dead; returns the time. */
static int64_t run(struct pool *p, int64_t most_ms)
{
    for (int64_t ms = p->f.now_ms; ms < most_ms; ms += STEP_MS) {
        fixture_at(&p->f, ms);
        for (struct worker *w = p->workers; w < p->workers + WORKERS; w++) {
            if (w->seq && w->until_ms <= ms)
                answer(p, w);
        }
        const struct group_counts *n = counts(p);
        if (n->acked + n->dead == n->published)
            return ms;
        if (ledger_tick_at(p->f.l) <= T0 + ms)
            tick(&p->f, ms);
        if (p->idle && n->ready)
            take(p, LANE_NORMAL);
    }
    return most_ms;
}

/* ---- an outage ---- */

#define MESSAGES  10000u
#define OUTAGE_MS 30000

static bool always(int64_t ms, uint64_t seq)
{
    (void)ms;
    (void)seq;
    return true;
}

static bool after_the_outage(int64_t ms, uint64_t seq)
{
    (void)seq;
    return ms < 5000 || ms >= 5000 + OUTAGE_MS;
}

Test(ledger_outage, half_a_minute_without_a_downstream_costs_no_message)
{
    static struct pool p;
    begin(&p, settings(-1), always, MESSAGES);
    int64_t healthy_ms = run(&p, 3600000);
    cr_assert_eq(counts(&p)->acked, MESSAGES);
    fixture_done(&p.f);

    begin(&p, settings(-1), after_the_outage, MESSAGES);
    int64_t ms = run(&p, 10 * healthy_ms);
    cr_assert_eq(counts(&p)->dead, 0);
    cr_assert_eq(counts(&p)->acked, MESSAGES, "all are done");
    cr_assert(ms >= OUTAGE_MS && 2 * ms <= 3 * healthy_ms, "%lld ms, without the outage %lld", (long long)ms,
              (long long)healthy_ms);
    cr_assert(p.f.opened >= 1 && p.f.closed == p.f.opened);
    cr_assert_lt(p.failed, 200, "few were tried in vain");
    fixture_done(&p.f);
}

Test(ledger_outage, without_a_breaker_thousands_die_of_it)
{
    static struct pool p;
    begin(&p, settings(POLICY_breaker, BREAKER_OFF, -1), after_the_outage, MESSAGES);
    (void)run(&p, 5000 + OUTAGE_MS);
    cr_assert_gt(counts(&p)->dead, 2000, "%llu", (unsigned long long)counts(&p)->dead);
    cr_assert_eq(p.f.opened, 0);
    fixture_done(&p.f);
}

static bool never(int64_t ms, uint64_t seq)
{
    (void)ms;
    (void)seq;
    return false;
}

Test(ledger_outage, all_failing_opens_it_within_fifty_outcomes)
{
    static struct pool p;
    begin(&p, settings(-1), never, 1000);
    (void)run(&p, 60000);
    cr_assert(p.opened_after && p.opened_after <= 50, "%llu", (unsigned long long)p.opened_after);
    cr_assert_eq(counts(&p)->dead, 0);
    fixture_done(&p.f);
}

/* One worker at a time retries what waits before it takes new ones; in doubt it does not. */
Test(ledger_outage, all_failing_opens_it_within_fifty_outcomes_of_a_single_worker)
{
    struct fixture f;
    fixture_init(&f);
    f.quiet = f.careless = true;
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", 1000);
    unsigned outcomes = 0;
    for (int64_t ms = 0; !f.opened && outcomes < 1000; ms += 1000, outcomes++) {
        tick(&f, ms);
        assign(&f, "t", "default", 1);
        resolve(&f, "t", "default",
                (struct resolution){.seq = f.handed_seqs[0],
                                    .outcome = ATTEMPT_NACKED,
                                    .delay_ms = DELAY_BACKOFF,
                                    .leased_ms = T0 + ms});
    }
    cr_assert_leq(outcomes, 50);
    cr_assert_eq(fixture_group(&f, "t", "default")->r.counts.dead, 0);
    fixture_done(&f);
}

/* ---- poison ---- */

static uint64_t dice;

static bool one_in_twenty_fails(int64_t ms, uint64_t seq)
{
    (void)ms;
    (void)seq;
    dice = dice * 6364136223846793005ull + 1442695040888963407ull;
    return (dice >> 33) % 20 != 0;
}

Test(ledger_outage, a_failure_in_twenty_never_opens_it)
{
    static struct pool p;
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        dice = seed * 0x9e3779b97f4a7c15ull;
        begin(&p, settings(-1), one_in_twenty_fails, 150);
        (void)run(&p, 3600000);
        cr_assert_eq(p.f.opened, 0, "seed %llu", (unsigned long long)seed);
        fixture_done(&p.f);
    }
}

static bool some_are_poison(int64_t ms, uint64_t seq)
{
    (void)ms;
    return seq > 20;
}

Test(ledger_outage, a_group_with_a_few_that_fail_never_opens_it)
{
    static struct pool p;
    begin(&p, settings(-1), some_are_poison, 25);
    (void)run(&p, 3600000);
    cr_assert_eq(p.f.opened, 0);
    cr_assert_eq(counts(&p)->dead, 20);
    fixture_done(&p.f);
}

/* More poison than it takes to open it, with others behind: it opens, and poison dies all the same. */
static bool many_are_poison(int64_t ms, uint64_t seq)
{
    (void)ms;
    return seq > 60;
}

Test(ledger_outage, poison_that_looks_like_an_outage_stops_nothing_for_good)
{
    static struct pool p;
    begin(&p, settings(-1), many_are_poison, 1000);
    int64_t ms = run(&p, 3600000);
    cr_assert_geq(p.f.opened, 1);
    cr_assert_eq(counts(&p)->acked, 940);
    cr_assert_eq(counts(&p)->dead, 60);
    cr_assert_lt(ms, 3600000);
    fixture_done(&p.f);
}
