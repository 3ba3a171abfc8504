/* view_messages: peeking at messages, and dead letters with their history. Touches nothing. */
#include "base/check.h"
#include "broker/core/state.h"
#include "broker/core/view.h"
#include "broker/core/view_error.h"
#include "proto/message.h"

#include <string.h>

static void put_key(struct mpack_buffer *to, const char *key)
{
    mpack_write_cstr(to, key);
}

static void put_uint(struct mpack_buffer *to, const char *key, uint64_t value)
{
    put_key(to, key);
    mpack_write_uint(to, value);
}

static void put_slice(struct mpack_buffer *to, const char *key, struct slice text)
{
    put_key(to, key);
    if (text.size)
        mpack_write_str(to, text.data, text.size);
    else
        mpack_write_nil(to);
}

static void put_time(const struct ledger *l, struct mpack_buffer *to, const char *key, int64_t value)
{
    put_key(to, key);
    if (value)
        mpack_write_int(to, ledger_shown_ms(l, value));
    else
        mpack_write_nil(to);
}

/* `NAME/SEQ` */
static void put_name(struct mpack_buffer *to, const char *key, const char *topic, uint64_t seq)
{
    char text[TOPIC_BYTES_MAX + 32];
    char digits[24];
    size_t size = strlen(topic), at = sizeof digits;
    memcpy(text, topic, size);
    text[size++] = '/';
    do
        digits[--at] = (char)('0' + seq % 10);
    while (seq /= 10);
    memcpy(text + size, digits + at, sizeof digits - at);
    put_key(to, key);
    mpack_write_str(to, text, size + sizeof digits - at);
}

/* The parts of a stored message; empty if it cannot be read. */
static struct message_view parse(struct slice message)
{
    struct mpack_reader r;
    struct message_view m;
    const char *why;
    mpack_read_init(&r, message.data, message.size);
    if (!message.size || message_read(&r, BODY_BYTES_MAX, &m, &why))
        m = (struct message_view){0};
    return m;
}

/* ---- peek ---- */

static const char *state_name(const struct group *g, enum where where, const struct attempt_record *row)
{
    if (where == WHERE_FRESH)
        return "ready";
    if (where == WHERE_FLIGHT)
        return "in_flight";
    if (where != WHERE_TRACKED || row->state == ATTEMPT_DEAD)
        return NULL;
    if (row->state == ATTEMPT_HELD)
        return "in_flight";
    return row->due_ms <= g->r.due_mark_ms ? "ready" : "delayed";
}

/* The row at `key`, if the group has business with it. A damaged one is not shown; its delivery will condemn
 * it. */
static int put_peeked(struct ledger *l, struct group *g, uint64_t seq, struct slice key, struct slice value,
                      bool bodies, struct mpack_buffer *to, bool *ret_shown)
{
    enum where where;
    struct attempt_record row = {0};
    struct message_head head = {0};
    struct slice message = {0};
    int err = place_find(l, g, seq, &where, &row);
    const char *state = err ? NULL : state_name(g, where, &row);
    *ret_shown = false;
    ledger_looked(l, state ? value.size : 0);
    if (!state || message_decode(key, value, true, &head, &message))
        return err;
    *ret_shown = true;
    bool tracked = where == WHERE_TRACKED;
    mpack_write_map(to, bodies ? 9 : 8);
    put_uint(to, "seq", seq);
    put_key(to, "state");
    mpack_write_cstr(to, state);
    put_uint(to, "attempts", tracked ? row.attempts : 0);
    put_uint(to, "deliveries", tracked ? row.deliveries : where == WHERE_FLIGHT);
    put_uint(to, "generation", tracked ? row.generation : 0);
    put_time(l, to, "published", head.published_ms);
    put_time(l, to, "due", !strcmp(state, "delayed") ? row.due_ms : 0);
    put_uint(to, "size", parse(message).body.size);
    if (bodies) {
        put_key(to, "message");
        if (message.size <= MESSAGE_BYTES_MAX)
            mpack_write_raw(to, message.data, message.size);
        else
            mpack_write_nil(to);
    }
    return 0;
}

