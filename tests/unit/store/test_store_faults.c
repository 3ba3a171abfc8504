/* What a store calls outside of itself fails, one call after the other: each failure comes out, stands until
 * the transaction is aborted, and leaves what was committed before. */
#include "broker/store/store_file.h"
#include "broker/store/store_lmdb.h"
#include "tests/unit/store/fixture.h"
#include "tests/unit/store/outside.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- work that needs every call ---- */

#define TRY(call)                                                                                            \
    do {                                                                                                     \
        int tried = (call);                                                                                  \
        if (tried)                                                                                           \
            return tried;                                                                                    \
    } while (0)

/* A cursor over three pairs a, b, c, disturbed by other writes; b is deleted and put again. */
static int walk_with(struct store_txn *t, enum store_table table, struct store_cursor *c)
{
    struct slice key, value;
    TRY(store_cursor_seek(c, slice_of("b"), &key, &value));
    TRY(store_put(t, table, slice_of("bb"), slice_of("between")));
    TRY(store_cursor_next(c, &key, &value));
    TRY(store_cursor_prev(c, &key, &value));
    TRY(store_del(t, table, slice_of("bb"), NULL));
    TRY(store_cursor_prev(c, &key, &value));
    TRY(store_cursor_next(c, &key, &value));
    TRY(store_cursor_del(c));
    TRY(store_put(t, table, slice_of("b"), slice_of("again")));
    TRY(store_cursor_seek(c, slice_of("c"), &key, &value));
    TRY(store_cursor_del(c));
    return store_put(t, table, slice_of("c"), slice_of("again"));
}

/* What stands for a cursor of a transaction that failed. */
static void expect_cursor_failed(struct store_cursor *c, int err)
{
    struct slice key, value;
    cr_assert_eq(store_cursor_seek(c, slice_of("a"), &key, &value), err);
    cr_assert_eq(store_cursor_next(c, &key, &value), err);
    cr_assert_eq(store_cursor_prev(c, &key, &value), err);
    cr_assert_eq(store_cursor_del(c), err);
}

static int walk_about(struct store_txn *t, enum store_table table)
{
    struct store_cursor *c;
    TRY(store_cursor_open(t, table, &c));
    int err = walk_with(t, table, c);
    if (err)
        expect_cursor_failed(c, err);
    store_cursor_close(c);
    return err;
}

static int write_table(struct store_txn *t, enum store_table table, const char *round)
{
    struct slice value;
    size_t size;
    void *to;
    uint64_t tables, count;
    TRY(store_put(t, table, slice_of("a"), slice_of(round)));
    TRY(store_put(t, table, slice_of("c"), slice_of("c")));
    TRY(store_reserve(t, table, slice_of("b"), 1, false, &to)); /* it is not the greatest */
    memcpy(to, "b", 1);
    TRY(store_put(t, table, slice_of("gone"), slice_of("gone")));
    TRY(store_del(t, table, slice_of("gone"), &size));
    TRY(store_get(t, table, slice_of("a"), &value));
    TRY(store_count(t, table, &tables, &count));
    return walk_about(t, table);
}

/* What stands until the transaction is aborted. */
static void expect_failed(struct store_txn *t, int err)
{
    struct slice value;
    void *to;
    uint64_t tables, count;
    struct store_cursor *c;
    cr_assert_eq(store_get(t, TABLE_TOPIC, slice_of("a"), &value), err);
    cr_assert_eq(store_put(t, TABLE_TOPIC, slice_of("a"), slice_of("late")), err);
    cr_assert_eq(store_reserve(t, TABLE_TOPIC, slice_of("a"), 1, false, &to), err);
    cr_assert_eq(store_del(t, TABLE_TOPIC, slice_of("a"), NULL), err);
    cr_assert_eq(store_count(t, TABLE_TOPIC, &tables, &count), err);
    cr_assert_eq(store_cursor_open(t, TABLE_TOPIC, &c), err);
}

/* One transaction in a shared tree and one of its own. Half of those that failed are committed, which must
 * say so. */
static int write_round(struct store *s, const char *round)
{
    static unsigned turn;
    struct store_txn *t;
    TRY(store_begin(s, true, &t));
    int err = write_table(t, TABLE_TOPIC, round);
    if (!err)
        err = write_table(t, TABLE_MESSAGE, round);
    if (!err)
        return store_commit(t);
    bool lasts = err != SHUNT_NO_MEMORY; /* a cursor that could not be opened has harmed nothing */
    if (lasts)
        expect_failed(t, err);
    if (lasts && turn++ % 2)
        cr_assert_eq(store_commit(t), err);
    else
        store_abort(t);
    return err;
}

