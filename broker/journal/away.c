/* away: see away.h. */
#include "broker/journal/away.h"
#include "broker/journal/stub.h"

/* Its value takes the place of the stub. */
static int put(struct store_txn *txn, const struct away *a, struct slice key, const struct stub *s)
{
    if (s->at > a->bytes || s->bytes > a->bytes - s->at)
        return SHUNT_CORRUPT;
    return store_put(txn, STUB_TABLE, key, (struct slice){a->map + s->at, s->bytes});
}

/* A row of a record: of whatever is under its key now, only a stub for this very value is its own. */
static int put_row(struct store_txn *txn, const struct away *a, const struct row *r, uint64_t number)
{
    struct slice value;
    struct stub stub;
    int err = store_get(txn, STUB_TABLE, row_key(r), &value);
    if (err)
        return err == SHUNT_NOT_FOUND ? 0 : err;
    uint64_t at = (uint64_t)((const uint8_t *)row_value(r).data - a->map);
    bool is = stub_read(a->meta.id, row_key(r), value, &stub) && stub.number == number && stub.at == at;
    return is ? put(txn, a, row_key(r), &stub) : 0;
}

static int put_record(struct store_txn *txn, struct away *a, uint64_t number, struct slice body)
{
    int err = 0;
    while (!err && body.size) {
        const struct row *r = row_take(&body);
        if (!r)
            return SHUNT_CORRUPT;
        uint64_t kept = stub_kept_bytes(r);
        a->meta.kept_bytes -= kept < a->meta.kept_bytes ? kept : a->meta.kept_bytes;
        if (kept)
            err = put_row(txn, a, r, number);
    }
    return err;
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
        if (stub_read(a->meta.id, key, value, &stub) && stub.number < a->end.number)
            err = put(txn, a, (struct slice){copy, key.size}, &stub);
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    a->meta.oldest = a->end;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

static int put_some(struct store_txn *txn, struct away *a)
{
    uint64_t looked_at = 0;
    int err = 0;
    while (!err && a->meta.oldest.number < a->end.number && looked_at < AWAY_BYTES) {
        struct journal_place at;
        struct slice body;
        if (journal_walk(a->map, a->bytes, a->meta.id, &a->meta.oldest, &at, &body) != 0)
            return put_all(txn, a);
        err = put_record(txn, a, at.number, body);
        looked_at += body.size;
    }
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
        err = put_some(txn, a);
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
