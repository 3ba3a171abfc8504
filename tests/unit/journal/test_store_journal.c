/* The store with a journal: transactions at random, crashes at every point of them, and what is there after the next start. */
#include "base/slice.h"
#include "broker/journal/file_memory.h"
#include "broker/journal/generation.h"
#include "broker/journal/store_journal.h"
#include "proto/errors.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 200, VALUE_BYTES_MAX = 3000, WHY_BYTES = 512 };

static const enum store_table tables[] = {TABLE_TOPIC, TABLE_MESSAGE, TABLE_DUE};
enum { TABLES = sizeof tables / sizeof *tables };

/* What is under each key of each table: 0 for nothing, else a seed that makes the value. */
struct model {
    uint32_t rows[TABLES][KEYS];
};

struct rig {
    struct store *behind; /* in memory; stays when the store before it is closed */
    struct journal_file *file;
    struct store *store; /* NULL while it is down */
    struct model now, committed;
    uint64_t bytes; /* of the journal, at most */
    uint64_t random;
    char why[WHY_BYTES];
};

/* A store's operations have no context, and there is one rig at a time. */
static struct store_ops kept_ops;
static void (*close_truly)(struct store *s);

static void close_kept(struct store *s)
{
    store_memory_crash(s);
}

static uint32_t draw(struct rig *r, uint32_t below)
{
    r->random = r->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(r->random >> 33) % below;
}

static struct journal_file *again(const struct rig *r)
{
    struct journal_file *f;
    cr_assert_eq(r->file->ops->again(r->file, &f), 0);
    return f;
}

static struct store_journal_options options(const struct rig *r)
{
    return (struct store_journal_options){.behind = r->behind,
                                          .file = again(r),
                                          .dir = "a test",
                                          .bytes = r->bytes,
                                          .memory_bytes = 64u << 10,
                                          .create = true,
                                          .keep_padded = r->bytes != 512u << 10};
}

static int open_with(struct rig *r, struct store_journal_options o)
{
    return store_journal_open(&o, &r->store, r->why, sizeof r->why);
}

static void open_well(struct rig *r, const char *when)
{
    int err = open_with(r, options(r));
    cr_assert_eq(err, 0, "%s: %s: %s", when, err_name(err), r->why);
}

static struct rig *rig_new(unsigned seed)
{
    struct rig *r = calloc(1, sizeof *r);
    cr_assert_not_null(r);
    r->random = seed * 0x9e3779b97f4a7c15u + 1;
    r->bytes = (64ull << 10) << seed % 8; /* the shortest has no room for most records */
    r->behind = store_memory_open(1ull << 30);
    r->file = journal_file_memory(64u << 20);
    cr_assert(r->behind && r->file);
    kept_ops = *r->behind->ops;
    close_truly = kept_ops.close;
    kept_ops.close = close_kept;
    r->behind->ops = &kept_ops;
    open_well(r, "new");
    return r;
}

static void rig_done(struct rig *r)
{
    if (r->store && r->store != r->behind)
        store_close(r->store);
    r->file->ops->close(r->file);
    close_truly(r->behind);
    free(r);
}

static struct slice key_of(char to[8], unsigned key)
{
    return (struct slice){to, (size_t)snprintf(to, 8, "k%05u", key)};
}

static size_t value_of(char *to, uint32_t seed)
{
    size_t size = seed % VALUE_BYTES_MAX;
    for (size_t i = 0; i < size; i++)
        to[i] = (char)((seed + i) * 2654435761u >> 24);
    return size;
}

static int change(struct rig *r, struct store_txn *t)
{
    unsigned table = draw(r, TABLES), key = draw(r, KEYS);
    uint32_t *row = &r->now.rows[table][key];
    static char value[VALUE_BYTES_MAX];
    char bytes[8];
    struct slice k = key_of(bytes, key);
    if (draw(r, 2)) {
        uint32_t had = *row;
        int err = store_del(t, tables[table], k, NULL);
        *row = 0;
        return err == SHUNT_NOT_FOUND && !had ? 0 : err;
    }
    uint32_t seed = 1 + draw(r, UINT32_MAX - 1);
    void *to;
    size_t size = value_of(value, seed);
    int err = store_reserve(t, tables[table], k, size, !*row && draw(r, 2), &to);
    if (!err)
        memcpy(to, value, size);
    *row = seed;
    return err;
}