static int read_round(struct store *s)
{
    struct store_txn *t;
    struct slice key, value;
    struct store_cursor *c;
    TRY(store_begin(s, false, &t));
    int err = store_get(t, TABLE_MESSAGE, slice_of("a"), &value);
    if (!err)
        err = store_cursor_open(t, TABLE_MESSAGE, &c);
    if (!err) {
        while (!err)
            err = store_cursor_next(c, &key, &value);
        err = err == SHUNT_NOT_FOUND ? 0 : err;
        store_cursor_close(c);
    }
    store_abort(t);
    return err;
}

static int work(struct store *s, char *committed)
{
    for (char round[2] = "1"; round[0] <= '2'; round[0]++) {
        TRY(write_round(s, round));
        *committed = round[0];
        TRY(store_maintain(s));
        TRY(read_round(s));
    }
    return 0;
}

/* ---- one failure after the other ---- */

static char dir[64];
static char why[WHY_BYTES];

static void expect_round(char committed)
{
    struct store *s;
    struct slice value;
    int err = fixture_open_lmdb(dir, 1 << 24, &s, why);
    cr_assert_eq(err, 0, "%s: %s", err_name(err), why);
    struct store_txn *t = begin_read(s);
    for (enum store_table table = TABLE_TOPIC; table <= TABLE_MESSAGE; table++) {
        if (table == TABLE_GROUP)
            continue;
        err = store_get(t, table, slice_of("a"), &value);
        cr_assert_eq(err, committed ? 0 : SHUNT_NOT_FOUND);
        cr_assert(!committed || (value.size == 1 && memcmp(value.data, &committed, 1) == 0));
    }
    store_abort(t);
    store_close(s);
}

struct failure {
    enum outside what;
    unsigned times;
    int code;
    int comes_out; /* as */
};

static void fail_each(const struct failure *x, bool made_before)
{
    unsigned failures = 0;
    for (unsigned n = 1;; n++) {
        struct store *s;
        char committed = 0;
        fixture_make_dir(dir, sizeof dir);
        if (made_before) {
            cr_assert_eq(fixture_open_lmdb(dir, 1 << 24, &s, why), 0, "%s", why);
            store_close(s);
        }
        outside_arm(x->what, n, x->times, x->code);
        why[0] = 0;
        int err = fixture_open_lmdb(dir, 1 << 24, &s, why);
        bool opened = !err;
        if (opened) {
            err = work(s, &committed);
            store_close(s);
        }
        const char *call = outside_failed();
        outside_arm(x->what, 0, 0, 0);
        if (err)
            cr_assert_not_null(call, "%s though nothing failed", err_name(err));
        cr_assert(!err || opened || strstr(why, dir), "%s: the sentence names no directory: %s", call, why);
        /* What is about the file as a whole is a bad disk, whatever LMDB calls it. */
        bool whole = call && (x->what == OUTSIDE_SYSTEM || strncmp(call, "mdb_env", 7) == 0);
        cr_assert(!err || err == x->comes_out || (whole && err == SHUNT_IO),
                  "%s failed with %d, came out: %s (%s)", call, x->code, err_name(err), why);
        failures += err != 0;
        expect_round(committed);
        fixture_remove_dir(dir);
        if (!call) {
            cr_assert_eq(committed, '2');
            break;
        }
    }
    cr_assert_gt(failures, 3);
}

static void fail_each_anew_and_again(const struct failure *x)
{
    fail_each(x, false);
    fail_each(x, true);
}

Test(store_faults, of_lmdb_for_a_bad_disk)
{
    fail_each_anew_and_again(&(struct failure){OUTSIDE_LMDB, 1, EIO, SHUNT_IO});
}
Test(store_faults, of_lmdb_for_want_of_space)
{
    fail_each_anew_and_again(&(struct failure){OUTSIDE_LMDB, 1, MDB_MAP_FULL, SHUNT_NO_SPACE});
}
Test(store_faults, of_lmdb_for_damage)
{
    fail_each_anew_and_again(&(struct failure){OUTSIDE_LMDB, 2, MDB_CORRUPTED, SHUNT_CORRUPT});
}
Test(store_faults, of_the_system_for_a_bad_disk)
{
    fail_each_anew_and_again(&(struct failure){OUTSIDE_SYSTEM, 1, EIO, SHUNT_IO});
}
Test(store_faults, of_the_system_for_want_of_space)
{
    fail_each_anew_and_again(&(struct failure){OUTSIDE_SYSTEM, 1, ENOSPC, SHUNT_NO_SPACE});
}
Test(store_faults, of_the_system_for_want_of_permission)
{
    fail_each_anew_and_again(&(struct failure){OUTSIDE_SYSTEM, 1, EACCES, SHUNT_STORE_READ_ONLY});
}
Test(store_faults, of_the_heap)
{
    fail_each_anew_and_again(&(struct failure){OUTSIDE_HEAP, 1, 1, SHUNT_NO_MEMORY});
}

