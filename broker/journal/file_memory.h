/* file_memory: what tests and the simulator do to a journal's file in memory (journal_file_memory()).
 *
 * It keeps what was written apart from what was flushed. Its handles (`again`) share the contents, which live until the last is closed:
 * a test that opens a journal again holds one of its own.
 */
#ifndef SHUNT_JOURNAL_FILE_MEMORY_H
#define SHUNT_JOURNAL_FILE_MEMORY_H

#include "broker/journal/file.h"

#define MEMORY_SECTOR_BYTES 512u /* what a disk writes whole */

/* The power is cut: each block written since the last flush, or given up by one that failed and not written again, is kept, lost, or torn between its sectors, and a new length kept or
 * lost, as the seed has it. */
void journal_memory_crash(struct journal_file *f, uint64_t seed);

/* After `skip` more calls one fails with `err`; a write has then done a part of what it should. 0: none fails any more. */
void journal_memory_fail(struct journal_file *f, uint64_t skip, int err);
/* Calls so far, for counting what there is to fail. */
uint64_t journal_memory_calls(struct journal_file *f);

/* Put bytes on the disk behind everybody's back. They lie within the file. */
void journal_memory_damage(struct journal_file *f, uint64_t at, const void *bytes, size_t size);

#endif