/* A transaction; it is in `now` whatever becomes of it. */
static int transaction(struct rig *r)
{
    struct store_txn *t;
    int err = store_begin(r->store, true, &t);
    if (err)
        return err;
    for (unsigned left = 1 + draw(r, 12); !err && left; left--)
        err = change(r, t);
    if (err) {
        store_abort(t);
        return err;
    }
    return store_commit(t);
}

/* Whether the store says what the model does. */
static bool holds(struct store *s, const struct model *m)
{
    static char want[VALUE_BYTES_MAX];
    struct store_txn *t;
    bool same = true;
    cr_assert_eq(store_begin(s, false, &t), 0);
    for (unsigned i = 0; i < TABLES; i++) {
        struct store_cursor *c;
        struct slice key, value;
        char bytes[8];
        uint64_t count = 0, together, counted;
        cr_assert_eq(store_cursor_open(t, tables[i], &c), 0);
        for (unsigned k = 0; same && k < KEYS; k++) {
            if (!m->rows[i][k])
                continue;
            count++;
            same = store_cursor_next(c, &key, &value) == 0 && slice_equal(key, key_of(bytes, k)) &&
                   slice_equal(value, (struct slice){want, value_of(want, m->rows[i][k])});
        }
        same = same && store_cursor_next(c, &key, &value) == SHUNT_NOT_FOUND;
        store_cursor_close(c);
        if (same && tables[i] != TABLE_TOPIC) { /* which has others beside it on disk */
            cr_assert_eq(store_count(t, tables[i], &together, &counted), 0);
            same = counted == count;
        }
    }
    store_abort(t);
    return same;
}

static void down(struct rig *r)
{
    store_close(r->store);
    r->store = NULL;
}

/* Some of what was asked for has been done before, or nothing. */
static int maintain(struct rig *r)
{
    for (unsigned steps = draw(r, 3); steps; steps--)
        (void)store_journal_step(r->store);
    return store_maintain(r->store);
}

static struct store_journal_state seen; /* in all runs */

/* Some transactions; then the power goes, between two of them or while something is written. */
static void live_and_crash(struct rig *r, bool in_the_middle)
{
    struct store_journal_state state;
    int err = 0;
    if (in_the_middle)
        journal_memory_fail(r->file, draw(r, 60), SHUNT_IO);
    for (unsigned left = draw(r, 40); !err && left; left--) {
        err = transaction(r);
        if (!err) {
            r->committed = r->now;
            err = maintain(r);
        }
        cr_assert(!err || in_the_middle, "%s", err_name(err));
    }
    journal_memory_fail(r->file, 0, 0);
    cr_assert(store_journal_state(r->store, &state));
    down(r);
    journal_memory_crash(r->file, draw(r, UINT32_MAX));
    seen.merges += state.merges;
    seen.stubs += state.stubs;
    seen.aways += state.aways;
}

static void run(unsigned seed)
{
    struct rig *r = rig_new(seed);
    uint64_t merges = seen.merges;
    for (unsigned round = 0; round < 30; round++) {
        char when[64];
        (void)snprintf(when, sizeof when, "seed %u, round %u", seed, round);
        live_and_crash(r, round % 3 == 1);
        open_well(r, when);
        bool before = holds(r->store, &r->committed), after = holds(r->store, &r->now);
        cr_assert(before || after, "%s: neither what was committed nor that and the last transaction", when);
        r->committed = r->now = after ? r->now : r->committed;
        cr_assert_eq(maintain(r), 0);
    }
    cr_assert_gt(seen.merges, merges + 3, "seed %u: a poor run", seed);
    rig_done(r);
}

Test(store_journal, what_was_committed_is_there_after_any_crash)
{
    const char *seeds = getenv("SHUNT_JOURNAL_SEEDS");
    for (unsigned seed = 0; seed < (seeds ? strtoul(seeds, NULL, 10) : 16); seed++)
        run(seed);
    cr_assert_gt(seen.stubs, 1000, "messages stayed in the journal");
    cr_assert_gt(seen.aways, 100, "and were put away");
}

