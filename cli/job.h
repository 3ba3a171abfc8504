/* job: following what the broker does in the background. */
#ifndef SHUNT_CLI_JOB_H
#define SHUNT_CLI_JOB_H

#include <stdbool.h>
#include <stdint.h>

struct call;

/* Wait until the job is over (with `outcomes`: and all of its messages have an outcome), with its progress on stderr: a bar if
 * that is a terminal, otherwise a line for each phase of a redrive. `what` is a participle: "redriven". *ret_done (may be NULL)
 * is how many it has touched. If it is not 0 before the call, we have begun the job, which touches so many at most: that stays
 * if one may not look at the job, which is then told and no error. The job goes on whatever happens to us; if a signal ends the
 * waiting, it is told how the job is stopped. Returns an exit code: EXIT_PARTLY then, and if the job stopped by itself, which is
 * told. */
int job_follow(struct call *call, uint64_t job, const char *what, bool outcomes, uint64_t *ret_done);

#endif
