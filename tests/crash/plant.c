/* plant: bugs for the rigs to catch. Linked into copies of the programs (shuntd-planted, damage-planted) with
 * the linker's --wrap, so that nothing of it is in those that are installed.
 *
 * SHUNT_PLANT chooses one; without it the program is as it should be:
 *
 *     confirm-early    an answer goes out before its commit, which waits for the next turn
 *     split-divert     a dead letter enters its DLQ one transaction after it left its group
 *     volatile-count   failed attempts are counted in memory only
 *     lost-ack         what is done is kept in memory only: neither its bits nor the floor below them nor the
 *                      end of its message reach the disk
 *     no-checksum      the checksum of a message is not compared
 *     nosync           MDB_NOSYNC
 *     nometasync       MDB_NOMETASYNC
 *     short-lease      a lease ends after half of the time that the consumer was told (plant_lease.c, in
 *                      shuntd-planted alone, as the next)
 *     stale-answer     an answer has effect whatever its token is, while anybody holds the message
 *     no-marks         the store never says how full it is
 *
 * and of the journal (plant_journal.c):
 *
 *     early-place      the store behind says where the journal goes on one transaction before it has what comes before
 *     early-release    the records of a generation are released when it begins to be put away, not when it has been
 *     early-drop       a generation is dropped before the transaction that puts it away is committed
 *     short-replay     the last record is not read at the start
 *     blind-end        nothing is looked for behind the first record that is not whole
 *     bare-head        the checksum of a record leaves out its head
 *     trusting-start   what is read at the start counts as durable
 *
 * The first four sit between the ledger and the store, whatever that is made of and whose layout they need not know: a
 * table is what store.h says, a row what schema.h says.
 */
#include "tests/crash/plant.h"
#include "base/array.h"
#include "broker/core/schema.h"
#include "broker/journal/store_journal.h"

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROW_BYTES_MAX 256
#define SPLIT_US      3000

static const char *const names[PLANTS] = {"",
                                          "confirm-early",
                                          "split-divert",
                                          "volatile-count",
                                          "lost-ack",
                                          "no-checksum",
                                          "nosync",
                                          "nometasync",
                                          "short-lease",
                                          "stale-answer",
                                          "no-marks",
                                          "early-place",
                                          "early-release",
                                          "early-drop",
                                          "short-replay",
                                          "blind-end",
                                          "bare-head",
                                          "trusting-start"};

struct row {
    struct key key;
    uint8_t bytes[ROW_BYTES_MAX];
    size_t size;
};

/* Rows that the disk does not have as they are, or does not have yet. */
struct rows {
    struct row *all;
    size_t count, capacity;
};

/* Of the one store; written by the engine's thread alone. */
static const struct store_ops *sound;
static struct store_txn *unfinished; /* confirm-early: answered as if it were committed */
static struct rows rows;

enum plant planted(void)
{
    const char *name = getenv("SHUNT_PLANT");
    int i = PLANT_NONE;
    while (name && i < PLANTS && strcmp(names[i], name) != 0)
        i++;
    if (i == PLANTS) {
        (void)fprintf(stderr, "plant: there is no %s\n", name);
        exit(2);
    }
    return (enum plant)i;
}

/* ---- rows kept aside ---- */

static struct row *rows_find(struct slice key)
{
    for (size_t i = 0; i < rows.count; i++) {
        if (slice_equal((struct slice){rows.all[i].key.bytes, rows.all[i].key.size}, key))
            return &rows.all[i];
    }
    return NULL;
}

static void rows_put(struct slice key, struct slice value)
{
    struct row *row = rows_find(key);
    if (!row && !array_room(&rows.all, &rows.capacity, rows.count + 1))
        abort();
    if (key.size > sizeof row->key.bytes || value.size > ROW_BYTES_MAX)
        abort();
    if (!row)
        row = &rows.all[rows.count++];
    memcpy(row->key.bytes, key.data, key.size);
    memcpy(row->bytes, value.data, value.size);
    row->key.size = key.size;
    row->size = value.size;
}

