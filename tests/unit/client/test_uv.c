/* The libuv adapter, and shunt_fd() with it: publish and consume against a fake server in the same loop, no
 * blocking call. */
#include "client/shunt_uv.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/wire.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES 1000

#define need(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                  \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

/* ---- a server that stores nothing and says yes; it drops its first connection after the first PUBLISH ----
 */

static struct server {
    uv_tcp_t listener;
    uv_tcp_t connection;
    int connections;
    uint64_t next_seq;
    uint8_t bytes[1 << 20];
    size_t size;
    bool closing;
} server;

struct reply {
    uv_write_t write;
    struct mpack_buffer bytes;
};

static void on_written(uv_write_t *write, int status)
{
    struct reply *reply = (struct reply *)write;
    (void)status;
    mpack_buffer_done(&reply->bytes);
    free(reply);
}

static void on_server_closed(uv_handle_t *connection)
{
    (void)connection;
    server.closing = false;
}

static void drop_connection(void)
{
    server.closing = true;
    uv_close((uv_handle_t *)&server.connection, on_server_closed);
}

static void answer(uint64_t op, uint64_t id, struct mpack_reader *r)
{
    struct reply *reply = calloc(1, sizeof *reply);
    size_t frame = frame_begin(&reply->bytes, OP_OK, id, op == OP_PUBLISH ? 3 : op == OP_HELLO ? 2 : 0);
    if (op == OP_HELLO) {
        mpack_write_uint(&reply->bytes, 1);
        mpack_write_map(&reply->bytes, 0);
    } else if (op == OP_PUBLISH) {
        (void)mpack_read_str(r);
        (void)mpack_read_uint(r);
        (void)mpack_read_uint(r);
        uint32_t count = mpack_read_array(r);
        mpack_write_uint(&reply->bytes, count);
        mpack_write_uint(&reply->bytes, server.next_seq);
        mpack_write_uint(&reply->bytes, 0);
        server.next_seq += count;
    }
    frame_end(&reply->bytes, frame);
    uv_buf_t buffer = uv_buf_init((char *)reply->bytes.data, (unsigned)reply->bytes.size);
    need(uv_write(&reply->write, (uv_stream_t *)&server.connection, &buffer, 1, on_written) == 0);
}

static void on_bytes(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    (void)stream;
    (void)buffer;
    if (size < 0) {
        drop_connection();
        return;
    }
    server.size += (size_t)size;
    struct slice payload;
    size_t needed, at = 0;
    const char *why;
    while (frame_next(server.bytes + at, server.size - at, FRAME_BYTES_MAX, &payload, &needed, &why) ==
           FRAME_WHOLE) {
        struct mpack_reader r;
        mpack_read_init(&r, payload.data, payload.size);
        (void)mpack_read_array(&r);
        uint64_t op = mpack_read_uint(&r), id = mpack_read_uint(&r);
        if (op == OP_PUBLISH && server.connections == 1) {
            drop_connection();
            return;
        }
        answer(op, id, &r);
        at += FRAME_HEADER_BYTES + payload.size;
    }
    memmove(server.bytes, server.bytes + at, server.size - at);
    server.size -= at;
}

static void on_space(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    (void)handle;
    (void)suggested;
    *ret = uv_buf_init((char *)server.bytes + server.size, (unsigned)(sizeof server.bytes - server.size));
}

static void on_connection(uv_stream_t *listener, int status)
{
    need(status == 0 && !server.closing);
    server.connections++;
    server.size = 0;
    need(uv_tcp_init(listener->loop, &server.connection) == 0);
    need(uv_accept(listener, (uv_stream_t *)&server.connection) == 0);
    need(uv_read_start((uv_stream_t *)&server.connection, on_space, on_bytes) == 0);
}

static int listen_anywhere(uv_loop_t *loop)
{
    struct sockaddr_in address;
    int size = sizeof address;
    need(uv_ip4_addr("127.0.0.1", 0, &address) == 0);
    need(uv_tcp_init(loop, &server.listener) == 0);
    need(uv_tcp_bind(&server.listener, (struct sockaddr *)&address, 0) == 0);
    need(uv_listen((uv_stream_t *)&server.listener, 8, on_connection) == 0);
    need(uv_tcp_getsockname(&server.listener, (struct sockaddr *)&address, &size) == 0);
    return ntohs(address.sin_port);
}

/* ---- the client ---- */

static struct client {
    struct shunt *s;
    struct shunt_uv adapter;
    struct shunt_message *m;
    int fd;
    int queued;
    int confirmed;
    bool closed;
} client;

static void on_closed(void *context)
{
    (void)context;
    need(client.fd == shunt_fd(client.s));
    shunt_close(client.s, 0); /* the server sees the end, closes its side, and the loop has nothing left */
    client.closed = true;
}

static void on_published(void *context, uint64_t seq, const struct shunt_error *err)
{
    (void)context;
    need(!err);
    need(seq == (uint64_t)++client.confirmed);
    if (client.queued < MESSAGES) { /* from inside a callback: the loop must be woken for it */
        need(shunt_publish_async(client.s, "orders", client.m, on_published, NULL, NULL) == 0);
        client.queued++;
    }
    if (client.confirmed == MESSAGES) {
        shunt_uv_close(&client.adapter, on_closed);
        uv_close((uv_handle_t *)&server.listener, NULL);
    }
}

static void on_timer(uv_timer_t *timer)
{
    /* Outside of shunt_process(): the descriptor must become readable by itself. */
    for (int i = 0; i < 10; i++, client.queued++)
        need(shunt_publish_async(client.s, "orders", client.m, on_published, NULL, NULL) == 0);
    uv_close((uv_handle_t *)timer, NULL);
}

static void on_failed(void *context, const struct shunt_error *err)
{
    (void)context;
    fprintf(stderr, "failed: %s\n", err->text);
    exit(1);
}

int main(void)
{
    uv_loop_t loop;
    uv_timer_t timer;
    char url[64];
    struct shunt_options *options = shunt_options_new();
    need(uv_loop_init(&loop) == 0);
    server.next_seq = 1;
    (void)snprintf(url, sizeof url, "shunt://127.0.0.1:%d", listen_anywhere(&loop));
    need(shunt_options_set(options, "reconnect-max", "50ms") == 0);
    need(shunt_open(url, options, &client.s, NULL) == 0);
    shunt_options_free(options);
    client.fd = shunt_fd(client.s);
    client.m = shunt_message_new();
    shunt_message_body(client.m, "body", 4);
    need(shunt_uv_init(&client.adapter, &loop, client.s, on_failed, NULL) == 0);
    need(uv_timer_init(&loop, &timer) == 0);
    need(uv_timer_start(&timer, on_timer, 0, 0) == 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    need(client.closed && client.confirmed == MESSAGES);
    need(server.connections == 2);
    shunt_message_free(client.m);
    need(uv_loop_close(&loop) == 0);
    return 0;
}
