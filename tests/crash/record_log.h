/* record_log: what record.c writes and powercut reads: everything that a server did to its files, and all
 * that it said and was told, in the order in which it happened.
 *
 *     [struct record][text: text_bytes][data: data_bytes] …      in this machine's byte order
 */
#ifndef SHUNT_TESTS_CRASH_RECORD_LOG_H
#define SHUNT_TESTS_CRASH_RECORD_LOG_H

#include <stdint.h>

#define RECORD_DESCRIPTORS_MAX 4096

enum record_kind {
    RECORD_LIFE = 1,   /* a process begins; id: inode of the root directory */
    RECORD_MKDIR,      /* id: inode; text: path from the root */
    RECORD_CREATE,     /* id: inode of an empty file; text: path */
    RECORD_RENAME,     /* id: inode; text: from NUL to */
    RECORD_UNLINK,     /* text: path */
    RECORD_RMDIR,      /* text: path */
    RECORD_WRITE,      /* id; at; data: about to be written */
    RECORD_WRITTEN,    /* id; at; size: that range has reached the disk (the descriptor is O_DSYNC) */
    RECORD_SIZE,       /* id; at: the file is now this long, or (size 1) at least this long */
    RECORD_SYNC_BEGIN, /* id; at: the descriptor */
    RECORD_SYNC_END,   /* id; at: what was there at SYNC_BEGIN with that descriptor has reached the disk */
    RECORD_RECEIVED,   /* id: connection; data */
    RECORD_SENT,       /* id: connection; data */
    RECORD_SYNC_LOST, /* id; at: that sync failed; what it was for stays in memory, and no later one writes it */
};

struct record {
    uint32_t kind;
    uint32_t text_bytes;
    uint64_t data_bytes;
    uint64_t id;
    uint64_t at;
    uint64_t size;
};

#endif
