/* due: see due.h. */
#include "broker/core/due.h"

int due_first(struct ledger *l, const struct group *g, enum due_place place, int64_t *due_ms, uint64_t *seq)
{
    struct store_cursor *cursor;
    struct key from = key_due(g->r.id, place, *due_ms, *seq);
    struct slice key, value;
    uint32_t group;
    uint8_t in;
    int err = store_cursor_open(l->txn, TABLE_DUE, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    if (!err && (!key_read_due(key, &group, &in, due_ms, seq) || group != g->r.id || in != place))
        err = SHUNT_NOT_FOUND;
    store_cursor_close(cursor);
    return err;
}
