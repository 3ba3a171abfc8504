/* The journal's store: transactions and pairs. */
#include "broker/journal/store_journal_private.h"

#include "base/array.h"
#include "base/check.h"
#include "base/slice.h"

#include <stdlib.h>

/* ---- transactions ---- */

static bool key_is_valid(struct slice key)
{
    return key.size >= 1 && key.size <= STORE_KEY_BYTES_MAX;
}

/* The first error stands for every later call until the transaction is aborted. */
static int failed(struct journal_txn *t, int err)
{
    if (err && err != SHUNT_NOT_FOUND && err != SHUNT_BAD_ARGUMENT && !t->failed)
        t->failed = err;
    return err;
}

int journal_begin(struct store *base, bool write, struct store_txn **ret)
{
    struct journal_store *s = journal_store_of(base);
    if (s->broken)
        return s->broken;
    if (!write) {
        struct journal_txn *t = malloc(sizeof *t);
        if (!t)
            return SHUNT_NO_MEMORY;
        *t = (struct journal_txn){.base = {base}};
        s->readers++;
        *ret = &t->base;
        return 0;
    }
    check(!s->writing);
    if (s->read_only)
        return SHUNT_STORE_READ_ONLY;
    s->writer = (struct journal_txn){.base = {base}, .write = true, .begin = s->filling->used};
    if (s->filling->room - s->filling->used < JOURNAL_HEAD_BYTES)
        return SHUNT_NO_SPACE;
    s->filling->used += JOURNAL_HEAD_BYTES;
    s->writing = true;
    *ret = &s->writer.base;
    return 0;
}

static void write_ends(struct journal_store *s)
{
    s->undo_count = 0;
    s->writing = false;
}

void journal_abort(struct store_txn *base)
{
    struct journal_store *s = journal_store_of(base->store);
    struct journal_txn *t = (struct journal_txn *)base;
    if (!t->write) {
        s->readers--;
        free(t);
        return;
    }
    if (s->undo_count)
        journal_stubs_unknown(s);
    else
        s->filling->used = t->begin; /* the the index may know keys by the bytes of these rows */
    while (s->undo_count) {
        const struct journal_undo *u = &s->undo[--s->undo_count];
        if (generation_unset(s->filling, u->row, u->old) != 0)
            (void)journal_broken(s, SHUNT_NO_MEMORY);
        holes_forget(&s->holes[row_table(u->row)]);
    }
    write_ends(s);
}

int journal_commit(struct store_txn *base)
{
    struct journal_store *s = journal_store_of(base->store);
    struct journal_txn *t = (struct journal_txn *)base;
    int err = t->failed;
    if (!t->write || err || !s->undo_count) {
        journal_abort(base);
        return err;
    }
    struct generation *g = s->filling;
    size_t body_bytes = g->used - t->begin - JOURNAL_HEAD_BYTES;
    size_t body = t->begin + JOURNAL_HEAD_BYTES;
    err = generation_record_room(g);
    if (!err)
        err = journal_make_room(s, body_bytes);
    if (!err) {
        err = journal_append(s->journal, g->bytes + t->begin, body_bytes);
        g->next = journal_next(s->journal);
        if (!err)
            generation_recorded(g, body, journal_last(s->journal));
    } else if (err == SHUNT_NO_SPACE && !s->readers) {
        generation_recorded(g, body, (struct journal_place){0});
        err = journal_commit_behind(s);
    }
    write_ends(s);
    return journal_broken(s, err);
}

/* ---- pairs ---- */

/* The row in memory that says what is under the key; NULL: none does. */
static const struct row *row_over(struct journal_store *s, enum store_table table, struct slice key)
{
    const struct row *r = generation_find(s->filling, table, key);
    return r || !s->frozen ? r : generation_find(s->frozen, table, key);
}

int journal_get(struct store_txn *base, enum store_table table, struct slice key, struct slice *ret)
{
    struct journal_store *s = journal_store_of(base->store);
    struct journal_txn *t = (struct journal_txn *)base;
    struct store_txn *below;
    if (t->failed)
        return t->failed;
    if (!key_is_valid(key))
        return SHUNT_BAD_ARGUMENT;
    const struct row *r = row_over(s, table, key);
    if (r && row_deleted(r))
        return SHUNT_NOT_FOUND;
    if (r) {
        *ret = row_value(r);
        return 0;
    }
    int err = journal_below(s, &below);
    if (!err)
        err = store_get(below, table, key, ret);
    return failed(t, err ? err : journal_value(s, table, key, ret, NULL));
}