static void rows_drop(struct slice key)
{
    struct row *row = rows_find(key);
    if (row)
        *row = rows.all[--rows.count];
}

/* ---- confirm-early ---- */

static int finish(void)
{
    struct store_txn *txn = unfinished;
    unfinished = NULL;
    return txn ? sound->commit(txn) : 0;
}

static int early_begin(struct store *s, bool write, struct store_txn **ret)
{
    int err = write ? finish() : 0;
    if (!err && write)
        err = sound->maintain(s);
    return err && err != SHUNT_NO_SPACE ? err : sound->begin(s, write, ret);
}

/* LMDB's transactions end on the thread that began them: those before the engine has its own end at once. With a journal any thread may
 * run a turn, and end what another one began. */
static int early_commit(struct store_txn *txn)
{
    if (gettid() == getpid() && !sound->any_thread)
        return sound->commit(txn);
    unfinished = txn;
    return 0;
}

static int early_maintain(struct store *s)
{
    return unfinished ? 0 : sound->maintain(s);
}

static int early_pack(struct store *s, uint64_t most_bytes, bool *ret_more)
{
    *ret_more = false;
    return unfinished ? 0 : sound->pack(s, most_bytes, ret_more);
}

static void early_close(struct store *s)
{
    if (s)
        (void)finish(); /* nobody is left to be told */
    sound->close(s);
}

/* ---- split-divert ---- */

static int split_put(struct store_txn *txn, enum store_table table, struct slice key, struct slice value)
{
    if (table == TABLE_DEAD)
        rows_put(key, value);
    return sound->put(txn, table, key, value);
}

static int split_del(struct store_txn *txn, enum store_table table, struct slice key, size_t *ret_size)
{
    if (table == TABLE_DEAD)
        rows_drop(key);
    return sound->del(txn, table, key, ret_size);
}

static int split_commit(struct store_txn *txn)
{
    struct store *s = txn->store;
    int err = 0;
    for (size_t i = 0; i < rows.count && !err; i++)
        err = sound->del(txn, TABLE_DEAD, key_slice(&rows.all[i].key), NULL);
    if (err)
        sound->abort(txn);
    else
        err = sound->commit(txn);
    if (err || !rows.count)
        return err;
    (void)usleep(SPLIT_US); /* so that a kill at random finds the gap where a sync costs nothing */
    err = sound->begin(s, true, &txn);
    for (; rows.count && !err; rows.count--) {
        const struct row *row = &rows.all[rows.count - 1];
        err = sound->put(txn, TABLE_DEAD, key_slice(&row->key), (struct slice){row->bytes, row->size});
    }
    return err ? err : sound->commit(txn);
}

/* ---- volatile-count ---- */

static int volatile_put(struct store_txn *txn, enum store_table table, struct slice key, struct slice value)
{
    uint8_t bytes[ROW_BYTES_MAX];
    struct attempt_record row;
    if (table != TABLE_ATTEMPT || attempt_decode(key, value, &row) != 0)
        return sound->put(txn, table, key, value);
    rows_put(key, value);
    row.attempts = 0;
    return sound->put(txn, table, key, (struct slice){bytes, attempt_encode(bytes, key, &row)});
}

static int volatile_get(struct store_txn *txn, enum store_table table, struct slice key, struct slice *ret)
{
    const struct row *row = table == TABLE_ATTEMPT ? rows_find(key) : NULL;
    if (!row)
        return sound->get(txn, table, key, ret);
    *ret = (struct slice){row->bytes, row->size};
    return 0;
}

static int volatile_del(struct store_txn *txn, enum store_table table, struct slice key, size_t *ret_size)
{
    if (table == TABLE_ATTEMPT)
        rows_drop(key);
    return sound->del(txn, table, key, ret_size);
}

/* ---- lost-ack ---- */

static int lost_put(struct store_txn *txn, enum store_table table, struct slice key, struct slice value)
{
    static uint8_t bytes[RECORD_BYTES_MAX];
    struct group_record group;
    if (table == TABLE_DONE)
        return 0;
    if (table != TABLE_GROUP || group_decode(key, value, &group) != 0)
        return sound->put(txn, table, key, value);
    group.floor = group.start;
    return sound->put(txn, table, key, (struct slice){bytes, group_encode(bytes, key, &group)});
}

