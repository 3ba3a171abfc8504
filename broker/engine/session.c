/* session: one connection as the engine sees it. */
#include "base/check.h"
#include "broker/engine/engine_private.h"
#include "proto/errors.h"
#include "proto/frame.h"

#include <stdlib.h>
#include <string.h>

struct session *session_new(struct engine *e, struct link *link)
{
    struct session *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->engine = e;
    s->link = link;
    link_ref(link);
    link->session = s;
    s->subscription_next = 1;
    s->parked_tail = &s->parked;
    s->next = e->sessions;
    if (s->next)
        s->next->previous = s;
    e->sessions = s;
    e->connections++;
    return s;
}

/* The connection is gone: judge what it held. It is freed when the turn is over, for its name is still
 * needed. */
void session_lost(struct engine *e, struct session *s, bool closed)
{
    if (s->gone)
        return;
    session_leave(s, closed ? HOLDER_CLOSED : HOLDER_LOST);
    s->gone = true;
    e->connections--;
    if (s->next)
        s->next->previous = s->previous;
    if (s->previous)
        s->previous->next = s->next;
    else
        e->sessions = s->next;
    s->next = e->gone;
    e->gone = s;
}

void session_free(struct engine *e, struct session *s)
{
    producer_leave(s);
    divide_end(s);
    while (s->subscriptions_count) /* of one that was never lost: the engine ends */
        session_drop_subscription(s, s->subscriptions[s->subscriptions_count - 1]);
    free(s->subscriptions);
    e->out_bytes -= s->out_counted;
    mpack_buffer_done(&s->out);
    session_forget_parked(s);
    s->link->session = NULL;
    link_unref(s->link);
    free(s);
}

/* ---- subscriptions ---- */

