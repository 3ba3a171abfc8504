/* share: connections take turns, by the work that their requests are.
 *
 * A turn of the engine is to be short, because the next request waits for its end. What makes it long is
 * neither bytes nor requests: a listing of a few bytes looks at thousands of rows, and a frame of small
 * messages with a delay writes thousands. So each request counts as so many rows looked at. Each turn has so
 * many, and each connection a share of that. A connection that has used its share, or comes for more when the
 * turn is full, is queued with all that it sent after it, and is not read much further meanwhile. Those that
 * are queued go on in the next turns, one after the other, before what is new.
 *
 * A PUBLISH or RESOLVE that is more than a share is handled in parts, one in each turn (engine/divide.c).
 * Other requests are not divided: what is more than a share is paid with the shares of later turns, and
 * counts more than its work, so that a client that sends such requests without end leaves most turns to
 * others. A connection that has had next to nothing in a turn is served even if the turn is full: many that
 * ask for little are what a commit is shared for.
 */
#ifndef SHUNT_FLOW_SHARE_H
#define SHUNT_FLOW_SHARE_H

#include <stdbool.h>
#include <stdint.h>

/* What work counts, in rows looked at (about 0.2 us each). */
#define ROWS_OF_REQUEST 4   /* any, with its answer */
#define ROWS_BYTES      256 /* so many bytes that are checked and copied count as a row */
#define ROWS_OF_MESSAGE 2   /* published, or resolved with an ack */
#define ROWS_OF_TIMED   16  /* more, with a delay or a time to live; the ledger counts other groups */
#define ROWS_OF_ERROR   16  /* more, for an answer with a text */
#define ROWS_OF_FAILURE 24  /* more, for a nack or reject, which writes history */

/* A connection that has used no more than this is served in a full turn, too. */
#define SHARE_FREE_ROWS 64

/* So many connections can use up theirs in one turn: one that is alone has more of it, for fewer commits. */
#define SHARES              4
#define SHARES_COMPANY      16
#define SHARE_COMPANY_TURNS 64 /* who was served so lately is company */
/* A sixteenth of a turn with fewer rows (tests have such) would not hold one request. */
#define SHARE_COMPANY_ROWS_MIN (SHARES_COMPANY * SHARE_FREE_ROWS)

/* The turn. */
struct share_turn {
    uint64_t number;
    uint64_t rows;        /* looked at for requests */
    uint64_t rows_max;    /* not 0 */
    const void *served;   /* the connection of which a request was taken last; never looked into */
    uint64_t company;     /* number of the turn in which that last was another than before */
    bool only_looks_wait; /* for tests: of all requests, only those that weigh are queued */
};

/* What a connection has used of its share: so many rows, as of the turn of that number. */
struct share {
    uint64_t rows, turn;
};

/* The next turn begins. */
void flow_turn_begin(struct share_turn *t);
/* A request of that connection is taken. */
static inline void flow_serve(struct share_turn *t, const void *connection)
{
    if (t->served != connection)
        t->company = t->number;
    t->served = connection;
}

/* What a connection has of a turn. */
static inline uint64_t flow_share(const struct share_turn *t)
{
    bool company = t->number - t->company < SHARE_COMPANY_TURNS && t->rows_max >= SHARE_COMPANY_ROWS_MIN;
    return t->rows_max / (company ? SHARES_COMPANY : SHARES) + 1;
}

/* Used of it in this turn: what is more than one share goes on to the turns that follow. */
static inline uint64_t flow_share_used(const struct share_turn *t, const struct share *s)
{
    if (s->turn == t->number || !s->rows)
        return s->rows;
    uint64_t paid = (t->number - s->turn) * flow_share(t);
    return s->rows > paid ? s->rows - paid : 0;
}

static inline bool flow_turn_is_full(const struct share_turn *t)
{
    return t->rows >= t->rows_max;
}

/* Its next request waits for a later turn; `weighs`: what it costs shows only when it has run. */
static inline bool flow_share_is_up(const struct share_turn *t, const struct share *s, bool weighs)
{
    uint64_t share = flow_share(t);
    if ((s->rows < share && !flow_turn_is_full(t)) || (t->only_looks_wait && !weighs))
        return false;
    uint64_t used = flow_share_used(t, s);
    return used >= share || (flow_turn_is_full(t) && (used >= SHARE_FREE_ROWS || weighs));
}

/* Of this turn's share; 0 in a full turn. */
uint64_t flow_share_left(const struct share_turn *t, const struct share *s);

/* What was done for it is as much work as looking at so many rows. */
void flow_count_much(struct share_turn *t, struct share *s, uint64_t rows);
static inline void flow_count(struct share_turn *t, struct share *s, uint64_t rows)
{
    t->rows += rows;
    s->rows = flow_share_used(t, s);
    s->turn = t->number;
    if (rows <= SHARE_FREE_ROWS)
        s->rows += rows;
    else
        flow_count_much(t, s, rows);
}

#endif
