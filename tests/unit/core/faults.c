/* faults: a store whose n-th call fails. */
#include "tests/unit/core/faults.h"

#include <stdlib.h>

struct faults_txn {
    struct store_txn base;
    struct store_txn *inner;
};

struct faults_cursor {
    struct store_cursor base;
    struct store_cursor *inner;
};

static struct faults *faults_of(struct store *s)
{
    return (struct faults *)s;
}

static struct store_txn *inner_of(struct store_txn *t)
{
    return ((struct faults_txn *)t)->inner;
}

static struct store_cursor *cursor_of(struct store_cursor *c)
{
    return ((struct faults_cursor *)c)->inner;
}

/* What every call begins with. */
static int due(struct store *s)
{
    struct faults *f = faults_of(s);
    f->asked += f->failed != 0;
    if (++f->calls == f->fail_at)
        f->failed = f->err;
    return f->failed;
}

static int faults_begin(struct store *s, bool write, struct store_txn **ret)
{
    struct faults_txn *t = malloc(sizeof *t);
    if (!t)
        return SHUNT_NO_MEMORY;
    *t = (struct faults_txn){.base = {s}};
    int err = store_begin(faults_of(s)->inner, write, &t->inner);
    if (err) {
        free(t);
        return err;
    }
    faults_of(s)->failed = 0;
    *ret = &t->base;
    return 0;
}

static void faults_abort(struct store_txn *t)
{
    store_abort(inner_of(t));
    free(t);
}

static int faults_commit(struct store_txn *t)
{
    int err = due(t->store);
    if (!err && faults_of(t->store)->counts) {
        err = store_commit(inner_of(t));
        free(t);
        return err;
    }
    faults_abort(t);
    return err;
}

static int faults_get(struct store_txn *t, enum store_table table, struct slice key, struct slice *ret)
{
    int err = due(t->store);
    return err ? err : store_get(inner_of(t), table, key, ret);
}

static int faults_put(struct store_txn *t, enum store_table table, struct slice key, struct slice value)
{
    int err = due(t->store);
    return err ? err : store_put(inner_of(t), table, key, value);
}

static int faults_reserve(struct store_txn *t, enum store_table table, struct slice key, size_t size,
                          bool append, void **ret)
{
    int err = due(t->store);
    return err ? err : store_reserve(inner_of(t), table, key, size, append, ret);
}

static int faults_del(struct store_txn *t, enum store_table table, struct slice key, size_t *ret_size)
{
    int err = due(t->store);
    return err ? err : store_del(inner_of(t), table, key, ret_size);
}

static int faults_count(struct store_txn *t, enum store_table table, uint64_t *ret_tables, uint64_t *ret)
{
    int err = due(t->store);
    return err ? err : store_count(inner_of(t), table, ret_tables, ret);
}

static int faults_cursor_open(struct store_txn *t, enum store_table table, struct store_cursor **ret)
{
    int err = due(t->store);
    if (err)
        return err;
    struct faults_cursor *c = malloc(sizeof *c);
    if (!c)
        return SHUNT_NO_MEMORY;
    *c = (struct faults_cursor){.base = {t->store}};
    err = store_cursor_open(inner_of(t), table, &c->inner);
    if (err) {
        free(c);
        return err;
    }
    *ret = &c->base;
    return 0;
}

static void faults_cursor_close(struct store_cursor *c)
{
    store_cursor_close(cursor_of(c));
    free(c);
}

static int faults_cursor_seek(struct store_cursor *c, struct slice key, struct slice *ret_key,
                              struct slice *ret_value)
{
    int err = due(c->store);
    return err ? err : store_cursor_seek(cursor_of(c), key, ret_key, ret_value);
}

static int faults_cursor_next(struct store_cursor *c, struct slice *ret_key, struct slice *ret_value)
{
    int err = due(c->store);
    return err ? err : store_cursor_next(cursor_of(c), ret_key, ret_value);
}

static int faults_cursor_prev(struct store_cursor *c, struct slice *ret_key, struct slice *ret_value)
{
    int err = due(c->store);
    return err ? err : store_cursor_prev(cursor_of(c), ret_key, ret_value);
}

static int faults_cursor_del(struct store_cursor *c)
{
    int err = due(c->store);
    return err ? err : store_cursor_del(cursor_of(c));
}

static const struct store_ops faults_ops = {
    .begin = faults_begin,
    .commit = faults_commit,
    .abort = faults_abort,
    .get = faults_get,
    .put = faults_put,
    .reserve = faults_reserve,
    .del = faults_del,
    .cursor_open = faults_cursor_open,
    .cursor_close = faults_cursor_close,
    .cursor_seek = faults_cursor_seek,
    .cursor_next = faults_cursor_next,
    .cursor_prev = faults_cursor_prev,
    .cursor_del = faults_cursor_del,
    .count = faults_count,
};

void faults_init(struct faults *f, struct store *inner)
{
    *f = (struct faults){.base = {&faults_ops}, .inner = inner};
}

void faults_arm(struct faults *f, uint64_t n, int err)
{
    f->calls = 0;
    f->fail_at = n;
    f->err = err;
    f->failed = 0;
    f->asked = 0;
}
