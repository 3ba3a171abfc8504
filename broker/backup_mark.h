/* backup_mark: when a store was backed up, told beside the store by the process that did it, for the server that serves it.
 *
 *     DIR/backup-succeeded     one line each: milliseconds since 1970. What is not there has never been,
 *     DIR/backup-failed        or not since the store was put into this directory
 *
 * A file appears whole or stays as it was, also over a power loss, and nothing of the store is opened for it. Two backups at a time may
 * both write it: it holds the time of one of them. */
#ifndef SHUNT_BACKUP_MARK_H
#define SHUNT_BACKUP_MARK_H

#include <stddef.h>
#include <stdint.h>

enum backup_outcome { BACKUP_SUCCEEDED, BACKUP_FAILED };

/* Note it for the store in `dir`. fails: IO, NO_SPACE and the like; `ret_why` gets a sentence. */
int backup_mark_write(const char *dir, enum backup_outcome outcome, int64_t wall_ms, char *ret_why,
                      size_t why_bytes);

/* When it was; 0: never, or what is there is no such file. */
int64_t backup_mark_read(const char *dir, enum backup_outcome outcome);

#endif
