/* ledger_breaker: a group whose breaker opens soon, for the tests of breakers. */
#ifndef SHUNT_TESTS_LEDGER_BREAKER_H
#define SHUNT_TESTS_LEDGER_BREAKER_H

#include "broker/core/breaker.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>

/* Opens after 4 of 5; pauses of up to 100 ms, 200 ms, 300 ms. Waits after failures are 1 ms. */
static inline struct policy_change small(void)
{
    return settings(POLICY_breaker_window, 5, POLICY_breaker_threshold, 80, POLICY_breaker_pause_min_ms, 100,
                    POLICY_breaker_pause_max_ms, 300, POLICY_backoff_min_ms, 1, POLICY_backoff_max_ms, 1, -1);
}

static inline struct group *g_of(struct fixture *f)
{
    return fixture_group(f, "t", "default");
}

static inline enum breaker_state state(struct fixture *f)
{
    const struct breaker *b = g_of(f)->breaker;
    return b ? b->r.state : BREAKER_CLOSED;
}

static inline uint64_t trips(struct fixture *f)
{
    return g_of(f)->breaker ? g_of(f)->breaker->r.trips : 0;
}

/* The message, handed out at `leased_ms`, ends so. */
static inline void end(struct fixture *f, uint64_t seq, enum attempt_outcome outcome, int64_t leased_ms)
{
    resolve(f, "t", "default",
            (struct resolution){
                .seq = seq, .outcome = outcome, .delay_ms = DELAY_BACKOFF, .leased_ms = T0 + leased_ms});
}

static inline void nack_now(struct fixture *f, uint64_t seq)
{
    end(f, seq, ATTEMPT_NACKED, f->now_ms);
}

/* Topic `t` with these settings, `published` messages, and the first `count` out. */
static inline void begin(struct fixture *f, struct policy_change change, uint32_t published, uint32_t count)
{
    fixture_init_held(f, change, published, count);
    fixture_at(f, 10);
    f->quiet = true;
}

/* It has opened at 10 ms, by the failures of 1 to 4; 5 and 6 are still out, and there are 20 in all. */
static inline void begin_open(struct fixture *f)
{
    begin(f, small(), 20, 6);
    for (uint64_t seq = 1; seq <= 4; seq++)
        nack_now(f, seq);
    cr_assert_eq(state(f), BREAKER_OPEN);
}

/* The pause is over: the next one handed out is the probe. Returns it. */
static inline uint64_t probe(struct fixture *f)
{
    int64_t until_ms = g_of(f)->breaker->r.until_ms - T0;
    tick(f, until_ms - 1);
    cr_assert_eq(state(f), BREAKER_OPEN, "not before");
    assign(f, "t", "default", 10);
    cr_assert_eq(f->handed, 0);
    tick(f, until_ms);
    cr_assert_eq(state(f), BREAKER_HALF_OPEN);
    assign(f, "t", "default", 10);
    cr_assert_eq(f->handed, 1, "one goes out");
    uint64_t seq = f->handed_seqs[0];
    assign(f, "t", "default", 10);
    cr_assert_eq(f->handed, 0, "and no other");
    return seq;
}

#endif
