/* share: connections take turns, by the work that their requests are.
 *
 * A turn of the engine is to be short, for whoever asks next waits for its end. What makes it long is neither
 * bytes nor requests: a listing of a few bytes looks at thousands of rows, and a frame of small messages with
 * a delay writes thousands. So each request counts as so many rows looked at. Each turn has so many, and each
 * connection a share of that. Who has used up its share, or comes for more when the turn is full, waits with
 * all that it sent after it, and is not read much further meanwhile. Those who wait go on in the next turns,
 * one after the other, before what is new.
 *
 * A PUBLISH or RESOLVE that is more than a share is handled in parts, one in each turn (divide.c). Other
 * requests are not divided: what is more than a share is paid with the shares of later turns, and counts more
 * than its work, so that somebody who sends such requests without end leaves most turns to others. Who has
 * had next to nothing in a turn is served even if it is full: many that ask for little are what a commit is
 * shared for.
 */
#include "broker/engine/engine_private.h"

/* So many connections can use up theirs in one turn: one that is alone has more of it, for fewer commits. */
#define SHARES         4
#define SHARES_COMPANY 16
#define COMPANY_TURNS  64 /* who was served so lately is company */
/* A sixteenth of a turn with fewer rows (tests have such) would not hold one request. */
#define COMPANY_ROWS_MIN (SHARES_COMPANY * SHARE_FREE_ROWS)
/* What a request counts that is more than a share, against one that is less. */
#define SHARE_OVERWEIGHT 3
/* It is paid for with at most so many shares. */
#define SHARE_DEBT_MAX 1024

static uint64_t share_of(const struct engine *e)
{
    bool company = e->turn - e->company_turn < COMPANY_TURNS && e->config.turn_rows_max >= COMPANY_ROWS_MIN;
    return e->config.turn_rows_max / (company ? SHARES_COMPANY : SHARES) + 1;
}

void share_serve(struct session *s)
{
    struct engine *e = s->engine;
    if (e->served != s)
        e->company_turn = e->turn;
    e->served = s;
}

/* Used of its share in this turn: what is more than one share goes on to the turns that follow. */
static uint64_t rows_of(const struct session *s)
{
    if (s->rows_turn == s->engine->turn)
        return s->rows;
    uint64_t paid = (s->engine->turn - s->rows_turn) * share_of(s->engine);
    return s->rows > paid ? s->rows - paid : 0;
}

static bool turn_is_full(const struct engine *e)
{
    return e->turn_rows >= e->config.turn_rows_max;
}

static uint64_t less(uint64_t from, uint64_t what)
{
    return from > what ? from - what : 0;
}

uint64_t share_left(const struct session *s)
{
    const struct engine *e = s->engine;
    uint64_t left = turn_is_full(e) ? 0 : less(share_of(e), rows_of(s));
    if (e->config.only_looks_wait)
        return UINT64_MAX;
    return left > DIVIDE_ROWS_MIN ? left : DIVIDE_ROWS_MIN;
}

bool share_is_used_up(const struct session *s, bool weighs)
{
    uint64_t used = rows_of(s);
    if (used < SHARE_FREE_ROWS && used < share_of(s->engine) && !turn_is_full(s->engine))
        return false;
    if (s->engine->config.only_looks_wait && !weighs)
        return false;
    if (used >= share_of(s->engine))
        return true;
    return turn_is_full(s->engine) && (used >= SHARE_FREE_ROWS || weighs);
}

void share_count_more(struct session *s, uint64_t rows)
{
    const struct engine *e = s->engine;
    uint64_t share = share_of(e), used = rows_of(s) + (rows > share ? rows * SHARE_OVERWEIGHT : rows);
    s->rows = used < share * SHARE_DEBT_MAX ? used : share * SHARE_DEBT_MAX;
    s->rows_turn = e->turn;
}

void share_wait(struct session *s)
{
    struct engine *e = s->engine;
    s->put_off = true;
    s->put_off_next = NULL;
    *e->put_off_tail = s;
    e->put_off_tail = &s->put_off_next;
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
