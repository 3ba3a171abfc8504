/* What store.h promises of cursors, asked of both stores. */
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* A move and what it should find: "key", or "" for NOT_FOUND. */
static void expect_move(int err, struct slice k, const char *key, const char *what)
{
    if (key[0] == '\0') {
        cr_assert_eq(err, SHUNT_NOT_FOUND, "%s: %s, not nothing", what, err ? err_name(err) : "found");
        return;
    }
    cr_assert_eq(err, 0, "%s: %s, not %s", what, err_name(err), key);
    cr_assert(slice_is(k, key), "%s: %.*s, not %s", what, (int)k.size, (const char *)k.data, key);
}

static void expect_next(struct store_cursor *c, const char *key)
{
    struct slice k = {0};
    struct slice v;
    int err = store_cursor_next(c, &k, &v);
    expect_move(err, k, key, "next");
}

static void expect_prev(struct store_cursor *c, const char *key)
{
    struct slice k = {0};
    struct slice v;
    int err = store_cursor_prev(c, &k, &v);
    expect_move(err, k, key, "prev");
}

static void expect_seek(struct store_cursor *c, const char *to, const char *key)
{
    struct slice k = {0};
    struct slice v;
    int err = store_cursor_seek(c, slice_of(to), &k, &v);
    expect_move(err, k, key, "seek");
}

static struct store_txn *begin_with(struct fixture *f, const char *keys)
{
    struct store_txn *t = begin_write(f->store);
    for (const char *k = keys; *k; k++)
        cr_assert_eq(store_put(t, TABLE_DUE, (struct slice){k, 1}, slice_of("v")), 0);
    return t;
}

static struct store_cursor *cursor(struct store_txn *t)
{
    struct store_cursor *c;
    cr_assert_eq(store_cursor_open(t, TABLE_DUE, &c), 0);
    return c;
}

EACH(cursor, moves)
{
    struct store_txn *t = begin_with(f, "bdf");
    commit(t);
    t = begin_read(f->store);
    struct store_cursor *c = cursor(t);
    expect_next(c, "b");
    expect_next(c, "d");
    expect_prev(c, "b");
    expect_prev(c, "");
    expect_next(c, "d"); /* a move that found nothing left it where it was */
    expect_next(c, "f");
    expect_next(c, "");
    expect_next(c, "");
    expect_prev(c, "d");
    expect_seek(c, "c", "d");
    expect_seek(c, "d", "d");
    expect_seek(c, "dd", "f");
    expect_seek(c, "g", "");
    expect_next(c, "");
    expect_prev(c, "f");
    store_cursor_close(c);
    c = cursor(t);
    expect_prev(c, "f"); /* before a seek: the last */
    store_cursor_close(c);
    store_abort(t);
}

EACH(cursor, empty_table)
{
    struct store_txn *t = begin_write(f->store);
    struct store_cursor *c = cursor(t);
    expect_next(c, "");
    expect_prev(c, "");
    expect_seek(c, "a", "");
    cr_assert_eq(store_cursor_del(c), SHUNT_NOT_FOUND);
    put_text(t, TABLE_DUE, "b", "v");
    expect_next(c, "b");
    cr_assert_eq(store_cursor_del(c), 0);
    expect_next(c, "");
    expect_prev(c, "");
    put_text(t, TABLE_DUE, "a", "v");
    put_text(t, TABLE_DUE, "c", "v");
    expect_next(c, "c");
    expect_prev(c, "a");
    store_cursor_close(c);
    commit(t);
}

EACH(cursor, values_come_with_keys)
{
    struct store_txn *t = begin_write(f->store);
    put_text(t, TABLE_DUE, "a", "alpha");
    put_text(t, TABLE_DUE, "b", "beta");
    struct store_cursor *c = cursor(t);
    struct slice k;
    struct slice v;
    cr_assert_eq(store_cursor_seek(c, slice_of("b"), &k, &v), 0);
    cr_assert(slice_is(v, "beta"));
    put_text(t, TABLE_DUE, "a", "changed");
    cr_assert_eq(store_cursor_prev(c, &k, &v), 0);
    cr_assert(slice_is(v, "changed"));
    store_cursor_close(c);
    commit(t);
}

