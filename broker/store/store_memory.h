/* store_memory: what the parts of the memory store share. Private to them; the first needs none of the others,
 * the last all:
 *
 *     store_memory_txn.c      transactions and pairs
 *     store_memory_cursor.c   cursors
 *     store_memory.c          open, crash, close
 */
#ifndef SHUNT_STORE_STORE_MEMORY_H
#define SHUNT_STORE_STORE_MEMORY_H

#include "broker/store/pairs.h"
#include "broker/store/store.h"

/* One step of the write transaction, undone in reverse. */
struct undo {
    struct pair *pair;
    enum store_table table;
    bool linked; /* else unlinked: the pair is the log's until the transaction ends */
};

/* The tables as they were when a write began beside readers, which have them from then on. */
struct memory_snapshot {
    unsigned readers;
    struct pairs tables[TABLE_COUNT];
};

struct memory_txn {
    struct store_txn base;
    struct memory_txn *next; /* of the store's open transactions */
    struct pairs *tables;    /* the store's, or the snapshot's */
    struct memory_snapshot *snapshot;
    bool write;
    int failed; /* the first error: all that is left then is to abort */
};

/* A cursor is a key, there or not: moves are relative to it whatever happened to the pair. `at` only saves a
 * search. */
struct memory_cursor {
    struct store_cursor base;
    struct memory_cursor *next; /* of the store's open cursors */
    struct memory_txn *txn;
    enum store_table table;
    bool placed;
    uint64_t stamp; /* the table's when `at` was found */
    struct pair *at;
    uint8_t key_size;
    uint8_t key[STORE_KEY_BYTES_MAX];
};

struct memory_store {
    struct store base;
    struct pairs tables[TABLE_COUNT];
    uint64_t used_bytes;
    uint64_t map_bytes_max;
    struct undo *log;
    size_t log_count;
    size_t log_capacity;
    struct memory_txn *txns;
    struct memory_cursor *cursors;
    unsigned fault_skip;
    unsigned fault_times;
    int fault_err;
};

static inline struct memory_store *store_of(struct store *s)
{
    return (struct memory_store *)s;
}

static inline struct memory_store *store_of_txn(struct store_txn *t)
{
    return store_of(t->store);
}

static inline bool key_is_valid(struct slice key)
{
    return key.size >= 1 && key.size <= STORE_KEY_BYTES_MAX;
}

int memory_begin(struct store *base, bool write, struct store_txn **ret);
int memory_commit(struct store_txn *txn);
void memory_abort(struct store_txn *txn);
int memory_get(struct store_txn *txn, enum store_table table, struct slice key, struct slice *ret);
int memory_put(struct store_txn *txn, enum store_table table, struct slice key, struct slice value);
int memory_reserve(struct store_txn *txn, enum store_table table, struct slice key, size_t size, bool fresh,
                   void **ret);
int memory_del(struct store_txn *txn, enum store_table table, struct slice key, size_t *ret_size);

int memory_cursor_open(struct store_txn *txn, enum store_table table, struct store_cursor **ret);
void memory_cursor_close(struct store_cursor *c);
int memory_cursor_seek(struct store_cursor *c, struct slice key, struct slice *ret_key,
                       struct slice *ret_value);
int memory_cursor_next(struct store_cursor *c, struct slice *ret_key, struct slice *ret_value);
int memory_cursor_prev(struct store_cursor *c, struct slice *ret_key, struct slice *ret_value);
int memory_cursor_del(struct store_cursor *c);

#endif
