/* redrive: the phases of a job that takes dead letters back, and their outcomes.
 *
 *     HELD ──► CANARY ──► RAMP ──► RUNNING ──► DONE
 *
 * CANARY: the first few are out; when they are acked, RAMP; when one of them fails, the job stops by itself. RAMP: twice as
 * many as before are out, each time all of them have an outcome, until that is a second's worth of the rate (without a rate:
 * to the end, or up to REDRIVE_ROUND_MAX if too many failures stop it, so that not all of it is out by then). With such a stop and
 * neither a rate nor a canary it begins with RAMP. A job that waits for outcomes is due when the last of them comes.
 *
 * An outcome is known with the first charged failure of the message, or with its end. If it is acked after a failure, it
 * counts as acked from then on. The message's row names the job, so that an outcome costs one look at it.
 */
#include "broker/core/cause.h"
#include "broker/core/job.h"
#include "broker/core/rule.h"

#define THOUSANDTHS 1000ull

int64_t redrive_moves(struct ledger *l, struct attempt_record *row, uint64_t cause)
{
    struct job_record *r = &l->redriving->r;
    row->job = r->id;
    row->job_cause = cause;
    row->outcome = REDRIVE_PENDING;
    row->ruled = 0; /* a person has brought it back */
    r->outcomes[REDRIVE_PENDING]++;
    if (!r->spread_ms || r->phase == JOB_CANARY) /* those are waited for */
        return 0;
    return l->now_ms + (int64_t)ledger_random(l, (uint64_t)r->spread_ms + 1);
}

/* ---- outcomes ---- */

static uint64_t failures(const struct job_record *r)
{
    return r->outcomes[REDRIVE_FAILED_SAME] + r->outcomes[REDRIVE_FAILED_OTHER];
}

/* In which it is, or goes on. */
static enum job_phase phase_of(const struct job_record *r)
{
    return r->phase == JOB_PAUSED ? r->before : r->phase;
}

static uint64_t known(const struct job_record *r)
{
    return failures(r) + r->outcomes[REDRIVE_ACKED];
}

static bool fails_too_often(const struct job_record *r)
{
    uint64_t failed = failures(r);
    return (phase_of(r) == JOB_CANARY && failed) ||
           (r->has_max_fail && failed * THOUSANDTHS > known(r) * r->max_fail);
}

/* All that are out have an outcome: twice as many. */
static void next_round(struct ledger *l, struct job *j)
{
    struct job_record *r = &j->r;
    if (r->phase == JOB_CANARY) {
        job_enter(l, j, JOB_RAMP);
        r->round = r->canary;
    }
    r->round = r->round ? r->round * 2 : 2 * REDRIVE_ROUND_LEAST;
    if (r->has_max_fail && !r->rate && r->round > REDRIVE_ROUND_MAX)
        r->round = REDRIVE_ROUND_MAX;
    r->round_end = r->done + r->round;
    if (r->rate && r->round >= r->rate)
        job_enter(l, j, JOB_RUNNING);
}

void redrive_goes_on(struct ledger *l, struct job *j)
{
    struct job_record *r = &j->r;
    if (!job_over(r) && r->done >= redrive_target(r) && !r->outcomes[REDRIVE_PENDING])
        next_round(l, j);
}

static int heed_outcome(struct ledger *l, struct job *j, uint64_t seq, enum redrive_outcome outcome)
{
    struct job_record *r = &j->r;
    bool failed = outcome == REDRIVE_FAILED_SAME || outcome == REDRIVE_FAILED_OTHER;
    if (failed && !job_over(r) && fails_too_often(r)) {
        r->stopped_seq = seq;
        r->stopped_same = outcome == REDRIVE_FAILED_SAME;
        r->stopped_failed = failures(r);
        r->stopped_known = known(r);
        r->before = phase_of(r);
        job_enter(l, j, JOB_STOPPED);
    }
    redrive_goes_on(l, j);
    return job_changed(l, j);
}

/* The first outcome of a message counts for its group; the job has the latest. */
static int set_outcome(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row,
                       enum redrive_outcome outcome)
{
    struct job *j = job_find(l, row->job);
    if (row->outcome == REDRIVE_PENDING) {
        g->r.counts.outcomes[outcome]++;
        ledger_dirty_group(l, g);
    }
    if (!j) {
        rule_outcome(l, g, row, outcome);
        return 0;
    }
    j->r.outcomes[row->outcome]--;
    j->r.outcomes[outcome]++;
    return heed_outcome(l, j, seq, outcome);
}

static int fail_of(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row,
                   uint64_t cause)
{
    enum redrive_outcome outcome = cause == row->job_cause ? REDRIVE_FAILED_SAME : REDRIVE_FAILED_OTHER;
    int err = set_outcome(l, g, seq, row, outcome);
    row->outcome = outcome;
    return err;
}

int redrive_failed(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row,
                   const struct history_record *last)
{
    if (!row->job || row->outcome != REDRIVE_PENDING)
        return 0;
    return fail_of(l, g, seq, row, cause_would_be(l, g, DEAD_MAX_ATTEMPTS, last));
}

int redrive_died(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row, uint64_t cause)
{
    int err = row->job && row->outcome == REDRIVE_PENDING ? fail_of(l, g, seq, row, cause) : 0;
    row->job = 0; /* the next redrive of it has the outcome of that */
    return err;
}

int redrive_ended(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row,
                  bool acked)
{
    if (!row->job || (!acked && row->outcome != REDRIVE_PENDING))
        return 0;
    return set_outcome(l, g, seq, row, redrive_outcome_at_end(row, acked));
}