static int ignore(void *context, struct journal_place place, struct slice body)
{
    (void)context;
    (void)place;
    (void)body;
    return 0;
}

/* Two generations that were in memory at the crash are one after it: the second said what lay below it, and that was the first. */
Test(store_journal, a_start_puts_two_generations_together)
{
    struct rig *r = rig_new(1);
    struct journal_meta meta;
    struct store_txn *t;
    cr_assert_eq(store_begin(r->behind, false, &t), 0);
    cr_assert_eq(journal_meta_read(t, &meta), 0);
    store_abort(t);
    down(r);
    struct journal *j;
    char key[8];
    cr_assert_eq(journal_open(again(r), meta.id, meta.oldest, meta.from, false, ignore, NULL, &j, r->why,
                              sizeof r->why),
                 0);
    static char record[3][JOURNAL_HEAD_BYTES + 64];
    struct row *made = row_write(record[0] + JOURNAL_HEAD_BYTES, TABLE_DUE, key_of(key, 1), 0);
    struct row *gone =
        row_write(record[1] + JOURNAL_HEAD_BYTES, TABLE_DUE | ROW_DELETED | ROW_BELOW, key_of(key, 1), 0);
    cr_assert_eq(journal_append(j, record[0], row_bytes(made->key_size, 0)), 0);
    cr_assert_eq(journal_append(j, record[1], row_bytes(gone->key_size, 0)), 0);
    journal_close(j);
    open_well(r, "two generations");
    cr_assert(holds(r->store, &r->committed));
    down(r);
    /* And once more, though the first knows nothing of it by then. */
    cr_assert_eq(journal_open(again(r), meta.id, meta.oldest, meta.from, false, ignore, NULL, &j, r->why,
                              sizeof r->why),
                 0);
    struct row *back = row_write(record[2] + JOURNAL_HEAD_BYTES, TABLE_DUE | ROW_BELOW, key_of(key, 1), 0);
    cr_assert_eq(journal_append(j, record[2], row_bytes(back->key_size, 0)), 0);
    journal_close(j);
    open_well(r, "two generations and a row that comes back");
    r->committed.rows[2][1] = VALUE_BYTES_MAX; /* no bytes */
    cr_assert(holds(r->store, &r->committed));
    struct store_journal_options o = options(r);
    down(r);
    o.end = true;
    cr_assert_eq(open_with(r, o), 0, "%s", r->why);
    cr_assert_eq(r->store, r->behind);
    rig_done(r);
}

Test(store_journal, an_ended_one_leaves_all_in_the_store_behind)
{
    struct rig *r = rig_new(7);
    for (unsigned i = 0; i < 50; i++)
        cr_assert_eq(transaction(r), 0);
    down(r);
    struct store_journal_options o = options(r);
    o.end = true;
    cr_assert_eq(open_with(r, o), 0, "%s", r->why);
    cr_assert_eq(r->store, r->behind);
    cr_assert(holds(r->behind, &r->now));
    cr_assert_eq(open_with(r, o = options(r)), 0, "and it may have one again");
    cr_assert_neq(r->store, r->behind);
    cr_assert(holds(r->store, &r->now));
    rig_done(r);
}

Test(store_journal, a_reader_sees_what_only_the_journal_has)
{
    struct rig *r = rig_new(8);
    struct store_txn *t;
    for (unsigned i = 0; i < 20; i++)
        cr_assert_eq(transaction(r), 0);
    down(r);
    struct store_journal_options o = options(r);
    o.read_only = true;
    cr_assert_eq(open_with(r, o), 0, "%s", r->why);
    cr_assert(holds(r->store, &r->now));
    cr_assert_not(holds(r->behind, &r->now), "it is in the journal alone");
    cr_assert_eq(store_begin(r->store, true, &t), SHUNT_STORE_READ_ONLY);
    cr_assert_eq(store_maintain(r->store), 0);
    rig_done(r);
}

