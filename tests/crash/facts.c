/* facts: reading both sides of every connection, frame by frame, as section 1 of PROTOCOL.md has it. */
#include "tests/crash/facts.h"

#include "base/array.h"
#include "proto/mpack.h"
#include "proto/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_MAX 64
#define REQUESTS_MAX    4096
#define SUBS_MAX        8
#define BODIES_AT_ONCE  64

struct stream {
    struct mpack_buffer bytes; /* not read yet */
};

struct request {
    uint64_t id;
    struct slice frame; /* its own copy */
};

struct delivered {
    uint64_t sub, seq, token, attempts, generation;
};

struct connection {
    uint64_t id;
    struct stream in, out;
    struct request requests[REQUESTS_MAX]; /* under way, in order */
    size_t first, count;
    struct {
        uint64_t sub;
        char topic[64];
    } subs[SUBS_MAX];
    size_t sub_count;
    struct delivered *deliveries;
    size_t delivery_count, delivery_capacity;
};

struct reading {
    struct facts *facts;
    struct connection *connections[CONNECTIONS_MAX];
    size_t connection_count;
    /* Ends that were asked for. seq 0: all of the topic. */
    struct fact *ends;
    size_t end_count, end_capacity;
    bool failed;
};

static void add_fact(struct fact **all, size_t *count, size_t *capacity, const struct fact *f)
{
    if (!array_room(all, capacity, *count + 1))
        abort();
    (*all)[(*count)++] = *f;
}

static void say(struct reading *r, const struct fact *f)
{
    add_fact(&r->facts->all, &r->facts->count, &r->facts->capacity, f);
}

static struct connection *connection_of(struct reading *r, uint64_t id)
{
    for (size_t i = 0; i < r->connection_count; i++) {
        if (r->connections[i]->id == id)
            return r->connections[i];
    }
    struct connection *c = r->connection_count < CONNECTIONS_MAX ? calloc(1, sizeof *c) : NULL;
    if (!c)
        abort();
    c->id = id;
    return r->connections[r->connection_count++] = c;
}

static void copy_name(char *to, struct slice name)
{
    (void)snprintf(to, 64, "%.*s", (int)name.size, (const char *)name.data);
}

static const char *sub_topic(const struct connection *c, uint64_t sub)
{
    for (size_t i = 0; i < c->sub_count; i++) {
        if (c->subs[i].sub == sub)
            return c->subs[i].topic;
    }
    return "";
}

/* ---- what was asked ---- */

/* `which` of a purge of dead letters: the workload names them, as TOPIC/SEQ. */
static void asked_to_purge(struct reading *r, struct fact *end, struct mpack_reader *m)
{
    (void)mpack_read_map(m);
    (void)mpack_read_any(m); /* "ids" */
    for (uint32_t n = mpack_read_array(m); n && !m->failed; n--) {
        struct slice id = mpack_read_str(m);
        const char *slash = id.size ? memrchr(id.data, '/', id.size) : NULL;
        end->seq = 0;
        for (const char *at = slash; at && ++at < (const char *)id.data + id.size;)
            end->seq = end->seq * 10 + (uint64_t)(*at - '0');
        if (end->seq)
            add_fact(&r->ends, &r->end_count, &r->end_capacity, end);
    }
}

/* Requests that may end messages, from the moment in which they arrive. */
static void asked_for_ends(struct reading *r, struct connection *c, size_t record, struct mpack_reader m,
                           uint64_t op)
{
    struct fact end = {.record = record};
    if (op == OP_RESOLVE) {
        const char *topic = sub_topic(c, mpack_read_uint(&m));
        copy_name(end.topic, (struct slice){topic, strlen(topic)});
        for (uint32_t n = mpack_read_array(&m); n && !m.failed; n--) {
            struct mpack_reader entry = m;
            (void)mpack_read_any(&m);
            (void)mpack_read_array(&entry);
            end.seq = mpack_read_uint(&entry);
            (void)mpack_read_uint(&entry); /* token */
            if (mpack_read_uint(&entry) == OUTCOME_ACK)
                add_fact(&r->ends, &r->end_count, &r->end_capacity, &end);
        }
    } else if (op == OP_TOPIC_PURGE) {
        copy_name(end.topic, mpack_read_str(&m));
        add_fact(&r->ends, &r->end_count, &r->end_capacity, &end);
    } else if (op == OP_DLQ_PURGE) {
        copy_name(end.topic, mpack_read_str(&m));
        (void)mpack_read_any(&m); /* group */
        asked_to_purge(r, &end, &m);
    }
}

