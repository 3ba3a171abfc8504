/* Runs of rows: that they fill the pages of an LMDB store wherever they go, and that no other row changes. */
#include "base/big_endian.h"
#include "base/slice.h"
#include "broker/store/store_lmdb.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <string.h>

DIR_SUITE(store_run);

#define TOPICS      20u
#define VALUE_BYTES 118u /* a message of 100 bytes, with its head */
#define ROWS_MAX    4096u

/* As those of messages. */
struct test_key {
    uint8_t bytes[12];
};

static struct test_key keys[ROWS_MAX];
static struct store_row rows[ROWS_MAX];
static uint8_t values[4][1 << 16];

static void set_row(size_t i, uint32_t topic, uint64_t seq, const uint8_t *value, size_t bytes)
{
    put_be32(keys[i].bytes, topic);
    put_be64(keys[i].bytes + 4, seq);
    rows[i] = (struct store_row){{keys[i].bytes, sizeof keys[i].bytes}, {value, bytes}};
}

static struct store *opened(void)
{
    struct store *s;
    cr_assert_eq(fixture_open_lmdb(dir, 1ull << 28, &s, why), 0, "%s", why);
    for (unsigned i = 0; i < sizeof values / sizeof *values; i++)
        memset(values[i], 'a' + (int)i, sizeof values[i]);
    return s;
}

static uint64_t used(struct store *s)
{
    struct store_usage u;
    store_usage(s, &u);
    return u.used_bytes;
}

enum way { AS_RUNS, ONE_BY_ONE };

static void put(struct store *s, enum way way, size_t count)
{
    struct store_txn *t = begin_write(s);
    int err = 0;
    if (way == AS_RUNS)
        err = store_put_run(t, TABLE_MESSAGE, rows, count);
    for (size_t i = 0; way == ONE_BY_ONE && !err && i < count; i++)
        err = store_put(t, TABLE_MESSAGE, rows[i].key, rows[i].value);
    cr_assert_eq(err, 0);
    commit(t);
}

/* So many messages of each topic in each of so many transactions. Returns the bytes of pages for each message. */
static uint64_t fill_in_turn(struct store *s, enum way way, unsigned rounds, unsigned each, size_t bytes)
{
    uint64_t before = used(s);
    for (unsigned round = 0; round < rounds; round++) {
        size_t count = 0;
        for (unsigned topic = 0; topic < TOPICS; topic++) {
            for (unsigned i = 0; i < each; i++)
                set_row(count++, topic, (uint64_t)round * each + i, values[topic % 4], bytes);
        }
        put(s, way, count);
    }
    return (used(s) - before) / ((uint64_t)rounds * each * TOPICS);
}

Test(store_run, of_topics_in_turn_fill_pages)
{
    struct store *s = opened();
    uint64_t bytes = fill_in_turn(s, AS_RUNS, 10, 200, VALUE_BYTES);
    cr_assert_leq(bytes, 160, "%u bytes a message", (unsigned)bytes);
    store_close(s);
}

/* What runs are for: else the bound above says nothing of them. */
Test(store_run, without_them_pages_stay_half_empty)
{
    struct store *s = opened();
    uint64_t bytes = fill_in_turn(s, ONE_BY_ONE, 10, 200, VALUE_BYTES);
    cr_assert_geq(bytes, 220, "%u bytes a message", (unsigned)bytes);
    store_close(s);
}

/* As messages take the places of what stood for them. */
Test(store_run, of_longer_rows_over_shorter_ones_fill_pages)
{
    struct store *s = opened();
    uint64_t before = used(s);
    (void)fill_in_turn(s, AS_RUNS, 10, 200, 24);
    (void)fill_in_turn(s, AS_RUNS, 10, 200, VALUE_BYTES);
    uint64_t bytes = (used(s) - before) / (10 * 200 * TOPICS);
    cr_assert_leq(bytes, 160, "%u bytes a message", (unsigned)bytes);
    store_close(s);
}

/* ---- against another store ---- */

static uint64_t random_state;

static unsigned draw(unsigned below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)((random_state >> 20) % below);
}

/* Ascending keys of a few topics, some of them one after the other and some not. */
static size_t draw_rows(void)
{
    static const size_t sizes[] = {0, 24, VALUE_BYTES, 300, 1900, 2100, 9000};
    unsigned count = 1 + draw(ROWS_MAX / 4), longest = 1 + draw(sizeof sizes / sizeof *sizes);
    uint32_t topic = draw(3);
    uint64_t seq = draw(3000);
    for (size_t i = 0; i < count; i++) {
        set_row(i, topic, seq, values[draw(4)], sizes[draw(longest)]);
        seq += draw(8) ? 1 : 1 + draw(60);
        if (draw(300) == 0) {
            topic++;
            seq = draw(3000);
        }
    }
    return count;
}

