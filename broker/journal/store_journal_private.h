/* store_journal_private: what the parts of the journal's store share; the first needs none of the others, the last all:
 *
 *     row_run.c                messages that go into the store behind side by side
 *     generation.c             what changed, in memory
 *     merge.c                  the thread that puts it away
 *     holes.c                  where nothing is left
 *     store_journal_behind.c   what is read of the store behind
 *     store_journal_kept.c     messages that stay in the journal's file
 *     store_journal_room.c     when a generation is frozen; how full it all is
 *     store_journal_txn.c      transactions and pairs
 *     store_journal_cursor.c   cursors
 *     store_journal.c          open, close
 */
#ifndef SHUNT_JOURNAL_STORE_JOURNAL_PRIVATE_H
#define SHUNT_JOURNAL_STORE_JOURNAL_PRIVATE_H

#include "broker/journal/generation.h"
#include "broker/journal/holes.h"
#include "broker/journal/merge.h"
#include "broker/journal/store_journal.h"
#include "broker/journal/stub.h"

/* Records of the journal that the store behind has, but for messages that stay in them: those of one generation, or at the start all of them. */
struct stretch {
    struct journal_place end;
    uint64_t file_bytes, kept_bytes; /* as those of a generation */
    /* stubs for values in them: at first, and those that are left, at most */
    uint64_t made, stubs;
    bool known; /* it is known how many */
};

/* One step of the write transaction, undone in reverse. */
struct journal_undo {
    struct row *row, *old;
};

struct journal_txn {
    struct store_txn base;
    bool write;
    int failed;   /* the first error: all that is left then is to abort */
    size_t begin; /* of its record, in the generation's bytes */
};

struct journal_store {
    struct store base;
    struct store *behind;
    struct journal *journal;
    struct generation *filling, *frozen,
        *spare; /* frozen: NULL unless it is being put away; else spare is NULL */
    struct merge merge;
    struct journal_meta meta;  /* of the store behind */
    const uint8_t *map;        /* the journal's file */
    struct stretch *stretches; /* of the kept records, the oldest first */
    size_t stretches_count, stretches_capacity,
        dropping;  /* the first of them go when the frozen one is in the store behind */
    uint64_t gone; /* messages of the frozen one that were deleted since; their stubs are about to be made */
    bool gone_unknown; /* it may be fewer */
    /* messages were left in the file for nothing, as far as is known: they were still there when they were put away */
    bool outlasted;
    bool no_away; /* the store behind had no room for what is kept; until another generation is in it */
    bool read_only, keep_padded; /* as in the options */
    /* the error with which a commit or a merge failed first: nothing but closing works; 0: none has */
    int broken;

    struct journal_txn writer; /* the one write transaction */
    bool writing;
    struct journal_undo *undo;
    size_t undo_count, undo_capacity;
    /* a read transaction of the store behind, opened when one is needed, closed when that has changed */
    struct store_txn *below;
    unsigned readers;
    struct holes holes[TABLE_COUNT];

    uint64_t bytes_max, ready_bytes, memory_bytes; /* as in the options */
    uint64_t bytes; /* that the file may have now: `bytes_max`, or while its disk is full what it has */
    uint64_t extended_number, extended_appended; /* the journal's, when it was made longer last */
    struct store_usage usage;                    /* of the store behind, when nothing was being put away */
    uint64_t merges, aways, stubs, waits;
};

static inline struct journal_store *journal_store_of(struct store *s)
{
    return (struct journal_store *)s;
}

/* Note an error after which nothing works any more; 0 is none. Returns it. */
static inline int journal_broken(struct journal_store *s, int err)
{
    if (!s->broken)
        s->broken = err;
    return err;
}

/* The read transaction of the store behind. fails: as store_begin() */
int journal_below(struct journal_store *s, struct store_txn **ret);
void journal_below_close(struct journal_store *s);

/* What a value of the store behind stands for: itself, or what it is a stub of (*ret_stub, if not NULL; number 0: of nothing).
 * fails: CORRUPT: a stub that cannot be */
