/* ledger_redrive: dead letters of a fixture, redrives of them, and what a job says. */
#ifndef SHUNT_TESTS_LEDGER_REDRIVE_H
#define SHUNT_TESTS_LEDGER_REDRIVE_H

#include "broker/core/cause.h"
#include "broker/core/job.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static inline void fail_as(struct fixture *f, uint64_t seq, enum attempt_outcome outcome, const char *type,
                           const char *message)
{
    resolve(f, "t", "default",
            (struct resolution){.seq = seq,
                                .token = fixture_token(f, fixture_group(f, "t", "default")->r.id, seq),
                                .outcome = outcome,
                                .delay_ms = DELAY_BACKOFF,
                                .error_type = text(type),
                                .error_message = text(message)});
}

static inline uint64_t titled_cause(struct fixture *f, const char *begin)
{
    const struct group *g = fixture_group(f, "t", "default");
    for (size_t i = 0; i < g->causes_count; i++) {
        if (!strncmp(g->causes[i]->r.title, begin, strlen(begin)))
            return g->causes[i]->fingerprint;
    }
    cr_assert_fail("no cause %s", begin);
    return 0;
}

/* Messages from..to, each rejected with an error of that type. */
static inline void die(struct fixture *f, uint64_t from, uint64_t to, const char *type)
{
    publish(f, "t", (uint32_t)(to - from + 1));
    assign(f, "t", "default", (uint32_t)(to - from + 1));
    for (uint64_t seq = from; seq <= to; seq++)
        fail_as(f, seq, ATTEMPT_REJECTED, type, "as planted");
}

/* `count` letters of type A, numbers from 1. */
static inline void begin(struct fixture *f, uint64_t count)
{
    fixture_init(f);
    f->quiet = true;
    topic_create(f, "t", settings(POLICY_max_attempts, 2, -1));
    die(f, 1, count, "A");
}

static inline struct dead_command all(void)
{
    return (struct dead_command){.topic = text("t"), .group = text("default"), .count = UINT64_MAX};
}

static inline uint64_t redriven(struct fixture *f)
{
    return fixture_group(f, "t", "default")->r.counts.redriven;
}

static inline void take_and_ack(struct fixture *f, uint64_t from, uint64_t to)
{
    assign(f, "t", "default", (uint32_t)(to - from + 1));
    for (uint64_t seq = from; seq <= to; seq++)
        ack(f, "t", "default", seq);
    cr_assert_eq(f->stale, 0);
}

static inline void expect_outcomes(struct fixture *f, uint64_t job, uint64_t pending, uint64_t acked,
                                   uint64_t same, uint64_t other, uint64_t gone)
{
    const uint64_t want[REDRIVE_OUTCOMES] = {pending, acked, same, other, gone};
    static const char *const names[] = REDRIVE_OUTCOME_NAMES;
    struct job_record r = job_of(f, job);
    uint64_t sum = 0;
    for (unsigned i = 0; i < REDRIVE_OUTCOMES; i++) {
        cr_assert_eq(r.outcomes[i], want[i], "%s: %llu", names[i], (unsigned long long)r.outcomes[i]);
        sum += r.outcomes[i];
    }
    cr_assert_eq(sum, r.done, "each that was moved has one");
}

static inline void expect_phase(struct fixture *f, uint64_t job, enum job_phase phase)
{
    static const char *const names[] = JOB_PHASE_NAMES;
    enum job_phase is = job_of(f, job).phase;
    cr_assert_eq(is, phase, "%s, not %s", names[is], names[phase]);
}

#endif
