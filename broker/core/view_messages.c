/* view_messages: peeking at messages. Touches nothing. */
#include "broker/core/edit.h"
#include "broker/core/view_page.h"
#include "broker/core/view_put.h"

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
    struct loaded_message m;
    int err = place_find(l, g, seq, &where, &row);
    const char *state = err ? NULL : state_name(g, where, &row);
    *ret_shown = false;
    ledger_looked(l, state ? value.size : 0);
    if (!state)
        return err;
    if (row.edit)
        err = edit_load(l, g->r.id, seq, true, &m);
    else
        message_take(key, value, true, &m);
    if (err || m.corrupt)
        return err;
    *ret_shown = true;
    bool tracked = where == WHERE_TRACKED;
    mpack_write_map(to, bodies ? 10 : 9);
    put_uint(to, "seq", seq);
    put_key(to, "state");
    mpack_write_cstr(to, state);
    put_uint(to, "attempts", tracked ? row.attempts : 0);
    put_uint(to, "deliveries", tracked ? row.deliveries : where == WHERE_FLIGHT);
    put_uint(to, "generation", tracked ? row.generation : 0);
    put_time(l, to, "published", m.head.published_ms);
    put_time(l, to, "due", !strcmp(state, "delayed") ? row.due_ms : 0);
    put_time(l, to, "deadline", tracked ? row.deadline_ms : m.head.deadline_ms);
    put_uint(to, "size", view_parse(m.message).body.size);
    if (bodies) {
        put_key(to, "message");
        if (m.bytes <= MESSAGE_BYTES_MAX)
            mpack_write_raw(to, m.message.data, m.message.size);
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
    uint32_t id;
    uint64_t seq;
    bool more = false;
    if (g->origin)
        return SHUNT_BAD_ARGUMENT;
    l->txn = v->txn;
    struct page p = page_begin(l, to, limit);
    if (after == UINT64_MAX) /* nothing comes after the last number that there could be */
        return page_end_behind(&p, false, after);
    struct key from = key_id_seq(g->topic->r.id, after >= g->r.start ? after + 1 : g->r.start);
    int err = store_cursor_open(v->txn, TABLE_MESSAGE, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    while (!err && key_read_id_seq(key, &id, &seq) && id == g->topic->r.id) {
        bool shown = false;
        more = page_is_full(&p) || (p.count && to->size - p.begin + value.size > PAGE_FRAME_BYTES_MAX);
        if (more)
            break;
        err = put_peeked(l, g, seq, key, value, bodies, to, &shown);
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