int journal_value(const struct journal_store *s, enum store_table table, struct slice key,
                  struct slice *value, struct stub *ret_stub);
/* The stub is about to be written over or deleted. */
void journal_stub_dies(struct journal_store *s, const struct stub *stub);
/* What was counted so was undone. */
void journal_stubs_unknown(struct journal_store *s);
/* Of the journal's file, what generations and kept records that may be needed take. */
uint64_t journal_needed_bytes(const struct journal_store *s);
uint64_t
journal_kept_bytes(const struct journal_store *s); /* what the kept messages would take in the store behind */
/* Whether it is for nothing to leave the messages of another generation in the file. */
bool journal_leaves_for_nothing(const struct journal_store *s);
/* What the store behind says of the journal when the frozen generation is in it. */
struct journal_meta journal_meta_after(struct journal_store *s);
/* It is: its records are kept now. fails: NO_MEMORY */
int journal_keep(struct journal_store *s);
/* At the start, what the store behind says is kept. fails: NO_MEMORY */
int journal_keep_old(struct journal_store *s);
bool journal_keeps(const struct journal_store *s);
/* Whether putting away what is kept may be asked for. */
static inline bool journal_may_put_away(const struct journal_store *s)
{
    return journal_keeps(s) && !s->no_away;
}
/* Nothing is being put away: ask for a step of putting away what the oldest kept records hold. */
void journal_ask_away(struct journal_store *s);
/* Take it over; with `wait`, when it is done. Nothing if none was asked for. If the store behind has no room for it, all stays as it is. fails: as away_put() */
int journal_take_away(struct journal_store *s, bool wait);
/* Nothing is being put away: the store behind may have more free, and may be read as it is now; records that it does not need are released,
 * unless another process reads it as it was. fails: as store_maintain() */
int journal_look_behind(struct journal_store *s);

int journal_begin(struct store *base, bool write, struct store_txn **ret);
int journal_commit(struct store_txn *txn);
void journal_abort(struct store_txn *txn);
int journal_get(struct store_txn *txn, enum store_table table, struct slice key, struct slice *ret);
int journal_put(struct store_txn *txn, enum store_table table, struct slice key, struct slice value);
int journal_reserve(struct store_txn *txn, enum store_table table, struct slice key, size_t size, bool fresh,
                    void **ret);
int journal_del(struct store_txn *txn, enum store_table table, struct slice key, size_t *ret_size);
int journal_count(struct store_txn *txn, enum store_table table, uint64_t *ret_tables, uint64_t *ret);

int journal_cursor_open(struct store_txn *txn, enum store_table table, struct store_cursor **ret);
void journal_cursor_close(struct store_cursor *c);
int journal_cursor_seek(struct store_cursor *c, struct slice key, struct slice *ret_key,
                        struct slice *ret_value);
int journal_cursor_next(struct store_cursor *c, struct slice *ret_key, struct slice *ret_value);
int journal_cursor_prev(struct store_cursor *c, struct slice *ret_key, struct slice *ret_value);
int journal_cursor_del(struct store_cursor *c);

void journal_usage(struct store *base, struct store_usage *ret);
uint64_t journal_disk_free(struct store *base);
int journal_maintain(struct store *base);
int journal_set_aside(struct store *base, uint64_t bytes);
int journal_pack(struct store *base, uint64_t most_bytes, bool *ret_more);
/* Before a record of so many bytes is appended. fails: NO_SPACE, IO */
int journal_make_room(struct journal_store *s, size_t body_bytes);
/* What is being filled goes into the store behind at once, with the transaction that has no room in the journal, and in one of its own:
 * so a full disk beneath the journal's file, or a record longer than the file can have, ends nobody. fails: as store_commit() */
int journal_commit_behind(struct journal_store *s);
/* Wait until the frozen generation has been put away; nothing if there is none. */
int journal_settle(struct journal_store *s);
/* Put everything away. */
int journal_drain(struct journal_store *s);

#endif
