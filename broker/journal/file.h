/* file: what the journal needs of a file; the disk's here, others for tests and the simulator, where a crash forgets what was not flushed. */
#ifndef SHUNT_JOURNAL_FILE_H
#define SHUNT_JOURNAL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define JOURNAL_FILE_PARTS_MAX 64

struct journal_file;

/* Errors are those of proto/errors.h. Reads and writes are whole, or fail. */
struct journal_file_ops {
    int (*size)(struct journal_file *f, uint64_t *ret);
    int (*read)(struct journal_file *f, uint64_t at, void *to, size_t bytes); /* CORRUPT past the end */
    int (*write)(struct journal_file *f, uint64_t at, const struct iovec *parts,
                 int count); /* at most JOURNAL_FILE_PARTS_MAX */
    int (*flush)(struct journal_file *f);
    /* Set aside what is not yet, readable as zeros; *ret_done: it is, and a write there needs no more of the disk. False: the file system cannot. */
    int (*allocate)(struct journal_file *f, uint64_t from, uint64_t to, bool *ret_done);
    int (*truncate)(struct journal_file *f, uint64_t bytes);
    /* Its bytes from the beginning, to be read where they are, as far as it is long, now and when it is longer, up to `bytes` of them; what is
     * written is seen. Until it is closed; asked for once. NULL without memory. */
    const uint8_t *(*map)(struct journal_file *f, uint64_t bytes);
    /* One more handle of it, for another thread: the system tells each open file once that what was written is lost, so two threads
     * that flush the same one would hear of each other's failures only. */
    int (*again)(struct journal_file *f, struct journal_file **ret);
    void (*close)(struct journal_file *f);
};

struct journal_file {
    const struct journal_file_ops *ops;
};

/* DIR/journal on disk. fails: NOT_FOUND, STORE_READ_ONLY, NO_SPACE, IO, NO_MEMORY; `ret_why` gets one sentence. */
int journal_file_open(const char *dir, bool create, bool read_only, struct journal_file **ret, char *ret_why,
                      size_t why_bytes);
/* Remove DIR/journal, durably; 0 if there is none. */
int journal_file_remove(const char *dir, char *ret_why, size_t why_bytes);

/* An empty file in memory, for tests and the simulator; NULL without memory. file_memory.h has what can be done to it. */
struct journal_file *journal_file_memory(uint64_t bytes_max);

#endif