static size_t position(const struct session *s, uint64_t id)
{
    size_t low = 0, high = s->subscriptions_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (s->subscriptions[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct subscription *session_subscription(const struct session *s, uint64_t id)
{
    size_t at = position(s, id);
    return at < s->subscriptions_count && s->subscriptions[at]->id == id ? s->subscriptions[at] : NULL;
}

void session_drop_subscription(struct session *s, struct subscription *sub)
{
    size_t at = position(s, sub->id);
    check(at < s->subscriptions_count && s->subscriptions[at] == sub);
    s->subscriptions_count--;
    memmove(s->subscriptions + at, s->subscriptions + at + 1,
            (s->subscriptions_count - at) * sizeof(struct subscription *));
    s->engine->subscriptions--;
    free(sub);
}

/* ---- requests ---- */

static request_fn *find_request(uint64_t op)
{
    switch (op) {
    case OP_HELLO:
        return request_hello;
    case OP_GOODBYE:
        return request_goodbye;
    case OP_PING:
        return request_ping;
    case OP_PUBLISH:
        return request_publish;
    case OP_SUBSCRIBE:
        return request_subscribe;
    case OP_CREDIT:
        return request_credit;
    case OP_UNSUBSCRIBE:
        return request_unsubscribe;
    case OP_RESOLVE:
        return request_resolve;
    case OP_STARTED:
        return request_started;
    case OP_TOPIC_CREATE:
    case OP_TOPIC_UPDATE:
    case OP_TOPIC_SHOW:
    case OP_TOPIC_DELETE:
        return request_topic;
    case OP_TOPIC_LIST:
        return request_topic_list;
    case OP_TOPIC_PURGE:
        return request_topic_purge;
    case OP_GROUP_CREATE:
    case OP_GROUP_UPDATE:
    case OP_GROUP_SHOW:
    case OP_GROUP_DELETE:
    case OP_GROUP_PAUSE:
    case OP_GROUP_RESUME:
        return request_group;
    case OP_GROUP_LIST:
        return request_group_list;
    case OP_PEEK:
        return request_peek;
    case OP_DLQ_LIST:
        return request_dlq_list;
    case OP_DLQ_SHOW:
        return request_dlq_show;
    case OP_DLQ_REDRIVE:
    case OP_DLQ_PURGE:
        return request_dlq_change;
    case OP_JOB_SHOW:
        return request_job_show;
    case OP_JOB_CANCEL:
        return request_job_cancel;
    case OP_CLOCK_SET:
        return request_clock_set;
    case OP_STATS:
        return request_stats;
    default:
        return NULL;
    }
}

/* Nothing but its answer comes of it. */
static bool only_answers(uint64_t op)
{
    switch (op) {
    case OP_TOPIC_SHOW:
    case OP_TOPIC_LIST:
    case OP_GROUP_SHOW:
    case OP_GROUP_LIST:
    case OP_PEEK:
    case OP_DLQ_LIST:
    case OP_DLQ_SHOW:
    case OP_JOB_SHOW:
    case OP_STATS:
        return true;
    default:
        return false;
    }
}

static void handle(struct session *s, struct slice payload)
{
    struct mpack_reader r;
    mpack_read_init(&r, payload.data, payload.size);
    (void)mpack_read_array(&r); /* readers of fields fail at the end of the bytes */
    uint64_t op = mpack_read_uint(&r);
    uint64_t request_id = mpack_read_uint(&r);
    request_fn *request = find_request(op);
    if (s->lost && only_answers(op))
        return; /* and nobody is there to read it */
    /* These are in no hurry by themselves; request_resolve() looks at what is resolved. */
    s->engine->urgent |= !s->greeted || (op != OP_RESOLVE && op != OP_STARTED && op != OP_CREDIT);
    if (!s->greeted && op != OP_HELLO) {
        gather_flush(s->engine);
        reply_broken(s, request_id, "the first frame must be HELLO");
        return;
    }
    if (!request) {
        gather_flush(s->engine);
        share_count(s, ROWS_OF_REQUEST);
        reply_error(s, request_id, SHUNT_UNSUPPORTED,
                    engine_text(s->engine, "operation %llu", (unsigned long long)op));
        return;
    }
    bool looks = wire_op_looks(op);
    if (looks)
        gather_flush(s->engine); /* what others asked for before is not its work */
    uint64_t rows = ledger_rows(s->engine->ledger);
    request(s, (unsigned)op, request_id, &r);
    size_t bytes = s->division.part_bytes ? s->division.part_bytes : payload.size;
    s->division.part_bytes = 0;
    share_count(s,
                ROWS_OF_REQUEST + bytes / ROWS_BYTES + (looks ? ledger_rows(s->engine->ledger) - rows : 0));
    if (r.failed && !s->closing) {
        s->engine->urgent = true;
        gather_flush(s->engine); /* replies keep their order */
        reply_broken(s, request_id, "a field is missing or has the wrong type");
    }
}

size_t session_frames(struct session *s, struct slice bytes, bool *ret_share)
{
    struct engine *e = s->engine;
    *ret_share = false;
    const uint8_t *at = bytes.data;
    size_t left = bytes.size;
    share_serve(s);
    while (left && !s->closing && !s->gone) {
        if (e->gather.count >= gather_most(e)) {
            gather_flush(e);
            continue;
        }
        /* The net thread has validated each of them: only the lengths are looked at here. */
        check(left >= FRAME_HEADER_BYTES);
        size_t size = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
        check(size <= left - FRAME_HEADER_BYTES);
        struct slice payload = {at + FRAME_HEADER_BYTES, size};
        *ret_share = share_is_used_up(s, payload) || (e->publishing && divide_must_wait(s, payload));
        if (*ret_share || (!s->division.begun && session_must_wait(s, payload)))
            return bytes.size - left;
        handle(s, payload);
        session_count_output(s);
        *ret_share = s->division.begun && !s->closing;
        if (*ret_share)
            return bytes.size - left;
        at += FRAME_HEADER_BYTES + size;
        left -= FRAME_HEADER_BYTES + size;
    }
    return bytes.size;
}

void session_leave(struct session *s, enum holder_end how)
{
    struct ends ends = {.engine = s->engine};
    if (s->holder)
        dispatcher_disconnect(s->engine->dispatcher, s->holder, how, ends_add, &ends);
    ends_gather(&ends);
    s->holder = NULL;
    while (s->subscriptions_count)
        session_drop_subscription(s, s->subscriptions[s->subscriptions_count - 1]);
}
