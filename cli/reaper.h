/* reaper: a worker that is process 1 of a container is given every orphan there, and must take their ends, or
 * they stay as zombies. (What its own commands leave behind, their guards take.) */
#ifndef SHUNT_CLI_REAPER_H
#define SHUNT_CLI_REAPER_H

#include <stdbool.h>
#include <sys/types.h>

/* Are orphans given to this process? */
bool reaper_needed(void);

/* Reap what has ended and is not ours. Stops at the first that is ours: the code that waits for it reaps
 * it soon. */
void reaper_turn(bool (*is_ours)(const void *context, pid_t pid), const void *context);

#endif
