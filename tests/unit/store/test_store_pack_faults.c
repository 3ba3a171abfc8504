/* What a step of packing calls outside of itself fails, one call after the other. */
#include "base/big_endian.h"
#include "tests/unit/store/fixture.h"
#include "tests/unit/store/outside.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <lmdb.h>

static char dir[64];
static char why[WHY_BYTES];

#define ROWS 400u
#define KEEP 3u

static void put_thin_rows(struct store *s)
{
    static const uint8_t value[100];
    struct store_txn *t = begin_write(s);
    for (uint32_t row = 0; row < ROWS; row++) {
        uint32_t key = __builtin_bswap32(row);
        cr_assert_eq(store_put(t, TABLE_MESSAGE, (struct slice){&key, 4}, (struct slice){value, 100}), 0);
    }
    for (uint32_t row = 0; row < ROWS; row++) {
        uint32_t key = __builtin_bswap32(row);
        if (row % KEEP)
            cr_assert_eq(store_del(t, TABLE_MESSAGE, (struct slice){&key, 4}, NULL), 0);
    }
    commit(t);
}

/* Whichever call fails, a step of packing ends, and every row is as it was; want of space is no failure. */
Test(store_faults, of_packing_change_no_row)
{
    static const struct {
        enum outside what;
        int code, comes_out;
    } failures[] = {
        {OUTSIDE_LMDB, EIO, SHUNT_IO}, {OUTSIDE_LMDB, MDB_MAP_FULL, 0}, {OUTSIDE_HEAP, 1, SHUNT_NO_MEMORY}};
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        bool failed = true;
        for (unsigned n = 1; failed; n += n < 40 ? 1 : 97) { /* a step deletes and puts some hundred rows */
            struct store *s;
            bool more;
            fixture_make_dir(dir, sizeof dir);
            cr_assert_eq(fixture_open_lmdb(dir, 1 << 24, &s, why), 0, "%s", why);
            put_thin_rows(s);
            outside_arm(failures[i].what, n, 1, failures[i].code);
            int err = store_pack(s, 1 << 17, &more);
            failed = outside_failed() != NULL;
            outside_arm(failures[i].what, 0, 0, 0);
            cr_assert_eq(err, failed ? failures[i].comes_out : 0, "call %u: %s", n, err_name(err));
            cr_assert(more == !failed);
            struct store_txn *t = begin_read(s);
            cr_assert_eq(walk(t, TABLE_MESSAGE), (ROWS + KEEP - 1) / KEEP);
            store_abort(t);
            store_close(s);
            fixture_remove_dir(dir);
        }
    }
}

/* The other way to move rows: a run that goes between others. Whichever call fails, nothing of it is there after the transaction. */
Test(store_faults, of_a_run_change_no_row)
{
    static const struct {
        enum outside what;
        int code, comes_out;
    } failures[] = {{OUTSIDE_LMDB, EIO, SHUNT_IO},
                    {OUTSIDE_LMDB, MDB_MAP_FULL, SHUNT_NO_SPACE},
                    {OUTSIDE_HEAP, 1, 0}}; /* it can do without moving rows */
    static const uint8_t value[100];
    static uint8_t keys[ROWS][8];
    static struct store_row rows[ROWS];
    for (uint32_t i = 0; i < ROWS; i++) { /* behind row 9, before row 12 */
        put_be32(keys[i], 9);
        put_be32(keys[i] + 4, i);
        rows[i] = (struct store_row){{keys[i], sizeof keys[i]}, {value, sizeof value}};
    }
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        bool failed = true;
        for (unsigned n = 1; failed; n += n < 40 ? 1 : 97) {
            struct store *s;
            fixture_make_dir(dir, sizeof dir);
            cr_assert_eq(fixture_open_lmdb(dir, 1 << 24, &s, why), 0, "%s", why);
            put_thin_rows(s);
            struct store_txn *t = begin_write(s);
            outside_arm(failures[i].what, n, 1, failures[i].code);
            int err = store_put_run(t, TABLE_MESSAGE, rows, ROWS);
            failed = outside_failed() != NULL;
            outside_arm(failures[i].what, 0, 0, 0);
            cr_assert_eq(err, failed ? failures[i].comes_out : 0, "call %u: %s", n, err_name(err));
            store_abort(t);
            t = begin_read(s);
            cr_assert_eq(walk(t, TABLE_MESSAGE), (ROWS + KEEP - 1) / KEEP);
            store_abort(t);
            store_close(s);
            fixture_remove_dir(dir);
        }
    }
}
