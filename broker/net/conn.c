/* conn: reading, writing and ending one connection. The limits on time are in conn_tick.c. */
#include "broker/net/conn.h"

#include "proto/errors.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/wire.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret);
static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf);
static void on_written(uv_write_t *request, int status);
static void on_shutdown(uv_shutdown_t *request, int status);
static void on_closed(uv_handle_t *handle);
static void take_frames(struct conn *c, size_t size);
static bool post_frames(struct conn *c, struct chunk *chunk, struct slice frames);
static void on_end(struct conn *c);
static bool post_broken(struct conn *c, uint64_t request_id, const char *why);
static void post_lost(struct conn *c);
static void stall(struct conn *c);
static void wrote(struct conn *c, size_t size);
static bool must_wait(struct conn *c);

struct conn *conn_new(struct net *n, int fd, const char *peer)
{
    struct conn *c = calloc(1, sizeof *c);
    struct inbox_item *lost = calloc(1, sizeof *lost);
    struct link *link = link_new(n->next_id);
    if (!c || !lost || !link || uv_tcp_init(n->config.loop, &c->tcp) != 0) {
        if (link)
            link_unref(link);
        free(lost);
        free(c);
        (void)close(fd); /* nothing was sent through it */
        return NULL;
    }
    n->next_id++;
    c->net = n;
    c->link = link;
    link->totals = n->config.totals;
    c->lost = lost;
    c->tcp.data = c;
    link->conn = c;
    (void)snprintf(link->peer, sizeof link->peer, "%s", peer);
    c->since_ms = net_now_ms(n);
    c->prev = n->newest;
    if (n->newest)
        n->newest->next = c;
    else
        n->conns = c;
    n->newest = c;
    n->count++;
    atomic_fetch_add(&n->config.totals->sockets, 1);
    if (uv_tcp_open(&c->tcp, fd) != 0) {
        (void)close(fd); /* the handle did not take it */
        conn_close(c);
        return NULL;
    }
    conn_tune(n, fd);
    net_report(n, NET_OPENED, link->peer, "");
    conn_resume(c);
    return c;
}

void conn_send(struct conn *c, struct outbox_item *item)
{
    if (item->ask_ms && c->state < CONN_ENDING)
        conn_ask(c, item->ask_ms);
    if (c->state >= CONN_ENDING || c->end_when_sent) {
        outbox_item_drop(item);
        return;
    }
    if (item->close)
        c->end_when_sent = true;
    if (writer_is_empty(&c->writer))
        c->write_since_ms = net_now_ms(c->net);
    writer_push(&c->writer, item);
}

void conn_flush(struct conn *c)
{
    struct iovec iov[WRITER_BUFFERS_MAX];
    uv_buf_t bufs[WRITER_BUFFERS_MAX];
    while (c->state < CONN_LINGERING && !c->write_pending) {
        unsigned count = writer_gather(&c->writer, iov, WRITER_BUFFERS_MAX);
        if (count == 0)
            break;
        size_t size = 0;
        for (unsigned i = 0; i < count; i++) {
            bufs[i] = uv_buf_init(iov[i].iov_base, 0);
            bufs[i].len = iov[i].iov_len;
            size += iov[i].iov_len;
        }
        int done = uv_try_write((uv_stream_t *)&c->tcp, bufs, count);
        if (done > 0) {
            wrote(c, (size_t)done);
            if (c->state == CONN_CLOSED || (size_t)done == size)
                continue;
        } else if (done != UV_EAGAIN) {
            conn_close(c);
            return;
        } else if (uv_write(&c->write, (uv_stream_t *)&c->tcp, bufs, count, on_written) == 0) {
            c->write_pending = true;
            c->write_size = c->write_left = size;
        } else {
            conn_close(c);
            return;
        }
    }
    if (c->state < CONN_ENDING && c->end_when_sent && writer_is_empty(&c->writer))
        conn_end(c, 0, 0, NULL);
    else if (c->state == CONN_ENDING && writer_is_empty(&c->writer) && !c->write_pending) {
        c->state = CONN_LINGERING;
        c->since_ms = net_now_ms(c->net);
        if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shutdown) != 0)
            conn_close(c);
    }
}

void conn_end(struct conn *c, int code, uint64_t request_id, const char *text)
{
    if (c->state >= CONN_ENDING)
        return;
    post_lost(c);
    reader_done(&c->reader, &c->net->pool);
    c->state = CONN_ENDING;
    c->since_ms = net_now_ms(c->net);
    struct outbox_item *item = code ? conn_error_item(code, request_id, text) : NULL;
    if (item) {
        if (writer_is_empty(&c->writer))
            c->write_since_ms = c->since_ms;
        writer_push(&c->writer, item);
    }
    conn_resume(c); /* to throw away what comes */
    conn_flush(c);
}