static void expect_same(struct store *a, struct store *b, unsigned seed)
{
    struct store_txn *ta = begin_read(a), *tb = begin_read(b);
    struct store_cursor *ca, *cb;
    struct slice ka, va, kb, vb;
    cr_assert_eq(store_cursor_open(ta, TABLE_MESSAGE, &ca), 0);
    cr_assert_eq(store_cursor_open(tb, TABLE_MESSAGE, &cb), 0);
    for (;;) {
        int err = store_cursor_next(ca, &ka, &va);
        cr_assert_eq(err, store_cursor_next(cb, &kb, &vb), "seed %u", seed);
        if (err)
            break;
        cr_assert(slice_equal(ka, kb) && slice_equal(va, vb), "seed %u", seed);
    }
    store_cursor_close(ca);
    store_cursor_close(cb);
    store_abort(ta);
    store_abort(tb);
}

/* Some rows leave, so that pages are thin and rows of all sizes stand beside each other. */
static void delete_some(struct store *a, struct store *b)
{
    struct store_txn *ta = begin_write(a), *tb = begin_write(b);
    for (unsigned i = 0; i < 300; i++) {
        set_row(0, draw(4), draw(4000), NULL, 0);
        cr_assert_eq(store_del(ta, TABLE_MESSAGE, rows[0].key, NULL),
                     store_del(tb, TABLE_MESSAGE, rows[0].key, NULL));
    }
    commit(ta);
    commit(tb);
}

Test(store_run, is_as_if_each_row_was_put)
{
    for (unsigned seed = 1; seed <= 12; seed++) {
        random_state = seed * 0x9e3779b97f4a7c15ull;
        struct store *s = opened(), *model = store_memory_open(1ull << 28);
        for (unsigned round = 0; round < 12; round++) {
            size_t count = draw_rows();
            put(s, AS_RUNS, count);
            put(model, ONE_BY_ONE, count);
            expect_same(s, model, seed);
            delete_some(s, model);
        }
        expect_same(s, model, seed);
        store_close(s);
        store_close(model);
        fixture_remove_dir(dir);
        fixture_make_dir(dir, sizeof dir);
    }
}

/* A cursor that stood in the table before finds its way among the rows that were moved. */
Test(store_run, leaves_cursors_usable)
{
    struct store *s = opened();
    (void)fill_in_turn(s, AS_RUNS, 1, 200, VALUE_BYTES);
    struct store_txn *t = begin_write(s);
    struct store_cursor *c;
    struct slice key, value;
    set_row(0, 3, 199, NULL, 0);
    cr_assert_eq(store_cursor_open(t, TABLE_MESSAGE, &c), 0);
    cr_assert_eq(store_cursor_seek(c, rows[0].key, &key, &value), 0);
    for (unsigned i = 0; i < 200; i++)
        set_row(i, 3, 200 + i, values[0], VALUE_BYTES);
    cr_assert_eq(store_put_run(t, TABLE_MESSAGE, rows, 200), 0);
    for (unsigned i = 0; i < 200; i++) {
        cr_assert_eq(store_cursor_next(c, &key, &value), 0);
        cr_assert(slice_equal(key, rows[i].key), "row %u", i);
    }
    cr_assert_eq(store_cursor_next(c, &key, &value), 0);
    set_row(0, 4, 0, NULL, 0);
    cr_assert(slice_equal(key, rows[0].key));
    store_cursor_close(c);
    commit(t);
    store_close(s);
}

Test(store_run, with_a_key_that_is_not_valid_changes_nothing)
{
    struct store *s = opened();
    struct store_txn *t = begin_write(s);
    for (unsigned i = 0; i < 200; i++)
        set_row(i, 1, i, values[0], VALUE_BYTES);
    rows[199].key.size = 0;
    cr_assert_eq(store_put_run(t, TABLE_MESSAGE, rows, 200), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(walk(t, TABLE_MESSAGE), 0);
    commit(t);
    store_close(s);
}

/* Tables that share a tree have runs, too, which are put row by row. */
Test(store_run, goes_into_every_table)
{
    struct store *s = opened();
    for (unsigned i = 0; i < 200; i++)
        set_row(i, 1, i, values[0], 24);
    struct store_txn *t = begin_write(s);
    for (unsigned table = TABLE_META + 1; table < TABLE_COUNT; table++)
        cr_assert_eq(store_put_run(t, (enum store_table)table, rows, 200), 0);
    for (unsigned table = TABLE_META + 1; table < TABLE_COUNT; table++)
        cr_assert_eq(walk(t, (enum store_table)table), 200, "table %u", table);
    commit(t);
    store_close(s);
}
