/* job: following what the broker does in the background. */
#ifndef SHUNT_CLI_JOB_H
#define SHUNT_CLI_JOB_H

#include <stdint.h>

struct call;

/* Wait until the job is done, with its progress on stderr if that is a terminal. `what` is a participle:
 * "redriven". *ret_done (may be NULL) is how many it has touched. The job goes on whatever happens to us; if
 * a signal ends the waiting, it is told how the job is stopped. Returns an exit code: EXIT_PARTLY then. */
int job_follow(struct call *call, uint64_t job, const char *what, uint64_t *ret_done);

#endif