/* ---- reading only ---- */

static int open_to_read(struct store **ret)
{
    const struct store_lmdb_options o = {
        .dir = dir, .map_bytes = 1 << 20, .map_bytes_max = 1 << 24, .read_only = true};
    why[0] = 0;
    return store_lmdb_open(&o, ret, why, sizeof why);
}

static void make_store(void)
{
    struct store *s;
    char committed = 0;
    fixture_make_dir(dir, sizeof dir);
    cr_assert_eq(fixture_open_lmdb(dir, 1 << 24, &s, why), 0, "%s", why);
    cr_assert_eq(work(s, &committed), 0);
    store_close(s);
}

Test(store_faults, of_the_system_while_opening_to_read)
{
    static const int codes[] = {EIO, EACCES, EROFS};
    make_store();
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        for (unsigned n = 1, failed = 1; failed; n++) {
            struct store *s;
            outside_arm(OUTSIDE_SYSTEM, n, 1, codes[i]);
            int err = open_to_read(&s);
            if (!err) {
                cr_assert_eq(read_round(s), 0);
                store_close(s);
            }
            failed = outside_failed() != NULL;
            cr_assert(!err || failed);
            cr_assert(!err || err == SHUNT_IO || (err == SHUNT_STORE_READ_ONLY && codes[i] != EIO), "%s: %s",
                      outside_failed(), err_name(err));
            cr_assert(!err || strstr(why, dir), "%s", why);
            outside_arm(OUTSIDE_SYSTEM, 0, 0, 0);
        }
    }
    fixture_remove_dir(dir);
}

/* A store that was never opened on a medium that cannot be written has no lock file there, and needs none. */
Test(store_faults, a_lock_file_that_cannot_be_made_is_not_needed_to_read)
{
    struct store *s;
    char path[128];
    make_store();
    snprintf(path, sizeof path, "%s/" STORE_LOCK_NAME, dir);
    cr_assert_eq(remove(path), 0);
    outside_arm(OUTSIDE_SYSTEM, 2, 1, EROFS); /* after the look at the file */
    int err = open_to_read(&s);
    cr_assert_str_eq(outside_failed(), "open");
    outside_arm(OUTSIDE_SYSTEM, 0, 0, 0);
    cr_assert_eq(err, 0, "%s", why);
    store_close(s);
    fixture_remove_dir(dir);
}

/* Some file systems cannot set room aside, and a signal may come while one does. */
Test(store_faults, room_that_cannot_be_set_aside_is_done_without)
{
    static const int codes[] = {EOPNOTSUPP, ENOSYS, EINTR};
    make_store();
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        unsigned met = 0;
        for (unsigned n = 1, failed = 1; failed; n++) {
            struct store *s;
            outside_arm(OUTSIDE_SYSTEM, n, 1, codes[i]);
            int err = fixture_open_lmdb(dir, 1 << 24, &s, why);
            const char *call = outside_failed();
            outside_arm(OUTSIDE_SYSTEM, 0, 0, 0);
            failed = call != NULL;
            bool aside = call && strcmp(call, "fallocate64") == 0;
            cr_assert(!aside || !err, "%s", why);
            met += aside;
            if (!err)
                store_close(s);
        }
        cr_assert_geq(met, 2);
    }
    fixture_remove_dir(dir);
}

/* ---- room ---- */

Test(store_faults, figures_that_cannot_be_had_are_the_last_ones)
{
    struct store *s;
    struct store_usage was, is;
    make_store();
    cr_assert_eq(fixture_open_lmdb(dir, 1 << 24, &s, why), 0, "%s", why);
    store_usage(s, &was);
    cr_assert_gt(was.used_bytes, 0);
    unsigned n = 1;
    for (bool failed = true; failed; n++) {
        outside_arm(OUTSIDE_LMDB, n, 1, EIO);
        store_usage(s, &is);
        failed = outside_failed() != NULL;
        outside_arm(OUTSIDE_LMDB, 0, 0, 0);
        cr_assert(is.used_bytes == was.used_bytes && is.map_bytes == was.map_bytes &&
                  is.free_bytes == was.free_bytes);
    }
    cr_assert_gt(n, TREE_COUNT + 4);
    store_close(s);
    fixture_remove_dir(dir);
}

