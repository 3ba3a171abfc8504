/* conn: one connection.
 *
 *     accepted           HELLO         bad frame            all written, FIN sent
 *    ─────────→ GREETING ────→ OPEN ───────────→ BROKEN ──→ ENDING ─────────────→ LINGERING ─→ CLOSED
 *                   └─ bad frame, timeout ──────────────────────↑
 *
 * A FIN of the peer is no loss: what it asked for before is answered, then it is closed. In GREETING, where
 * nothing was asked, and in LINGERING it leads to CLOSED.
 *
 * From GREETING and OPEN a timeout, and from all of them a close that the engine asks for, leads to ENDING;
 * the loss of the peer leads to CLOSED from everywhere, and from LINGERING so does too long a wait.
 *
 * BROKEN lies between OPEN and ENDING: a bad frame came, and the engine, which answers what came before it
 * first, was told. In BROKEN, ENDING and LINGERING what the peer still sends is thrown away: closing with
 * unread bytes would reset the connection and could destroy the last answer before the peer has read it.
 * Invariant: the engine hears of a connection first by PORT_FRAMES and last by one PORT_LOST, or never.
 *
 * Whether its socket is read is another question: READING in broker/flow/flow.h.
 *
 * With TLS all of its handshake belongs to GREETING, and the FIN of the picture is close_notify and FIN; a FIN
 * alone, which anybody on the way could have sent, is a loss.
 *
 *     conn.c ─→ conn_input.c ─→ conn_tls.c ─→ conn_frames.c ─→ conn_output.c ─→ conn_seal.c ─→ conn_reading.c ─→ conn_ask.c ─→ conn_end.c
 */
#ifndef SHUNT_NET_CONN_H
#define SHUNT_NET_CONN_H

#include "broker/net/net_private.h"
#include "broker/net/writer.h"
#include "tls/stream.h"

enum conn_state { CONN_GREETING, CONN_OPEN, CONN_BROKEN, CONN_ENDING, CONN_LINGERING, CONN_CLOSED };

struct conn {
    uint32_t magic;
    uv_tcp_t tcp;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct net *net;
    struct link *link;
    struct quota *address;           /* that it counts for; NULL: none */
    bool crowds;                     /* it is one too many of them, and being told so */
    void (*hung_up)(struct conn *c); /* conn_hung_up(), for those who write and stand below those who read */
    struct inbox_item
        *lost;        /* made with the connection, so that telling of its end cannot fail; NULL once posted */
    struct ring all;  /* in net->conns */
    struct ring turn; /* in net->resting or net->no_room, by `reading` */
    struct ring wait; /* in net->unread: READING_UNREAD, or the engine waits for its client */
    struct ring dirty;  /* during one pump */
    struct ring shakes; /* in net->handshakes: its handshake was begun and is not done */
    enum conn_state state;
    enum flow_reading reading;
    enum flow_reading after_room; /* what on_read() makes of it if on_room() gave no room */
    enum flow_ask ask;            /* what the engine waits for: it is not read until then */
    bool told_engine;             /* a PORT_FRAMES was posted */
    bool late;                    /* it was not read for some time */
    bool write_pending;           /* uv_write() runs */
    bool end_when_sent;           /* the engine asked to close after what is queued */
    int64_t ask_ms;               /* not 0: the engine is to be told when `ask_left` is read */
    size_t ask_left;              /* bytes of what had reached the socket when it asked */
    size_t write_left;            /* bytes uv_write() had not written when last looked at */
    size_t write_size;            /* bytes of the writer that were given to it */
    struct tls_stream *tls;       /* NULL: what goes through the socket is plain */
    uint8_t *sending;             /* with TLS: the memory that uv_write() writes; NULL: nothing */
    bool named;                   /* with TLS: link->names was looked at */
    size_t sealed;                /* with TLS: bytes of the writer that are encrypted and not yet written */
    int64_t record_since_ms;      /* with TLS: the first bytes of the unfinished record came */
    struct reader reader;
    struct writer writer;
    size_t room;        /* what the last alloc callback offered */
    size_t round_bytes; /* read in the round of that number */
    uint64_t round;
    size_t frame_bytes_counted; /* of the unfinished frame when frame_since_ms was set */
    int64_t since_ms;           /* of the state */
    int64_t door_ms;            /* net_connect() made it then; 0: it came from outside */
    int64_t frame_begun_ms;     /* the unfinished frame's first byte */
    int64_t frame_since_ms;     /* the unfinished frame's last progress */
    int64_t write_since_ms;     /* the peer last took bytes, or bytes began to wait */
};

#define CONN_MAGIC 0x636f6e6eu

/* The connection that a handle or request of libuv belongs to. */
static inline struct conn *conn_of(void *data)
{
    return magic_of(data, conn, CONN_MAGIC);
}

/* ---- conn.c ---- */

/* Make a connection of an accepted socket and read from it; its peer speaks TLS or not. Takes `fd` in any
 * case. NULL if it could not be made. */
