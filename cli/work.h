/* work: the command of that name. */
#ifndef SHUNT_CLI_WORK_H
#define SHUNT_CLI_WORK_H

struct call;

/* Returns the exit code. */
int work_run(struct call *call);

#endif