/* The file system looks at every byte it is asked for, so asking for the whole file each time it grows takes
 * longer the larger it is. */
Test(store_faults, only_what_is_new_of_the_file_is_set_aside)
{
    enum { ROUNDS = 7, ROUND_BYTES = 8 << 20 };
    static uint8_t value[ROUND_BYTES];
    struct store *s;
    struct store_usage was, is;
    make_store();
    cr_assert_eq(fixture_open_lmdb(dir, 1 << 29, &s, why), 0, "%s", why);
    store_usage(s, &was);
    outside_arm(OUTSIDE_SYSTEM, 0, 0, 0);
    for (uint8_t i = 0; i < ROUNDS; i++) {
        struct store_txn *t = begin_write(s);
        struct slice key = {&i, 1}, whole = {value, sizeof value};
        cr_assert_eq(store_put(t, TABLE_MESSAGE, key, whole), 0);
        commit(t);
        cr_assert_eq(store_maintain(s), 0);
    }
    store_usage(s, &is);
    cr_assert_gt(is.allocated_bytes, was.allocated_bytes + ROUNDS / 2 * ROUND_BYTES, "it never grew");
    cr_assert_leq(outside_set_aside(), is.allocated_bytes - was.allocated_bytes);
    store_close(s);
    fixture_remove_dir(dir);
}

/* LMDB lets go of the old map before it makes the new one. */
Test(store_faults, a_map_that_can_neither_grow_nor_come_back_ends_all_but_closing)
{
    struct store *s;
    struct store_txn *t;
    make_store();
    cr_assert_eq(fixture_open_lmdb(dir, 1 << 24, &s, why), 0, "%s", why);
    lmdb_store_of(s)->map_bytes_max *= 2;
    outside_arm(OUTSIDE_LMDB, 2, 1, ENOMEM); /* after the look at where the last page is */
    cr_assert_eq(store_maintain(s), SHUNT_NO_SPACE, "as it was");
    cr_assert_str_eq(outside_failed(), "mdb_env_set_mapsize");
    outside_arm(OUTSIDE_LMDB, 0, 0, 0);
    cr_assert_eq(read_round(s), 0);
    outside_arm(OUTSIDE_LMDB, 2, 2, ENOMEM);
    cr_assert_eq(store_maintain(s), SHUNT_IO);
    outside_arm(OUTSIDE_LMDB, 0, 0, 0);
    cr_assert_eq(store_maintain(s), SHUNT_IO);
    cr_assert_eq(store_begin(s, false, &t), SHUNT_IO);
    cr_assert_eq(store_begin(s, true, &t), SHUNT_IO);
    store_close(s);
    expect_round('2');
    fixture_remove_dir(dir);
}

/* ---- in memory ---- */

Test(store_faults, of_the_store_in_memory_stand_as_those_of_the_other)
{
    struct store *s = store_memory_open(1 << 24);
    cr_assert_eq(write_round(s, "1"), 0);
    for (unsigned skip = 0; skip < 20; skip++) {
        store_memory_fault(s, skip, 1, SHUNT_IO);
        cr_assert_eq(write_round(s, "2"), SHUNT_IO);
        struct store_txn *t = begin_read(s);
        expect_text(t, TABLE_TOPIC, "a", "1");
        store_abort(t);
    }
    store_close(s);
}

Test(store_faults, of_the_heap_beneath_the_store_in_memory)
{
    unsigned n = 1;
    for (bool failed = true; failed; n++) {
        char committed = 0;
        outside_arm(OUTSIDE_HEAP, n, 1, 1);
        struct store *s = store_memory_open(1 << 24);
        int err = s ? write_round(s, "1") : 0;
        committed = s && !err ? '1' : 0;
        if (s && !err)
            err = read_round(s);
        failed = outside_failed() != NULL;
        outside_arm(OUTSIDE_HEAP, 0, 0, 0);
        cr_assert(!err || (failed && err == SHUNT_NO_MEMORY), "%s", err_name(err));
        cr_assert(s || failed);
        if (!s)
            continue;
        struct store_txn *t = begin_read(s);
        expect_text(t, TABLE_TOPIC, "a", committed ? "1" : NULL);
        expect_text(t, TABLE_MESSAGE, "a", committed ? "1" : NULL);
        store_abort(t);
        store_close(s);
    }
    cr_assert_gt(n, 20);
}
