/* disk: what the servers' files lie on: the disk that is there, or a model of one (disk_model.h), whose
 * figures can be repeated because nobody else uses it. One for the whole program.
 *
 *   --disk real            the file system of --data
 *   --disk model[:FLUSH][,RATE]   a tmpfs, and a preload library; 150us and 500MB/s unless told
 */
#ifndef SHUNT_BENCH_DISK_H
#define SHUNT_BENCH_DISK_H

#include <stdbool.h>
#include <stdint.h>

struct disk_usage {
    bool known; /* there is a model */
    uint64_t written_bytes;
    uint64_t flushes;
    uint64_t flushed_bytes;
    uint64_t busy_ns; /* what the flushes took, by the model */
    uint64_t late_ns; /* by how much later their callers went on, in sum */
};

/* Use what `text` (of --disk; NULL: real) says. If *data is NULL it becomes the directory for temporary ones. For
 * a model it is on a tmpfs, as one that is given must be, and the program is executed again with the library preloaded, so that it and all that
 * it starts is on the model: this returns only in the second life. False: `why` says why not. */
bool disk_begin(const char *text, const char **data, char **argv, char *why);

/* "real", or "model:150us,500MB/s". */
const char *disk_name(void);
/* A sentence for people; NULL if the disk is real. */
const char *disk_warning(void);
struct disk_usage disk_read(void);
/* Forget what was not flushed: before a server starts, when none runs. */
void disk_forget(void);

#endif
