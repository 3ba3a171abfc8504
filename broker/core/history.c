/* history: the attempt ledger's rows: read, added with room made for them, and deleted. */
#include "broker/core/history.h"
#include "base/utf8.h"
#include "broker/core/state.h"

/* ---- one after the other ---- */

/* What the cursor found, if it is of the same message. */
static int take(struct history_rows *h, int err)
{
    uint32_t group;
    uint64_t seq;
    if (err)
        return err;
    bool same = key_read_history(h->key, &group, &seq, &h->row) && group == h->group && seq == h->seq;
    return same ? 0 : SHUNT_NOT_FOUND;
}

int history_rows_open(struct store_txn *txn, uint32_t group, uint64_t seq, uint32_t from,
                      struct history_rows *ret)
{
    struct key key = key_history(group, seq, from);
    *ret = (struct history_rows){.group = group, .seq = seq};
    int err = store_cursor_open(txn, TABLE_HISTORY, &ret->cursor);
    if (err)
        return err;
    return take(ret, store_cursor_seek(ret->cursor, key_slice(&key), &ret->key, &ret->value));
}

int history_rows_open_last(struct store_txn *txn, uint32_t group, uint64_t seq, struct history_rows *ret)
{
    int err = history_rows_open(txn, group, seq, UINT32_MAX, ret);
    return err == SHUNT_NOT_FOUND ? history_rows_prev(ret) : err;
}

int history_rows_next(struct history_rows *h)
{
    return take(h, store_cursor_next(h->cursor, &h->key, &h->value));
}

int history_rows_prev(struct history_rows *h)
{
    return take(h, store_cursor_prev(h->cursor, &h->key, &h->value));
}

int history_rows_close(struct history_rows *h, int err)
{
    if (h->cursor)
        store_cursor_close(h->cursor);
    h->cursor = NULL;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

/* ---- written ---- */

/* Make room: the oldest row after the first that charged nothing, or else the oldest after the first. */
static int evict(struct ledger *l, const struct group *g, uint64_t seq)
{
    struct history_rows rows;
    uint32_t victim = 0;
    bool first = true;
    int err = history_rows_open(l->txn, g->r.id, seq, HISTORY_ROW_FIRST, &rows);
    for (; !err; err = history_rows_next(&rows), first = false) {
        struct history_record h;
        err = history_decode(rows.key, rows.value, &h);
        if (err)
            break;
        if (first)
            continue;
        if (!victim || !h.charged)
            victim = rows.row;
        if (!h.charged)
            break;
    }
    err = history_rows_close(&rows, err);
    if (err)
        return err;
    struct key key = key_history(g->r.id, seq, victim);
    return ledger_del(l, TABLE_HISTORY, key_slice(&key), NULL);
}

/* Cut to `max` bytes and make it UTF-8 that a terminal can show; the copy goes to *at, which moves on. */
static struct slice clean(struct slice text, size_t max, bool keep_end, char **at)
{
    const char *from = text.data;
    size_t size = text.size;
    if (!size)
        return (struct slice){*at, 0};
    if (keep_end) {
        size_t begin = utf8_suffix(from, size, max);
        from += begin;
        size -= begin;
    } else {
        size = utf8_prefix(from, size, max);
    }
    char *to = *at;
    utf8_clean(to, from, size);
    *at += size;
    return (struct slice){to, size};
}

/* Instead of a stack, in a store that is short of room: 8 KiB for each failure would fill it. */
#define NO_STACK "(no stack was kept: the store was short of room)"
static const struct slice no_stack = {NO_STACK, sizeof NO_STACK - 1};
#define HELD_MESSAGE_BYTES_MAX 128 /* of an error, in a store with no room to speak of */

struct history_record history_cleaned(const struct ledger *l, const struct history_record *h,
                                      char text[HISTORY_TEXT_BYTES_MAX])
{
    char *at = text;
    struct history_record r = *h;
    size_t message_max = l->room.fullness >= STORE_HELD ? HELD_MESSAGE_BYTES_MAX : ERROR_MESSAGE_BYTES_MAX;
    if (l->room.fullness >= STORE_SHORT && h->error_stack.size)
        r.error_stack = l->room.fullness >= STORE_HELD ? (struct slice){0} : no_stack;
    r.client = clean(h->client, CLIENT_NAME_BYTES_MAX, false, &at);
    r.host = clean(h->host, CLIENT_NAME_BYTES_MAX, false, &at);
    r.build = clean(h->build, CLIENT_NAME_BYTES_MAX, false, &at);
    r.error_type = clean(h->error_type, ERROR_TYPE_BYTES_MAX, false, &at);
    r.error_message = clean(h->error_message, message_max, false, &at);
    r.error_stack = clean(r.error_stack, ERROR_STACK_BYTES_MAX, true, &at);
    return r;
}

int history_add(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row,
                const struct history_record *h)
{
    char text[HISTORY_TEXT_BYTES_MAX];
    int err = 0;
    if (l->room.fullness >= STORE_HELD && !h->charged) {
        g->r.counts.attempts[h->outcome]++;
        return 0;
    }
    struct history_record r = history_cleaned(l, h, text);
    r.generation = row->generation;
    r.job = row->job;
    r.ended_ms = l->now_ms;

    if (row->rows == HISTORY_ROWS_MAX) {
        err = evict(l, g, seq);
        row->rows--;
    }
    if (err)
        return err;
    struct key key = key_history(g->r.id, seq, row->row_next++);
    size_t size = history_encode(l->record, key_slice(&key), &r);
    row->rows++;
    g->r.counts.attempts[r.outcome]++;
    return ledger_put(l, TABLE_HISTORY, key_slice(&key), (struct slice){l->record, size});
}

int history_last(struct ledger *l, const struct group *g, uint64_t seq, struct history_record *ret)
{
    struct history_rows rows;
    *ret = (struct history_record){0};
    int err = history_rows_open_last(l->txn, g->r.id, seq, &rows);
    for (; !err && rows.row >= HISTORY_ROW_FIRST; err = history_rows_prev(&rows)) {
        struct history_record h = {0};
        ledger_looked(l, rows.value.size);
        err = history_decode(rows.key, rows.value, &h);
        if (err)
            break;
        if (h.charged || !ret->ended_ms)
            *ret = h;
        if (h.charged)
            break;
    }
    return history_rows_close(&rows, err);
}

int history_delete(struct ledger *l, const struct group *g, uint64_t seq)
{
    struct history_rows rows;
    int err = history_rows_open(l->txn, g->r.id, seq, HISTORY_ROW_END, &rows);
    while (!err) {
        err = ledger_cursor_del(l, rows.cursor, TABLE_HISTORY, rows.key, rows.value.size);
        if (!err)
            err = history_rows_next(&rows);
    }
    return history_rows_close(&rows, err);
}
