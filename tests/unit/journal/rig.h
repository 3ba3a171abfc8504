/* rig: a journal in memory, and what should be in it. The body of each record is made from its number and a salt. */
#ifndef SHUNT_TESTS_JOURNAL_RIG_H
#define SHUNT_TESTS_JOURNAL_RIG_H

#include "broker/journal/file_memory.h"
#include "broker/journal/journal.h"
#include "proto/errors.h"

enum { RIG_RECORDS_MAX = 4096, RIG_WHY_BYTES = 512 };

struct rig_record {
    struct journal_place place; /* journal_next() before it is appended */
    size_t size;
    uint64_t salt;
};

struct rig {
    struct journal_file *file; /* the test's own handle */
    struct journal *j;         /* NULL while it is closed */
    struct rig_record
        records[RIG_RECORDS_MAX]; /* by number, from 1; of the one behind the last only the place */
    uint64_t oldest;              /* the first that is needed */
    uint64_t count;               /* confirmed */
    uint64_t begun; /* confirmed, or one more: an append failed or was cut off, and may be there or not */
    uint64_t salt;  /* of the next append */
    uint64_t seen;  /* the last that opening handed out */
    bool wrong;     /* it handed out something else */
    char why[RIG_WHY_BYTES];
};

extern const uint8_t rig_id[JOURNAL_ID_BYTES];

/* A new journal of `bytes` in a file that may grow to `bytes_max`. One rig at a time. */
struct rig *rig_new(uint64_t bytes, uint64_t bytes_max);
void rig_done(struct rig *r);
/* What journal_append() says. There must be room. */
int rig_append(struct rig *r, size_t size);
void rig_append_all(struct rig *r, const size_t *sizes, size_t count); /* each must go well */
/* The records before `number` are no longer needed. */
void rig_release(struct rig *r, uint64_t number);
void rig_close(struct rig *r);
/* Close it if it is open, and open it from the oldest record; all that is handed out is compared. What journal_open() says. */
int rig_reopen(struct rig *r, bool read_only);
/* It opens, and every confirmed record is there. */
void rig_expect_all(struct rig *r, const char *when);
/* The whole file, to be freed. */
uint8_t *rig_bytes(struct rig *r, uint64_t *ret_size);
/* Where record `number` begins in truth: at its place, or behind the head block. */
uint64_t rig_stands_at(struct rig *r, uint64_t number);

#endif
