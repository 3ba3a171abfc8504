/* export: the messages of a stopped server's store as JSON lines, as many of them as can be read, however damaged the rest is. */
#ifndef SHUNT_BROKER_EXPORT_H
#define SHUNT_BROKER_EXPORT_H

#include "broker/config.h"

/* Write each message that the store in the setting `data` holds, and its journal, to a new file `to` (made as TO.partial, flushed, and
 * renamed), or to standard output if that is "-". Says on standard error what could not be read, and how many were written. SIGINT and
 * SIGTERM end it, and then nothing is left. The store is only read.
 * To be called once, by a process that has the store open nowhere else. Returns the exit status: EXIT_CODE_PROBLEMS if something could not be
 * read, EXIT_CODE_DATA if nothing could. */
int export_run(const struct config *config, const char *to);

#endif
