/* flow: what may go on for one connection. A client that sends faster than we work, or reads more slowly than
 * we send, is made to wait, and nobody else is.
 *
 *     socket ──[reading]──→ inbox ──[requests]──→ engine ──[output]──→ unsent bytes ──→ socket
 *             net thread            engine thread          engine thread
 *
 * Three small machines, because three things are independent of each other. Each belongs to one thread, and
 * only that thread looks at it and moves it. What the other must know it is told: the engine asks the net
 * thread with an item of its output (outbox_item.ask), the net thread answers with PORT_DRAINED. What both of
 * them count is in account.h, and how a connection takes turns in share.h.
 *
 * READING, the net thread's: is the socket read?
 *
 *     RESTS ──── next round of the loop ────→ ON ──── had its part of the round ────→ RESTS
 *     RESTS, ON ──── too much is unsent, or the engine asked ────→ UNREAD ──── its client has read ──→ RESTS
 *     RESTS, ON ──── no room in the inbox or in memory ────→ NO_ROOM ──── some came ────→ RESTS
 *     all ──── FIN, or closed ────→ OVER
 *
 * REQUESTS, the engine's: are they handled as they come?
 *
 *               ┌──── its client has read ──── BLOCKED
 *               ↓                                 ↑
 *      OPEN ────┴──── its output is unread ───────┘
 *      │  │ ↑
 *      │  │ └──── its turn ──── QUEUED ──── lost ────→ LEAVING   what it sent before goes on in its turns
 *      │  └──── share used up ────↑                       │
 *      ├──── its password is being verified ──→ LOGIN ──── it has been ──→ OPEN
 *      ├──── refused, or said goodbye ──→ CLOSING         │ all done, or refused
 *      │                                     │            ↓
 *      └──── lost (from everywhere) ─────────┴─────────→ GONE    forgotten at the end of the turn
 *
 * When the server stops, all but those that are LEAVING become CLOSING.
 *
 * OUTPUT, the engine's: does the client read, so that messages may be assigned to it?
 *
 *     READ ──── too much waits for it, and the net thread was asked ────→ UNREAD ──── PORT_DRAINED ────→ READ
 *
 *     requests   while the output is READ               while it is UNREAD
 *     OPEN       requests are taken; assigned to         the next request makes it BLOCKED
 *     QUEUED     requests wait for its turn; assigned to requests wait for its turn
 *     LOGIN      requests wait; it is assigned nothing   never: it was sent nothing yet
 *     BLOCKED    never                                   requests wait for its client
 *     LEAVING    requests are taken in its turns         the same
 *     CLOSING    nothing                                 nothing
 *     GONE       nothing                                 nothing
 *
 * A request that is handled in parts (engine/divide.c) goes on in its turns even if the output is unread,
 * because others may wait for its end.
 */
#ifndef SHUNT_FLOW_FLOW_H
#define SHUNT_FLOW_FLOW_H

#include "base/ring.h"
#include "broker/flow/account.h"
#include "broker/flow/share.h"

/* ---- the net thread's ---- */

enum flow_reading { READING_RESTS, READING_ON, READING_UNREAD, READING_NO_ROOM, READING_OVER };

/* Checks that the move is allowed. */
void flow_reading_move(enum flow_reading *reading, enum flow_reading to);

/* What the engine waits for. */
enum flow_ask {
    FLOW_ASK_NOTHING,
    FLOW_ASK_READ, /* that the client has read enough */
    FLOW_ASK_LONG, /* the same, and that less is unsent in sum than the mark: an answer may be long */
};

/* ---- the engine's ---- */

enum flow_requests {
    REQUESTS_OPEN,
    REQUESTS_LOGIN,
    REQUESTS_QUEUED,
    REQUESTS_BLOCKED,
    REQUESTS_LEAVING,
    REQUESTS_CLOSING,
    REQUESTS_GONE
};

enum flow_output { OUTPUT_READ, OUTPUT_UNREAD };

struct flow {
    enum flow_requests requests;
    enum flow_output output;
    struct ring line; /* its place among those that wait for their turn, in order */
    struct share share;
};

enum flow_what {
    FLOW_TAKE = 1,   /* the next request of it may be handled now */
    FLOW_GO_ON = 2,  /* what it has begun goes on, now or when its turn comes */
    FLOW_ASSIGN = 4, /* messages may be assigned to it */
    FLOW_HEAR = 8,   /* it is there, and hears what it is told */
};

/* What may, by requests and output. */
extern const uint8_t flow_allowed[REQUESTS_GONE + 1][OUTPUT_UNREAD + 1];

void flow_init(struct flow *f);
/* The question. */
static inline bool flow_may(const struct flow *f, enum flow_what what)
{
    return flow_allowed[f->requests][f->output] & what;
}

/* Each checks that the move is allowed, and the invariants after it. */
void flow_queue(struct flow *f, struct ring *line); /* its share is used up: it stands last in the line */
void flow_turn_came(struct flow *f);                /* out of the line; a LEAVING one stays what it is */
void flow_unread(struct flow *f);    /* too much waits for it; the caller asks the net thread */
void flow_block(struct flow *f);     /* and its requests wait for that */
bool flow_drained(struct flow *f);   /* PORT_DRAINED came; true: its requests were blocked, and go on */
void flow_login(struct flow *f);     /* its password is being verified */
void flow_logged_in(struct flow *f); /* that is done: its requests go on, or it is closed */
void flow_leave(struct flow *f);     /* it is lost, and has its turn still before it */
void flow_close(struct flow *f);
void flow_gone(struct flow *f);

/* It stands in the line. */
static inline bool flow_in_line(const struct flow *f)
{
    return ring_linked(&f->line);
}

#endif
