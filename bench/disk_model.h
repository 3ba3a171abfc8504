/* disk_model: a disk whose flushes take a known time, under servers whose files lie in memory. This is what
 * the library that is preloaded into them (disk_model.c) shares with the load generator (disk.h).
 *
 * A flush takes `flush_ns` and the time that its bytes need at `bytes_per_s`. The disk does one flush at a
 * time: those of all processes queue behind each other in the order in which they begin.
 *
 * What is a flush, and which bytes it has:
 *   fsync, fdatasync                      what was written to the file since its last flush
 *   sync_file_range that waits            the same, of the whole file
 *   write, writev, pwrite, pwritev(2)     their own bytes, if the descriptor has O_DSYNC or O_SYNC, or the call
 *                                         RWF_DSYNC or RWF_SYNC
 *   msync with MS_SYNC                    its range, changed or not
 *   sync, syncfs                          what was written to any file since its last flush
 * Only files of `device` count. Bytes are those given to the calls above; what is written through a mapping,
 * by stdio or by sendfile is not seen, nor is a program that makes system calls without the C library, as Go
 * programs do.
 */
#ifndef SHUNT_BENCH_DISK_MODEL_H
#define SHUNT_BENCH_DISK_MODEL_H

#include <stdatomic.h>
#include <stdint.h>

#define DISK_MODEL_VARIABLE "SHUNT_DISK_MODEL" /* in the environment: path of the shared memory */
#define DISK_MODEL_MAGIC    0x6d646973u
#define DISK_MODEL_FILES    16384 /* a power of two; files beyond share the last place */

struct disk_model_file {
    _Atomic uint64_t inode; /* 0: the place is free */
    _Atomic uint64_t unflushed_bytes;
};

struct disk_parameters {
    uint32_t magic;
    uint64_t device; /* st_dev of the files it is about */
    uint64_t flush_ns;
    uint64_t bytes_per_s;
};

struct disk_model {
    struct disk_parameters is;
    /* While it runs; any process may change them. */
    _Atomic uint64_t idle_ns; /* on CLOCK_MONOTONIC: when the last flush that has begun is done */
    _Atomic uint64_t written_bytes;
    _Atomic uint64_t flushes;
    _Atomic uint64_t flushed_bytes;
    _Atomic uint64_t busy_ns; /* what all flushes took, by the model */
    _Atomic uint64_t late_ns; /* by how much later than the model says their callers went on, in sum */
    struct disk_model_file files[DISK_MODEL_FILES];
};

#endif
