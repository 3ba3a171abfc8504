/* away: see away.h. */
#include "broker/journal/away.h"

#include "base/array.h"
#include "base/slice.h"
#include "broker/journal/row_run.h"

#include <stdlib.h>

/* A row of the records that a step looks at. */
struct row_of {
    const struct row *row;
    uint64_t number; /* of the record */
};

/* Those whose values may have to be put, and what is put. */
struct step {
    struct row_of *rows;
    size_t count, capacity;
    struct row_run run;
};

static int find_value(const struct away *a, const struct stub *s, struct slice *ret)
{
    if (s->at > a->bytes || s->bytes > a->bytes - s->at)
        return SHUNT_CORRUPT;
    *ret = (struct slice){a->map + s->at, s->bytes};
    return 0;
}

/* Of whatever is under its key now, only a stub for this very value is its own: that the value takes the place of. */
static int put_row(struct store_txn *txn, const struct away *a, const struct row_of *of, struct row_run *run)
{
    struct slice key = row_key(of->row), value;
    struct stub stub;
    int err = store_get(txn, STUB_TABLE, key, &value);
    if (err)
        return err == SHUNT_NOT_FOUND ? 0 : err;
    uint64_t at = (uint64_t)((const uint8_t *)row_value(of->row).data - a->map);
    if (!stub_read(a->meta.id, key, value, &stub) || stub.number != of->number || stub.at != at)
        return 0;
    err = find_value(a, &stub, &value);
    return err ? err : row_run_put(run, txn, key, value);
}

static int look_at_record(struct away *a, uint64_t number, struct slice body, struct step *step)
{
    while (body.size) {
        const struct row *r = row_take(&body);
        if (!r)
            return SHUNT_CORRUPT;
        uint64_t kept = stub_kept_bytes(r);
        a->meta.kept_bytes -= kept < a->meta.kept_bytes ? kept : a->meta.kept_bytes;
        if (!kept)
            continue;
        if (!array_room(&step->rows, &step->capacity, step->count + 1))
            return SHUNT_NO_MEMORY;
        step->rows[step->count++] = (struct row_of){r, number};
    }
    return 0;
}

static int by_key(const void *a, const void *b)
{
    return slice_compare(row_key(((const struct row_of *)a)->row), row_key(((const struct row_of *)b)->row));
}

/* Records have the messages of all topics in turn; a topic's are put side by side. */
static int put_rows(struct store_txn *txn, const struct away *a, struct step *step)
{
    int err = 0;
    if (step->count) /* of none there may be no memory */
        qsort(step->rows, step->count, sizeof *step->rows, by_key);
    for (size_t i = 0; !err && i < step->count; i++)
        err = put_row(txn, a, &step->rows[i], &step->run);
    return err ? err : row_run_end(&step->run, txn);
}

/* All stubs for values in records before the end, without those records' help. */
static int put_all(struct store_txn *txn, struct away *a)
{
    struct store_cursor *cursor;
    struct slice key, value;
    struct stub stub;
    int err = store_cursor_open(txn, STUB_TABLE, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, (struct slice){"", 1}, &key, &value);
    while (!err) {
        uint8_t copy[STORE_KEY_BYTES_MAX];
        memcpy(copy, key.data, key.size);
        bool is = stub_read(a->meta.id, key, value, &stub) && stub.number < a->end.number;
        if (is)
            err = find_value(a, &stub, &value);
        if (is && !err)
            err = store_put(txn, STUB_TABLE, (struct slice){copy, key.size}, value);
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    a->meta.oldest = a->end;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

static int put_some(struct store_txn *txn, struct away *a, struct step *step)
{
    uint64_t looked_at = 0;
    int err = 0;
    while (!err && a->meta.oldest.number < a->end.number && looked_at < AWAY_BYTES) {
        struct journal_place at;
        struct slice body;
        if (journal_walk(a->map, a->bytes, a->meta.id, &a->meta.oldest, &at, &body) != 0)
            return put_all(txn, a);
        err = look_at_record(a, at.number, body, step);
        looked_at += body.size;
    }
    return err ? err : put_rows(txn, a, step);
}

static int put_step(struct store_txn *txn, struct away *a)
{
    struct step *step = calloc(1, sizeof *step);
    if (!step)
        return SHUNT_NO_MEMORY;
    int err = put_some(txn, a, step);
    free(step->rows);
    free(step);
    return err;
}

int away_put(struct store *store, struct away *a)
{
    struct store_txn *txn;
    int err = store_begin(store, true, &txn);
    if (err)
        return err;
    if (a->dead)
        a->meta.oldest = a->end;
    else
        err = put_step(txn, a);
    if (a->meta.oldest.number == a->end.number) {
        a->meta.oldest = a->end; /* not where the last record ended, but where the next one is looked for */
        a->meta.kept_bytes = a->kept_at_end;
    }
    if (!err)
        err = journal_meta_write(txn, &a->meta);
    if (!err)
        return store_commit(txn);
    store_abort(txn);
    return err;
}
