/* conn_input: reading one connection, and what is made of the bytes. */
#include "broker/net/conn.h"

#include "proto/errors.h"
#include "proto/limits.h"
#include <stdlib.h>
#include <sys/socket.h>

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret);
static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf);
static void take_frames(struct conn *c, size_t size);
static bool post_frames(struct conn *c, struct chunk *chunk, struct slice frames);
static void on_end(struct conn *c);
static bool post_broken(struct conn *c, uint64_t request_id, const char *why);
static enum flow_reading next(struct conn *c);

void conn_read_on(struct conn *c)
{
    enum flow_reading to = next(c);
    conn_reading(c, to);
    if (to != READING_ON)
        return;
    /* The time spent waiting for us is not the peer's. */
    c->frame_since_ms = net_now_ms(c->net);
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
    (void)buf; /* the reader knows where it told libuv to read to */
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
        if (c->state <= CONN_OPEN)
            take_frames(c, (size_t)size);
    }
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

static void take_frames(struct conn *c, size_t size)
{
    struct reader_result got;
    bool was_partial = reader_is_partial(&c->reader);
    reader_took(&c->reader, &c->net->pool, size, c->room, FRAME_BYTES_MAX, &got);
    if (c->reader.greeted && c->state == CONN_GREETING)
        c->state = CONN_OPEN;
    bool begun = !was_partial || got.chunk;
    if (begun)
        c->frame_begun_ms = net_now_ms(c->net);
    if (begun || c->reader.held_size - c->frame_bytes_counted >= NET_FRAME_PROGRESS_BYTES) {
        c->frame_since_ms = net_now_ms(c->net);
        c->frame_bytes_counted = c->reader.held_size;
    }
    if (got.chunk && !post_frames(c, got.chunk, got.frames))
        return;
    c->ask_left -= size < c->ask_left ? size : c->ask_left;
    conn_caught_up(c);
    if (got.why) {
        net_report(c->net, NET_BAD_FRAME, c->link->peer, got.why);
        if (!post_broken(c, got.request_id, got.why))
            conn_end(c, SHUNT_PROTOCOL, got.request_id, got.why);
    } else if (got.no_memory) {
        conn_no_memory(c, "no memory to keep a frame");
    }
}

/* Takes the reference to `chunk`. False: there was no memory, and the connection is closed. */
static bool post_frames(struct conn *c, struct chunk *chunk, struct slice frames)
{
    bool shared = chunk == c->net->pool.shared;
    bool posted = conn_post(c, &(struct inbox_item){.kind = PORT_FRAMES,
                                                    .chunk = chunk,
                                                    .bytes = frames,
                                                    .memory_bytes = shared ? frames.size : chunk->capacity});
    if (!posted)
        chunk_unref(chunk);
    c->told_engine |= posted;
    return posted;
}

/* The peer will send nothing more, but may wait for answers. */
static void on_end(struct conn *c)
{
    conn_reading(c, READING_OVER);
    c->ask_left = 0;
    reader_done(&c->reader, &c->net->pool);
    if (c->state == CONN_BROKEN || c->state == CONN_ENDING)
        return; /* closed when all is written */
    if (c->state == CONN_OPEN && c->told_engine)
        (void)conn_post(c, &(struct inbox_item){.kind = PORT_ENDED}); /* or it is closed */
    else
        conn_close(c);
}

/* Let the engine refuse a bad frame, so that its answers to the frames before it go out first. False if it
 * does not know the connection yet. */
static bool post_broken(struct conn *c, uint64_t request_id, const char *why)
{
    if (!c->told_engine)
        return false;
    reader_done(&c->reader, &c->net->pool);
    c->state = CONN_BROKEN;
    c->ask_left = 0; /* what comes is thrown away */
    (void)conn_post(c, &(struct inbox_item){.kind = PORT_BROKEN, .request_id = request_id, .why = why});
    return true;
}
