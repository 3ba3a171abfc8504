/* link_nats: NATS JetStream, in its text protocol. A publish names an inbox for its confirmation; a push
 * consumer with as many unacknowledged messages as the window allows receives. Acks are not confirmed: what
 * is resolved is what was sent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/peers/peers.h"
#include "bench/peers/pending.h"
#include "bench/peers/stream.h"

#define REPLY_BYTES_MAX 256

struct link {
    struct stream stream;
    struct link_role role;
    char inbox[64];
    struct pending pending;
};

/* One message from the server: its reply subject ("" if it has none) and body, in the input. */
struct incoming {
    char reply[REPLY_BYTES_MAX];
    const char *body;
    size_t bytes;
    size_t whole; /* to take */
};

/* MSG SUBJECT SID [REPLY] BYTES. False: it has not come whole. */
static bool read_message(const struct stream *s, const char *line, size_t size, struct incoming *m)
{
    char head[512], subject[256], sid[32], third[REPLY_BYTES_MAX], fourth[32];
    if (size >= sizeof head)
        return false;
    memcpy(head, line, size);
    head[size] = 0;
    int words = sscanf(head, "MSG %255s %31s %255s %31s", subject, sid, third, fourth);
    if (words < 3)
        return false;
    m->reply[0] = 0;
    if (words == 4)
        (void)memcpy(m->reply, third, sizeof m->reply);
    m->bytes = strtoul(words == 4 ? fourth : third, NULL, 10);
    m->body = line + size + 2;
    m->whole = size + 2 + m->bytes + 2;
    return stream_size(s) >= m->whole;
}

static bool on_message(struct link *l, const struct incoming *m)
{
    if (l->role.consumes) {
        (void)l->role.events.arrived(l->role.events.context, m->body, m->bytes);
        stream_putf(&l->stream, "PUB %s 4\r\n+ACK\r\n", m->reply);
        l->role.events.resolved(l->role.events.context, 1, true);
        return true;
    }
    void *promise = pending_take(&l->pending);
    if (!promise || memmem(m->body, m->bytes, "\"error\"", 7))
        return false;
    l->role.events.confirmed(l->role.events.context, promise, true);
    return true;
}

/* 1: one thing was taken; 0: none is there whole; -1: it makes no sense. */
static int take_one(struct link *l, char *why)
{
    struct incoming m;
    size_t size = 0;
    const char *line = stream_line(&l->stream, &size);
    if (!line)
        return 0;
    if (strncmp(line, "MSG ", 4) == 0) {
        if (!read_message(&l->stream, line, size, &m))
            return 0;
        (void)snprintf(why, WHY_BYTES, "nats: %.*s", (int)(m.bytes > 200 ? 200 : m.bytes), m.body);
        bool ok = on_message(l, &m);
        stream_take(&l->stream, m.whole);
        return ok ? 1 : -1;
    }
    bool failed = line[0] == '-';
    if (strncmp(line, "PING", 4) == 0)
        stream_put(&l->stream, "PONG\r\n", 6);
    (void)snprintf(why, WHY_BYTES, "nats: %.*s", (int)(size > 200 ? 200 : size), line);
    stream_take(&l->stream, size + 2);
    return failed ? -1 : 1;
}

static bool nats_process(struct link *l, char *why)
{
    int taken = 1;
    stream_receive(&l->stream);
    while (taken == 1)
        taken = take_one(l, why);
    stream_send(&l->stream);
    if (taken == 0 && l->stream.broken)
        (void)snprintf(why, WHY_BYTES, "nats: the connection broke");
    return taken == 0 && !l->stream.broken;
}

/* Ask the server's API and wait for its answer, which must not be an error. */
static bool ask(struct link *l, const char *subject, const char *json, char *why)
{
    struct incoming m;
    stream_putf(&l->stream, "PUB $JS.API.%s %s.api %zu\r\n", subject, l->inbox, strlen(json));
    stream_putf(&l->stream, "%s\r\n", json);
    for (;;) {
        size_t size = 0;
        const char *line = stream_line(&l->stream, &size);
        bool message = line && strncmp(line, "MSG ", 4) == 0;
        if (message && read_message(&l->stream, line, size, &m))
            break;
        if (line && !message) {
            stream_take(&l->stream, size + 2);
        } else if (!stream_wait(&l->stream)) {
            (void)snprintf(why, WHY_BYTES, "nats did not answer to %s", subject);
            return false;
        }
    }
    bool ok = !memmem(m.body, m.bytes, "\"error\"", 7);
    if (!ok)
        (void)snprintf(why, WHY_BYTES, "nats: %.*s", (int)(m.bytes > 250 ? 250 : m.bytes), m.body);
    stream_take(&l->stream, m.whole);
    return ok;
}

static bool prepare(struct link *l, char *why)
{
    char json[512];
    stream_putf(&l->stream, "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB %s.* 1\r\n", l->inbox);
    if (l->role.consumes) {
        stream_putf(&l->stream, "SUB bench_in%s 2\r\n",
                    l->inbox); /* a wildcard would not do for a push consumer */
    }
    if (!ask(l, "STREAM.CREATE.BENCH",
             "{\"name\":\"BENCH\",\"subjects\":[\"bench\"],\"storage\":\"file\",\"retention\":\"workqueue\"}",
             why))
        return false;
    if (!l->role.consumes)
        return true;
    (void)snprintf(
        json, sizeof json,
        "{\"stream_name\":\"BENCH\",\"config\":{\"durable_name\":\"c\",\"deliver_subject\":\"bench_in%s\","
        "\"ack_policy\":\"explicit\",\"deliver_policy\":\"all\",\"max_ack_pending\":%u}}",
        l->inbox, l->role.window);
    return ask(l, "CONSUMER.DURABLE.CREATE.BENCH.c", json, why);
}

static void nats_close(struct link *l)
{
    if (!l)
        return;
    stream_done(&l->stream);
    pending_done(&l->pending);
    free(l);
}

static struct link *nats_open(const struct link_role *role, char *why)
{
    struct link *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->role = *role;
    l->stream.fd = l->stream.epoll_fd = -1;
    (void)snprintf(l->inbox, sizeof l->inbox, "_INBOX.%llx", (unsigned long long)clock_ns());
    if (pending_init(&l->pending, role->window) && stream_open(&l->stream, role->address, why) &&
        prepare(l, why))
        return l;
    nats_close(l);
    return NULL;
}

static int nats_fd(const struct link *l)
{
    return l->stream.epoll_fd;
}

static bool nats_publish(struct link *l, const struct outgoing *m)
{
    if (!pending_add(&l->pending, m->promise))
        return false;
    stream_putf(&l->stream, "PUB bench %s.p %zu\r\n", l->inbox, m->bytes);
    stream_put(&l->stream, m->body, m->bytes);
    stream_put(&l->stream, "\r\n", 2);
    return true;
}

const struct link_driver link_nats = {
    .name = "nats",
    .durability = "DOES NOT fsync before it confirms, and cannot be told to: its data is written back every "
                  "two minutes",
    .open = nats_open,
    .close = nats_close,
    .fd = nats_fd,
    .publish = nats_publish,
    .process = nats_process,
};