struct conn *conn_new(struct net *n, int fd, const char *peer, bool tls);

/* ---- conn_address.c ---- */

/* Count it for its address. False: that has as many as it may, and the connection was told so, or closed. */
bool conn_enter(struct conn *c);
/* Count those that are there, whatever comes out: there is a limit from now on. */
void conn_enter_all(struct net *n);

/* ---- conn_tune.c ---- */

/* Options of an accepted socket. */
void conn_tune(const struct net *n, int fd);

/* ---- conn_input.c ---- */

/* It rests: read it, if nothing speaks against that. */
void conn_read_on(struct conn *c);
/* Its peer is gone, as writing shows. What that sent before, such as which message it was at work on, is taken; then it is closed. */
void conn_hung_up(struct conn *c);

/* ---- conn_tls.c ---- */

/* Where libuv may read to, as conn_read_on()'s callback says it; no room with `after_room` for why. */
void conn_tls_room(struct conn *c, uv_buf_t *ret);
/* `size` bytes were read to there. */
void conn_tls_took(struct conn *c, const void *bytes, size_t size);
/* Go on with what was read before and had to wait. False: it must wait still, or the connection is over. */
bool conn_tls_go_on(struct conn *c);

/* ---- conn_frames.c ---- */

/* `size` plain bytes lie where reader_room() said; `socket_bytes` of the socket went into them. */
void conn_take_frames(struct conn *c, size_t size, size_t socket_bytes);
/* The peer will send nothing more, but may wait for answers. */
void conn_peer_ended(struct conn *c);

/* ---- conn_output.c ---- */

/* Queue one item. Takes it; drops it if the connection is ending. Nothing is written before conn_flush(). */
void conn_send(struct conn *c, struct outbox_item *item);
void conn_flush(struct conn *c);

/* Answer with an ERROR frame, if `code` is not 0, and end. `text` NULL stands for the code's own. */
void conn_end(struct conn *c, int code, uint64_t request_id, const char *text);

/* An ERROR frame in a fresh item without a link; NULL without memory. `retry_after_ms`: what a peer that is to wait is told; 0: nothing. */
struct outbox_item *conn_error_item(int code, uint64_t request_id, const char *text, int64_t retry_after_ms);

/* ---- conn_seal.c: with TLS ---- */

/* The next bytes for the socket: those of the handshake first, then the writer's, encrypted. Returns how many
 * buffers: 1, or 0 if there are none. */
unsigned conn_seal(struct conn *c, struct iovec *to);
/* The socket took so many. Returns how many bytes of the writer are written by that. */
size_t conn_seal_wrote(struct conn *c, size_t size);
/* libuv has them all, and needs the memory until it has written them. */
void conn_seal_lend(struct conn *c);
/* All is written, and nothing will follow: put close_notify there. True: there is something to be sent. */
bool conn_seal_end(struct conn *c);
/* Its handshake is under way. */
static inline bool conn_is_shaking(const struct conn *c)
{
    return c->tls && c->tls->state <= TLS_HANDSHAKE;
}

/* ---- conn_reading.c ---- */

/* Checks that the move is allowed; stops reading. */
void conn_reading(struct conn *c, enum flow_reading to);

/* How much more may be read of it in this round of the loop. */
size_t conn_left_in_round(struct conn *c);
/* So much was; if that is all it may have, it rests. */
void conn_read_in_round(struct conn *c, size_t size);

/* So much is unsent that it is not read, or the engine waits for its client to read. */
bool conn_is_unread(const struct conn *c);
/* If that is no longer so, go on: tell the engine, let it be read. Otherwise it is seen to that the fall of
 * the sum leads here. */
void conn_look_unread(struct conn *c);

/* ---- conn_ask.c ---- */

/* The engine asks; it is told when all that lies in the socket now was read and posted. */
void conn_ask(struct conn *c, int64_t ask_ms);
/* If it asked and that much was read, tell it. */
void conn_caught_up(struct conn *c);
/* When what has just been read had come, at the latest. */
int64_t conn_received_ms(struct conn *c);

/* ---- conn_end.c ---- */

/* Close at once. */
void conn_close(struct conn *c);
/* Its handshake is over, if one was under way. */
void conn_shaken(struct conn *c);
/* conn_close(), as memory ran out: a report, and not the peer's doing. */
void conn_no_memory(struct conn *c, const char *text);
/* The connection ends for want of our room or patience, and not because of its peer: the engine is told so.
 * Before conn_end() or conn_close(). */
void conn_not_its_fault(struct conn *c);
/* Tell the engine, once, that it is gone, and let nothing that it sends from now on find the connection. */
void conn_post_lost(struct conn *c);
/* Tell the engine something about it. False, and the connection is closed, if there is no memory. */
bool conn_post(struct conn *c, const struct inbox_item *item);

/* ---- conn_tick.c ---- */

/* Look at the timeouts. */
void conn_tick(struct conn *c, int64_t now_ms);

#endif
