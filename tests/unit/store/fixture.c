/* fixture: see fixture.h. */
#include "tests/unit/store/fixture.h"

#include "broker/journal/store_journal.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fixture_make_dir(char *to, size_t bytes)
{
    const char *base = getenv("TMPDIR");
    int length = snprintf(to, bytes, "%s/shunt-store-XXXXXX", base ? base : "/tmp");
    cr_assert(length > 0 && (size_t)length < bytes, "TMPDIR is too long");
    cr_assert_not_null(mkdtemp(to));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st;
    (void)kind;
    (void)place;
    return remove(path);
}

void fixture_remove_dir(const char *dir)
{
    cr_assert_eq(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

int fixture_open_lmdb(const char *dir, uint64_t map_bytes_max, struct store **ret, char *ret_why)
{
    struct store_lmdb_options o = {
        .dir = dir, .map_bytes = 1 << 20, .map_bytes_max = map_bytes_max, .create = true};
    return store_lmdb_open(&o, ret, ret_why, WHY_BYTES);
}

/* Small, so that generations come and go. */
static struct store *with_journal(const struct fixture *f, struct store *behind)
{
    struct store_journal_options o = {.behind = behind,
                                      .dir = "a test",
                                      .bytes = 512u << 20,
                                      .memory_bytes = 64u << 10,
                                      .create = true,
                                      .threaded = f->kind == FIXTURE_JOURNAL};
    struct store *s = NULL;
    char why[WHY_BYTES] = "";
    cr_assert_not_null(o.file = journal_file_memory(o.bytes)); /* flushing costs nothing */
    int err = store_journal_open(&o, &s, why, sizeof why);
    cr_assert_eq(err, 0, "%s: %s", err_name(err), why);
    return s;
}

void fixture_open(struct fixture *f, enum fixture_kind kind, uint64_t map_bytes_max)
{
    char why[WHY_BYTES] = "";
    *f = (struct fixture){.kind = kind};
    if (kind == FIXTURE_MEMORY || kind == FIXTURE_JOURNAL_MEMORY) {
        f->store = store_memory_open(map_bytes_max);
        cr_assert_not_null(f->store);
        if (kind == FIXTURE_JOURNAL_MEMORY)
            f->store = with_journal(f, f->store);
        return;
    }
    fixture_make_dir(f->dir, sizeof f->dir);
    int err = fixture_open_lmdb(f->dir, map_bytes_max, &f->store, why);
    cr_assert_eq(err, 0, "%s: %s", err_name(err), why);
    if (kind > FIXTURE_JOURNAL_MEMORY)
        f->store = with_journal(f, f->store);
}

void fixture_close(struct fixture *f)
{
    store_close(f->store);
    if (f->dir[0])
        fixture_remove_dir(f->dir);
}

int fixture_open_as(const char *dir, bool create, bool read_only, struct store **ret, char *ret_why)
{
    struct store_lmdb_options o = {
        .dir = dir, .map_bytes = 1 << 20, .map_bytes_max = 1 << 26, .create = create, .read_only = read_only};
    return store_lmdb_open(&o, ret, ret_why, WHY_BYTES);
}

struct store *fixture_open_well(const char *dir, char *ret_why)
{
    struct store *s;
    int err = fixture_open_as(dir, true, false, &s, ret_why);
    cr_assert_eq(err, 0, "%s: %s", err_name(err), ret_why);
    return s;
}

void fixture_expect_refused(const char *dir, int want, const char *word, char *ret_why)
{
    struct store *s;
    int err = fixture_open_as(dir, true, false, &s, ret_why);
    cr_assert_eq(err, want, "%s, not %s", err_name(err), err_name(want));
    cr_assert_not_null(strstr(ret_why, dir), "the sentence names no directory: %s", ret_why);
    cr_assert_not_null(strstr(ret_why, word), "the sentence does not say '%s': %s", word, ret_why);
    err = fixture_open_as(dir, false, true, &s, ret_why);
    cr_assert_eq(err, want, "read only: %s, not %s", err_name(err), err_name(want));
}

void fixture_make_lmdb_file(const char *dir, const char *tree, unsigned flags)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    cr_assert_eq(mdb_env_create(&env), 0);
    cr_assert_eq(mdb_env_set_maxdbs(env, 1), 0);
    cr_assert_eq(mdb_env_open(env, dir, 0, 0600), 0);
    cr_assert_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
    cr_assert_eq(mdb_dbi_open(txn, tree, tree ? MDB_CREATE : flags, &dbi), 0);
    MDB_val k = {1, (void *)(uintptr_t) "k"};
    cr_assert_eq(mdb_put(txn, dbi, &k, &k, 0), 0);
    cr_assert_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

struct store_txn *begin_write(struct store *s)
{
    struct store_txn *t;
    cr_assert_eq(store_begin(s, true, &t), 0);
    return t;
}

struct store_txn *begin_read(struct store *s)
{
    struct store_txn *t;
    cr_assert_eq(store_begin(s, false, &t), 0);
    return t;
}

void commit(struct store_txn *t)
{
    cr_assert_eq(store_commit(t), 0);
}

void put_text(struct store_txn *t, enum store_table table, const char *key, const char *value)
{
    cr_assert_eq(store_put(t, table, slice_of(key), slice_of(value)), 0);
}

void expect_text(struct store_txn *t, enum store_table table, const char *key, const char *value)
{
    struct slice got;
    int err = store_get(t, table, slice_of(key), &got);
    if (!value) {
        cr_assert_eq(err, SHUNT_NOT_FOUND, "%s: %s", key, err_name(err));
        return;
    }
    cr_assert_eq(err, 0, "%s: %s", key, err_name(err));
    cr_assert_eq(got.size, strlen(value), "%s has %zu bytes", key, got.size);
    cr_assert_eq(memcmp(got.data, value, got.size), 0, "%s is %.*s", key, (int)got.size,
                 (const char *)got.data);
}

uint64_t walk(struct store_txn *t, enum store_table table)
{
    uint64_t count = 0;
    struct store_cursor *c;
    struct slice k;
    struct slice v;
    cr_assert_eq(store_cursor_open(t, table, &c), 0);
    while (store_cursor_next(c, &k, &v) == 0)
        count++;
    store_cursor_close(c);
    return count;
}

const char *dump(struct store_txn *t, enum store_table table)
{
    static char out[4096];
    struct store_cursor *c;
    struct slice k;
    struct slice v;
    size_t used = 0;
    out[0] = '\0';
    cr_assert_eq(store_cursor_open(t, table, &c), 0);
    int err;
    while ((err = store_cursor_next(c, &k, &v)) == 0) {
        int n = snprintf(out + used, sizeof out - used, "%s%.*s=%.*s", used ? " " : "", (int)k.size,
                         (const char *)k.data, (int)v.size, (const char *)v.data);
        cr_assert(n > 0 && used + (size_t)n < sizeof out);
        used += (size_t)n;
    }
    cr_assert_eq(err, SHUNT_NOT_FOUND);
    store_cursor_close(c);
    return out;
}
