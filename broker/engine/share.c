/* share: requests that look at much take turns.
 *
 * A listing takes a few bytes to ask for and thousands of rows to answer, so the bytes of requests bound
 * nothing there. Each turn may look at so many rows for requests of operators, and each connection has a
 * share of that. Who has used up its share, or comes when the turn's rows are used up, waits with all that it
 * sent after it, and is not read meanwhile. Those who wait go on in the next turns, one after the other,
 * before what is new. Publishing and consuming on other connections never stand in that line.
 */
#include "broker/engine/engine_private.h"

#define SHARES 4 /* so many connections can use up theirs in one turn */

static uint64_t rows_of(const struct session *s)
{
    return s->rows_turn == s->engine->turn ? s->rows : 0;
}

static bool turn_is_full(const struct engine *e)
{
    return e->turn_rows >= e->config.turn_rows_max;
}

bool share_is_used_up(const struct session *s, struct slice request)
{
    uint64_t share = s->engine->config.turn_rows_max / SHARES + 1;
    if (rows_of(s) < share && !turn_is_full(s->engine))
        return false;
    struct mpack_reader r;
    mpack_read_init(&r, request.data, request.size);
    (void)mpack_read_array(&r); /* the net thread has validated it */
    return wire_op_looks(mpack_read_uint(&r));
}

void share_count(struct session *s, uint64_t rows)
{
    struct engine *e = s->engine;
    s->rows = rows_of(s) + rows;
    s->rows_turn = e->turn;
    e->turn_rows += rows;
}

void share_wait(struct session *s)
{
    struct engine *e = s->engine;
    s->put_off = true;
    s->put_off_next = NULL;
    *e->put_off_tail = s;
    e->put_off_tail = &s->put_off_next;
    atomic_store(&s->link->put_off, true);
}

/* What it sent, in order, until its share is used up, or the turn's, or it is choked. */
static void go_on(struct engine *e, struct session *s)
{
    struct inbox_item *item = s->parked, **tail = s->parked_tail;
    s->put_off = false;
    s->parked = NULL;
    s->parked_tail = &s->parked;
    while (item && !s->parked && turn_has_room(e)) {
        struct inbox_item *next = item->next;
        session_unpark(s, item);
        turn_take(e, item); /* what is left of it is parked again */
        item = next;
    }
    if (item) {
        if (!s->parked)
            share_wait(s);
        *s->parked_tail = item;
        s->parked_tail = tail;
    }
    if (!s->put_off) {
        atomic_store(&s->link->put_off, false);
        e->readable = true;
    }
}

void share_go_on(struct engine *e)
{
    struct session *s = e->put_off, **tail = e->put_off_tail;
    e->put_off = NULL;
    e->put_off_tail = &e->put_off;
    while (s && !turn_is_full(e) && turn_has_room(e)) {
        struct session *next = s->put_off_next;
        go_on(e, s);
        s = next;
    }
    if (!s)
        return;
    /* The others stand in front of those who had their share now. */
    *tail = e->put_off;
    if (!e->put_off)
        e->put_off_tail = tail;
    e->put_off = s;
}

void share_forget_gone(struct engine *e)
{
    struct session **at = &e->put_off;
    while (*at) {
        if ((*at)->gone)
            *at = (*at)->put_off_next;
        else
            at = &(*at)->put_off_next;
    }
    e->put_off_tail = at;
}
