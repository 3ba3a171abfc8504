/* store: a small ordered key-value transaction interface.
 *
 * The ledger is written against this and nothing else. store_lmdb.h keeps the tables on disk; store_memory.h
 * keeps them in memory for tests and the simulator, where a crash forgets what was not committed.
 *
 * One writer at a time, which must stay on one thread unless `any_thread` is set. Keys are 1 to STORE_KEY_BYTES_MAX bytes and ordered as
 * by memcmp, shorter first. Values are 0 to 4 GiB - 1 bytes. Bytes returned live until the next write to
 * their table in the same transaction, until its end, or (for a cursor's) until the cursor's next move.
 * Writes to other tables leave them where they are: each table is a tree of pages of its own, and LMDB takes a page that was
 * written out of memory before the commit only in transactions of more than 512 MiB, which the ledger's room forbids.
 *
 * Errors: 0 is ok; NOT_FOUND is an answer, not a failure; NO_SPACE, IO, CORRUPT and NO_MEMORY mean that the
 * transaction can only be aborted. After a commit that failed it is unknown whether it is durable: the caller
 * must stop.
 */
#ifndef SHUNT_STORE_STORE_H
#define SHUNT_STORE_STORE_H

#include "proto/errors.h"
#include "proto/mpack.h"

#define STORE_KEY_BYTES_MAX 255

enum store_table {
    TABLE_META,  /* fixed keys                          -> version (the store's own), applied index, counters,
                    clean flag */
    TABLE_TOPIC, /* topic                               -> name, policy, counters */
    TABLE_GROUP, /* group                               -> topic, name, policy, cursor, counters */
    TABLE_MESSAGE, /* topic | seq                         -> header, checksum, the publisher's bytes */
    TABLE_DONE,    /* group | chunk                       -> bitmap */
    TABLE_ATTEMPT, /* group | seq                         -> state of a message that failed, waits or is
                      suspect */
    TABLE_HISTORY, /* group | seq | row                   -> one row of the attempt ledger */
    TABLE_DUE,     /* group | lane | due_ms | seq         -> nothing */
    TABLE_EXPIRY,  /* expires_ms | group | seq            -> nothing */
    TABLE_DEAD, /* DLQ topic | seq                     -> reference to a dead letter, reason, time of death */
    TABLE_JOB,  /* job                                 -> redrive, purge or drop in progress */
    TABLE_DEDUP, /* producer                            -> latest answers */
    TABLE_CAUSE, /* group | fingerprint                 -> a cause of dead letters; its example */
    TABLE_AUDIT, /* number                              -> an act of an operator */
    TABLE_RULE,  /* group | number                      -> a rule on the group's dead letters */
    TABLE_EDIT,  /* group | seq | row                   -> what an operator made of a dead letter, and who */
    TABLE_BREAKER, /* group                            -> what the group's breaker knows, if it ever had to do */
    TABLE_USER,    /* number                           -> a user: what it logs in by, and its rights */
    TABLE_ROLE,    /* number                           -> a role: rights that users share */
    TABLE_TOKEN, /* number                           -> what a user's token is known by */
    TABLE_DAMAGED, /* topic | seq                      -> nothing: the message's row does not match its checksum */
    TABLE_COUNT
};

/* A store of some size, or one that much is written to, keeps at least so much of its file set aside beyond what is used of it. One
 * that has hardly been used keeps less. */
#define STORE_AHEAD_BYTES (64ull << 20)

struct store;
struct store_txn;
struct store_cursor;

/* A pair that is to be put. */
struct store_row {
    struct slice key, value;
};

/* How full the store is (bytes). */
struct store_usage {
    uint64_t map_bytes;     /* current size of the map */
    uint64_t map_bytes_max; /* to which it may grow */
    uint64_t used_bytes;    /* pages in use, freelist pages not counted */
    uint64_t free_bytes; /* pages that can be used without growing: the freelist's and those never used; on a
                          * full disk, of the latter only what is set aside. Within a write transaction, those
                          * it has freed count too, which only later ones can use. */
    uint64_t usable_bytes; /* of the free ones, what the next write transaction can use: not what the last one
                            * freed, which only the one after it can */
    /* of the usable ones, those that the disk has not given yet and may refuse: see set_aside() */
    uint64_t unasked_bytes;
    bool disk_full;           /* the file cannot be set aside further: the disk bounds it, not the map */
    uint64_t allocated_bytes; /* on disk, as allocated ahead */
    bool read_beside; /* another process reads the store, as it was before the last commit or earlier */
};

