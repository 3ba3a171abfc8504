/* disk_journal: a journal before the simulated store, with a ring and generations that are small, so that all that can happen to them does.
 *
 * The journal's file is one in memory. The power takes of what was not flushed any part of any block, and of the store behind, which is the
 * other file, nothing that was committed. What the journal's thread would do is done between two calls, as the dice have it, or
 * when it is waited for; and of what is not done when the power goes, sometimes a part is.
 *
 * After a crash the store is looked at as --check would, a record in its middle is damaged and put right again, the journal is ended or
 * begun anew, and starts are cut short, now and then.
 */
#ifndef SHUNT_TESTS_SIM_DISK_JOURNAL_H
#define SHUNT_TESTS_SIM_DISK_JOURNAL_H

#include "broker/journal/journal.h"
#include "broker/store/store.h"
#include "tests/sim/dice.h"
#include "tests/sim/disk_open.h"

/* Of a new file. */
#define JOURNAL_RING_BYTES_FIRST JOURNAL_BYTES_MIN

struct disk;

/* All numbers are uint64_t: they are added up. */
struct journal_figures {
    uint64_t freezes, merges;
    uint64_t aways;   /* what old records kept was put into the store behind */
    uint64_t stubs;   /* messages that stayed in the journal's file */
    uint64_t beside;  /* commits while a generation was frozen */
    uint64_t rounds;  /* the ring came round */
    uint64_t longer;  /* the file was made longer */
    uint64_t no_disk; /* … and the disk had no room for it */
    uint64_t behind;  /* commits that went into the store behind for want of room */
    uint64_t torn;    /* commits that were begun, and not found */
    uint64_t whole;   /* … and found: the flush had failed, or nobody heard of it */
    uint64_t replayed_0, replayed_1, replayed_more; /* starts, by the records that were read */
    uint64_t crash_frozen;                          /* a generation was frozen, and not in the store behind */
    uint64_t crash_merged;                          /* … it was, and its records not released */
    uint64_t kept_cache;                            /* the process ended, and the system did not */
    uint64_t cut_starts;                            /* starts that were cut short */
    uint64_t begun, ended;                          /* from off to on, and back */
    uint64_t damaged;                               /* a record in the middle; refused */
    uint64_t checked;                               /* opened for reading alone */
};

/* Where a record was written last. */
struct journal_record_at {
    uint64_t number, at, bytes; /* with its head */
};

struct disk_journal {
    bool on;     /* this run has one */
    bool before; /* it stands before the store now */
    bool opening;
    bool frozen, merged; /* a generation is; and it is in the store behind */
    bool unsure;         /* the last commit failed */
    bool held_broken;
    bool armed, fail_behind;      /* something of it shall fail; the commit of a merge, when it is durable */
    bool fail_flush;              /* that of the next record */
    uint64_t bytes, memory_bytes; /* of the ring at most, of the generations */
    bool keep_padded;             /* messages stay in records that are mostly padding, too */
    uint64_t usable_bytes;        /* that the store behind says it has */
    unsigned step_in;             /* a step is made once in so many calls */
    struct journal_file *file;
    struct dice dice;                  /* its own, so that runs without a journal are as they were */
    uint64_t appended;                 /* records, ever */
    uint64_t durable;                  /* the last number that is; 0: none */
    struct journal_record_at *records; /* that were written, by their numbers */
    size_t records_count, records_capacity;
    struct disk_open open;
    struct journal_figures figures;
};

/* Put one before the store. fails: NO_MEMORY (false). */
bool disk_journal_begin(struct disk *d, uint64_t seed);
void disk_journal_done(struct disk *d);
void disk_journal_crash(struct disk *d);
bool disk_journal_recover(struct disk *d, char *ret_why, size_t why_bytes);
void disk_journal_calm(struct disk *d);
/* What has failed and the engine has not noticed does not hinder who looks, until it does again. */
void disk_journal_hold(struct disk *d, bool hold);
/* Something of the journal's shall fail. */
void disk_journal_arm(struct disk *d);
/* Between two calls: what its thread would do, now and then. */
void disk_journal_step(struct disk *d);
/* A commit whose end nobody knew is there after the crash, or is not. */
void disk_journal_found(struct disk *d, bool there);
int disk_journal_commit(struct disk *d, struct store_txn *txn);
/* What is opened by these is known, for a crash to forget it. */
void disk_journal_track(struct disk *d, struct store_ops *ops);

/* What plant_journal.c tells it, which stands between the journal's parts. */
void disk_journal_made(void);
void disk_journal_froze(void);
void disk_journal_put_away(uint64_t stubs);
void disk_journal_replayed(uint64_t records);

#endif
