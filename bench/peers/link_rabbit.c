/* link_rabbit: RabbitMQ quorum queues, over AMQP 0-9-1 with publisher confirms; acks are sent once a turn for
 * all that came (`multiple`) and not confirmed by the protocol: what is resolved is what was sent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peers/peers.h"
#include "bench/peers/pending.h"
#include "bench/peers/stream.h"

enum frame_type { FRAME_METHOD = 1, FRAME_HEADER = 2, FRAME_BODY = 3 };

#define FRAME_HEAD                  7 /* type, channel, size */
#define FRAME_END                   0xce
#define METHOD(class_id, method_id) ((uint32_t)(class_id) << 16 | (method_id))
#define PERSISTENT                  2

struct link {
    struct stream stream;
    struct link_role role;
    char topic[64];
    struct pending pending;
    uint64_t confirmed; /* tags up to this one */
    uint64_t tag;       /* of the delivery that is coming */
    uint64_t acked;
    uint32_t unacked;
};

struct frame {
    uint8_t type;
    const uint8_t *payload;
    size_t size;
};

/* ---- writing ---- */

/* A payload under construction. */
struct payload {
    uint8_t bytes[512];
    size_t size;
};

static void put_number(struct payload *p, uint64_t value, size_t bytes)
{
    for (size_t i = bytes; i-- > 0;)
        p->bytes[p->size++] = (uint8_t)(value >> (8 * i));
}

static void put_short(struct payload *p, const char *text)
{
    size_t size = strlen(text);
    put_number(p, size, 1);
    memcpy(p->bytes + p->size, text, size);
    p->size += size;
}

static void put_long(struct payload *p, const char *text, size_t size)
{
    put_number(p, size, 4);
    memcpy(p->bytes + p->size, text, size);
    p->size += size;
}

static struct payload method(uint16_t class_id, uint16_t method_id)
{
    struct payload p = {.size = 0};
    put_number(&p, class_id, 2);
    put_number(&p, method_id, 2);
    return p;
}

static void put_frame(struct link *l, enum frame_type type, unsigned channel, const void *payload,
                      size_t size)
{
    uint8_t head[FRAME_HEAD] = {(uint8_t)type,         0,
                                (uint8_t)channel,      (uint8_t)(size >> 24),
                                (uint8_t)(size >> 16), (uint8_t)(size >> 8),
                                (uint8_t)size};
    uint8_t end = FRAME_END;
    stream_put(&l->stream, head, sizeof head);
    stream_put(&l->stream, payload, size);
    stream_put(&l->stream, &end, 1);
}

static void put_method(struct link *l, unsigned channel, const struct payload *p)
{
    put_frame(l, FRAME_METHOD, channel, p->bytes, p->size);
}

/* ---- reading ---- */

