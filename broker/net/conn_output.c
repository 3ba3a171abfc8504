/* conn_output: writing to one connection, and what ends it. */
#include "broker/net/conn.h"

#include "proto/errors.h"
#include "proto/frame.h"
#include "proto/wire.h"
#include <stdlib.h>

static void on_written(uv_write_t *request, int status);
static void on_shutdown(uv_shutdown_t *request, int status);
static void wrote(struct conn *c, size_t size);

void conn_send(struct conn *c, struct outbox_item *item)
{
    check(c->magic == CONN_MAGIC && item->link == c->link);
    if (item->ask_ms && c->state < CONN_ENDING)
        conn_ask(c, item->ask_ms);
    if (c->state >= CONN_ENDING || c->end_when_sent) {
        outbox_item_drop(item);
        return;
    }
    if (item->ask != FLOW_ASK_NOTHING)
        c->ask = item->ask;
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
        unsigned count = c->tls ? conn_seal(c, iov) : writer_gather(&c->writer, iov, WRITER_BUFFERS_MAX);
        if (count == 0 && c->tls && c->state == CONN_ENDING && conn_seal_end(c))
            continue;
        if (count == 0 && c->tls && c->tls->no_memory) {
            conn_no_memory(c, c->tls->why);
            return;
        }
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
            wrote(c, c->tls ? conn_seal_wrote(c, (size_t)done) : (size_t)done);
            if (c->state == CONN_CLOSED || (size_t)done == size)
                continue;
        } else if (done != UV_EAGAIN) {
            c->hung_up(c);
            return;
        } else if (uv_write(&c->write, (uv_stream_t *)&c->tcp, bufs, count, on_written) == 0) {
            c->write_pending = true;
            c->write_size = c->write_left = size;
            if (c->tls)
                conn_seal_lend(c);
        } else {
            conn_close(c);
            return;
        }
    }
    if (c->state < CONN_ENDING && c->end_when_sent && writer_is_empty(&c->writer)) {
        conn_end(c, 0, 0, NULL);
    } else if (c->state == CONN_ENDING && writer_is_empty(&c->writer) && !c->write_pending) {
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
    conn_post_lost(c);
    reader_done(&c->reader, &c->net->pool);
    c->state = CONN_ENDING;
    c->since_ms = net_now_ms(c->net);
    struct outbox_item *item =
        code ? conn_error_item(code, request_id, text, c->net->config.limits.retry_after_ms) : NULL;
    if (item) {
        if (writer_is_empty(&c->writer))
            c->write_since_ms = c->since_ms;
        writer_push(&c->writer, item);
    }
    c->ask = FLOW_ASK_NOTHING;
    ring_remove(&c->wait);
    if (c->reading == READING_UNREAD || c->reading == READING_NO_ROOM)
        conn_reading(c, READING_RESTS); /* to throw away what comes */
    conn_flush(c);
}

struct outbox_item *conn_error_item(int code, uint64_t request_id, const char *text, int64_t retry_after_ms)
{
    bool waits = retry_after_ms && err_has_retry_after(code);
    struct outbox_item *item = calloc(1, sizeof *item);
    if (!item)
        return NULL;
    size_t frame = frame_begin(&item->bytes, OP_ERROR, request_id, waits ? 5 : 4);
    mpack_write_uint(&item->bytes, (uint64_t)code);
    mpack_write_cstr(&item->bytes, err_name(code));
    mpack_write_cstr(&item->bytes, text ? text : err_text(code));
    mpack_write_bool(&item->bytes, err_may_retry(code));
    if (waits)
        mpack_write_int(&item->bytes, retry_after_ms);
    frame_end(&item->bytes, frame);
    if (!item->bytes.failed)
        return item;
    outbox_item_drop(item);
    return NULL;
}

/* The peer took bytes. */
static void wrote(struct conn *c, size_t size)
{
    writer_wrote(&c->writer, size);
    c->write_since_ms = net_now_ms(c->net);
    if (c->state < CONN_ENDING)
        conn_look_unread(c);
}

static void on_written(uv_write_t *request, int status)
{
    struct conn *c = conn_of(request->handle->data);
    c->write_pending = false;
    free(c->sending);
    c->sending = NULL;
    if (c->state == CONN_CLOSED)
        return;
    if (status != 0) {
        c->hung_up(c);
        return;
    }
    wrote(c, c->write_size);
    conn_flush(c);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    struct conn *c = conn_of(request->handle->data);
    if (status != 0 || c->reading == READING_OVER)
        conn_close(c);
}
