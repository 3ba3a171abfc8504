/* redrive_pace: how many letters a redrive may move now, and when it may move the next: by its phase and its rate. */
#include "broker/core/job.h"

#define THOUSANDTHS 1000ull

enum job_phase redrive_begins(const struct job_record *r)
{
    if (r->canary)
        return JOB_CANARY;
    /* What is to stop it must be known before all have gone. With a rate, it is; another topic has no outcomes. */
    return r->has_max_fail && !r->rate && !r->to[0] ? JOB_RAMP : JOB_RUNNING;
}

uint64_t redrive_target(const struct job_record *r)
{
    if (r->phase == JOB_CANARY) /* one that is gone tells nothing: another one takes its place */
        return r->canary + r->outcomes[REDRIVE_GONE];
    if (r->phase == JOB_RAMP)
        return r->round ? r->round_end : REDRIVE_ROUND_LEAST;
    return UINT64_MAX;
}

/* Thousandths of messages that the rate allows now: no more than a second's worth, however long it did nothing. */
static uint64_t allowed(const struct ledger *l, const struct job_record *r)
{
    int64_t elapsed_ms = l->now_ms - r->allowed_ms;
    uint64_t most = r->rate * THOUSANDTHS;
    uint64_t sum = r->allowed + (uint64_t)(elapsed_ms < 1000 ? elapsed_ms : 1000) * r->rate;
    return sum < most ? sum : most;
}

int64_t redrive_at(const struct job_record *r)
{
    if (r->done >= redrive_target(r) || r->phase == JOB_HELD)
        return NEVER;
    if (!r->rate)
        return 0; /* always */
    uint64_t missing = r->allowed < THOUSANDTHS ? THOUSANDTHS - r->allowed : 0;
    return r->allowed_ms + (int64_t)((missing + r->rate - 1) / r->rate);
}

uint64_t redrive_allowance(const struct ledger *l, const struct job_record *r)
{
    uint64_t may = redrive_target(r) > r->done ? redrive_target(r) - r->done : 0;
    uint64_t rated = r->rate ? allowed(l, r) / THOUSANDTHS : may;
    return rated < may ? rated : may;
}

void redrive_spend(struct ledger *l, struct job_record *r, uint64_t moved)
{
    if (!r->rate || !moved)
        return;
    r->allowed = allowed(l, r) - moved * THOUSANDTHS;
    r->allowed_ms = l->now_ms;
}
