/* store_file: what a store on disk needs of files and directories, without a word about what is in them.
 *
 *     DIR/lock        held while a process uses the directory (store_lock.h)
 *     DIR/data.mdb    the store; appears whole or not at all
 *     DIR/journal     what the store does not have yet, if it goes with a journal (broker/journal)
 *     DIR/lock.mdb    LMDB's table of readers, rebuilt at every start
 *     DIR/creating/   a store being made; left behind by a crash, removed at the next start
 *
 * Functions that say `ret_why` write one sentence into it when they fail: what, where and what to do.
 */
#ifndef SHUNT_STORE_STORE_FILE_H
#define SHUNT_STORE_STORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_PATH_BYTES   4096
#define STORE_DATA_NAME    "data.mdb"
#define STORE_READERS_NAME "lock.mdb"
#define STORE_LOCK_NAME    "lock"
#define STORE_NEW_NAME     "creating"

/* The code for an errno: NO_SPACE, STORE_READ_ONLY, NOT_FOUND, NO_MEMORY or IO. */
int store_file_error(int number);

/* The code for errno, after `doing` something to `path` failed, and the sentence that says so. */
int store_file_failed(const char *doing, const char *path, char *ret_why, size_t why_bytes);

/* Make a file, or a directory's list of files, durable.
 * fails: IO and the like. */
int store_file_sync(const char *path, char *ret_why, size_t why_bytes);

/* Write DIR/NAME into `to`, which holds STORE_PATH_BYTES.
 * fails: BAD_ARGUMENT if it does not fit. */
int store_file_path(char *to, const char *dir, const char *name);

/* The same, with a sentence. */
int store_file_join(char *to, const char *dir, const char *name, char *ret_why, size_t why_bytes);

/* Make DIR if it is not there (not its parents) and make that durable.
 * fails: STORE_READ_ONLY, NO_SPACE, IO (also if DIR is no directory). */
int store_file_make_dir(const char *dir, char *ret_why, size_t why_bytes);

/* The size of DIR/data.mdb.
 * fails: NOT_FOUND; IO and the like if it cannot be asked, or is not a plain file. */
int store_file_size(const char *dir, uint64_t *ret_bytes, char *ret_why, size_t why_bytes);

/* Does DIR/data.mdb look like a store at all? To be asked before LMDB, which takes an empty file for a new
 * store. fails: STORE_TRUNCATED if it is empty or ends within the first two pages; CORRUPT if it is something
 * else; IO. */
int store_file_check(const char *dir, char *ret_why, size_t why_bytes);

/* Remove what a creation that was cut short has left. Nothing there is no failure.
 * fails: STORE_READ_ONLY, IO. */
int store_file_clean(const char *dir, char *ret_why, size_t why_bytes);

/* Make an empty DIR/creating and write its path into `to`, which holds STORE_PATH_BYTES. */
int store_file_create_begin(const char *dir, char *to, char *ret_why, size_t why_bytes);

/* The store in DIR/creating is whole and closed: make it durable, then DIR's. Afterwards a crash finds it
 * there. */
int store_file_create_end(const char *dir, char *ret_why, size_t why_bytes);

/* Have the file system set aside the bytes from `from_bytes` to `to_bytes`, so that writing them cannot run
 * out of space. It looks at each of them, so what is known to be set aside is best left out. The file becomes
 * at least that long. A file system that cannot do it is taken at its word: returns 0.
 * fails: NO_SPACE (also past a limit on file sizes), IO. */
int store_file_allocate(int fd, uint64_t from_bytes, uint64_t to_bytes);

/* Bytes that are free in the file system for users other than root. fails: IO. */
int store_file_disk_free(int fd, uint64_t *ret);

/* Bytes of the file system that `dir` is in, free and used. fails: IO. */
int store_file_disk_bytes(const char *dir, uint64_t *ret);

/* Length, and bytes set aside on disk. fails: IO. */
int store_file_extent(int fd, uint64_t *ret_length, uint64_t *ret_allocated);

#endif