EACH(cursor, deletes_all_as_it_goes)
{
    struct store_txn *t = begin_with(f, "abcdefghij");
    struct store_cursor *c = cursor(t);
    struct slice k;
    struct slice v;
    char seen[16] = "";
    size_t n = 0;
    while (store_cursor_next(c, &k, &v) == 0) {
        seen[n++] = *(const char *)k.data;
        cr_assert_eq(store_cursor_del(c), 0);
        cr_assert_eq(store_cursor_del(c), SHUNT_NOT_FOUND, "it is deleted once");
    }
    cr_assert_str_eq(seen, "abcdefghij");
    expect_prev(c, "");
    store_cursor_close(c);
    cr_assert_str_eq(dump(t, TABLE_DUE), "");
    commit(t);
}

EACH(cursor, stays_usable_when_its_pair_is_deleted_by_key)
{
    struct store_txn *t = begin_with(f, "abcdef");
    struct store_cursor *c = cursor(t);
    expect_seek(c, "c", "c");
    cr_assert_eq(store_del(t, TABLE_DUE, slice_of("c"), NULL), 0);
    cr_assert_eq(store_cursor_del(c), SHUNT_NOT_FOUND);
    expect_next(c, "d");
    cr_assert_eq(store_del(t, TABLE_DUE, slice_of("d"), NULL), 0);
    expect_prev(c, "b");
    cr_assert_eq(store_del(t, TABLE_DUE, slice_of("b"), NULL), 0);
    cr_assert_eq(store_del(t, TABLE_DUE, slice_of("e"), NULL), 0);
    expect_next(c, "f");
    cr_assert_eq(store_del(t, TABLE_DUE, slice_of("f"), NULL), 0);
    expect_next(c, "");
    expect_prev(c, "a");
    store_cursor_close(c);
    commit(t);
}

EACH(cursor, sees_pairs_put_around_it)
{
    struct store_txn *t = begin_with(f, "bdf");
    struct store_cursor *c = cursor(t);
    expect_seek(c, "d", "d");
    put_text(t, TABLE_DUE, "c", "v");
    put_text(t, TABLE_DUE, "e", "v");
    put_text(t, TABLE_DUE, "d", "overwritten");
    expect_next(c, "e");
    expect_prev(c, "d");
    expect_prev(c, "c");
    expect_seek(c, "f", "f");
    put_text(t, TABLE_DUE, "g", "v");
    expect_next(c, "g");
    store_cursor_close(c);
    commit(t);
}

/* The case in which LMDB's own cursor would step over the new pair. */
EACH(cursor, sees_a_pair_put_right_after_the_one_it_deleted)
{
    struct store_txn *t = begin_with(f, "ace");
    struct store_cursor *c = cursor(t);
    expect_seek(c, "c", "c");
    cr_assert_eq(store_cursor_del(c), 0);
    put_text(t, TABLE_DUE, "d", "v");
    expect_next(c, "d");
    expect_seek(c, "a", "a");
    cr_assert_eq(store_cursor_del(c), 0);
    put_text(t, TABLE_DUE, "a", "again");
    expect_next(c, "d");
    expect_prev(c, "a");
    store_cursor_close(c);
    commit(t);
}

EACH(cursor, two_on_one_table_do_not_disturb_each_other)
{
    struct store_txn *t = begin_with(f, "abcdef");
    struct store_cursor *c = cursor(t);
    struct store_cursor *d = cursor(t);
    expect_seek(c, "b", "b");
    expect_seek(d, "c", "c");
    cr_assert_eq(store_cursor_del(c), 0);
    cr_assert_eq(store_cursor_del(d), 0);
    expect_next(c, "d");
    expect_prev(d, "a");
    cr_assert_eq(store_cursor_del(c), 0);
    expect_next(d, "e");
    expect_prev(c, "a");
    store_cursor_close(c);
    store_cursor_close(d);
    commit(t);
}

EACH(cursor, writes_to_another_table_do_not_matter)
{
    struct store_txn *t = begin_with(f, "abc");
    struct store_cursor *c = cursor(t);
    expect_next(c, "a");
    put_text(t, TABLE_EXPIRY, "aa", "v");
    cr_assert_eq(store_cursor_del(c), 0);
    put_text(t, TABLE_EXPIRY, "ab", "v");
    expect_next(c, "b");
    store_cursor_close(c);
    commit(t);
}
