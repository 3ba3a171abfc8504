/* store_lock: one process at a time uses a data directory.
 *
 * LMDB itself lets any number of processes open and write one directory, so the guard is ours: an exclusive
 * lock on DIR/lock, taken before anything else there is touched. The kernel drops it however the process
 * ends. The file holds the owner's process id, which a second process names in its error, and stays behind:
 * removing it would let two processes in.
 */
#ifndef SHUNT_STORE_STORE_LOCK_H
#define SHUNT_STORE_STORE_LOCK_H

#include <stdbool.h>
#include <stddef.h>

/* Take the lock. With `read_only`, a directory in which nothing can be written and no lock file is there
 * needs none, because no server can run in it either: *ret_fd is then -1. fails: STORE_LOCKED, STORE_READ_ONLY,
 * NOT_FOUND (no directory), NO_SPACE, IO. */
int store_lock_take(const char *dir, bool read_only, int *ret_fd, char *ret_why, size_t why_bytes);

/* Give it back. Takes -1. */
void store_lock_release(int fd);

#endif
