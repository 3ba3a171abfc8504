/* raw_client: its connection, its requests and answers, and publishing. */
#include "proto/errors.h"
#include "tests/sim/raw.h"

#include <stdlib.h>
#include <string.h>

/* ---- asking ---- */

/* So that a stall or a turn that waits is often longer. */
#define TIMEOUT_MS_MAX 60

/* A caller may give up what it can ask again. */
static bool may_be_given_up(const struct sim *s, unsigned op)
{
    return s->plan.within && !s->draining &&
           (op == OP_PUBLISH || op == OP_PEEK || op == OP_DLQ_LIST || op == OP_TOPIC_SHOW ||
            op == OP_GROUP_SHOW || op == OP_GROUP_LIST || op == OP_GROUP_UPDATE);
}

static size_t begin_frame(const struct raw *r, struct mpack_buffer *frame, struct asked_request *a,
                          uint32_t fields)
{
    struct sim *s = r->client.sim;
    a->limited = may_be_given_up(s, a->op) && dice_once_in(&s->dice, 2);
    if (!a->limited)
        return frame_begin(frame, a->op, a->id, fields);
    size_t offset = frame_begin(frame, OP_WITHIN, a->id, 2 + fields);
    mpack_write_uint(frame, dice_below(&s->dice, TIMEOUT_MS_MAX));
    mpack_write_uint(frame, a->op);
    return offset;
}

struct asked_request *raw_ask(struct raw *r, struct mpack_buffer *frame, size_t *ret_offset, unsigned op,
                              uint32_t fields)
{
    if (r->asked_count == RAW_ASKED_MAX)
        return NULL;
    struct asked_request *a = &r->asked[(r->asked_first + r->asked_count) % RAW_ASKED_MAX];
    r->asked_count++;
    *a = (struct asked_request){.id = r->request_next++, .op = op};
    *frame = (struct mpack_buffer){0};
    *ret_offset = begin_frame(r, frame, a, fields);
    return a;
}

void raw_send(struct raw *r, struct mpack_buffer *frame, size_t offset)
{
    frame_end(frame, offset);
    pipe_put(conn_to_server(r->client.conn), frame->data, frame->size);
    sim_trace(r->client.sim, frame->data, frame->size);
    mpack_buffer_done(frame);
}

static void hello(struct raw *r)
{
    struct mpack_buffer frame;
    size_t offset;
    if (!raw_ask(r, &frame, &offset, OP_HELLO, 3))
        return; /* never: it is the first */
    mpack_write_uint(&frame, PROTOCOL_VERSION_MIN);
    mpack_write_uint(&frame, PROTOCOL_VERSION_MAX);
    mpack_write_map(&frame, 2);
    mpack_write_cstr(&frame, "client");
    mpack_write_cstr(&frame, r->is_operator ? "operator" : "raw");
    mpack_write_cstr(&frame, "marks");
    mpack_write_bool(&frame, r->marks);
    raw_send(r, &frame, offset);
    struct history_event *e = sim_event(r->client.sim, HISTORY_CLIENT);
    e->client = conn_number(r->client.conn);
    e->marks = r->marks;
}

static void publish(struct raw *r)
{
    struct sim *s = r->client.sim;
    const struct place *place = sim_place(s);
    struct mpack_buffer frame;
    size_t offset;
    struct asked_request *a = place ? raw_ask(r, &frame, &offset, OP_PUBLISH, 4) : NULL;
    if (!a)
        return;
    uint32_t count = (uint32_t)dice_from(&s->dice, 1, 4);
    mpack_write_cstr(&frame, place->topic);
    mpack_write_uint(&frame, 0);
    mpack_write_uint(&frame, 0);
    mpack_write_array(&frame, count);
    for (uint32_t i = 0; i < count; i++) {
        size_t before = frame.size;
        bool ttl;
        sim_message(s, &frame, &ttl);
        struct history_event *e = sim_event(s, HISTORY_PUBLISH);
        e->op = a->ops[a->ops_count++] = s->op_next++;
        e->topic = place->topic_name;
        e->body = sim_message_digest((struct slice){frame.data + before, frame.size - before});
        e->ttl = ttl;
        e->key = sim_key_digest((struct slice){frame.data + before, frame.size - before});
        s->figures.published++;
    }
    raw_send(r, &frame, offset);
}