/* A page may end with a large message, but not go beyond what a frame carries. */
#define PAGE_FRAME_BYTES_MAX MESSAGE_BYTES_MAX

int view_peek(const struct view *v, struct group *g, uint64_t after, uint32_t limit, bool bodies,
              struct mpack_buffer *to)
{
    struct ledger *l = v->ledger;
    struct store_cursor *cursor;
    struct slice key, value;
    uint32_t id, count = 0;
    uint64_t seq, most = l->rows + LOOK_ROWS_MAX; /* other groups' messages lie between this one's */
    size_t begin = to->size;
    bool more = false;
    if (g->origin)
        return SHUNT_BAD_ARGUMENT;
    l->txn = v->txn;
    if (after == UINT64_MAX) { /* nothing comes after the last number that there could be */
        mpack_write_array(to, 0);
        mpack_write_bool(to, false);
        mpack_write_uint(to, after);
        return to->failed ? SHUNT_NO_MEMORY : 0;
    }
    struct key from = key_id_seq(g->topic->r.id, after >= g->r.start ? after + 1 : g->r.start);
    int err = store_cursor_open(v->txn, TABLE_MESSAGE, &cursor);
    if (err)
        return err;
    size_t array = mpack_write_array_open(to);
    err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    while (!err && key_read_id_seq(key, &id, &seq) && id == g->topic->r.id) {
        bool shown = false;
        more = count == limit || to->size - begin > PAGE_BYTES_MAX || l->rows >= most ||
               (count && to->size - begin + value.size > PAGE_FRAME_BYTES_MAX);
        if (more)
            break;
        err = put_peeked(l, g, seq, key, value, bodies, to, &shown);
        count += shown;
        after = seq;
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    if (err && err != SHUNT_NOT_FOUND)
        return err;
    mpack_patch_array(to, array, count);
    mpack_write_bool(to, more);
    mpack_write_uint(to, after);
    return to->failed ? SHUNT_NO_MEMORY : 0;
}

/* ---- dead letters ---- */

struct dead_letter {
    struct group *g; /* the failing one */
    uint64_t dead_seq;
    const struct loaded_message *m;
    struct attempt_record row;
};

static int dead_row(struct ledger *l, struct topic *dlq, uint64_t dead_seq, const struct loaded_message *m,
                    struct dead_letter *ret)
{
    enum where where = WHERE_GONE;
    *ret =
        (struct dead_letter){.g = catalog_group_by_id(l, dlq->r.origin_group), .dead_seq = dead_seq, .m = m};
    int err = ret->g ? place_find(l, ret->g, m->dead.origin_seq, &where, &ret->row) : SHUNT_CORRUPT;
    return !err && where != WHERE_TRACKED ? SHUNT_CORRUPT : err;
}

/* The last charged attempt or, without one, what was last; zero, with no end, if there is no history. Slices
 * live until the next write. */
static int last_error(struct ledger *l, const struct dead_letter *d, struct history_record *ret)
{
    struct store_cursor *cursor;
    struct key after = key_history(d->g->r.id, d->m->dead.origin_seq, UINT32_MAX);
    struct slice key, value;
    uint32_t group, row;
    uint64_t seq;
    *ret = (struct history_record){0};
    if (!d->row.rows)
        return 0;
    int err = store_cursor_open(l->txn, TABLE_HISTORY, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, key_slice(&after), &key, &value);
    if (!err || err == SHUNT_NOT_FOUND)
        err = store_cursor_prev(cursor, &key, &value);
    while (!err && key_read_history(key, &group, &seq, &row) && group == d->g->r.id &&
           seq == d->m->dead.origin_seq) {
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

static void put_headers(struct mpack_buffer *to, const struct message_view *m)
{
    put_key(to, "headers");
    if (m->headers.size)
        mpack_write_raw(to, m->headers.data, m->headers.size);
    else
        mpack_write_map(to, 0);
    put_key(to, "key");
    if (m->key.size)
        mpack_write_bin(to, m->key.data, m->key.size);
    else
        mpack_write_nil(to);
    put_uint(to, "size", m->body.size);
}

#define DEAD_FIELDS 16

/* The fields of the `dead` map; the map's header is the caller's. */
static int put_dead_fields(struct ledger *l, const struct dead_letter *d, struct mpack_buffer *to)
{
    static const char *const reasons[] = DEAD_REASON_NAMES;
    struct history_record last;
    struct view_error error;
    struct message_view message = parse(d->m->message);
    int err = last_error(l, d, &last);
    if (err)
        return err;
    view_error_of(&last, d->m->ttl_ms, &error);
    if (!last.ended_ms || !error.type.size)
        view_error_of_reason(d->m->dead.reason, &error);
    put_name(to, "id", d->g->dlq->r.name, d->dead_seq);
    put_uint(to, "seq", d->dead_seq);
    put_name(to, "origin", d->g->topic->r.name, d->m->dead.origin_seq);
    put_slice(to, "topic", slice_of(d->g->topic->r.name));
    put_slice(to, "group", slice_of(d->g->r.name));
    put_key(to, "reason");
    mpack_write_cstr(to, reasons[d->m->dead.reason]);
    put_uint(to, "attempts", d->row.attempts);
    put_uint(to, "deliveries", d->row.deliveries);
    put_uint(to, "generation", d->row.generation);
    put_time(l, to, "published", d->m->head.published_ms);
    put_time(l, to, "died", d->m->dead.died_ms);
    put_slice(to, "error_type", error.type);
    put_slice(to, "error_message", error.message);
    put_headers(to, &message);
    return 0;
}

int view_delivered_dead(const struct view *v, uint32_t group, const struct handout *h,
                        struct mpack_buffer *to)
{
    struct ledger *l = v->ledger;
    struct dead_letter d;
    const struct group *reader = catalog_group_by_id(l, group);
    check(reader && h->dead);
    l->txn = v->txn;
    int err = dead_row(l, reader->topic, h->seq, h->dead, &d);
    if (err)
        return err;
    mpack_write_map(to, DEAD_FIELDS);
    return put_dead_fields(l, &d, to);
}

int view_dead_list(const struct view *v, struct group *g, uint64_t after, uint32_t limit,
                   struct mpack_buffer *to)
{
    struct ledger *l = v->ledger;
    struct store_cursor *cursor;
    struct slice key, value;
    uint32_t id, count = 0;
    uint64_t seq, most = l->rows + LOOK_ROWS_MAX;
    size_t begin = to->size;
    bool more = false;
    if (!g->dlq)
        return SHUNT_BAD_ARGUMENT;
    l->txn = v->txn;
    struct key from = key_id_seq(g->dlq->r.id, after == UINT64_MAX ? after : after + 1);
    int err = store_cursor_open(v->txn, TABLE_DEAD, &cursor);
    if (err)
        return err;
    size_t array = mpack_write_array_open(to);
    err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    while (!err && key_read_id_seq(key, &id, &seq) && id == g->dlq->r.id) {
        struct loaded_message m;
        struct dead_letter d;
        more = count == limit || to->size - begin > PAGE_BYTES_MAX || l->rows >= most;
        if (more)
            break;
        count++;
        err = message_load(l, g->dlq, seq, true, &m);
        if (!err)
            ledger_looked(l, m.message.size);
        if (!err)
            err = dead_row(l, g->dlq, seq, &m, &d);
        if (!err) {
            mpack_write_map(to, DEAD_FIELDS);
            err = put_dead_fields(l, &d, to);
        }
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    if (err && err != SHUNT_NOT_FOUND)
        return err;
    mpack_patch_array(to, array, count);
    mpack_write_bool(to, more);
    return to->failed ? SHUNT_NO_MEMORY : 0;
}

static void put_history_row(const struct ledger *l, struct mpack_buffer *to, uint32_t number,
                            const struct history_record *h, int64_t ttl_ms)
{
    struct view_error error;
    static const char *const outcomes[] = ATTEMPT_OUTCOME_NAMES;
    view_error_of(h, ttl_ms, &error);
    mpack_write_map(to, 13);
    put_uint(to, "number", number);
    put_uint(to, "generation", h->generation);
    put_slice(to, "consumer", h->client);
    put_slice(to, "host", h->host);
    put_slice(to, "build", h->build);
    put_time(l, to, "leased", h->leased_ms);
    put_time(l, to, "started", h->started_ms);
    put_time(l, to, "ended", h->ended_ms);
    put_key(to, "outcome");
    mpack_write_cstr(to, outcomes[h->outcome]);
    put_key(to, "charged");
    mpack_write_bool(to, h->charged);
    put_slice(to, "error_type", error.type);
    put_slice(to, "error_message", error.message);
    put_slice(to, "error_stack", h->error_stack);
}

static int put_history(struct ledger *l, const struct dead_letter *d, struct mpack_buffer *to)
{
    struct store_cursor *cursor;
    struct key from = key_history(d->g->r.id, d->m->dead.origin_seq, 0);
    struct slice key, value;
    uint32_t group, row, count = 0;
    uint64_t seq;
    int err = store_cursor_open(l->txn, TABLE_HISTORY, &cursor);
    if (err)
        return err;
    put_key(to, "history");
    size_t array = mpack_write_array_open(to);
    err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    while (!err && key_read_history(key, &group, &seq, &row) && group == d->g->r.id &&
           seq == d->m->dead.origin_seq) {
        struct history_record h = {0};
        ledger_looked(l, value.size);
        err = history_decode(key, value, &h);
        if (err)
            break;
        put_history_row(l, to, row, &h, d->m->ttl_ms);
        count++;
        err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    mpack_patch_array(to, array, count);
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

int view_dead(const struct view *v, struct group *g, struct slice id, struct mpack_buffer *to)
{
    struct ledger *l = v->ledger;
    struct loaded_message m;
    struct dead_letter d;
    struct history_record error;
    uint64_t dead_seq;
    if (!g->dlq)
        return SHUNT_BAD_ARGUMENT;
    l->txn = v->txn;
    int err = dead_lookup(l, g, id, &dead_seq);
    if (!err && !dead_seq)
        err = SHUNT_NOT_FOUND;
    struct key key = key_id_seq(g->dlq->r.id, dead_seq);
    struct slice value;
    if (!err)
        err = store_get(v->txn, TABLE_DEAD, key_slice(&key), &value);
    if (!err)
        err = message_load(l, g->dlq, dead_seq, true, &m);
    if (!err)
        ledger_looked(l, m.message.size);
    if (!err)
        err = dead_row(l, g->dlq, dead_seq, &m, &d);
    if (!err)
        err = last_error(l, &d, &error);
    if (err)
        return err;
    mpack_write_map(to, DEAD_FIELDS + 5);
    err = put_dead_fields(l, &d, to);
    struct message_view message = parse(m.message);
    put_key(to, "body");
    if (message.whole.size)
        mpack_write_bin(to, message.body.data, message.body.size);
    else
        mpack_write_nil(to);
    put_slice(to, "error_stack", error.error_stack);
    put_uint(to, "attempts_total", d.row.attempts_total);
    put_uint(to, "deliveries_total", d.row.deliveries_total);
    if (!err)
        err = put_history(l, &d, to);
    return !err && to->failed ? SHUNT_NO_MEMORY : err;
}