static void on_request(struct reading *r, struct connection *c, size_t record, struct slice frame)
{
    struct mpack_reader m;
    mpack_read_init(&m, frame.data, frame.size);
    (void)mpack_read_array(&m);
    uint64_t op = mpack_read_uint(&m), id = mpack_read_uint(&m);
    if (m.failed || op == OP_STARTED)
        return;
    if (c->count == REQUESTS_MAX)
        abort();
    void *copy = malloc(frame.size);
    if (!copy)
        abort();
    memcpy(copy, frame.data, frame.size);
    c->requests[(c->first + c->count++) % REQUESTS_MAX] = (struct request){id, {copy, frame.size}};
    asked_for_ends(r, c, record, m, op);
}

/* ---- what was answered ---- */

static void on_published(struct reading *r, size_t record, struct mpack_reader *q, struct mpack_reader *a)
{
    struct fact f = {.kind = FACT_PUBLISHED, .record = record, .end_asked = SIZE_MAX};
    copy_name(f.topic, mpack_read_str(q));
    (void)mpack_read_uint(q); /* sequence */
    (void)mpack_read_uint(q); /* forget below */
    (void)mpack_read_array(q);
    uint64_t accepted = mpack_read_uint(a);
    f.seq = mpack_read_uint(a);
    for (; accepted; accepted--, f.seq++) {
        struct slice message = mpack_read_any(q);
        f.body_hash = snapshot_hash(message.data, message.size);
        say(r, &f);
    }
}

static bool is_refused(struct mpack_reader refused, uint64_t index)
{
    for (uint32_t n = mpack_read_array(&refused); n > 1 && !refused.failed; n -= 2) {
        if (mpack_read_uint(&refused) == index)
            return true;
        (void)mpack_read_uint(&refused);
    }
    return false;
}

static const struct delivered *delivered_as(const struct connection *c, uint64_t sub, uint64_t seq,
                                            uint64_t token)
{
    for (size_t i = c->delivery_count; i-- > 0;) {
        if (c->deliveries[i].sub == sub && c->deliveries[i].seq == seq && c->deliveries[i].token == token)
            return &c->deliveries[i];
    }
    return NULL;
}

static void on_resolved(struct reading *r, struct connection *c, size_t record, struct mpack_reader *q,
                        const struct mpack_reader *a)
{
    uint64_t sub = mpack_read_uint(q);
    uint32_t count = mpack_read_array(q);
    for (uint32_t i = 0; i < count && !q->failed; i++) {
        struct mpack_reader e = *q;
        (void)mpack_read_any(q);
        (void)mpack_read_array(&e);
        struct fact f = {.record = record, .seq = mpack_read_uint(&e)};
        copy_name(f.topic, (struct slice){sub_topic(c, sub), strlen(sub_topic(c, sub))});
        uint64_t token = mpack_read_uint(&e), outcome = mpack_read_uint(&e);
        const struct delivered *d = delivered_as(c, sub, f.seq, token);
        if (is_refused(*a, i) || !d)
            continue;
        f.generation = d->generation;
        f.count = d->attempts + 1;
        f.kind = FACT_CHARGED;
        if (outcome == OUTCOME_NACK || outcome == OUTCOME_REJECT)
            say(r, &f);
        f.kind = outcome == OUTCOME_ACK ? FACT_DONE : FACT_DEAD;
        if (outcome == OUTCOME_ACK || outcome == OUTCOME_REJECT)
            say(r, &f);
    }
}

static void on_ok(struct reading *r, struct connection *c, size_t record, struct slice request,
                  struct mpack_reader *a)
{
    struct mpack_reader q;
    mpack_read_init(&q, request.data, request.size);
    (void)mpack_read_array(&q);
    uint64_t op = mpack_read_uint(&q);
    (void)mpack_read_uint(&q); /* id */
    struct fact f = {.record = record};
    r->facts->answers++;
    if (op == OP_PUBLISH) {
        on_published(r, record, &q, a);
    } else if (op == OP_RESOLVE) {
        on_resolved(r, c, record, &q, a);
    } else if (op == OP_SUBSCRIBE && c->sub_count < SUBS_MAX) {
        copy_name(c->subs[c->sub_count].topic, mpack_read_str(&q));
        c->subs[c->sub_count++].sub = mpack_read_uint(a);
    } else if (op == OP_TOPIC_CREATE) {
        f.kind = FACT_TOPIC;
        copy_name(f.topic, mpack_read_str(&q));
        say(r, &f);
    } else if (op == OP_DLQ_REDRIVE || op == OP_DLQ_PURGE || op == OP_TOPIC_PURGE) {
        f.kind = FACT_JOB;
        f.seq = mpack_read_uint(a);
        if (f.seq && f.seq < 64)
            say(r, &f);
    }
    r->failed |= q.failed || a->failed;
}

