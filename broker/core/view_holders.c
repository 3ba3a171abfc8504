/* view_holders: which consumer holds which message of a group. Touches nothing.
 *
 * What is in flight lies in two places: first flights are bits that are clear before the cursor, all others have rows in
 * the due table. Both are in order of number, so a page costs what it shows, whatever the backlog, and goes on behind any number. */
#include "broker/core/view_page.h"
#include "broker/core/view_put.h"

struct flights {
    struct ledger *l;
    struct group *g;
    struct store_cursor *cursor;
    uint64_t first; /* the next first flight; `next` of the group: there is none */
    uint64_t again; /* the next of the others; UINT64_MAX: there is none */
};

/* Of the row that the cursor is at, if it found one: `err` 0. */
static int take_row(struct flights *f, int err, struct slice key)
{
    uint32_t group;
    uint8_t place;
    int64_t due_ms;
    uint64_t seq;
    f->again = UINT64_MAX;
    if (err)
        return err == SHUNT_NOT_FOUND ? 0 : err;
    if (key_read_due(key, &group, &place, &due_ms, &seq) && group == f->g->r.id && place == DUE_HELD)
        f->again = seq;
    return 0;
}

/* The first flight at or after `seq`. */
static void find_first(struct flights *f, uint64_t seq)
{
    const struct group_record *r = &f->g->r;
    if (seq < r->floor)
        seq = r->floor;
    f->first = seq < r->next ? bitmap_next_clear(&f->g->bits, seq) : r->next;
    if (f->first > r->next)
        f->first = r->next;
    ledger_looked(f->l, seq < f->first ? (size_t)(f->first - seq) / 8 : 0);
}

static int find_again(struct flights *f, uint64_t seq)
{
    struct key from = key_due(f->g->r.id, DUE_HELD, 0, seq);
    struct slice key = {0}, value;
    return take_row(f, store_cursor_seek(f->cursor, key_slice(&from), &key, &value), key);
}

static int step(struct flights *f, uint64_t seq)
{
    struct slice key = {0}, value;
    if (seq != f->again) {
        find_first(f, seq + 1);
        return 0;
    }
    return take_row(f, store_cursor_next(f->cursor, &key, &value), key);
}

static bool next(const struct flights *f, uint64_t *ret)
{
    *ret = f->first < f->g->r.next && f->first < f->again ? f->first : f->again;
    return *ret != UINT64_MAX;
}

static int put_held(const struct view *v, const struct group *g, uint64_t seq, struct mpack_buffer *to)
{
    struct ledger *l = v->ledger;
    struct attempt_record row = {0};
    struct view_holder h = {0};
    enum where where;
    int err = place_find(l, g, seq, &where, &row);
    ledger_looked(l, 0);
    if (err)
        return err;
    if (v->holder)
        (void)v->holder(v->context, g->r.id, seq, &h); /* false: all of it is nil */
    mpack_write_map(to, 13);
    put_uint(to, "seq", seq);
    put_uint(to, "attempts", row.attempts);
    put_uint(to, "deliveries", where == WHERE_FLIGHT ? 1 : row.deliveries);
    put_uint(to, "generation", row.generation);
    put_id(to, "connection", h.connection);
    put_slice(to, "consumer", slice_of(h.client));
    put_slice(to, "host", slice_of(h.host));
    put_slice(to, "build", slice_of(h.build));
    put_slice(to, "peer", slice_of(h.peer));
    put_time(l, to, "leased", h.leased_ms);
    put_time(l, to, "started", h.started_ms);
    put_time(l, to, "until", h.until_ms);
    put_key(to, "silent");
    mpack_write_bool(to, h.silent);
    return 0;
}

static int put_page(const struct view *v, struct flights *f, uint64_t after, uint32_t limit,
                    struct mpack_buffer *to)
{
    struct page p = page_begin(v->ledger, to, limit);
    uint64_t seq;
    bool more = false;
    int err = 0;
    if (after < UINT64_MAX) {
        find_first(f, after + 1);
        err = find_again(f, after + 1);
    }
    while (!err && next(f, &seq)) {
        more = page_is_full(&p);
        if (more)
            break;
        err = put_held(v, f->g, seq, to);
        p.count++;
        after = seq;
        if (!err)
            err = step(f, seq);
    }
    int failed = page_end_behind(&p, more, after);
    return err ? err : failed;
}

int view_holders(const struct view *v, struct group *g, uint64_t after, uint32_t limit,
                 struct mpack_buffer *to)
{
    struct flights f = {.l = v->ledger, .g = g, .first = g->r.next, .again = UINT64_MAX};
    v->ledger->txn = v->txn;
    int err = store_cursor_open(v->txn, TABLE_DUE, &f.cursor);
    if (err)
        return err;
    err = put_page(v, &f, after, limit, to);
    store_cursor_close(f.cursor);
    return err;
}
