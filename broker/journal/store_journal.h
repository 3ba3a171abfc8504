/* store_journal: a store whose commits are one write and one flush of a journal.
 *
 *     write ──┬─ the journal's record ── one flush at the commit
 *             └─ the generation that is being filled      (memory)
 *     read  ──── that generation ─ the frozen one ─ the store behind
 *     later ──── the frozen generation goes into the store behind, in one transaction of its own, by a thread of its own; but messages
 *                stay in the journal's file, and the store behind has stubs for them (stub.h)
 *     later still ── what such records still hold goes into the store behind when their room is needed, and they are released
 *
 * What is written and deleted before the first of these never reaches the store behind. At the start, the records that the store behind does not have
 * become the first generation. Everything that store.h promises holds; what is kept apart is one place for all: maintain(), where a
 * generation is frozen, and where the one that has been put away goes.
 */
#ifndef SHUNT_JOURNAL_STORE_JOURNAL_H
#define SHUNT_JOURNAL_STORE_JOURNAL_H

#include "broker/journal/file.h"
#include "broker/store/store.h"

#define JOURNAL_FILE_BYTES_FIRST (4ull << 20) /* a new file's at least; it doubles, up to `bytes` */

struct store_journal_options {
    struct store *behind;      /* taken over, also when it fails */
    const char *dir;           /* where the journal is, and for messages */
    struct journal_file *file; /* instead of the file there, taken over as well; NULL: that file */
    uint64_t bytes;            /* of the file, at most */
    uint64_t ready_bytes;  /* of them, those that are made before they are needed: at once in a new file */
    uint64_t memory_bytes; /* of both generations, about */
    bool create;           /* begin a journal if the store behind has none */
    bool read_only;        /* for --check: what the records say is read and not put anywhere */
    bool keep_padded;      /* for tests: messages stay in the file also where records are mostly padding */
    bool threaded;         /* false, for tests: see store_journal_step() */
    bool end; /* put everything into the store behind, which then has no journal, and remove the file */
};

/* fails: as journal_file_open(), journal_open(), journal_create(), and the store behind; CORRUPT if the store behind names a journal
 * that is not there. With `end`, and if there is neither a journal nor one to be made, *ret is the store behind. `ret_why` (at least 512 bytes) gets one sentence. */
int store_journal_open(const struct store_journal_options *options, struct store **ret, char *ret_why,
                       size_t why_bytes);

/* What the thread would do is done here, one thing at a time, between any two calls, or when it is waited for. False: nothing
 * is to be done. */
bool store_journal_step(struct store *s);

/* What it is doing. */
struct store_journal_state {
    uint64_t file_bytes, used_bytes; /* of the journal */
    uint64_t filling_bytes, frozen_bytes;
    uint64_t kept_bytes; /* of the journal, in records of which only messages are needed */
    uint64_t stubs;      /* messages that were left in such records, ever */
    uint64_t merges;
    uint64_t aways; /* steps in which such messages were put into the store behind */
    uint64_t waits; /* times that a commit had to wait for the store behind */
};
/* False: the store is none of these. */
bool store_journal_state(struct store *s, struct store_journal_state *ret);

#endif
