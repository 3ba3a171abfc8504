/* view_dead: dead letters, with their history. Touches nothing. */
#include "base/check.h"
#include "broker/core/cause.h"
#include "broker/core/edit.h"
#include "broker/core/fingerprint.h"
#include "broker/core/history.h"
#include "broker/core/letter.h"
#include "broker/core/view_page.h"
#include "broker/core/view_put.h"

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
    put_id(to, "ttl_ms", (uint64_t)m->ttl_ms);
    put_id(to, "deadline", (uint64_t)m->deadline_ms); /* a time as it is shown, by who published it */
}

#define DEAD_FIELDS 24

/* The fields of the `dead` map; the map's header is the caller's. */
static int put_dead_fields(struct ledger *l, const struct dead_letter *d, struct mpack_buffer *to)
{
    static const char *const reasons[] = DEAD_REASON_NAMES;
    char cause[FINGERPRINT_DIGITS + 1];
    struct history_record last;
    struct view_error error;
    struct message_view message = view_parse(d->m->message);
    int err = letter_error(l, d, &last, &error);
    if (err)
        return err;
    fingerprint_write(cause, d->m->dead.cause);
    put_name(to, "id", d->g->dlq->r.name, d->dead_seq);
    put_uint(to, "seq", d->dead_seq);
    put_name(to, "origin", d->g->topic->r.name, d->m->dead.origin_seq);
    put_slice(to, "topic", slice_of(d->g->topic->r.name));
    put_slice(to, "group", slice_of(d->g->r.name));
    put_key(to, "reason");
    mpack_write_cstr(to, reasons[d->m->dead.reason]);
    put_slice(to, "cause", (struct slice){cause, d->m->dead.cause ? FINGERPRINT_DIGITS : 0});
    put_key(to, "attended");
    mpack_write_bool(to, cause_attended(d->g, &d->m->dead, d->dead_seq));
    put_uint(to, "attempts", d->row.attempts);
    put_uint(to, "deliveries", d->row.deliveries);
    put_uint(to, "generation", d->row.generation);
    put_time(l, to, "published", d->m->head.published_ms);
    put_time(l, to, "died", d->m->dead.died_ms);
    put_slice(to, "error_type", error.type);
    put_slice(to, "error_message", error.message);
    put_headers(to, &message);
    put_acting(l, to, d->g, &d->m->dead);
    put_id(to, "edit", d->m->dead.edit);
    return 0;
}

/* ---- a page of them ---- */

/* The letter at the cursor: shown, if it is one of those asked for. */
static int list_one(struct ledger *l, struct topic *dlq, uint64_t seq, struct slice value, struct slice key,
                    const struct letter_filter *filter, struct mpack_buffer *to, bool *ret_shown)
{
    struct dead_record dead;
    struct loaded_message m;
    struct dead_letter d;
    *ret_shown = false;
    int err = dead_decode(key, value, &dead);
    if (err || !letter_passes_row(l, filter, &dead)) {
        ledger_looked(l, 0);
        return err;
    }
    err = message_load(l, dlq, seq, true, &m);
    if (!err)
        ledger_looked(l, m.message.size);
    if (!err)
        err = letter_row(l, dlq, seq, &m, &d);
    *ret_shown = true;
    if (!err)
        err = letter_passes(l, filter, &d, ret_shown);
    if (err || !*ret_shown)
        return err;
    mpack_write_map(to, DEAD_FIELDS);
    return put_dead_fields(l, &d, to);
}

