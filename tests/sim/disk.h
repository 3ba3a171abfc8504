/* disk: the memory store as a disk that can fail, and a record of all batches that reached it.
 *
 * The store's table of operations is replaced by one whose commit may fail before it is durable, fail after,
 * or take long, whose usage tells a full map, and whose close leaves the store to the next incarnation. In half of the runs
 * a journal stands before it, with a file in memory (disk_journal.h).
 *
 * The record is the account of what is durable: batches up to the index that the store has. Applied to an
 * empty store, it must give the same state; applied through a filter, it gives the state that a broker with a
 * certain bug would have left behind (plant.h).
 */
#ifndef SHUNT_TESTS_SIM_DISK_H
#define SHUNT_TESTS_SIM_DISK_H

#include "broker/store/store.h"
#include "tests/sim/dice.h"
#include "tests/sim/disk_journal.h"

struct batch;

enum disk_fault { DISK_WELL, DISK_FAIL_BEFORE, DISK_FAIL_AFTER, DISK_FAIL_WRITE };

/* One thing that happened to the store, in order. */
enum record_kind { RECORD_BATCH, RECORD_COMMIT, RECORD_DAMAGE };
struct record {
    enum record_kind kind;
    uint64_t index;            /* of the batch, or of the last batch committed */
    struct mpack_buffer bytes; /* batch; damage: the message's key */
    uint64_t bit;              /* damage */
    bool unsure;               /* commit: it was begun, and did not end well */
};

/* What a planted bug does to a batch when it is applied anew after a crash. */
typedef void record_filter_fn(void *context, struct batch *b);

struct disk {
    struct store *store;  /* what the engine has; NULL: it could not be opened */
    struct store *behind; /* the memory store: the same, unless a journal stands before it */
    struct disk_journal journal;
    uint64_t bytes_max;    /* of the map */
    uint64_t full_bytes;   /* from so many used bytes on, publishing is refused */
    enum disk_fault armed; /* for the next commit, or write */
    unsigned fault_skip;   /* writes before a DISK_FAIL_WRITE */
    int64_t stall_us_max;  /* a commit takes up to so long */
    struct dice *dice;
    int64_t *mono_us;    /* the world's clock */
    unsigned held_times; /* while faults are held */
    uint64_t commits, failures, stalls, damages;
    struct record *records;
    size_t records_count, records_capacity;
};

/* fails: NO_MEMORY (false). */
bool disk_init(struct disk *d, struct dice *dice, int64_t *mono_us);
void disk_done(struct disk *d);
/* Arm a fault for the commit that comes next, or for one of the next writes. */
void disk_arm(struct disk *d, enum disk_fault fault);
/* No fault that was armed comes any more. */
void disk_calm(struct disk *d);
/* None is to hit the one who looks: between the two, none comes. */
void disk_hold_faults(struct disk *d);
void disk_let_faults(struct disk *d);
/* What is not durable is forgotten. The store itself is still there for the engine to close. */
void disk_crash(struct disk *d);
/* The store as it is found afterwards. False: something is wrong with it, and `ret_why` says what. */
bool disk_recover(struct disk *d, char *ret_why, size_t why_bytes);
void disk_record(struct disk *d, const struct batch *b);
/* The index applied that is durable; 0 for an empty store. */
uint64_t disk_index(struct disk *d);
/* Flip a bit in the body of a stored message, picked by the dice; false if there is none. */
bool disk_damage(struct disk *d, bool hide, uint32_t *ret_topic, uint64_t *ret_seq);

/* Apply the record to an empty store, whose rows are damaged only when that is done: no state may depend on it. NULL: it could not
 * be applied. */
struct store *disk_replay(const struct disk *d);
/* Replace the store by one made so; the record becomes that of the new one. False: could not be applied. */
bool disk_rebuild(struct disk *d, uint64_t index, record_filter_fn *filter, void *context);
uint64_t disk_hash(struct store *s);

/* ---- between disk.c and disk_record.c ---- */

struct record *disk_record_add(struct disk *d, enum record_kind kind);
void disk_forget_records(struct disk *d);
/* Take another store, and the records of `from`. */
void disk_exchange(struct disk *d, struct store *s, struct disk *from);
const struct store_ops *disk_true_ops(void);
/* A store is there: from here on the engine has that, with faults in it. */
void disk_take_over(struct disk *d, struct store *s);

#endif