/* Whether there is a row with this key, below the generation that is being filled, which is about to hide it. */
static int look_below(struct journal_store *s, enum store_table table, struct slice key, bool *ret,
                      size_t *ret_size)
{
    const struct row *r = s->frozen ? generation_find(s->frozen, table, key) : NULL;
    struct store_txn *below;
    struct slice value = {0};
    int err = 0;
    if (r) {
        *ret = !row_deleted(r);
        *ret_size = row_value_size(r);
        s->gone += generation_leaves(s->frozen, r);
        return 0;
    }
    err = journal_below(s, &below);
    if (!err)
        err = store_get(below, table, key, &value);
    struct stub stub = {0};
    if (!err)
        err = journal_value(s, table, key, &value, &stub);
    if (!err && stub.number)
        journal_stub_dies(s, &stub);
    *ret = !err;
    *ret_size = value.size;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

/* A row at the end of the record, and in the index. `flags` has ROW_DELETED and ROW_BELOW. */
static int add(struct journal_store *s, enum store_table table, unsigned flags, struct slice key, size_t size,
               struct row **ret)
{
    struct generation *g = s->filling;
    size_t bytes = row_bytes(key.size, size);
    if (g->room - g->used < bytes)
        return SHUNT_NO_SPACE;
    if (!array_room(&s->undo, &s->undo_capacity, s->undo_count + 1))
        return SHUNT_NO_MEMORY;
    struct row *row = row_write(g->bytes + g->used, (unsigned)table | flags, key, (uint32_t)size), *old;
    int err = generation_set(g, row, &old);
    if (err)
        return err;
    g->used += bytes;
    s->undo[s->undo_count++] = (struct journal_undo){row, old};
    *ret = row;
    return 0;
}

static int reserve(struct journal_txn *t, enum store_table table, struct slice key, size_t size, bool fresh,
                   struct row **ret)
{
    struct journal_store *s = journal_store_of(t->base.store);
    if (t->failed)
        return t->failed;
    if (!key_is_valid(key) || size > UINT32_MAX)
        return SHUNT_BAD_ARGUMENT;
    const struct row *old = generation_find(s->filling, table, key);
    bool below = old && row_below(old);
    size_t ignored;
    int err = old || fresh ? 0 : look_below(s, table, key, &below, &ignored);
    if (!err)
        err = add(s, table, below ? ROW_BELOW : 0, key, size, ret);
    if (!err && s->holes[table].count)
        holes_fill(&s->holes[table], key);
    return failed(t, err);
}

int journal_reserve(struct store_txn *base, enum store_table table, struct slice key, size_t size, bool fresh,
                    void **ret)
{
    struct row *row;
    int err = reserve((struct journal_txn *)base, table, key, size, fresh, &row);
    if (!err)
        *ret = row->bytes + row->key_size;
    return err;
}

int journal_put(struct store_txn *base, enum store_table table, struct slice key, struct slice value)
{
    struct row *row;
    int err = reserve((struct journal_txn *)base, table, key, value.size, false, &row);
    if (!err && value.size)
        memcpy(row->bytes + row->key_size, value.data, value.size);
    return err;
}

int journal_del(struct store_txn *base, enum store_table table, struct slice key, size_t *ret_size)
{
    struct journal_store *s = journal_store_of(base->store);
    struct journal_txn *t = (struct journal_txn *)base;
    if (t->failed)
        return t->failed;
    if (!key_is_valid(key))
        return SHUNT_BAD_ARGUMENT;
    const struct row *old = generation_find(s->filling, table, key);
    bool below = old && row_below(old), is_there = old && !row_deleted(old);
    size_t size = old ? row_value_size(old) : 0;
    int err = 0;
    if (!old) {
        err = look_below(s, table, key, &below, &size);
        is_there = below;
    }
    struct row *row;
    if (!err && !is_there)
        err = SHUNT_NOT_FOUND;
    if (!err)
        err = add(s, table, ROW_DELETED | (below ? ROW_BELOW : 0), key, 0, &row);
    if (!err && ret_size)
        *ret_size = size;
    return failed(t, err);
}

int journal_count(struct store_txn *base, enum store_table table, uint64_t *ret_tables, uint64_t *ret)
{
    struct journal_store *s = journal_store_of(base->store);
    struct journal_txn *t = (struct journal_txn *)base;
    struct store_txn *below;
    if (t->failed)
        return t->failed;
    int err = journal_below(s, &below);
    if (!err)
        err = store_count(below, table, ret_tables, ret);
    for (unsigned i = 0; !err && i < TABLE_COUNT; i++) {
        if (*ret_tables & 1ull << i)
            *ret += (uint64_t)(s->filling->more[i] + (s->frozen ? s->frozen->more[i] : 0));
    }
    return failed(t, err);
}
