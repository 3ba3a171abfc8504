/* stream: one end of TLS on one connection. Bytes of the socket go in, plain bytes come out, and the other way
 * round. Knows no socket, no loop and no time.
 *
 *     SILENT ── tls_stream_begin() ──→ HANDSHAKE ── done ──→ OPEN ── the peer's close_notify ──→ ENDED
 *                                       └────────┬─────────┘
 *                                  what came is wrong ──→ FAILED, with an alert to be sent
 *
 * A SILENT stream costs a few hundred bytes: a server begins when the first bytes come. OpenSSL's buffers are
 * only there while a record is in them.
 */
#ifndef SHUNT_TLS_STREAM_H
#define SHUNT_TLS_STREAM_H

#include "base/slice.h"
#include "tls/reason.h"
#include <stdbool.h>
#include <stdint.h>

/* A handshake may be so long, with the client's certificates. */
#define TLS_HANDSHAKE_BYTES_MAX (64u * 1024)
/* New keys that one connection may ask for, each of which is work; one lasts for hundreds of GiB. */
#define TLS_KEY_UPDATES_MAX 100
/* A record holds so much at most. */
#define TLS_RECORD_BYTES_MAX (16u * 1024)

enum tls_state { TLS_SILENT, TLS_HANDSHAKE, TLS_OPEN, TLS_ENDED, TLS_FAILED };

struct tls_stream {
    uint32_t magic; /* once begun */
    enum tls_state state;
    SSL *ssl;               /* NULL while SILENT */
    struct slice in;        /* what came and was not taken yet */
    uint8_t *kept;          /* own memory of that; NULL while it is lent, or nothing */
    size_t asked;           /* bytes that OpenSSL last wanted, first those of a record's head */
    size_t handshake_bytes; /* that came so far */
    unsigned key_updates;
    uint8_t *out; /* to be sent */
    size_t out_size, out_sent, out_capacity;
    bool no_memory;             /* FAILED, and not the peer's doing */
    char why[TLS_REASON_BYTES]; /* FAILED: a sentence */
};

/* On zeroed memory. */
void tls_stream_done(struct tls_stream *s);

/* SILENT → HANDSHAKE, as the end that `ssl` was made for (SSL_set_accept_state(), SSL_set_connect_state()). Takes
 * `ssl` in any case; NULL is no memory. False without memory. */
bool tls_stream_begin(struct tls_stream *s, SSL *ssl);

/* Lend it what came, until tls_stream_left() is 0, or tls_stream_keep(). Nothing may be left of what came
 * before. */
void tls_stream_feed(struct tls_stream *s, const void *bytes, size_t size);
/* Go on with what came: the handshake, then plain bytes to `to`, until `room` is full or more must come. Returns
 * how many there are. FAILED and ENDED show with the last of them, or after. A client's handshake begins with
 * the first call. */
size_t tls_stream_read(struct tls_stream *s, void *to, size_t room);
/* What was not taken is copied, so that what was lent can be used again. False without memory. */
bool tls_stream_keep(struct tls_stream *s);
/* What was not taken is thrown away. */
void tls_stream_drop(struct tls_stream *s);
/* Bytes that came and were not taken. */
static inline size_t tls_stream_left(const struct tls_stream *s)
{
    return s->in.size;
}
/* More could be read than was. */
bool tls_stream_has_more(const struct tls_stream *s);
/* In the middle of a record. */
bool tls_stream_is_partial(const struct tls_stream *s);

/* OPEN or ENDED: encrypt. False, and FAILED, without memory. */
bool tls_stream_write(struct tls_stream *s, const void *bytes, size_t size);
static inline bool tls_stream_may_write(const struct tls_stream *s)
{
    return s->state == TLS_OPEN || s->state == TLS_ENDED;
}
/* Say that nothing more will be written. */
void tls_stream_end(struct tls_stream *s);

/* What is to be sent; good until the next call. */
static inline struct slice tls_stream_out(const struct tls_stream *s)
{
    return (struct slice){s->out ? s->out + s->out_sent : NULL, s->out_size - s->out_sent};
}
/* So much of it was. True: that was all. */
bool tls_stream_sent(struct tls_stream *s, size_t size);
/* Give the memory that it lies in to the caller, who frees it when it was sent. */
uint8_t *tls_stream_give(struct tls_stream *s);

#endif
