/* backup: a copy of a store, made beside the server that serves it, or of a stopped one. */
#ifndef SHUNT_BROKER_BACKUP_H
#define SHUNT_BROKER_BACKUP_H

#include "broker/config.h"

struct backup_options {
    const struct config *config; /* the server's: where the store is, and how far it may grow */
    const char *to;              /* the directory to be made; its parent exists */
    uint64_t rate;               /* bytes a second; 0: as fast as it goes */
};

/* Write all that the store and its journal held at one commit into a directory of that name, as a store without a journal. That commit is
 * the last one that was durable at a moment between the call and the beginning of the copying, so all that was confirmed before the call is
 * in it. The directory is made as TO.partial, checked as `--check` does, flushed, and renamed: TO is whole, or is not there. SIGINT and
 * SIGTERM end it. Says on standard error what went wrong and what to do; on standard output, what was done.
 * To be called once, by a process that has the store open nowhere else. Returns the exit status. */
int backup_run(const struct backup_options *options);

#endif