void conn_close(struct conn *c)
{
    if (c->state == CONN_CLOSED)
        return;
    post_lost(c);
    c->state = CONN_CLOSED;
    c->link->conn = NULL;
    c->reading = false;
    net_report(c->net, NET_CLOSED, c->link->peer, "");
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

void conn_not_its_fault(struct conn *c)
{
    if (c->lost) /* else it was posted */
        c->lost->closed = true;
}

void conn_resume(struct conn *c)
{
    if (c->state == CONN_CLOSED || c->reading || c->resting || c->ended)
        return;
    if (must_wait(c)) {
        stall(c);
        return;
    }
    /* The time spent waiting for us is not the peer's. */
    c->frame_since_ms = net_now_ms(c->net);
    if (uv_read_start((uv_stream_t *)&c->tcp, on_room, on_read) != 0)
        conn_close(c);
    else
        c->reading = true;
}

struct outbox_item *conn_error_item(int code, uint64_t request_id, const char *text)
{
    struct outbox_item *item = calloc(1, sizeof *item);
    if (!item)
        return NULL;
    size_t frame = frame_begin(&item->bytes, OP_ERROR, request_id, 4);
    mpack_write_uint(&item->bytes, (uint64_t)code);
    mpack_write_cstr(&item->bytes, err_name(code));
    mpack_write_cstr(&item->bytes, text ? text : err_text(code));
    mpack_write_bool(&item->bytes, err_may_retry(code));
    frame_end(&item->bytes, frame);
    if (!item->bytes.failed)
        return item;
    outbox_item_drop(item);
    return NULL;
}

/* Where libuv may read to. No room makes it call on_read with UV_ENOBUFS, where reading is stopped. */
static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    (void)suggested; /* libuv's constant; our chunks have their own size */
    struct conn *c = handle->data;
    *ret = uv_buf_init(NULL, 0);
    if (c->state < CONN_ENDING && must_wait(c))
        return;
    uint8_t *at = NULL;
    size_t size = 0;
    enum reader_room room = reader_room(&c->reader, &c->net->pool, &at, &size);
    if (room == READER_NO_MEMORY) {
        c->starved = true; /* closed in on_read(), which libuv calls next whatever happens here */
    } else if (room == READER_WAIT) {
        c->net->memory_short_ms = net_now_ms(c->net);
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
    struct conn *c = stream->data;
    if (c->state == CONN_CLOSED || size == 0)
        return;
    if (size == UV_ENOBUFS && c->starved) {
        net_report(c->net, NET_NO_MEMORY, c->link->peer, "no memory to read into");
        conn_not_its_fault(c);
        conn_close(c);
    } else if (size == UV_ENOBUFS)
        stall(c);
    else if (size == UV_EOF)
        on_end(c);
    else if (size < 0)
        conn_close(c);
    else {
        conn_read_in_round(c, (size_t)size);
        if (c->state <= CONN_OPEN)
            take_frames(c, (size_t)size);
    }
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
        got.no_memory = true;
    c->ask_left -= size < c->ask_left ? size : c->ask_left;
    conn_caught_up(c);
    if (got.why) {
        net_report(c->net, NET_BAD_FRAME, c->link->peer, got.why);
        if (!post_broken(c, got.request_id, got.why))
            conn_end(c, SHUNT_PROTOCOL, got.request_id, got.why);
    } else if (got.no_memory) {
        net_report(c->net, NET_NO_MEMORY, c->link->peer, "no memory to keep a frame");
        conn_not_its_fault(c);
        conn_close(c);
    }
}

/* Takes the reference to `chunk`. */
static bool post_frames(struct conn *c, struct chunk *chunk, struct slice frames)
{
    struct inbox_item *item = calloc(1, sizeof *item);
    if (!item) {
        chunk_unref(chunk);
        return false;
    }
    link_ref(c->link);
    *item = (struct inbox_item){.kind = PORT_FRAMES,
                                .link = c->link,
                                .chunk = chunk,
                                .bytes = frames,
                                .memory_bytes = chunk == c->net->pool.shared ? frames.size : chunk->capacity};
    c->told_engine = true;
    net_post(c->net, item);
    return true;
}

/* The peer will send nothing more, but may wait for answers. */
static void on_end(struct conn *c)
{
    conn_stop_reading(c);
    c->ended = true;
    c->ask_left = 0;
    reader_done(&c->reader, &c->net->pool);
    if (c->state == CONN_BROKEN || c->state == CONN_ENDING)
        return; /* closed when all is written */
    struct inbox_item *item = c->state == CONN_OPEN && c->told_engine ? calloc(1, sizeof *item) : NULL;
    if (!item) {
        conn_close(c);
        return;
    }
    link_ref(c->link);
    *item = (struct inbox_item){.kind = PORT_ENDED, .link = c->link};
    net_post(c->net, item);
}

/* Let the engine refuse a bad frame, so that its answers to the frames before it go out first. False if it
 * does not know the connection yet. */
static bool post_broken(struct conn *c, uint64_t request_id, const char *why)
{
    struct inbox_item *item = c->told_engine ? calloc(1, sizeof *item) : NULL;
    if (!item)
        return false;
    link_ref(c->link);
    *item = (struct inbox_item){.kind = PORT_BROKEN, .link = c->link, .request_id = request_id, .why = why};
    reader_done(&c->reader, &c->net->pool);
    c->state = CONN_BROKEN;
    c->ask_left = 0; /* what comes is thrown away */
    net_post(c->net, item);
    return true;
}

/* Tell the engine, once, and let nothing that it sends from now on find the connection. */
static void post_lost(struct conn *c)
{
    if (!c->told_engine)
        return;
    struct inbox_item *item = c->lost;
    c->lost = NULL;
    c->told_engine = false;
    link_ref(c->link);
    *item = (struct inbox_item){.kind = PORT_LOST, .link = c->link, .closed = item->closed};
    net_post(c->net, item);
}

static bool must_wait(struct conn *c)
{
    if (c->state >= CONN_ENDING)
        return false;
    size_t unsent = atomic_load(&c->link->unsent_bytes), all = net_waiting(c->net);
    struct port_room room = net_room(c->net);
    /* Requests of a connection that the engine holds back are parked there: reading more would pile them up.
     */
    c->held_by_unsent =
        c->state > CONN_GREETING && ((c->held_by_unsent ? !port_room_is_back(&room, unsent, all)
                                                        : port_room_is_over(&room, unsent, all)) ||
                                     atomic_load(&c->link->held_back));
    if (c->held_by_unsent)
        return true;
    /* Looked at before libuv is asked to read: thousands may wait so, and each turn of the engine looks. */
    if (reader_must_wait(&c->reader, &c->net->pool)) {
        c->net->memory_short_ms = net_now_ms(c->net);
        return true;
    }
    return !c->net->detached && c->net->config.port.full(c->net->config.port.context, c->link);
}

/* No room now. What it waits for: its own bytes to be written (wrote() looks), or others' (the list). */
static void stall(struct conn *c)
{
    conn_stop_reading(c);
    if (c->held_by_unsent || c->stalled)
        return;
    c->stalled = true;
    c->stalled_next = c->net->stalled;
    c->net->stalled = c;
}

void conn_stop_reading(struct conn *c)
{
    if (!c->reading)
        return;
    c->reading = false;
    (void)uv_read_stop((uv_stream_t *)&c->tcp); /* always 0 */
}

/* The peer took bytes. */
static void wrote(struct conn *c, size_t size)
{
    writer_wrote(&c->writer, size);
    c->write_since_ms = net_now_ms(c->net);
    if (c->state >= CONN_ENDING)
        return;
    conn_drained(c); /* first: what the engine holds back is not read */
    if (c->held_by_unsent)
        conn_resume(c);
}

static void on_written(uv_write_t *request, int status)
{
    struct conn *c = request->handle->data;
    c->write_pending = false;
    if (c->state == CONN_CLOSED)
        return;
    if (status != 0) {
        conn_close(c);
        return;
    }
    wrote(c, c->write_size);
    conn_flush(c);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    struct conn *c = request->handle->data;
    if (status != 0 || c->ended)
        conn_close(c);
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    struct net *n = c->net;
    assert(c->state == CONN_CLOSED && !c->dirty);
    if (c->stalled) {
        struct conn **at = &n->stalled;
        while (*at != c)
            at = &(*at)->stalled_next;
        *at = c->stalled_next;
    }
    conn_leave_round(c);
    if (c->prev)
        c->prev->next = c->next;
    else
        n->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    else
        n->newest = c->prev;
    reader_done(&c->reader, &n->pool);
    writer_done(&c->writer);
    link_unref(c->link);
    free(c->lost);
    free(c);
    n->count--;
    atomic_fetch_sub(&n->config.totals->sockets, 1);
    net_conn_gone(n);
}
