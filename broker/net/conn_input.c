/* conn_input: reading one connection. */
#include "broker/net/conn.h"

#include <sys/socket.h>

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret);
static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf);
static void on_end(struct conn *c);
static enum flow_reading next(struct conn *c);

void conn_read_on(struct conn *c)
{
    enum flow_reading to = next(c);
    conn_reading(c, to);
    if (to != READING_ON)
        return;
    /* The time spent waiting for us is not the peer's. */
    c->frame_since_ms = c->record_since_ms = net_now_ms(c->net);
    if (c->tls && !conn_tls_go_on(c))
        return;
    if (uv_read_start((uv_stream_t *)&c->tcp, on_room, on_read) != 0)
        conn_close(c);
}

/* Whether it may be read now. */
static enum flow_reading next(struct conn *c)
{
    const struct net *n = c->net;
    if (c->state >= CONN_ENDING) /* to throw away what comes */
        return READING_ON;
    /* Requests of a connection for which the engine waits would pile up there. */
    if (c->state > CONN_GREETING && conn_is_unread(c))
        return READING_UNREAD;
    /* Looked at before libuv is asked to read: thousands may wait so, and each turn of the engine looks. */
    if (reader_must_wait(&c->reader, &n->pool)) {
        c->net->memory_short_ms = net_now_ms(n);
        return READING_NO_ROOM;
    }
    return !n->detached && n->config.port.full(n->config.port.context, c->link) ? READING_NO_ROOM
                                                                                : READING_ON;
}

/* Where libuv may read to. No room makes it call on_read with UV_ENOBUFS, where reading is stopped. */
static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    (void)suggested; /* libuv's constant; our chunks have their own size */
    struct conn *c = conn_of(handle->data);
    *ret = uv_buf_init(NULL, 0);
    c->after_room = next(c);
    if (c->after_room != READING_ON)
        return;
    if (c->tls) {
        conn_tls_room(c, ret);
        return;
    }
    uint8_t *at = NULL;
    size_t size = 0;
    enum reader_room room = reader_room(&c->reader, &c->net->pool, &at, &size);
    if (room == READER_NO_MEMORY) {
        c->after_room = READING_OVER; /* closed in on_read(), which libuv calls next whatever happens here */
    } else if (room == READER_WAIT) {
        c->net->memory_short_ms = net_now_ms(c->net);
        c->after_room = READING_NO_ROOM;
    } else {
        size_t left = conn_left_in_round(c); /* not 0, or it would rest */
        c->room = size < left ? size : left;
        *ret = uv_buf_init((char *)at, 0);
        ret->len = c->room;
    }
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct conn *c = conn_of(stream->data);
    if (c->state == CONN_CLOSED || size == 0)
        return;
    if (size == UV_ENOBUFS && c->after_room == READING_OVER) {
        conn_no_memory(c, "no memory to read into");
    } else if (size == UV_ENOBUFS) {
        conn_reading(c, c->after_room);
    } else if (size == UV_EOF) {
        on_end(c);
    } else if (size < 0) {
        conn_close(c);
    } else {
        conn_read_in_round(c, (size_t)size);
        if (c->tls)
            conn_tls_took(c, buf->base, (size_t)size);
        else if (c->state <= CONN_OPEN)
            conn_take_frames(c, (size_t)size, (size_t)size);
    }
}

static void on_end(struct conn *c)
{
    if (c->tls && c->state <= CONN_OPEN) /* cut off: TLS did not end */
        conn_close(c);
    else
        conn_peer_ended(c);
}

void conn_hung_up(struct conn *c)
{
    uv_os_fd_t fd;
    bool open = uv_fileno((const uv_handle_t *)&c->tcp, &fd) == 0;
    while (open && c->state <= CONN_OPEN && c->reading == READING_ON) {
        uv_buf_t buf;
        on_room((uv_handle_t *)&c->tcp, 0, &buf);
        ssize_t size = buf.len ? recv(fd, buf.base, buf.len, MSG_DONTWAIT) : 0;
        if (size <= 0)
            break;
        on_read((uv_stream_t *)&c->tcp, size, &buf);
    }
    if (c->state > CONN_OPEN || c->reading != READING_RESTS)
        conn_close(c); /* else the next round reads on, and comes to the end */
}
