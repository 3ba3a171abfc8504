/* view_dead: dead letters, with their history. Touches nothing. */
#include "base/check.h"
#include "broker/core/cause.h"
#include "broker/core/fingerprint.h"
#include "broker/core/view_error.h"
#include "broker/core/view_put.h"

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

/* Zero, with no end, if there is no history. */
static int last_error(struct ledger *l, const struct dead_letter *d, struct history_record *ret)
{
    *ret = (struct history_record){0};
    return d->row.rows ? history_last(l, d->g, d->m->dead.origin_seq, ret) : 0;
}

/* What it died of, as the consumer or, where that could not, the broker says it. */
static int error_of(struct ledger *l, const struct dead_letter *d, struct history_record *ret_last,
                    struct view_error *ret)
{
    int err = last_error(l, d, ret_last);
    if (err)
        return err;
    view_error_of(ret_last, d->m->ttl_ms, ret);
    if (!ret_last->ended_ms || !ret->type.size)
        view_error_of_reason(d->m->dead.reason, ret);
    return 0;
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

#define DEAD_FIELDS 18

/* The fields of the `dead` map; the map's header is the caller's. */
static int put_dead_fields(struct ledger *l, const struct dead_letter *d, struct mpack_buffer *to)
{
    static const char *const reasons[] = DEAD_REASON_NAMES;
    char cause[FINGERPRINT_DIGITS + 1];
    struct history_record last;
    struct view_error error;
    struct message_view message = view_parse(d->m->message);
    int err = error_of(l, d, &last, &error);
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

/* ---- which ---- */

static bool is_slice(struct slice a, struct slice b)
{
    return a.size == b.size && !memcmp(a.data, b.data, a.size);
}

static bool has_header(const struct message_view *m, const struct slice header[2])
{
    struct mpack_reader r;
    if (!m->headers.size)
        return false;
    mpack_read_init(&r, m->headers.data, m->headers.size);
    for (uint32_t pairs = mpack_read_map(&r); pairs && !r.failed; pairs--) {
        struct slice name = mpack_read_str(&r);
        struct slice value = mpack_peek(&r) == MPACK_BIN ? mpack_read_bin(&r) : mpack_read_str(&r);
        if (is_slice(name, header[0]))
            return is_slice(value, header[1]);
    }
    return false;
}

/* By its row alone. */
static bool passes_row(const struct letter_filter *f, const struct dead_record *dead)
{
    return (!f->cause || f->cause == dead->cause) && (!f->reason || *f->reason == dead->reason) &&
           dead->died_ms >= f->since_ms;
}

static int passes(struct ledger *l, const struct letter_filter *f, const struct dead_letter *d, bool *ret)
{
    struct history_record last;
    struct view_error error;
    struct message_view m = view_parse(d->m->message);
    *ret = (!f->key.size || is_slice(f->key, m.key)) && (!f->header[0].size || has_header(&m, f->header));
    if (!*ret || (!f->type.size && !f->match.size))
        return 0;
    int err = error_of(l, d, &last, &error);
    *ret = (!f->type.size || is_slice(f->type, error.type)) &&
           (!f->match.size || memmem(error.message.data, error.message.size, f->match.data, f->match.size));
    return err;
}

/* The letter at the cursor: shown, if it is one of those asked for. */
static int list_one(struct ledger *l, struct topic *dlq, uint64_t seq, struct slice value, struct slice key,
                    const struct letter_filter *filter, struct mpack_buffer *to, bool *ret_shown)
{
    struct dead_record dead;
    struct loaded_message m;
    struct dead_letter d;
    *ret_shown = false;
    int err = filter ? dead_decode(key, value, &dead) : 0;
    if (filter && (err || !passes_row(filter, &dead))) {
        ledger_looked(l, 0);
        return err;
    }
    err = message_load(l, dlq, seq, true, &m);
    if (!err)
        ledger_looked(l, m.message.size);
    if (!err)
        err = dead_row(l, dlq, seq, &m, &d);
    *ret_shown = true;
    if (!err && filter)
        err = passes(l, filter, &d, ret_shown);
    if (err || !*ret_shown)
        return err;
    mpack_write_map(to, DEAD_FIELDS);
    return put_dead_fields(l, &d, to);
}

int view_dead_list(const struct view *v, struct group *g, uint64_t after, uint32_t limit,
                   const struct letter_filter *filter, struct mpack_buffer *to)
{
    struct ledger *l = v->ledger;
    struct store_cursor *cursor;
    struct slice key, value;
    uint32_t id, count = 0;
    uint64_t seq, most = l->rows + LOOK_ROWS_MAX;
    size_t begin = to->size;
    bool more = false, shown;
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
        more = count == limit || to->size - begin > PAGE_BYTES_MAX || l->rows >= most;
        if (more)
            break;
        err = list_one(l, g->dlq, seq, value, key, filter, to, &shown);
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

/* ---- history ---- */

void put_history_row(const struct ledger *l, struct mpack_buffer *to, uint32_t number,
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
    struct message_view message = view_parse(m.message);
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