struct store_ops {
    bool any_thread; /* calls may come from any thread, one at a time, also those of one transaction */
    /* fails: NO_MEMORY, IO, TOO_MANY (over 126 readers), STORE_READ_ONLY. At most one write transaction at a
     * time. No two calls on a store overlap. A reader sees the store as it was when it began; in memory none begins
     * beside a writer. */
    int (*begin)(struct store *s, bool write, struct store_txn **ret);
    /* Ends the transaction whatever happens. For a write: durable when it returns 0.
     * fails: NO_SPACE, IO: outcome unknown. */
    int (*commit)(struct store_txn *txn);
    void (*abort)(struct store_txn *txn);

    int (*get)(struct store_txn *txn, enum store_table table, struct slice key, struct slice *ret);
    int (*put)(struct store_txn *txn, enum store_table table, struct slice key, struct slice value);
    /* Put a value of `size` bytes that the caller fills in at *ret before any other call on this transaction.
     * `fresh`: a promise that the table has no such key, and a hint that all in it are smaller, which need not
     * be true. */
    int (*reserve)(struct store_txn *txn, enum store_table table, struct slice key, size_t size, bool fresh,
                   void **ret);
    /* As put() for each of the rows, whose keys ascend; their bytes lie outside the store. Rows that are next to each other then fill
     * pages to the brim, also where others stand behind them. NULL: in such a store it makes no difference. */
    int (*put_run)(struct store_txn *txn, enum store_table table, const struct store_row *rows, size_t count);
    /* Delete; NOT_FOUND if it is not there. ret_size (may be NULL) is the size of the value it had. */
    int (*del)(struct store_txn *txn, enum store_table table, struct slice key, size_t *ret_size);

    /* Cursors live at most as long as their transaction, and are closed before it ends. Writes to the table
     * through the transaction keep a cursor usable: its next move is relative to the key where it stood. A
     * seek that finds nothing stands at the key sought; another move that finds nothing leaves the cursor
     * where it was. */
    int (*cursor_open)(struct store_txn *txn, enum store_table table, struct store_cursor **ret);
    void (*cursor_close)(struct store_cursor *c);
    /* The first key >= `key`. NOT_FOUND at the end. */
    int (*cursor_seek)(struct store_cursor *c, struct slice key, struct slice *ret_key,
                       struct slice *ret_value);
    int (*cursor_next)(struct store_cursor *c, struct slice *ret_key, struct slice *ret_value);
    int (*cursor_prev)(struct store_cursor *c, struct slice *ret_key,
                       struct slice *ret_value); /* before a seek: the last key */
    /* Delete the pair where the cursor stands; the next cursor_next() yields the pair after it. */
    int (*cursor_del)(struct store_cursor *c);

    /* May be called between transactions, and inside the write transaction by its thread. */
    void (*usage)(struct store *s, struct store_usage *ret);
    /* Bytes that the disk still has for files; UINT64_MAX where no disk bounds the store, and where it cannot
     * be asked. A limit on the length of files, and a quota, show only in `disk_full`. */
    uint64_t (*disk_free)(struct store *s);
    /* Number of pairs as recorded where they are rooted, not by walking: of the table, and of those that
     * share a root with it. ret_tables has bit i for each table i that is counted. */
    int (*count)(struct store_txn *txn, enum store_table table, uint64_t *ret_tables, uint64_t *ret);
    /* Between transactions: grow the map and allocate the file ahead where that is due. fails: NO_SPACE (the
     * store stays usable as it is); any other error: the caller must stop. */
    int (*maintain)(struct store *s);
    /* Between write transactions: have the disk set so many bytes aside for what is written next, beyond all that was; and from now on
     * let maintain() keep so many, up to STORE_AHEAD_BYTES. fails: as maintain(); as much as the disk had is set aside then. */
    int (*set_aside)(struct store *s, uint64_t bytes);
    /* Between transactions: one step of a pass that puts rows closer together where deletes left pages thin,
     * in a transaction of its own. It rewrites pages of at most `most_bytes`, and may need as many for them
     * again, for those beside them and for those above; nothing that can be read changes. *ret_more: the pass
     * is not over. Without room it ends, and all is as it was. fails: IO, CORRUPT, NO_MEMORY. */
    int (*pack)(struct store *s, uint64_t most_bytes, bool *ret_more);
    void (*close)(struct store *s); /* takes NULL */
};

/* Both kinds of store begin with this. */
struct store {
    const struct store_ops *ops;
};

static inline int store_begin(struct store *s, bool write, struct store_txn **ret)
{
    return s->ops->begin(s, write, ret);
}

/* A transaction begins with a pointer to its store, so that the calls below need only the transaction. */
struct store_txn {
    struct store *store;
};
struct store_cursor {
    struct store *store;
};

