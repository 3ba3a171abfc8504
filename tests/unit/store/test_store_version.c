/* The version of a store's layout: which ones are opened, and which are taken over. */
#include "broker/store/store_version.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>

DIR_SUITE(store_version);

static void write_version(const void *bytes, size_t size)
{
    struct store *s = fixture_open_well(dir, why);
    struct store_txn *t = begin_write(s);
    cr_assert_eq(store_put(t, TABLE_META, slice_of("version"), (struct slice){bytes, size}), 0);
    commit(t);
    store_close(s);
}

Test(store_version, newer_version)
{
    write_version((const uint8_t[]){0, 0, 0, STORE_LAYOUT_VERSION + 1}, 4);
    fixture_expect_refused(dir, SHUNT_STORE_VERSION, "a newer shunt", why);
}

/* A reader of the oldest that is taken over changes nothing; a writer does, for good. */
Test(store_version, an_older_version_is_taken_over)
{
    write_version("\0\0\0\3", 4);
    for (int read_only = 1; read_only >= 0; read_only--) {
        struct slice v;
        struct store *s;
        struct store_txn *t;
        cr_assert_eq(fixture_open_as(dir, false, read_only, &s, why), 0, "%s", why);
        cr_assert_eq(store_begin(s, false, &t), 0);
        cr_assert_eq(store_get(t, TABLE_META, slice_of("version"), &v), 0);
        cr_assert_eq(((const uint8_t *)v.data)[3], read_only ? 3 : STORE_LAYOUT_VERSION);
        store_abort(t);
        store_close(s);
    }
    write_version("\0\0\0\2", 4);
    fixture_expect_refused(dir, SHUNT_STORE_VERSION, "an older shunt", why);
}

Test(store_version, version_record_damaged)
{
    write_version("\0\0\0\0", 4);
    fixture_expect_refused(dir, SHUNT_CORRUPT, "no version record", why);
}

Test(store_version, version_record_short)
{
    write_version("1", 1);
    fixture_expect_refused(dir, SHUNT_CORRUPT, "no version record", why);
}

Test(store_version, earlier_layouts)
{
    fixture_make_lmdb_file(dir, "dedup", 0);
    fixture_expect_refused(dir, SHUNT_STORE_VERSION, "version 1", why);
    fixture_make_lmdb_file(dir, "state", 0);
    fixture_expect_refused(dir, SHUNT_STORE_VERSION, "version 2", why);
}