static void on_deliver(struct reading *r, struct connection *c, size_t record, struct mpack_reader *m)
{
    struct delivered d = {.sub = mpack_read_uint(m)};
    struct fact f = {.kind = FACT_DELIVERED, .record = record};
    copy_name(f.topic, (struct slice){sub_topic(c, d.sub), strlen(sub_topic(c, d.sub))});
    for (uint32_t n = mpack_read_array(m); n && !m->failed; n--) {
        struct mpack_reader row = *m;
        (void)mpack_read_any(m);
        (void)mpack_read_array(&row);
        f.seq = d.seq = mpack_read_uint(&row);
        d.token = mpack_read_uint(&row);
        d.attempts = mpack_read_uint(&row);
        f.count = mpack_read_uint(&row);
        f.generation = d.generation = mpack_read_uint(&row);
        say(r, &f);
        if (!array_room(&c->deliveries, &c->delivery_capacity, c->delivery_count + 1))
            abort();
        c->deliveries[c->delivery_count++] = d;
    }
}

static void on_reply(struct reading *r, struct connection *c, size_t record, struct slice frame)
{
    struct mpack_reader m;
    mpack_read_init(&m, frame.data, frame.size);
    (void)mpack_read_array(&m);
    uint64_t op = mpack_read_uint(&m), id = mpack_read_uint(&m);
    if (op == OP_DELIVER) {
        on_deliver(r, c, record, &m);
    } else if ((op == OP_OK || op == OP_ERROR) && c->count) {
        struct request q = c->requests[c->first];
        c->first = (c->first + 1) % REQUESTS_MAX;
        c->count--;
        r->failed |= q.id != id;
        if (op == OP_OK)
            on_ok(r, c, record, q.frame, &m);
        free((void *)(uintptr_t)q.frame.data);
    }
    r->failed |= m.failed;
}

/* ---- streams ---- */

typedef void on_frame(struct reading *r, struct connection *c, size_t record, struct slice frame);

static void feed(struct reading *r, struct connection *c, struct stream *s, size_t number,
                 const struct trace_entry *e, on_frame *tell)
{
    mpack_write_raw(&s->bytes, e->data, e->r.data_bytes);
    size_t at = 0;
    while (s->bytes.size - at >= 4) {
        const uint8_t *b = s->bytes.data + at;
        size_t size = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
        if (s->bytes.size - at - 4 < size)
            break;
        tell(r, c, number, (struct slice){b + 4, size});
        at += 4 + size;
    }
    memmove(s->bytes.data, s->bytes.data + at, s->bytes.size - at);
    s->bytes.size -= at;
}

/* When a message was first said to be there: a frame that is sent again is answered again. */
static size_t first_said(const struct facts *facts, const struct fact *f)
{
    for (size_t i = 0; i < facts->count; i++) {
        const struct fact *other = &facts->all[i];
        if (other->kind == f->kind && other->seq == f->seq && strcmp(other->topic, f->topic) == 0)
            return other->record;
    }
    return f->record;
}

static void find_ends(struct reading *r)
{
    for (size_t i = 0; i < r->facts->count; i++) {
        struct fact *f = &r->facts->all[i];
        if (f->kind != FACT_PUBLISHED)
            continue;
        size_t said = first_said(r->facts, f);
        for (size_t k = 0; k < r->end_count && f->end_asked == SIZE_MAX; k++) {
            const struct fact *end = &r->ends[k];
            if (strcmp(end->topic, f->topic) == 0 &&
                (end->seq == f->seq || (end->seq == 0 && end->record > said)))
                f->end_asked = end->record;
        }
    }
}

bool facts_read(const struct trace *t, struct facts *ret)
{
    struct reading r = {.facts = ret};
    *ret = (struct facts){0};
    for (size_t i = 0; i < t->count && !r.failed; i++) {
        const struct trace_entry *e = &t->entries[i];
        struct connection *c = NULL;
        if (e->r.kind == RECORD_RECEIVED || e->r.kind == RECORD_SENT)
            c = connection_of(&r, e->r.id);
        if (e->r.kind == RECORD_RECEIVED)
            feed(&r, c, &c->in, i, e, on_request);
        else if (e->r.kind == RECORD_SENT)
            feed(&r, c, &c->out, i, e, on_reply);
    }
    find_ends(&r);
    for (size_t i = 0; i < r.connection_count; i++) {
        struct connection *c = r.connections[i];
        for (; c->count; c->count--, c->first = (c->first + 1) % REQUESTS_MAX)
            free((void *)(uintptr_t)c->requests[c->first].frame.data);
        mpack_buffer_done(&c->in.bytes);
        mpack_buffer_done(&c->out.bytes);
        free(c->deliveries);
        free(c);
    }
    free(r.ends);
    return !r.failed;
}

void facts_done(struct facts *f)
{
    free(f->all);
    *f = (struct facts){0};
}
