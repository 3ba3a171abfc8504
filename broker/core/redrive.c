/* redrive: the phases of a job that takes dead letters back, and their outcomes.
 *
 *     HELD ──► CANARY ──► RAMP ──► RUNNING ──► DONE
 *
 * CANARY: the first few are out; when they are acked, RAMP; when one of them fails, the job stops by itself. RAMP: twice as
 * many as before are out, each time all of them have an outcome, until that is a second's worth of the rate (without a rate:
 * to the end, or up to REDRIVE_ROUND_MAX if too many failures stop it, so that not all of it is out by then). With such a stop and
 * neither a rate nor a canary it begins with RAMP. A job that waits for outcomes is due when the last of them comes.
 *
 * With max_fail, too many failures of all stop it, or too many of the latest: what begins to fail late would never outweigh what went well
 * before. An outcome is known with the first charged failure of the message, or with its end. If it is acked after a failure, it
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

/* The slice that the latest outcome is in. */
static unsigned recent_at(const struct job_record *r)
{
    return (unsigned)((known(r) - 1) / RECENT_SLICE % RECENT_SLICES);
}

/* A message that had that outcome has this one, and is counted so. That one which failed is acked after all is taken off the latest
 * failures, because nothing says which of them it was. */
static void note_recent(struct job_record *r, enum redrive_outcome was, bool failed)
{
    bool again = was != REDRIVE_PENDING;
    if (!r->has_max_fail || job_over(r) || !known(r))
        return;
    unsigned at = recent_at(r);
    if (!again && (known(r) - 1) % RECENT_SLICE == 0)
        r->recent[at] = 0;
    if (!again)
        r->recent[at] += failed;
    for (unsigned i = 0; again && i < RECENT_SLICES; i++) {
        uint8_t *slice = &r->recent[(at + RECENT_SLICES - i) % RECENT_SLICES];
        again = !*slice;
        *slice = (uint8_t)(*slice - (*slice > 0));
    }
}

static uint64_t recent_failures(const struct job_record *r)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < RECENT_SLICES; i++)
        sum += r->recent[i];
    return sum;
}

/* As many as the slices count once all have been used: the last one may not be full. */
static uint64_t recent_known(const struct job_record *r)
{
    return REDRIVE_RECENT - RECENT_SLICE + 1 + (known(r) - 1) % RECENT_SLICE;
}

static bool is_too_many(const struct job_record *r, uint64_t failed, uint64_t of)
{
    return r->has_max_fail && failed * THOUSANDTHS > of * r->max_fail;
}

static bool fails_lately(const struct job_record *r)
{
    return known(r) > REDRIVE_RECENT && is_too_many(r, recent_failures(r), recent_known(r));
}

static bool fails_too_often(const struct job_record *r)
{
    return (phase_of(r) == JOB_CANARY && failures(r)) || is_too_many(r, failures(r), known(r));
}

static void stop(struct ledger *l, struct job *j, uint64_t seq, bool same)
{
    struct job_record *r = &j->r;
    r->stopped_recent = !fails_too_often(r);
    r->stopped_seq = seq;
    r->stopped_same = same;
    r->stopped_failed = r->stopped_recent ? recent_failures(r) : failures(r);
    r->stopped_known = r->stopped_recent ? recent_known(r) : known(r);
    r->before = phase_of(r);
    job_enter(l, j, JOB_STOPPED);
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

static int heed_outcome(struct ledger *l, struct job *j, uint64_t seq, enum redrive_outcome was,
                        enum redrive_outcome outcome)
{
    struct job_record *r = &j->r;
    bool failed = outcome == REDRIVE_FAILED_SAME || outcome == REDRIVE_FAILED_OTHER;
    if (outcome != REDRIVE_GONE)
        note_recent(r, was, failed);
    if (failed && !job_over(r) && (fails_too_often(r) || fails_lately(r)))
        stop(l, j, seq, outcome == REDRIVE_FAILED_SAME);
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
    return heed_outcome(l, j, seq, row->outcome, outcome);
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