static inline int store_commit(struct store_txn *t)
{
    return t->store->ops->commit(t);
}
static inline void store_abort(struct store_txn *t)
{
    t->store->ops->abort(t);
}
static inline int store_get(struct store_txn *t, enum store_table table, struct slice key, struct slice *ret)
{
    return t->store->ops->get(t, table, key, ret);
}
static inline int store_put(struct store_txn *t, enum store_table table, struct slice key, struct slice value)
{
    return t->store->ops->put(t, table, key, value);
}
static inline int store_reserve(struct store_txn *t, enum store_table table, struct slice key, size_t size,
                                bool fresh, void **ret)
{
    return t->store->ops->reserve(t, table, key, size, fresh, ret);
}
static inline int store_put_run(struct store_txn *t, enum store_table table, const struct store_row *rows,
                                size_t count)
{
    int err = 0;
    if (t->store->ops->put_run)
        return t->store->ops->put_run(t, table, rows, count);
    for (size_t i = 0; !err && i < count; i++)
        err = store_put(t, table, rows[i].key, rows[i].value);
    return err;
}
static inline int store_del(struct store_txn *t, enum store_table table, struct slice key, size_t *ret_size)
{
    return t->store->ops->del(t, table, key, ret_size);
}
static inline int store_cursor_open(struct store_txn *t, enum store_table table, struct store_cursor **ret)
{
    return t->store->ops->cursor_open(t, table, ret);
}
static inline void store_cursor_close(struct store_cursor *c)
{
    if (c)
        c->store->ops->cursor_close(c);
}
static inline int store_cursor_seek(struct store_cursor *c, struct slice key, struct slice *ret_key,
                                    struct slice *ret_value)
{
    return c->store->ops->cursor_seek(c, key, ret_key, ret_value);
}
static inline int store_cursor_next(struct store_cursor *c, struct slice *ret_key, struct slice *ret_value)
{
    return c->store->ops->cursor_next(c, ret_key, ret_value);
}
static inline int store_cursor_prev(struct store_cursor *c, struct slice *ret_key, struct slice *ret_value)
{
    return c->store->ops->cursor_prev(c, ret_key, ret_value);
}
static inline int store_cursor_del(struct store_cursor *c)
{
    return c->store->ops->cursor_del(c);
}
static inline void store_usage(struct store *s, struct store_usage *ret)
{
    s->ops->usage(s, ret);
}
static inline uint64_t store_disk_free(struct store *s)
{
    return s->ops->disk_free(s);
}
static inline int store_count(struct store_txn *t, enum store_table table, uint64_t *ret_tables,
                              uint64_t *ret)
{
    return t->store->ops->count(t, table, ret_tables, ret);
}
static inline int store_maintain(struct store *s)
{
    return s->ops->maintain(s);
}
static inline int store_set_aside(struct store *s, uint64_t bytes)
{
    return s->ops->set_aside(s, bytes);
}
static inline int store_pack(struct store *s, uint64_t most_bytes, bool *ret_more)
{
    return s->ops->pack(s, most_bytes, ret_more);
}
static inline void store_close(struct store *s)
{
    if (s)
        s->ops->close(s);
}

/* ---- the two stores ---- */

struct store_lmdb_options {
    const char *dir;
    uint64_t map_bytes; /* at first; grown by doubling */
    uint64_t map_bytes_max;
    bool create;    /* make the directory and an empty store if there is none */
    bool read_only; /* for --check: takes the lock too, writes nothing but the lock file */
    /* with read_only, for --export: open a file that has lost its end, too. To read there ends the process by SIGBUS */
    bool cut;
    /* with read_only, for --backup: takes no lock, because another process may serve the store and goes on
     * writing. It is LMDB's table of readers then that keeps the pages of a read transaction as they are; so
     * the directory must be open nowhere else in this process, or closing it would take the lock off that table */
    bool beside;
};

/* Open the store in a directory and lock it against other processes.
 * fails: STORE_LOCKED, STORE_VERSION, STORE_TRUNCATED, STORE_READ_ONLY, CORRUPT, NOT_FOUND (no store and
 * !create), NO_SPACE, IO, NO_MEMORY. `ret_why` (at least 512 bytes) gets one sentence: what, where and what
 * to do. */
int store_lmdb_open(const struct store_lmdb_options *options, struct store **ret, char *ret_why,
                    size_t why_bytes);

/* Bytes to which the store's file can still grow beyond its last page, within map_bytes_max and the disk, and where that page ends. What a
 * reader in another process keeps from being used again shows here and nowhere else. */
uint64_t store_lmdb_ahead(struct store *s, uint64_t *ret_end);

/* An empty store in memory (but for its version). `map_bytes_max` bounds it: past it writes fail with
 * NO_SPACE as LMDB's do. NULL without memory. */
struct store *store_memory_open(uint64_t map_bytes_max);
/* Forget what was not committed, as a crash does; open transactions and cursors are gone. */
void store_memory_crash(struct store *s);
/* Fault injection: let `skip` more calls of begin, put, reserve, del or commit pass, then fail `times` of
 * them with `err`. */
void store_memory_fault(struct store *s, unsigned skip, unsigned times, int err);

#endif