int view_dead_list(const struct view *v, struct group *g, uint64_t after, uint32_t limit,
                   const struct letter_filter *filter, struct mpack_buffer *to)
{
    static const struct letter_filter all;
    struct ledger *l = v->ledger;
    struct store_cursor *cursor;
    struct slice key, value;
    uint32_t id;
    uint64_t seq;
    bool more = false, shown;
    if (!g->dlq)
        return SHUNT_BAD_ARGUMENT;
    l->txn = v->txn;
    struct key from = key_id_seq(g->dlq->r.id, after == UINT64_MAX ? after : after + 1);
    int err = store_cursor_open(v->txn, TABLE_DEAD, &cursor);
    if (err)
        return err;
    struct page p = page_begin(l, to, limit);
    err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    while (!err && key_read_id_seq(key, &id, &seq) && id == g->dlq->r.id) {
        more = page_is_full(&p);
        if (more)
            break;
        err = list_one(l, g->dlq, seq, value, key, filter ? filter : &all, to, &shown);
        p.count += shown;
        after = seq;
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    if (err && err != SHUNT_NOT_FOUND)
        return err;
    return page_end_behind(&p, more, after);
}

/* ---- who edited it ---- */

int put_edited(struct ledger *l, struct mpack_buffer *to, const struct group *g, uint64_t seq, uint64_t edit)
{
    struct key key = key_history(g->r.id, seq, EDIT_ROW_NOTE);
    struct edit_record note;
    struct slice value;
    put_key(to, "edited");
    int err = edit ? store_get(l->txn, TABLE_EDIT, key_slice(&key), &value) : SHUNT_NOT_FOUND;
    if (!err)
        err = edit_decode(key_slice(&key), value, &note);
    if (err) { /* what is damaged is told of elsewhere */
        mpack_write_nil(to);
        return err == SHUNT_NOT_FOUND || err == SHUNT_CORRUPT ? 0 : err;
    }
    ledger_looked(l, value.size);
    mpack_write_map(to, 6);
    put_uint(to, "edit", note.number);
    put_time(l, to, "at", note.edited_ms);
    put_slice(to, "client", note.client);
    put_slice(to, "host", note.host);
    put_slice(to, "peer", note.peer);
    put_slice(to, "reason", note.reason);
    return 0;
}

/* ---- history ---- */

void put_history_row(const struct ledger *l, struct mpack_buffer *to, uint32_t number,
                     const struct history_record *h, int64_t ttl_ms)
{
    struct view_error error;
    static const char *const outcomes[] = ATTEMPT_OUTCOME_NAMES;
    view_error_of(h, ttl_ms, &error);
    mpack_write_map(to, 14);
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
    put_id(to, "job", h->job);
}

int put_history(struct ledger *l, struct mpack_buffer *to, const struct group *g, uint64_t seq,
                int64_t ttl_ms)
{
    struct history_rows rows;
    uint32_t count = 0;
    put_key(to, "history");
    size_t array = mpack_write_array_open(to);
    int err = history_rows_open(l->txn, g->r.id, seq, HISTORY_ROW_FIRST, &rows);
    for (; !err; err = history_rows_next(&rows)) {
        struct history_record h = {0};
        ledger_looked(l, rows.value.size);
        err = history_decode(rows.key, rows.value, &h);
        if (err)
            break;
        put_history_row(l, to, rows.row, &h, ttl_ms);
        count++;
    }
    mpack_patch_array(to, array, count);
    return history_rows_close(&rows, err);
}

#define DEAD_MORE_FIELDS 5

/* What is known of a letter beyond a listing, but for its body. */
static int put_dead_more(struct ledger *l, const struct dead_letter *d, struct mpack_buffer *to)
{
    struct history_record error;
    int err = letter_last(l, d, &error);
    if (err)
        return err;
    put_slice(to, "error_stack", error.error_stack);
    put_uint(to, "attempts_total", d->row.attempts_total);
    put_uint(to, "deliveries_total", d->row.deliveries_total);
    err = put_edited(l, to, d->g, d->m->dead.origin_seq, d->m->dead.edit);
    return err ? err : put_history(l, to, d->g, d->m->dead.origin_seq, d->m->ttl_ms);
}

/* The message as it was published, with what is known of its letter. */
static int load_original(struct ledger *l, const struct group *g, struct loaded_message *m)
{
    struct loaded_message original;
    int err = message_load(l, g->topic, m->dead.origin_seq, true, &original);
    m->message = original.message;
    m->bytes = original.bytes;
    m->corrupt = original.corrupt;
    return err;
}

int view_dead(const struct view *v, struct group *g, struct slice id, bool original, struct mpack_buffer *to)
{
    struct ledger *l = v->ledger;
    struct loaded_message m;
    struct dead_letter d;
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
    if (!err && original && m.dead.edit)
        err = load_original(l, g, &m);
    if (!err)
        ledger_looked(l, m.message.size);
    if (!err)
        err = letter_row(l, g->dlq, dead_seq, &m, &d);
    if (err)
        return err;
    mpack_write_map(to, DEAD_FIELDS + DEAD_MORE_FIELDS + 1);
    struct message_view message = view_parse(m.message);
    put_key(to, "body");
    if (message.whole.size)
        mpack_write_bin(to, message.body.data, message.body.size);
    else
        mpack_write_nil(to);
    err = put_dead_fields(l, &d, to);
    if (!err)
        err = put_dead_more(l, &d, to);
    return !err && to->failed ? SHUNT_NO_MEMORY : err;
}

int view_delivered_dead(const struct view *v, uint32_t group, const struct handout *h, bool history,
                        struct mpack_buffer *to)
{
    struct ledger *l = v->ledger;
    struct dead_letter d;
    const struct group *reader = catalog_group_by_id(l, group);
    check(reader && h->dead);
    l->txn = v->txn;
    int err = letter_row(l, reader->topic, h->seq, h->dead, &d);
    if (err)
        return err;
    mpack_write_map(to, DEAD_FIELDS + (history ? DEAD_MORE_FIELDS : 0));
    err = put_dead_fields(l, &d, to);
    return err || !history ? err : put_dead_more(l, &d, to);
}
