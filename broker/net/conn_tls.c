/* conn_tls: what comes from a socket when its peer speaks TLS.
 *
 *     socket ──→ net->tls_input ──→ tls_stream ──→ the reader's room ──→ frames
 *
 * All connections read into one buffer. What came is decrypted at once, as far as the reader has room; the
 * rest is kept by its connection, whose socket is not read before that went on.
 */
#include "broker/net/conn.h"
#include "broker/net/tls.h"

#include "proto/errors.h"
#include "tls/peer_names.h"
#include <stdlib.h>

#define INPUT_BYTES (64u * 1024)
/* What waits to be sent though the peer reads nothing, beside what the writer has: answers to new keys. */
#define ANSWER_BYTES_MAX (64u * 1024)
/* The first byte of TLS: a record of a handshake. */
#define TLS_FIRST_BYTE 0x16

static bool begin(struct conn *c, const uint8_t *bytes);
static void not_tls(struct conn *c);
static void go_on(struct conn *c);
static bool take(struct conn *c);
static bool look_at_names(struct conn *c);
static void look_at_handshake(struct conn *c);
static void failed(struct conn *c);
static void make_room(struct net *n);

void conn_tls_room(struct conn *c, uv_buf_t *ret)
{
    struct net *n = c->net;
    if (n->shake_round != n->round) {
        n->shake_round = n->round;
        n->shaken = 0;
    }
    if (conn_is_shaking(c) && n->shaken >= NET_HANDSHAKES_A_ROUND) {
        c->after_room = READING_RESTS;
        return;
    }
    if (!n->tls_input)
        n->tls_input = malloc(INPUT_BYTES);
    if (!n->tls_input) {
        c->after_room = READING_OVER;
        return;
    }
    size_t left = conn_left_in_round(c);
    size_t most = n->pool.held_bytes >= n->pool.held_bytes_max ? READER_SMALL_BYTES : INPUT_BYTES;
    *ret = uv_buf_init((char *)n->tls_input, 0);
    ret->len = left < most ? left : most;
}

void conn_tls_took(struct conn *c, const void *bytes, size_t size)
{
    bool shaking = conn_is_shaking(c);
    if (c->state == CONN_LINGERING || (c->state > CONN_OPEN && !shaking))
        return; /* thrown away */
    c->net->shaken += shaking;
    if (c->tls->state == TLS_SILENT && !begin(c, bytes))
        return;
    if (!tls_stream_is_partial(c->tls))
        c->record_since_ms = net_now_ms(c->net);
    tls_stream_feed(c->tls, bytes, size);
    go_on(c);
}

bool conn_tls_go_on(struct conn *c)
{
    if (c->state > CONN_OPEN)
        tls_stream_drop(c->tls);
    if (tls_stream_has_more(c->tls))
        go_on(c);
    return c->reading == READING_ON;
}

/* The first bytes came. False: that is the end of it. */
static bool begin(struct conn *c, const uint8_t *bytes)
{
    struct net *n = c->net;
    if (bytes[0] != TLS_FIRST_BYTE) {
        not_tls(c);
        return false;
    }
    while (n->shaking > 0 && n->shaking >= n->config.limits.handshakes_max)
        make_room(n);
    if (!tls_stream_begin(c->tls, tls_context_accept(n->config.tls))) {
        conn_no_memory(c, "no memory for TLS");
        return false;
    }
    ring_append(&n->handshakes, &c->shakes);
    n->shaking++;
    return true;
}

/* A client with an URL of shunt:// understands this. */
static void not_tls(struct conn *c)
{
    static const char why[] =
        "TLS is spoken at this address: connect with shunts:// in the place of shunt://";
    net_report(c->net, NET_TLS_FAILED, c->link->peer, why);
    tls_stream_done(c->tls);
    free(c->tls);
    c->tls = NULL;
    conn_end(c, SHUNT_PROTOCOL, 0, why);
}

/* The handshake that is under way for longest gives its place to one that begins: who is in earnest is done
 * with his long before that. */
static void make_room(struct net *n)
{
    struct conn *c = ring_of(n->handshakes.next, struct conn, shakes);
    net_report(n, NET_CROWDED_OUT, c->link->peer,
               "more handshakes are under way than tls-handshakes, and this one is the oldest");
    conn_not_its_fault(c);
    conn_close(c);
}

/* Go on with what came, and answer what TLS itself has to answer. */
static void go_on(struct conn *c)
{
    while (take(c))
        continue;
    if (c->state == CONN_CLOSED)
        return;
    bool kept = tls_stream_keep(c->tls);
    conn_caught_up(c);
    look_at_handshake(c);
    if (!kept)
        conn_no_memory(c, "no memory to keep what came");
    else if (c->tls->state == TLS_FAILED)
        failed(c);
    else if (c->write_pending && tls_stream_out(c->tls).size > ANSWER_BYTES_MAX)
        conn_close(c); /* it makes work and reads nothing */
    else if (tls_stream_out(c->tls).size > 0 || c->state == CONN_ENDING)
        conn_flush(c);
}

/* Take as much as the reader has room for. True: there may be more. */
static bool take(struct conn *c)
{
    uint8_t *at = NULL;
    size_t room = 0, before = tls_stream_left(c->tls);
    if (c->state > CONN_OPEN) { /* only its handshake counts, so that it can be told why it ends */
        (void)tls_stream_read(c->tls, NULL, 0);
        tls_stream_drop(c->tls);
        return false;
    }
    enum reader_room got = reader_room(&c->reader, &c->net->pool, &at, &room);
    if (got == READER_NO_MEMORY) {
        conn_no_memory(c, "no memory to read into");
        return false;
    }
    if (got == READER_WAIT) {
        c->net->memory_short_ms = net_now_ms(c->net);
        conn_reading(c, READING_NO_ROOM);
        return false;
    }
    size_t size = tls_stream_read(c->tls, at, room);
    size_t taken = before - tls_stream_left(c->tls);
    c->room = room;
    if (!look_at_names(c)) {
        conn_no_memory(c, "no memory for the names of a certificate");
        return false;
    }
    if (size > 0)
        conn_take_frames(c, size, taken);
    else
        c->ask_left -= taken < c->ask_left ? taken : c->ask_left;
    if (c->tls->state == TLS_ENDED && c->reading != READING_OVER && c->state != CONN_CLOSED)
        conn_peer_ended(c);
    return c->state <= CONN_OPEN && c->reading != READING_OVER && size == room;
}

/* What its certificate calls it, before anything that it sends is posted. */
static bool look_at_names(struct conn *c)
{
    bool no_memory = false;
    if (c->tls->state != TLS_OPEN || c->named)
        return true;
    c->named = true;
    c->link->names = tls_peer_names(c->tls, &no_memory);
    return !no_memory;
}

static void look_at_handshake(struct conn *c)
{
    if (!conn_is_shaking(c))
        conn_shaken(c);
}

/* What came is wrong. Nothing can be written any more but the alert that says so. */
static void failed(struct conn *c)
{
    if (c->tls->no_memory) {
        conn_no_memory(c, c->tls->why);
        return;
    }
    net_report(c->net, NET_TLS_FAILED, c->link->peer, c->tls->why);
    conn_post_lost(c);
    writer_done(&c->writer);
    c->sealed = c->write_size = 0;
    if (c->state < CONN_ENDING)
        conn_end(c, 0, 0, NULL);
    else
        conn_flush(c);
}
