/* fixture: the scripted engine and the clients. */
#include "tests/unit/net/fixture.h"

#include "broker/net/address.h"
#include "broker/net/conn.h"
#include "proto/errors.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/wire.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GUARD_MS 20000

static void post(void *context, struct inbox_item *item);
static bool full(void *context, const struct link *link);
static struct outbox_item *take(void *context);
static bool serve(void *context);
static void report(void *context, enum net_event event, const char *peer, const char *text);
static void on_guard(uv_timer_t *timer);

void fixture_start(struct fixture *f, const struct net_limits *limits)
{
    fixture_start_tls(f, limits, NULL);
}

void fixture_start_tls(struct fixture *f, const struct net_limits *limits, struct tls_context *tls)
{
    fixture_start_all(f, limits, tls, -1);
}

void fixture_start_all(struct fixture *f, const struct net_limits *limits, struct tls_context *tls,
                       int unix_fd)
{
    *f = (struct fixture){0};
    struct sockaddr_storage any;
    const char *why = "";
    int fd = -1;
    cr_assert(address_parse("127.0.0.1:0", &any, &why), "%s", why);
    cr_assert_eq(address_listen(&any, &fd, &f->address), 0);
    cr_assert_eq(uv_loop_init(&f->loop), 0);
    uv_timer_init(&f->loop, &f->guard);
    uv_timer_start(&f->guard, on_guard, GUARD_MS, 0);
    struct net_config config = {.loop = &f->loop,
                                .listen_fd = fd,
                                .unix_fd = unix_fd,
                                .tls = tls,
                                .limits = limits ? *limits : fixture_limits(),
                                .port = {f, post, full, take, serve},
                                .totals = &f->totals,
                                .report = report,
                                .context = f};
    cr_assert_eq(net_new(&config, &f->net), 0);
    cr_assert_eq(net_start(f->net), 0);
}

void fixture_stop(struct fixture *f)
{
    net_free(f->net);
    uv_close((uv_handle_t *)&f->guard, NULL);
    cr_assert_eq(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    cr_assert_eq(uv_loop_close(&f->loop), 0);
    if (f->link)
        link_unref(f->link);
    mpack_buffer_done(&f->frames);
    cr_assert_eq(atomic_load(&f->totals.waiting_bytes), 0);
    cr_assert_eq(atomic_load(&f->totals.sockets), 0);
    cr_assert_eq(chunks_alive, 0, "%d chunks left", chunks_alive);
    cr_assert_eq(links_alive, 0, "%d links left", links_alive);
}

struct net_limits fixture_limits(void)
{
    return (struct net_limits){.connections_max = 100,
                               .hello_ms = GUARD_MS * 10,
                               .frame_ms = GUARD_MS * 10,
                               .write_ms = GUARD_MS * 10,
                               .peer_ms = GUARD_MS * 10,
                               .unsent_bytes_max = 1 << 20,
                               .handshakes_max = 100,
                               .partial_bytes_max = 64 << 20};
}

void fixture_turn(struct fixture *f)
{
    (void)uv_run(&f->loop, UV_RUN_ONCE);
}

int client_connect(const struct fixture *f)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0);
    cr_assert_eq(connect(fd, (const struct sockaddr *)&f->address, sizeof(struct sockaddr_in)), 0);
    return fd;
}

