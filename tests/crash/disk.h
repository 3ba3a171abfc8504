/* disk: what a power cut may leave of files that were written, by a pessimist's rules.
 *
 *   - What a sync covered is there, and so is what an O_DSYNC write wrote; that write brings nothing else
 * along.
 *   - Of all other writes any subset is there, in any order; a write may be torn between sectors of 512
 * bytes. Of several writes to one sector one is the last that is there.
 *   - What a sync was for that failed may be there too, but no later sync brings it; only writing to the same page again does.
 *   - A file's length goes the same way; it never ends before a sector that is there.
 *   - Names (created, renamed, removed) are there when their directory was synced; of the others any subset.
 * A rename is there in whole or not at all.
 */
#ifndef SHUNT_TESTS_CRASH_DISK_H
#define SHUNT_TESTS_CRASH_DISK_H

#include "tests/crash/trace.h"

#include <stdbool.h>
#include <stdint.h>

struct disk;

/* `work` is a directory for copies, best in memory. */
struct disk *disk_new(const struct trace *t, const char *work);
void disk_free(struct disk *d); /* takes NULL; removes what it made in `work` */

/* Let everything happen before record `cut`, which is not before the one asked for last. */
void disk_advance(struct disk *d, size_t cut);

/* Make the directory as it may be found after a power cut here; `seed` says what is lost. Seed 0 loses
 * nothing. Returns its path, which lives as long as the disk. */
const char *disk_cut(struct disk *d, uint64_t seed);
/* Someone has written to what disk_cut() made: begin again at the next. */
void disk_spoilt(struct disk *d);

/* The inode of a path as it is without a power cut; 0 if there is none. */
uint64_t disk_inode(const struct disk *d, const char *path);

#endif
