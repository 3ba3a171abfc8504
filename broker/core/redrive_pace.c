/* redrive_pace: how many letters a redrive may move now, and when it may move the next: by its phase and its rate.
 *
 * Many may begin, or go on, at the same moment: after a restart, or when the build comes that they wait for. So that those of one rate do
 * not move their letters at the same moments from then on, each has a place of its own within the time that its rate has for a letter.
 */
#include "broker/core/job.h"

#define THOUSANDTHS 1000ull
#define IDLE_MS     2000 /* a job that did nothing for longer is begun anew; it has lost a second's worth */

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
    uint64_t most = r->rate * THOUSANDTHS + THOUSANDTHS - 1; /* and the part of the next one that it has */
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

void redrive_paced(struct ledger *l, struct job_record *r)
{
    if (!r->rate)
        return;
    r->allowed_ms = l->now_ms;
    r->allowed = THOUSANDTHS + ledger_random(l, THOUSANDTHS);
}

void redrive_spend(struct ledger *l, struct job_record *r, uint64_t moved)
{
    if (!r->rate || !moved)
        return;
    bool idle = l->now_ms - r->allowed_ms > IDLE_MS;
    r->allowed = allowed(l, r) - moved * THOUSANDTHS;
    if (idle)
        r->allowed += ledger_random(l, THOUSANDTHS) - r->allowed % THOUSANDTHS;
    r->allowed_ms = l->now_ms;
}