/* ---- answers ---- */

static void published(struct raw *r, const struct asked_request *a, struct mpack_reader *reply, int err)
{
    struct sim *s = r->client.sim;
    uint64_t accepted = err ? 0 : mpack_read_uint(reply), first_seq = err ? 0 : mpack_read_uint(reply);
    s->figures.refused_full += err == SHUNT_NO_SPACE;
    for (unsigned i = 0; i < a->ops_count; i++) {
        struct history_event *e = sim_event(s, i < accepted ? HISTORY_PUBLISHED : HISTORY_REFUSED);
        e->op = a->ops[i];
        e->seq = i < accepted ? first_seq + i : 0;
    }
}

static void answered(struct raw *r, const struct asked_request *a, struct mpack_reader *reply, int err)
{
    switch (a->op) {
    case OP_HELLO:
        r->greeted = !err;
        return;
    case OP_PUBLISH:
        published(r, a, reply, err);
        return;
    case OP_SUBSCRIBE:
        raw_subscribed(r, a, reply, err);
        return;
    case OP_RESOLVE:
        raw_resolved(r, a, reply, err);
        return;
    case OP_UNSUBSCRIBE:
        raw_sub_ended(r, a->sub);
        return;
    default:
        operator_answered(r, a, err);
    }
}

/* Replies come in the order of the requests. */
static void on_answer(struct raw *r, uint64_t op, uint64_t id, struct mpack_reader *reply)
{
    int err = op == OP_ERROR ? (int)mpack_read_uint(reply) : 0;
    if (r->hostile && (id == 0 || !r->asked_count || r->asked[r->asked_first].id != id))
        return;
    if (!r->asked_count || r->asked[r->asked_first].id != id) {
        sim_fail(r->client.sim, "an answer out of order: request %llu, error %d", (unsigned long long)id,
                 err);
    }
    struct asked_request a = r->asked[r->asked_first];
    r->asked_first = (r->asked_first + 1) % RAW_ASKED_MAX;
    r->asked_count--;
    answered(r, &a, reply, err);
}

static void on_frame(struct raw *r, struct slice payload)
{
    struct mpack_reader reply;
    mpack_read_init(&reply, payload.data, payload.size);
    (void)mpack_read_array(&reply);
    uint64_t op = mpack_read_uint(&reply), id = mpack_read_uint(&reply);
    if (op == OP_DELIVER)
        raw_delivered(r, &reply);
    else if (op == OP_CLOSED)
        raw_closed(r, mpack_read_uint(&reply));
    else
        on_answer(r, op, id, &reply);
    if (reply.failed) {
        sim_fail(r->client.sim, "a frame of kind %llu has other fields than the protocol says",
                 (unsigned long long)op);
    }
}

static void raw_received(struct client *c, const void *bytes, size_t size)
{
    struct raw *r = raw_of(c);
    struct slice payload;
    const char *why = "";
    size_t need;
    mpack_write_raw(&r->in, bytes, size);
    for (;;) {
        enum frame_state state = frame_next(r->in.data + r->in_read, r->in.size - r->in_read, FRAME_BYTES_MAX,
                                            &payload, &need, &why);
        if (state == FRAME_BAD)
            sim_fail(c->sim, "the broker sent what is no frame: %s", why);
        if (state != FRAME_WHOLE)
            break;
        r->in_read += FRAME_HEADER_BYTES + payload.size;
        r->received += FRAME_HEADER_BYTES + payload.size;
        on_frame(r, payload);
    }
    if (r->in_read == r->in.size)
        r->in_read = r->in.size = 0;
}

/* ---- life ---- */

static void raw_broken(struct client *c)
{
    struct raw *r = raw_of(c);
    r->in.size = r->in_read = 0;
    r->asked_count = r->held_count = 0;
    r->greeted = r->leaving = false;
    r->hostile = 0;
    memset(r->subs, 0, sizeof r->subs);
    c->connect_at_us = c->sim->mono_us + (int64_t)dice_below(&c->sim->dice, 100000);
}