static uint64_t get_number(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

/* The first frame, which stays in the input until `FRAME_HEAD + size + 1` bytes are taken. False: not there
 * whole. */
static bool next_frame(const struct stream *s, struct frame *f)
{
    const uint8_t *at = (const uint8_t *)stream_data(s);
    if (stream_size(s) < FRAME_HEAD)
        return false;
    *f = (struct frame){at[0], at + FRAME_HEAD, (size_t)get_number(at + 3, 4)};
    return stream_size(s) >= FRAME_HEAD + f->size + 1;
}

static void take_frame(struct stream *s, const struct frame *f)
{
    stream_take(s, FRAME_HEAD + f->size + 1);
}

static uint32_t method_of(const struct frame *f)
{
    return f->type == FRAME_METHOD && f->size >= 4 ? (uint32_t)get_number(f->payload, 4) : 0;
}

static void confirm(struct link *l, uint64_t tag, bool multiple, bool ok)
{
    (void)multiple; /* one queue confirms in order, so a later tag covers the earlier ones */
    for (void *promise; l->confirmed < tag && (promise = pending_take(&l->pending)); l->confirmed++)
        l->role.events.confirmed(l->role.events.context, promise, ok);
}

/* False: the server ended the channel or the connection. */
static bool on_frame(struct link *l, const struct frame *f, char *why)
{
    switch (method_of(f)) {
    case METHOD(60, 80):  /* basic.ack */
    case METHOD(60, 120): /* basic.nack */
        confirm(l, get_number(f->payload + 4, 8), f->payload[12] & 1, method_of(f) == METHOD(60, 80));
        return true;
    case METHOD(60, 60): /* basic.deliver: consumer tag, delivery tag */
        l->tag = get_number(f->payload + 5 + f->payload[4], 8);
        return true;
    case METHOD(10, 50): /* connection.close, channel.close: code, text */
    case METHOD(20, 40):
        (void)snprintf(why, WHY_BYTES, "rabbitmq: %.*s", f->payload[6], (const char *)f->payload + 7);
        return false;
    default:
        break;
    }
    if (f->type == FRAME_BODY) { /* one frame: bodies are far below the frame's limit of 128 KiB */
        (void)l->role.events.arrived(l->role.events.context, f->payload, f->size);
        l->unacked++;
        l->acked = l->tag;
    }
    return true;
}

static void send_acks(struct link *l)
{
    if (!l->unacked)
        return;
    struct payload p = method(60, 80);
    put_number(&p, l->acked, 8);
    put_number(&p, 1, 1); /* multiple */
    put_method(l, 1, &p);
    l->role.events.resolved(l->role.events.context, l->unacked, true);
    l->unacked = 0;
}

static bool rabbit_process(struct link *l, char *why)
{
    struct frame f;
    bool ok = true;
    stream_receive(&l->stream);
    while (ok && next_frame(&l->stream, &f)) {
        ok = on_frame(l, &f, why);
        take_frame(&l->stream, &f);
    }
    send_acks(l);
    stream_send(&l->stream);
    if (ok && l->stream.broken)
        (void)snprintf(why, WHY_BYTES, "rabbitmq: the connection broke");
    return ok && !l->stream.broken;
}

/* ---- opening ---- */

/* Wait for this method and take it. */
static bool expect(struct link *l, uint16_t class_id, uint16_t method_id, char *why)
{
    struct frame f;
    for (;;) {
        while (!next_frame(&l->stream, &f)) {
            if (!stream_wait(&l->stream)) {
                (void)snprintf(why, WHY_BYTES, "rabbitmq did not answer with %u.%u", class_id, method_id);
                return false;
            }
        }
        uint32_t got = method_of(&f);
        bool ok = on_frame(l, &f, why);
        take_frame(&l->stream, &f);
        if (!ok || got == METHOD(class_id, method_id))
            return ok;
    }
}

static bool log_in(struct link *l, char *why)
{
    stream_put(&l->stream, "AMQP\0\0\x09\x01", 8);
    if (!expect(l, 10, 10, why))
        return false;
    struct payload p = method(10, 11); /* start-ok: properties, mechanism, response, locale */
    put_number(&p, 0, 4);
    put_short(&p, "PLAIN");
    put_long(&p, "\0guest\0guest", 12);
    put_short(&p, "en_US");
    put_method(l, 0, &p);
    if (!expect(l, 10, 30, why))
        return false;
    p = method(10, 31); /* tune-ok: channels, frame size, heartbeat */
    put_number(&p, 16, 2);
    put_number(&p, 131072, 4);
    put_number(&p, 0, 2);
    put_method(l, 0, &p);
    p = method(10, 40); /* open: virtual host, two that are reserved */
    put_short(&p, "/");
    put_number(&p, 0, 2);
    put_method(l, 0, &p);
    if (!expect(l, 10, 41, why))
        return false;
    p = method(20, 10); /* channel.open */
    put_number(&p, 0, 1);
    put_method(l, 1, &p);
    return expect(l, 20, 11, why);
}

static bool declare(struct link *l, char *why)
{
    static const char type[] = "\x0cx-queue-typeS\0\0\0\x06quorum";
    struct payload p = method(50, 10); /* queue.declare: name, durable, arguments */
    put_number(&p, 0, 2);
    put_short(&p, l->topic);
    put_number(&p, 2, 1);
    put_long(&p, type, sizeof type - 1);
    put_method(l, 1, &p);
    return expect(l, 50, 11, why);
}

static bool begin_publishing(struct link *l, char *why)
{
    struct payload p = method(85, 10); /* confirm.select */
    put_number(&p, 0, 1);
    put_method(l, 1, &p);
    return expect(l, 85, 11, why);
}

static bool begin_consuming(struct link *l, char *why)
{
    struct payload p = method(60, 10); /* basic.qos: bytes, messages, global */
    put_number(&p, 0, 4);
    put_number(&p, l->role.window > 65535 ? 65535 : l->role.window, 2);
    put_number(&p, 0, 1);
    put_method(l, 1, &p);
    if (!expect(l, 60, 11, why))
        return false;
    p = method(60, 20); /* basic.consume: queue, tag, flags, arguments */
    put_number(&p, 0, 2);
    put_short(&p, l->topic);
    put_short(&p, "c");
    put_number(&p, 0, 1);
    put_number(&p, 0, 4);
    put_method(l, 1, &p);
    return expect(l, 60, 21, why);
}

static void rabbit_close(struct link *l)
{
    if (!l)
        return;
    stream_done(&l->stream);
    pending_done(&l->pending);
    free(l);
}

static struct link *rabbit_open(const struct link_role *role, char *why)
{
    struct link *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->role = *role;
    l->stream.fd = l->stream.epoll_fd = -1;
    (void)snprintf(l->topic, sizeof l->topic, "%s", role->topic);
    if (pending_init(&l->pending, role->window) && stream_open(&l->stream, role->address, why) &&
        log_in(l, why) && declare(l, why) &&
        (role->consumes ? begin_consuming(l, why) : begin_publishing(l, why)))
        return l;
    rabbit_close(l);
    return NULL;
}

static int rabbit_fd(const struct link *l)
{
    return l->stream.epoll_fd;
}

static bool rabbit_publish(struct link *l, const struct outgoing *m)
{
    if (!pending_add(&l->pending, m->promise))
        return false;
    struct payload p = method(60, 40); /* basic.publish: exchange, routing key, flags */
    put_number(&p, 0, 2);
    put_short(&p, "");
    put_short(&p, l->topic);
    put_number(&p, 0, 1);
    put_method(l, 1, &p);
    p = (struct payload){.size = 0}; /* class, weight, body size, properties: delivery mode */
    put_number(&p, 60, 2);
    put_number(&p, 0, 2);
    put_number(&p, m->bytes, 8);
    put_number(&p, 0x1000, 2);
    put_number(&p, PERSISTENT, 1);
    put_frame(l, FRAME_HEADER, 1, p.bytes, p.size);
    put_frame(l, FRAME_BODY, 1, m->body, m->bytes);
    return true;
}

const struct link_driver link_rabbit = {
    .name = "rabbitmq",
    .durability = "confirms after fsync of the quorum queue's log; acks are not confirmed",
    .open = rabbit_open,
    .close = rabbit_close,
    .fd = rabbit_fd,
    .publish = rabbit_publish,
    .process = rabbit_process,
};
