/* fork_count: how a process finds out that it was forked. A process that fork() made has copies of all
 * handles and of their sockets; what it sent on one would end up in the middle of what its parent sends. */
#ifndef SHUNT_CLIENT_DRIVING_FORK_COUNT_H
#define SHUNT_CLIENT_DRIVING_FORK_COUNT_H

#include "client/shunt.h"

/* Begin to count, at the latest with the first handle. fails: NO_MEMORY. */
int fork_count_begin(struct shunt_error *err);
/* How often fork() has led to this process since; its parent's number differs. vfork() and clone() do not
 * count. Costs one read: asking for the process id would be a system call. */
unsigned fork_count(void);

#endif
