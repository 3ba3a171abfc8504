/* link_redis: Redis streams. XADD publishes; a consumer group reads with XREADGROUP and answers with XACK,
 * the next read right behind it in the same write. Entries that were acked stay in the stream: trimming it is
 * extra work that is not asked of Redis here.
 *
 * What XREADGROUP answers, as tokens: *1 *2 $stream *N, and N times *2 $id *2 $field $body.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peers/peers.h"
#include "bench/peers/pending.h"
#include "bench/peers/stream.h"

#define GROUP "g"

enum { HEAD_TOKENS = 4, ENTRY_TOKENS = 5 };

struct link {
    struct stream stream;
    struct link_role role;
    char topic[64];
    struct pending pending;
    /* The consumer's place in the answer. */
    unsigned token;     /* 0: before an answer */
    uint64_t entries;   /* still to come */
    struct stream acks; /* only its output is used: ids as RESP strings */
    uint32_t acked;
};

struct token {
    char kind;
    int64_t number;   /* of `:`, `*`; the size of `$` */
    const char *text; /* of `$`, `+`, `-` */
    size_t bytes;     /* all of it */
};

/* False: it has not come whole. */
static bool next_token(const struct stream *s, struct token *t)
{
    size_t size = 0;
    const char *line = stream_line(s, &size);
    if (!line)
        return false;
    *t = (struct token){.kind = line[0], .text = line + 1, .bytes = size + 2};
    t->number = strtoll(line + 1, NULL, 10);
    if (t->kind != '$' || t->number < 0)
        return true;
    t->text = line + size + 2;
    t->bytes += (size_t)t->number + 2;
    return stream_size(s) >= t->bytes;
}

/* The next read; it waits if there is nothing. */
static void request_more(struct link *l)
{
    stream_putf(&l->stream,
                "*11\r\n$10\r\nXREADGROUP\r\n$5\r\nGROUP\r\n$1\r\n" GROUP "\r\n$1\r\nc\r\n$5\r\nCOUNT\r\n"
                "$%d\r\n%u\r\n$5\r\nBLOCK\r\n$1\r\n0\r\n$7\r\nSTREAMS\r\n$%zu\r\n%s\r\n$1\r\n>\r\n",
                snprintf(NULL, 0, "%u", l->role.window), l->role.window, strlen(l->topic), l->topic);
}

static void answer(struct link *l)
{
    if (l->acked) {
        stream_putf(&l->stream, "*%u\r\n$4\r\nXACK\r\n$%zu\r\n%s\r\n$1\r\n" GROUP "\r\n", l->acked + 3,
                    strlen(l->topic), l->topic);
        stream_put(&l->stream, l->acks.out + l->acks.out_begin, l->acks.out_end - l->acks.out_begin);
    }
    l->acks.out_begin = l->acks.out_end = 0;
    l->acked = 0;
    request_more(l);
}

static void entry_token(struct link *l, const struct token *t)
{
    unsigned at = (l->token - HEAD_TOKENS) % ENTRY_TOKENS;
    if (at == 1) { /* its id, to be acked */
        stream_putf(&l->acks, "$%lld\r\n%.*s\r\n", (long long)t->number, (int)t->number, t->text);
        l->acked++;
    }
    if (at == ENTRY_TOKENS - 1) {
        (void)l->role.events.arrived(l->role.events.context, t->text, (size_t)t->number);
        l->entries--;
    }
}

/* One token of what a consumer is told. False: the answer makes no sense. */
static bool consumer_token(struct link *l, const struct token *t)
{
    if (t->kind == '-')
        return false;
    if (l->token == 0 && t->kind == ':') { /* to XACK */
        l->role.events.resolved(l->role.events.context, (uint32_t)t->number, true);
        return true;
    }
    if (l->token == 0 && t->number < 0) { /* nothing there */
        request_more(l);
        return true;
    }
    if (l->token >= HEAD_TOKENS)
        entry_token(l, t);
    else if (l->token == HEAD_TOKENS - 1)
        l->entries = (uint64_t)t->number;
    l->token++;
    if (l->token > HEAD_TOKENS - 1 && l->entries == 0) {
        l->token = 0;
        answer(l);
    }
    return true;
}

static bool producer_token(struct link *l, const struct token *t)
{
    void *promise = pending_take(&l->pending);
    if (!promise)
        return false;
    l->role.events.confirmed(l->role.events.context, promise, t->kind == '$');
    return true;
}

static bool redis_process(struct link *l, char *why)
{
    struct token t;
    stream_receive(&l->stream);
    while (next_token(&l->stream, &t)) {
        stream_take(&l->stream, t.bytes);
        if (!(l->role.consumes ? consumer_token(l, &t) : producer_token(l, &t))) {
            (void)snprintf(why, WHY_BYTES, "redis: %.*s", (int)(t.bytes > 200 ? 200 : t.bytes), t.text);
            return false;
        }
    }
    stream_send(&l->stream);
    if (l->stream.broken)
        (void)snprintf(why, WHY_BYTES, "redis: the connection broke");
    return !l->stream.broken;
}

static void redis_close(struct link *l)
{
    if (!l)
        return;
    stream_done(&l->stream);
    stream_done(&l->acks);
    pending_done(&l->pending);
    free(l);
}

/* The group is made with the stream; that it is there already is as good. */
static bool prepare(struct link *l)
{
    struct token t;
    stream_putf(&l->stream,
                "*6\r\n$6\r\nXGROUP\r\n$6\r\nCREATE\r\n$%zu\r\n%s\r\n$1\r\n" GROUP
                "\r\n$1\r\n0\r\n$8\r\nMKSTREAM\r\n",
                strlen(l->topic), l->topic);
    while (!next_token(&l->stream, &t)) {
        if (!stream_wait(&l->stream))
            return false;
    }
    bool ok = t.kind == '+' || memcmp(t.text, "BUSYGROUP", 9) == 0;
    stream_take(&l->stream, t.bytes);
    if (l->role.consumes)
        request_more(l);
    return ok;
}

static struct link *redis_open(const struct link_role *role, char *why)
{
    struct link *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->role = *role;
    l->stream.fd = l->stream.epoll_fd = l->acks.fd = l->acks.epoll_fd = -1;
    (void)snprintf(l->topic, sizeof l->topic, "%s", role->topic);
    if (pending_init(&l->pending, role->window) && stream_open(&l->stream, role->address, why)) {
        (void)snprintf(why, WHY_BYTES, "redis did not make the group");
        if (prepare(l))
            return l;
    }
    redis_close(l);
    return NULL;
}

static int redis_fd(const struct link *l)
{
    return l->stream.epoll_fd;
}

static bool redis_publish(struct link *l, const struct outgoing *m)
{
    if (!pending_add(&l->pending, m->promise))
        return false;
    stream_putf(&l->stream, "*5\r\n$4\r\nXADD\r\n$%zu\r\n%s\r\n$1\r\n*\r\n$1\r\nb\r\n$%zu\r\n",
                strlen(l->topic), l->topic, m->bytes);
    stream_put(&l->stream, m->body, m->bytes);
    stream_put(&l->stream, "\r\n", 2);
    return true;
}

const struct link_driver link_redis = {
    .name = "redis",
    .durability = "confirms after fsync of its append-only file (appendfsync always)",
    .open = redis_open,
    .close = redis_close,
    .fd = redis_fd,
    .publish = redis_publish,
    .process = redis_process,
};