/* A frame that is none, or one that the broker must refuse. */
static void be_hostile(struct raw *r)
{
    static const uint8_t count[] = {0, 0,    0, 7,   0x93, 3,
                                    1, 0xdc, 0, 200, 0}; /* an array of 200, one is there */
    struct sim *s = r->client.sim;
    struct pipe *p = conn_to_server(r->client.conn);
    uint8_t noise[64];
    size_t size = dice_from(&s->dice, 5, sizeof noise);
    s->figures.hostile++;
    r->hostile++;
    sim_event(s, HISTORY_LOST)->client = conn_number(r->client.conn); /* noise may say goodbye */
    for (size_t i = 0; i < size; i++)
        noise[i] = (uint8_t)dice_next(&s->dice);
    switch (dice_below(&s->dice, 3)) {
    case 0:
        pipe_put(p, count, sizeof count);
        return;
    case 1: /* a length, a good beginning, noise */
        noise[0] = noise[1] = noise[2] = 0;
        noise[3] = (uint8_t)(size - 4);
        if (size > 7) {
            noise[4] = 0x95;
            noise[5] = (uint8_t)dice_below(&s->dice, 90);
            noise[6] = 7;
        }
        pipe_put(p, noise, size);
        return;
    default:
        pipe_put(p, noise, size);
    }
}

static void leave(struct raw *r)
{
    struct mpack_buffer frame;
    size_t offset;
    if (!raw_ask(r, &frame, &offset, OP_GOODBYE, 0))
        return;
    raw_send(r, &frame, offset);
    r->leaving = true;
    sim_event(r->client.sim, HISTORY_LOST)->client = conn_number(r->client.conn);
}

/* Nothing more is sent, now and then not even the rest of a frame. What comes is read to the end. */
static void end_sending(struct raw *r)
{
    struct sim *s = r->client.sim;
    const struct place *place = dice_once_in(&s->dice, 3) ? sim_place(s) : NULL;
    if (place) {
        struct mpack_buffer frame = {0};
        bool ttl;
        size_t offset = frame_begin(&frame, OP_PUBLISH, r->request_next++, 4);
        mpack_write_cstr(&frame, place->topic);
        mpack_write_uint(&frame, 0);
        mpack_write_uint(&frame, 0);
        mpack_write_array(&frame, 1);
        sim_message(s, &frame, &ttl);
        frame_end(&frame, offset);
        pipe_put(conn_to_server(r->client.conn), frame.data, dice_from(&s->dice, 1, frame.size - 1));
        mpack_buffer_done(&frame);
    }
    conn_end_sending(r->client.conn);
    r->leaving = true;
}

static void raw_act(struct client *c)
{
    struct raw *r = raw_of(c);
    struct sim *s = c->sim;
    if (!c->conn) {
        if (s->mono_us >= c->connect_at_us && conn_open(s, c)) {
            r->received = 0;
            hello(r);
        }
        return;
    }
    if (r->leaving || r->hostile) {
        if (r->hostile && (s->draining || dice_once_in(&s->dice, 10)))
            conn_break(c->conn);
        return;
    }
    if (r->is_operator)
        operator_act(r);
    else if (!s->draining && dice_once_in(&s->dice, 3))
        publish(r);
    if (!r->is_operator && r->greeted)
        raw_consume(r);
    if (s->draining || r->is_operator)
        return;
    if (dice_below(&s->dice, 1000) < s->plan.hostile_percent)
        be_hostile(r);
    else if (r->greeted && dice_once_in(&s->dice, 150))
        leave(r);
    else if (dice_below(&s->dice, 1000) < s->plan.end_percent)
        end_sending(r);
}

static bool raw_idle(const struct client *c)
{
    const struct raw *r = (const struct raw *)c;
    return !r->asked_count && (!r->is_operator || operator_idle(r));
}

static void raw_free(struct client *c)
{
    mpack_buffer_done(&raw_of(c)->in);
    free(c);
}

static const struct client_ops raw_ops = {
    .act = raw_act, .received = raw_received, .broken = raw_broken, .idle = raw_idle, .free = raw_free};

struct client *raw_client_new(struct sim *s, unsigned number)
{
    struct raw *r = calloc(1, sizeof *r);
    if (!r)
        abort();
    r->client = (struct client){.ops = &raw_ops, .sim = s, .number = number};
    r->marks = !dice_once_in(&s->dice, 4);
    r->request_next = 1;
    return &r->client;
}

struct client *operator_new(struct sim *s, unsigned number)
{
    struct client *c = raw_client_new(s, number);
    raw_of(c)->is_operator = true;
    return c;
}
