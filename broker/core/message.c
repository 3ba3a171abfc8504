/* message: stored messages, by their own name or through a dead letter's reference; and the attempt ledger's
 * rows. */
#include "base/utf8.h"
#include "broker/core/state.h"

int message_load(struct ledger *l, const struct topic *t, uint64_t seq, bool verify,
                 struct loaded_message *ret)
{
    *ret = (struct loaded_message){0};
    struct key key = key_id_seq(t->r.id, seq);
    struct slice value;
    int err;
    if (t->r.origin_group) {
        ret->is_dead = true;
        err = store_get(l->txn, TABLE_DEAD, key_slice(&key), &value);
        if (!err)
            err = dead_decode(key_slice(&key), value, &ret->dead);
        struct group *origin = err ? NULL : catalog_group_by_id(l, ret->dead.origin_group);
        if (!err && !origin)
            err = SHUNT_CORRUPT;
        if (!err)
            key = key_id_seq(origin->r.topic, ret->dead.origin_seq);
    } else {
        err = 0;
    }
    if (!err)
        err = store_get(l->txn, TABLE_MESSAGE, key_slice(&key), &value);
    if (!err)
        message_take(key_slice(&key), value, verify, ret);
    if (ret->is_dead) { /* its clocks stand still */
        ret->ttl_ms = message_ttl_ms(&ret->head);
        ret->head.due_ms = ret->head.expires_ms = 0;
    }
    if (err == SHUNT_NOT_FOUND || err == SHUNT_CORRUPT) {
        ret->corrupt = true;
        return 0;
    }
    return err;
}

int message_delete(struct ledger *l, struct topic *t, uint64_t seq)
{
    struct key key = key_id_seq(t->r.id, seq);
    size_t size;
    if (l->results.handed_out)
        results_keep(l);
    int err = store_del(l->txn, TABLE_MESSAGE, key_slice(&key), &size);
    if (err == SHUNT_NOT_FOUND) /* a damaged store lost it; nothing left to account for */
        return 0;
    if (err)
        return err;
    t->r.stored--;
    t->r.stored_bytes -= size;
    ledger_dirty_topic(l, t);
    l->meter.bytes += cost_next(key.size + size) + (seq - t->charged_seq > 1 ? COST_PLACE_BYTES : 0);
    t->charged_seq = seq;
    return 0;
}

int message_bytes(struct ledger *l, const struct topic *t, uint64_t seq, uint64_t *ret)
{
    struct key key = key_id_seq(t->r.id, seq);
    struct slice value = {0};
    int err = store_get(l->txn, TABLE_MESSAGE, key_slice(&key), &value);
    *ret = err ? 0 : value.size;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

/* ---- history ---- */

/* Make room: the oldest row after the first that charged nothing, or else the oldest after the first. */
static int evict(struct ledger *l, const struct group *g, uint64_t seq)
{
    struct store_cursor *cursor;
    struct key from = key_history(g->r.id, seq, 0);
    struct slice key, value;
    uint32_t group, row, victim = 0, position = 0;
    uint64_t of;
    int err = store_cursor_open(l->txn, TABLE_HISTORY, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    while (!err && key_read_history(key, &group, &of, &row) && group == g->r.id && of == seq) {
        struct history_record h;
        err = history_decode(key, value, &h);
        if (err)
            break;
        if (position++ > 0) {
            if (!victim)
                victim = row;
            if (!h.charged) {
                victim = row;
                break;
            }
        }
        err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    if (err && err != SHUNT_NOT_FOUND)
        return err;
    struct key key_victim = key_history(g->r.id, seq, victim);
    return ledger_del(l, TABLE_HISTORY, key_slice(&key_victim), NULL);
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
    struct store_cursor *cursor;
    struct key after = key_history(g->r.id, seq, UINT32_MAX);
    struct slice key, value;
    uint32_t group, row;
    uint64_t of;
    *ret = (struct history_record){0};
    int err = store_cursor_open(l->txn, TABLE_HISTORY, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, key_slice(&after), &key, &value);
    if (!err || err == SHUNT_NOT_FOUND)
        err = store_cursor_prev(cursor, &key, &value);
    while (!err && key_read_history(key, &group, &of, &row) && group == g->r.id && of == seq) {
        struct history_record h = {0};
        ledger_looked(l, value.size);
        err = history_decode(key, value, &h);
        if (!err && (h.charged || !ret->ended_ms))
            *ret = h;
        if (!err && h.charged)
            break;
        if (!err)
            err = store_cursor_prev(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

int history_delete(struct ledger *l, const struct group *g, uint64_t seq)
{
    struct store_cursor *cursor;
    struct key from = key_history(g->r.id, seq, 0);
    struct slice key, value;
    uint32_t group, row;
    uint64_t of;
    int err = store_cursor_open(l->txn, TABLE_HISTORY, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    while (!err && key_read_history(key, &group, &of, &row) && group == g->r.id && of == seq) {
        err = ledger_cursor_del(l, cursor, TABLE_HISTORY, key, value.size);
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    return err == SHUNT_NOT_FOUND ? 0 : err;
}
