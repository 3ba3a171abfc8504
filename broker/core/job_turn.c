/* job_turn: jobs begin, take their turns, and are paused, resumed and cancelled by operators. */
#include "base/check.h"
#include "broker/core/cause.h"
#include "broker/core/job.h"

#include <stdlib.h>

#define TICK_PAGE_ROWS 2048 /* by all jobs in one tick */
#define TICK_JOBS_MAX  256  /* that have their turn in one tick, each with a few rows at least */

/* ---- turns ---- */

int job_step(struct ledger *l, struct job *j, unsigned page)
{
    typedef int step_fn(struct ledger * l, struct job * j, unsigned page, bool *ret_over);
    static step_fn *const steps[] = {[JOB_REDRIVE] = job_dead_step,
                                     [JOB_PURGE_DLQ] = job_dead_step,
                                     [JOB_PURGE] = job_purge_step,
                                     [JOB_DROP] = job_drop_step,
                                     [JOB_CAUSES] = triage_step};
    bool over = false;
    if (j->r.kind == JOB_REDRIVE && l->room.fullness == STORE_LAST && j->r.begun_ms < l->now_ms)
        return 0; /* what comes back takes a little more than a dead letter: it waits for room */
    int err = steps[j->r.kind](l, j, page, &over);
    if (err)
        return err;
    job_dirty(l, j);
    if (over)
        job_enter(l, j, JOB_DONE);
    return 0;
}

/* Those that are due share a tick evenly: a stored order would have to be kept, and the oldest first would
 * let the others wait. Of more than fit, as many as do have their turn, from any one on. */
int jobs_step(struct ledger *l)
{
    uint32_t due = jobs_take_due(l), served = due < TICK_JOBS_MAX ? due : TICK_JOBS_MAX;
    uint64_t first = served < due ? ledger_random(l, due) : 0;
    unsigned page = served ? TICK_PAGE_ROWS / served : 0;
    int err = 0, failed;
    page = page < JOB_PAGE_ROWS ? page : JOB_PAGE_ROWS;
    for (uint32_t i = 0; !err && i < served; i++)
        err = job_step(l, l->jobs_due[(first + i) % due], page);
    failed = jobs_put_back(l, due);
    return err ? err : failed;
}

/* ---- beginning ---- */

bool job_may_begin(struct ledger *l, uint32_t rate)
{
    const char *why = jobs_full(l, rate);
    if (why)
        ledger_tell_done(l, SHUNT_TOO_MANY, why, 0, 0);
    return !why;
}

int job_begin(struct ledger *l, struct job *j)
{
    if (!j)
        return SHUNT_NO_MEMORY;
    j->r.id = l->meta.job_next++;
    j->r.begun_ms = j->r.allowed_ms = l->now_ms;
    redrive_paced(l, &j->r);
    int err = job_keep(l, j);
    if (!err && j->r.phase == JOB_HELD)
        job_tell_held(l, j);
    if (!err)
        err = job_step(l, j, JOB_PAGE_ROWS);
    return err ? err : job_changed(l, j);
}

int job_begin_told(struct ledger *l, struct job *j, uint64_t count)
{
    uint64_t id = l->meta.job_next;
    if (j)
        j->r.total = count;
    int err = job_begin(l, j);
    if (!err)
        ledger_tell_done(l, 0, NULL, id, count);
    return err;
}

bool job_of_causes_begins(const struct ledger *l)
{
    for (size_t i = 0; l->causes_unknown && i < l->jobs_count; i++) {
        if (l->jobs[i]->r.kind == JOB_CAUSES)
            return false;
    }
    return l->causes_unknown && !jobs_full(l, 0);
}

int job_begin_causes(struct ledger *l)
{
    struct job *j = calloc(1, sizeof *j);
    for (size_t i = 0; j && i < l->groups_count; i++) {
        if (!l->groups[i]->r.causes_known && !l->groups[i]->r.dropped)
            j->r.total += l->groups[i]->r.counts.dead;
    }
    if (j)
        j->r.kind = JOB_CAUSES;
    return job_begin(l, j);
}

/* ---- what operators do with one ---- */

/* One that they may; otherwise tells why not. */
static struct job *theirs(struct ledger *l, uint64_t id)
{
    struct job *j = job_find(l, id);
    const char *why = NULL;
    bool over = j && job_over(&j->r);
    if (j && !over && j->r.kind == JOB_DROP)
        why = "what was deleted is cleared away; that can be neither paused nor cancelled";
    if (j && !over && j->r.kind == JOB_CAUSES)
        why = "dead letters of an older server get their causes; that can be neither paused nor cancelled";
    if (j && !why)
        return j;
    ledger_tell_done(l, j ? SHUNT_BAD_ARGUMENT : SHUNT_NOT_FOUND, why, id, 0);
    return NULL;
}

int apply_job_cancel(struct ledger *l, uint64_t id)
{
    struct job *j = theirs(l, id);
    if (!j)
        return 0;
    ledger_tell_done(l, 0, NULL, id, 0);
    if (job_over(&j->r))
        return 0;
    job_enter(l, j, JOB_CANCELLED);
    return job_changed(l, j);
}

static int set_paused(struct ledger *l, uint64_t id, bool paused)
{
    struct job *j = theirs(l, id);
    if (!j)
        return 0;
    bool over = job_over(&j->r);
    ledger_tell_done(l, over ? SHUNT_BAD_ARGUMENT : 0, over ? "the job is over" : NULL, id, 0);
    if (over || paused == (j->r.phase == JOB_PAUSED))
        return 0;
    job_enter(l, j, paused ? JOB_PAUSED : j->r.before);
    j->r.refusal = 0; /* it is tried again */
    if (j->r.phase == JOB_HELD)
        job_tell_held(l, j);
    if (j->r.kind == JOB_REDRIVE)
        redrive_goes_on(l, j); /* the last outcome may have come meanwhile */
    return job_changed(l, j);
}

int apply_job_pause(struct ledger *l, uint64_t id)
{
    return set_paused(l, id, true);
}

int apply_job_resume(struct ledger *l, uint64_t id)
{
    return set_paused(l, id, false);
}