bool client_send(struct fixture *f, int fd, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t sent = send(fd, at, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return false;
        if (sent > 0) {
            at += sent;
            size -= (size_t)sent;
        }
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    return true;
}

size_t client_receive(struct fixture *f, int fd, void *to, size_t size)
{
    size_t got = 0;
    while (got < size) {
        ssize_t n = recv(fd, (char *)to + got, size - got, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            break;
        if (n > 0)
            got += (size_t)n;
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    return got;
}

int client_receive_error(struct fixture *f, int fd, uint64_t *ret_request_id)
{
    uint8_t bytes[1024];
    size_t size = client_receive(f, fd, bytes, sizeof bytes), need;
    struct slice payload;
    const char *why;
    if (frame_next(bytes, size, FRAME_BYTES_MAX, &payload, &need, &why) != FRAME_WHOLE)
        return -1;
    if (payload.size + FRAME_HEADER_BYTES != size)
        return -1;
    struct mpack_reader r;
    mpack_read_init(&r, payload.data, payload.size);
    if (mpack_read_array(&r) != 6 || mpack_read_uint(&r) != OP_ERROR)
        return -1;
    *ret_request_id = mpack_read_uint(&r);
    return (int)mpack_read_uint(&r);
}

void write_hello(struct mpack_buffer *b, uint64_t request_id)
{
    size_t at = frame_begin(b, OP_HELLO, request_id, 3);
    mpack_write_uint(b, 1);
    mpack_write_uint(b, 1);
    mpack_write_map(b, 0);
    frame_end(b, at);
}

void client_hello(struct fixture *f, int fd)
{
    struct mpack_buffer b = {0};
    write_hello(&b, 1);
    cr_assert(client_send(f, fd, b.data, b.size));
    mpack_buffer_done(&b);
}

int client_greet(struct fixture *f)
{
    unsigned before = f->posts;
    int fd = client_connect(f);
    client_hello(f, fd);
    fixture_until(f, f->posts > before);
    return fd;
}

void write_frame(struct mpack_buffer *b, uint64_t request_id, size_t size, uint8_t fill)
{
    uint8_t *body = malloc(size + 1);
    cr_assert(body);
    memset(body, fill, size);
    size_t at = frame_begin(b, OP_PUBLISH, request_id, 1);
    mpack_write_bin(b, body, size);
    frame_end(b, at);
    free(body);
}

/* Put an item into the outbox as the engine does. */
static void put_out(struct fixture *f, struct link *link, struct outbox_item *item)
{
    item->link = link;
    link_ref(link);
    if (f->outbox_tail)
        f->outbox_tail->next = item;
    else
        f->outbox = item;
    f->outbox_tail = item;
    net_notify(f->net);
}

void engine_says(struct fixture *f, size_t size, bool close)
{
    struct outbox_item *item = calloc(1, sizeof *item);
    cr_assert(item && f->link);
    item->close = close;
    uint8_t *bytes = mpack_extend(&item->bytes, size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)i;
    flow_unsent(&f->link->account, size);
    put_out(f, f->link, item);
}

/* As the engine does: the refusal goes out behind all answers before it. */
static void refuse(struct fixture *f, const struct inbox_item *bad)
{
    struct outbox_item *item = conn_error_item(SHUNT_PROTOCOL, bad->request_id, bad->why, 0);
    cr_assert(item);
    item->close = true;
    flow_unsent(&bad->link->account, item->bytes.size);
    put_out(f, bad->link, item);
}

/* As the engine does when all before is answered. */
static void close_link(struct fixture *f, struct link *link)
{
    struct outbox_item *item = calloc(1, sizeof *item);
    cr_assert(item);
    item->close = true;
    put_out(f, link, item);
}

void engine_asks(struct fixture *f, int64_t ask_ms)
{
    close_link(f, f->link);
    f->outbox_tail->close = false;
    f->outbox_tail->ask_ms = ask_ms;
}

void engine_waits(struct fixture *f, enum flow_ask ask)
{
    close_link(f, f->link);
    f->outbox_tail->close = false;
    f->outbox_tail->ask = ask;
}

static void post(void *context, struct inbox_item *item)
{
    struct fixture *f = context;
    cr_assert(item->link || item->kind == PORT_ROOM);
    if (item->kind == PORT_FRAMES) {
        cr_assert(item->chunk);
        f->posts++;
        f->received_ms = item->received_ms;
        mpack_write_raw(&f->frames, item->bytes.data, item->bytes.size);
        if (!f->link) {
            f->link = item->link;
            link_ref(f->link);
        }
    } else if (item->kind == PORT_BROKEN) {
        f->broken++;
        if (!f->silent)
            refuse(f, item);
    } else if (item->kind == PORT_ENDED) {
        f->ended++;
        if (!f->silent)
            close_link(f, item->link);
    } else if (item->kind == PORT_LOST) {
        f->lost++;
        f->closed += item->closed;
    } else if (item->kind == PORT_DRAINED) {
        f->drained_posts++;
    } else if (item->kind == PORT_ROOM) {
        f->room_posts++;
    } else if (item->kind == PORT_CAUGHT_UP) {
        f->caught_up++;
        f->posts_before = f->posts;
        f->asked_ms = item->ask_ms;
    }
    chunk_unref(item->chunk);
    link_unref(item->link);
    free(item);
}

static bool full(void *context, const struct link *link)
{
    const struct fixture *f = context;
    return f->full || (link && f->full_for == link);
}

static struct outbox_item *take(void *context)
{
    struct fixture *f = context;
    struct outbox_item *list = f->outbox;
    f->outbox = f->outbox_tail = NULL;
    return list;
}

/* The engine's thread, which this fixture plays, does it. */
static bool serve(void *context)
{
    struct fixture *f = context;
    f->left_to_serve++;
    return false;
}

static void report(void *context, enum net_event event, const char *peer, const char *text)
{
    struct fixture *f = context;
    cr_assert(peer && text);
    cr_assert_lt(event, EVENTS_MAX);
    f->events[event]++;
}

static void on_guard(uv_timer_t *timer)
{
    (void)timer;
    cr_assert_fail("waited %d ms for something that did not come", GUARD_MS);
}