static int lost_del(struct store_txn *txn, enum store_table table, struct slice key, size_t *ret_size)
{
    struct slice value;
    if (table != TABLE_MESSAGE)
        return sound->del(txn, table, key, ret_size);
    int err = sound->get(txn, table, key, &value);
    if (!err && ret_size)
        *ret_size = value.size;
    return err;
}

/* ---- no-marks ---- */

static void roomy_usage(struct store *s, struct store_usage *ret)
{
    sound->usage(s, ret);
    ret->free_bytes = ret->usable_bytes = ret->map_bytes = ret->map_bytes_max = 1ull << 40;
    ret->disk_full = false;
}

/* ---- in the place of what they are named after ---- */

/* The store gets those of its calls that a bug changes. */
static void change(struct store *store, enum plant plant)
{
    static struct store_ops ops;
    sound = store->ops;
    ops = *sound;
    switch (plant) {
    case PLANT_CONFIRM_EARLY:
    case PLANT_EARLY_DROP:
        ops.begin = early_begin;
        ops.commit = early_commit;
        ops.maintain = early_maintain;
        ops.pack = early_pack;
        ops.close = early_close;
        break;
    case PLANT_SPLIT_DIVERT:
        ops.put = split_put;
        ops.del = split_del;
        ops.commit = split_commit;
        break;
    case PLANT_VOLATILE_COUNT:
        ops.put = volatile_put;
        ops.get = volatile_get;
        ops.del = volatile_del;
        break;
    case PLANT_LOST_ACK:
        ops.put = lost_put;
        ops.del = lost_del;
        break;
    case PLANT_NO_MARKS:
    case PLANT_EARLY_RELEASE: /* its ring is too small for them */
        ops.usage = roomy_usage;
        break;
    case PLANT_NONE:
    case PLANT_NO_CHECKSUM:
    case PLANT_NOSYNC:
    case PLANT_NOMETASYNC:
    case PLANT_SHORT_LEASE:
    case PLANT_STALE_ANSWER:
    case PLANT_EARLY_PLACE:
    case PLANT_SHORT_REPLAY:
    case PLANT_BLIND_END:
    case PLANT_BARE_HEAD:
    case PLANT_TRUSTING_START:
    case PLANTS:
        return;
    }
    store->ops = &ops;
}

int __real_store_journal_open(const struct store_journal_options *options, struct store **ret, char *ret_why,
                              size_t why_bytes);
int __wrap_store_journal_open(const struct store_journal_options *options, struct store **ret, char *ret_why,
                              size_t why_bytes);
int __wrap_store_journal_open(const struct store_journal_options *options, struct store **ret, char *ret_why,
                              size_t why_bytes)
{
    struct store_journal_options changed = *options;
    plant_journal_size(&changed);
    if (planted() == PLANT_EARLY_DROP)
        change(options->behind, PLANT_EARLY_DROP);
    int err = __real_store_journal_open(&changed, ret, ret_why, why_bytes);
    if (!err && planted() != PLANT_EARLY_DROP)
        change(*ret, planted());
    return err;
}

int __real_message_decode(struct slice key, struct slice value, bool verify, struct message_head *ret,
                          struct slice *ret_message);
int __wrap_message_decode(struct slice key, struct slice value, bool verify, struct message_head *ret,
                          struct slice *ret_message);
int __wrap_message_decode(struct slice key, struct slice value, bool verify, struct message_head *ret,
                          struct slice *ret_message)
{
    return __real_message_decode(key, value, verify && planted() != PLANT_NO_CHECKSUM, ret, ret_message);
}

int __real_mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode);
int __wrap_mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode);
int __wrap_mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode)
{
    enum plant plant = planted();
    unsigned more = plant == PLANT_NOSYNC ? MDB_NOSYNC : plant == PLANT_NOMETASYNC ? MDB_NOMETASYNC : 0;
    return __real_mdb_env_open(env, path, flags | more, mode);
}