Test(store_journal, another_journal_is_refused)
{
    struct rig *r = rig_new(9);
    cr_assert_eq(transaction(r), 0);
    down(r);
    struct store_journal_options o = options(r);
    o.file->ops->close(o.file);
    o.file = journal_file_memory(8u << 20);
    cr_assert_neq(open_with(r, o), 0);
    cr_assert(r->why[0], "a sentence");
    open_well(r, "the right one");
    cr_assert(holds(r->store, &r->now));
    rig_done(r);
}

/* The control: a record that is not replayed is missed. */
Test(store_journal, a_lost_record_is_noticed)
{
    struct rig *r = rig_new(10);
    struct model before;
    for (unsigned i = 0; i < 5; i++) {
        before = r->now;
        cr_assert_eq(transaction(r), 0);
    }
    cr_assert(holds(r->store, &r->now));
    cr_assert_not(holds(r->store, &before));
    rig_done(r);
}

/* A store whose journal has `bytes` at most, in a file that the disk lets grow to `disk_bytes`. */
static struct rig *rig_small(uint64_t bytes, uint64_t disk_bytes)
{
    struct rig *r = rig_new(11);
    struct store_txn *t;
    down(r);
    cr_assert_eq(store_begin(r->behind, true, &t), 0);
    cr_assert_eq(journal_meta_delete(t), 0);
    cr_assert_eq(store_commit(t), 0);
    r->file->ops->close(r->file);
    r->file = journal_file_memory(disk_bytes);
    struct store_journal_options o = options(r);
    o.bytes = bytes;
    o.memory_bytes = 64u << 20;
    cr_assert_eq(open_with(r, o), 0, "%s", r->why);
    return r;
}

static uint64_t long_one_bytes_after_crash(struct rig *r)
{
    struct store_txn *t;
    struct slice value = {0};
    down(r);
    journal_memory_crash(r->file, 1);
    open_well(r, "after long transactions");
    cr_assert_eq(store_begin(r->store, false, &t), 0);
    cr_expect_eq(store_get(t, TABLE_MESSAGE, slice_of("a long one"), &value), 0);
    store_abort(t);
    return value.size;
}

static int write_bytes(struct rig *r, uint64_t bytes)
{
    struct store_txn *t;
    void *to;
    int err = store_begin(r->store, true, &t);
    if (err)
        return err;
    err = store_reserve(t, TABLE_MESSAGE, slice_of("a long one"), bytes, false, &to);
    if (err) {
        store_abort(t);
        return err;
    }
    memset(to, 'x', bytes);
    return store_commit(t);
}

Test(store_journal, a_transaction_has_the_room_that_usage_tells)
{
    static const unsigned mib[][2] = {
        {4, 512}, {8, 512}, {64, 512}, {64, 4}, {64, 9}}; /* of the journal, of the disk */
    for (size_t i = 0; i < sizeof mib / sizeof *mib; i++) {
        uint64_t written = 0;
        struct rig *r = rig_small((uint64_t)mib[i][0] << 20, (uint64_t)mib[i][1] << 20);
        for (unsigned n = 0; n < 20; n++) {
            struct store_usage usage;
            cr_assert_eq(store_maintain(r->store), 0);
            store_usage(r->store, &usage);
            written = usage.usable_bytes - 3 * JOURNAL_BLOCK_BYTES;
            int err = write_bytes(r, written);
            cr_assert_eq(err, 0, "journal %u MiB, disk %u MiB, transaction %u of %llu bytes: %s", mib[i][0],
                         mib[i][1], n, (unsigned long long)written, err_name(err));
        }
        cr_expect_eq(long_one_bytes_after_crash(r), written);
        rig_done(r);
    }
}

Test(store_journal, transactions_that_are_given_up_leave_room)
{
    struct rig *r = rig_small(64u << 20, 64u << 20);
    for (unsigned n = 0; n < 60; n++) {
        struct store_txn *t;
        void *to;
        int err = store_begin(r->store, true, &t);
        if (!err) {
            err = store_reserve(t, TABLE_MESSAGE, slice_of("given up"), 8u << 20, false, &to);
            store_abort(t);
        }
        cr_assert_eq(err, 0, "transaction %u: %s", n, err_name(err));
        cr_assert_eq(store_maintain(r->store), 0);
    }
    rig_done(r);
}
