/* stop_signals: SIGTERM and SIGINT as a word to running workers.
 *
 * Signals belong to the process and workers to threads, so all workers that run are told. The first worker
 * installs the handlers, the last one puts the old ones back. A signal that the program ignores stays ignored
 * (as under nohup, or a shell's background job). Signals that come within half a second count as one: some
 * tools send to the process, and then again to its group. A process that the program forked meanwhile
 * inherits the handlers; there a signal does what it would do without us, and no worker is told, until it runs
 * workers of its own: then those are.
 */
#ifndef SHUNT_CLIENT_WORKER_STOP_SIGNALS_H
#define SHUNT_CLIENT_WORKER_STOP_SIGNALS_H

#include "client/shunt.h"

#define STOP_WORKERS_MAX 64
#define STOP_SAME_MS     500

/* From now on a signal writes to `wake_fd`, an eventfd. `second_kills`: a second signal does what it would
 * have done without us, because a handler may never return. fails: TOO_MANY (STOP_WORKERS_MAX), IO. */
int stop_signals_begin(int wake_fd, bool second_kills, struct shunt_error *err);
/* With the same arguments. Takes what did not begin. */
void stop_signals_end(int wake_fd, bool second_kills);
/* How often the process was told to stop since the first of the workers that run began: 0, 1, 2. */
int stop_signals_seen(void);

#endif
