/* requests: one function for each shape of request. */
#include "tests/fuzz/requests.h"
#include "proto/frame.h"
#include "proto/policy.h"
#include "proto/wire.h"
#include <string.h>

static const char *const topics[] = {"a",    "b",      "c", "dlq:a:default", "dlq:b:g", "dlq:c:default",
                                     ".bad", "missing"};
static const char *const groups[] = {"default", "default", "g", "h"};

static void put_topic(struct mpack_buffer *to, struct source *s)
{
    uint8_t pick = source_u8(s);
    mpack_write_cstr(to, topics[pick < 128 ? pick % 3 : pick % 8]);
}

static void put_group(struct mpack_buffer *to, struct source *s)
{
    mpack_write_cstr(to, groups[source_u8(s) % 4]);
}

static void put_number(struct mpack_buffer *to, struct source *s)
{
    mpack_write_uint(to, source_number(s));
}

static void put_bytes(struct mpack_buffer *to, struct source *s, bool text)
{
    struct slice bytes = source_bytes(s, source_u8(s) % 20);
    if (text)
        mpack_write_str(to, bytes.data, bytes.size);
    else
        mpack_write_bin(to, bytes.data, bytes.size);
}

static void put_policy(struct mpack_buffer *to, struct source *s)
{
    uint32_t count = source_u8(s) % 4;
    mpack_write_map(to, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct policy_row *row = &policy_rows[source_u8(s) % POLICY_COUNT];
        mpack_write_cstr(to, row->field);
        uint64_t value = source_number(s);
        if (value == 239)
            mpack_write_nil(to);
        else
            mpack_write_uint(to, value);
    }
}

static void put_message(struct mpack_buffer *to, struct source *s)
{
    uint8_t shape = source_u8(s);
    mpack_write_array(to, shape & 1 ? 5 : 1);
    put_bytes(to, s, false);
    if (!(shape & 1))
        return;
    mpack_write_map(to, shape >> 1 & 1);
    if (shape & 2) {
        put_bytes(to, s, true);
        put_bytes(to, s, shape & 4);
    }
    if (shape & 8)
        put_bytes(to, s, false);
    else
        mpack_write_nil(to);
    put_number(to, s);
    put_number(to, s);
}

static void put_publish(struct mpack_buffer *to, struct source *s)
{
    uint32_t count = source_u8(s) % 8;
    put_topic(to, s);
    put_number(to, s);
    put_number(to, s);
    mpack_write_array(to, count);
    for (uint32_t i = 0; i < count; i++)
        put_message(to, s);
}

/* ---- answers to deliveries ---- */

/* One that was seen, now and then not quite. */
static void put_delivered(struct mpack_buffer *to, struct source *s, const struct delivered *seen)
{
    uint8_t pick = source_u8(s);
    unsigned known = seen->count < DELIVERED_MAX ? seen->count : DELIVERED_MAX;
    unsigned at = known ? (seen->count - 1 - pick % known) % DELIVERED_MAX : 0;
    mpack_write_uint(to, known ? seen->seq[at] : pick);
    mpack_write_uint(to, (known ? seen->token[at] : pick) + (pick >= 240));
}

static void put_sub(struct mpack_buffer *to, struct source *s, const struct delivered *seen)
{
    uint8_t pick = source_u8(s);
    mpack_write_uint(to, pick < 192 && seen->count ? seen->sub[(seen->count - 1) % DELIVERED_MAX] : pick % 8);
}

static void put_started(struct mpack_buffer *to, struct source *s, const struct delivered *seen)
{
    uint32_t count = source_u8(s) % 6;
    put_sub(to, s, seen);
    mpack_write_array(to, count * 2);
    for (uint32_t i = 0; i < count; i++)
        put_delivered(to, s, seen);
}

static void put_resolve(struct mpack_buffer *to, struct source *s, const struct delivered *seen)
{
    uint32_t count = source_u8(s) % 6;
    put_sub(to, s, seen);
    mpack_write_array(to, count);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t outcome = source_u8(s);
        bool failure = outcome & 128;
        mpack_write_array(to, failure ? 7 : 4);
        put_delivered(to, s, seen);
        mpack_write_uint(to, outcome % 6);
        put_number(to, s);
        for (unsigned part = 0; failure && part < 3; part++)
            put_bytes(to, s, true);
    }
}

/* ---- dead letters ---- */

static void put_which(struct mpack_buffer *to, struct source *s)
{
    static const char *const ids[] = {"1", "2", "a/1", "a/2", "dlq:a:default/1", "dlq:b:g/2", "a/0", "x"};
    uint8_t pick = source_u8(s);
    mpack_write_map(to, 1);
    if (pick % 3 == 0) {
        mpack_write_cstr(to, "all");
        mpack_write_bool(to, true);
    } else if (pick % 3 == 1) {
        mpack_write_cstr(to, "count");
        put_number(to, s);
    } else {
        uint32_t count = pick % 5;
        mpack_write_cstr(to, "ids");
        mpack_write_array(to, count);
        for (uint32_t i = 0; i < count; i++)
            mpack_write_cstr(to, ids[source_u8(s) % 8]);
    }
}

static void put_redrive_options(struct mpack_buffer *to, struct source *s)
{
    static const char *const names[] = {"canary", "max_fail", "spread_ms", "since"};
    uint8_t pick = source_u8(s);
    mpack_write_map(to, 2);
    mpack_write_cstr(to, names[pick % 4]);
    put_number(to, s);
    mpack_write_cstr(to, pick & 16 ? "match" : "type");
    mpack_write_cstr(to, pick & 32 ? "E" : "error");
}

static void put_look(struct mpack_buffer *to, struct source *s, bool bodies)
{
    put_topic(to, s);
    put_group(to, s);
    put_number(to, s);
    put_number(to, s);
    if (bodies)
        mpack_write_bool(to, source_u8(s) & 1);
}

/* ---- the table ---- */

struct shape {
    unsigned op;
    uint32_t fields;
};

static void put_fields(struct mpack_buffer *to, struct source *s, const struct shape *shape,
                       const struct delivered *seen)
{
    switch (shape->op) {
    case OP_PUBLISH:
        put_publish(to, s);
        return;
    case OP_STARTED:
        put_started(to, s, seen);
        return;
    case OP_RESOLVE:
        put_resolve(to, s, seen);
        return;
    case OP_SUBSCRIBE:
        put_look(to, s, false);
        return;
    case OP_CREDIT:
    case OP_UNSUBSCRIBE:
        put_sub(to, s, seen);
        break;
    case OP_TOPIC_CREATE:
    case OP_TOPIC_UPDATE:
        put_topic(to, s);
        put_policy(to, s);
        if (shape->fields == 3) {
            mpack_write_array(to, 2);
            put_group(to, s);
            mpack_write_cstr(to, "g");
        }
        return;
    case OP_TOPIC_LIST:
        mpack_write_nil(to);
        break;
    case OP_GROUP_CREATE:
    case OP_GROUP_UPDATE:
        put_topic(to, s);
        put_group(to, s);
        put_policy(to, s);
        if (shape->fields == 4)
            mpack_write_cstr(to, source_u8(s) & 1 ? "now" : "oldest");
        return;
    case OP_PEEK:
    case OP_DLQ_LIST:
        put_look(to, s, shape->op == OP_PEEK);
        return;
    case OP_DLQ_SHOW:
        put_topic(to, s);
        put_group(to, s);
        mpack_write_cstr(to, "1");
        return;
    case OP_DLQ_REDRIVE:
    case OP_DLQ_PURGE:
        put_topic(to, s);
        put_group(to, s);
        put_which(to, s);
        if (shape->op == OP_DLQ_REDRIVE)
            put_number(to, s);
        if (shape->fields == 5)
            put_redrive_options(to, s);
        return;
    default: /* names, as many as there are fields */
        if (shape->op >= OP_TOPIC_SHOW && shape->op < OP_PEEK) {
            put_topic(to, s);
            if (shape->fields == 2)
                put_group(to, s);
            return;
        }
        for (uint32_t i = 0; i < shape->fields; i++)
            put_number(to, s);
        return;
    }
    for (uint32_t i = 1; i < shape->fields; i++)
        put_number(to, s);
}

void requests_hello(struct mpack_buffer *to, struct source *s, uint64_t request_id)
{
    static const uint8_t producer[16] = "fuzzed producer";
    uint8_t shape = source_u8(s);
    size_t frame = frame_begin(to, OP_HELLO, request_id, 3);
    mpack_write_uint(to, 1);
    mpack_write_uint(to, 1);
    mpack_write_map(to, 1u + (shape & 1) + (shape >> 1 & 1));
    mpack_write_cstr(to, "client");
    mpack_write_cstr(to, "fuzz");
    if (shape & 1) {
        mpack_write_cstr(to, "marks");
        mpack_write_bool(to, false);
    }
    if (shape & 2) {
        mpack_write_cstr(to, "producer");
        mpack_write_bin(to, producer, sizeof producer);
    }
    frame_end(to, frame);
}

void requests_any(struct mpack_buffer *to, struct source *s, uint64_t request_id,
                  const struct delivered *seen)
{
    static const struct shape shapes[] = {
        {OP_PUBLISH, 4},      {OP_PUBLISH, 4},      {OP_SUBSCRIBE, 4},     {OP_STARTED, 2},
        {OP_RESOLVE, 2},      {OP_RESOLVE, 2},      {OP_JOB_CANCEL, 1},    {OP_CLOCK_SET, 0},
        {OP_TOPIC_CREATE, 3}, {OP_TOPIC_UPDATE, 2}, {OP_CREDIT, 3},        {OP_UNSUBSCRIBE, 1},
        {OP_PING, 0},         {OP_GOODBYE, 0},      {OP_TOPIC_SHOW, 1},    {OP_TOPIC_LIST, 2},
        {OP_TOPIC_DELETE, 1}, {OP_TOPIC_PURGE, 2},  {OP_TOPIC_PURGE, 1},   {OP_GROUP_CREATE, 4},
        {OP_GROUP_UPDATE, 3}, {OP_GROUP_SHOW, 2},   {OP_GROUP_LIST, 1},    {OP_GROUP_DELETE, 2},
        {OP_GROUP_PAUSE, 2},  {OP_GROUP_RESUME, 2}, {OP_PEEK, 5},          {OP_DLQ_LIST, 4},
        {OP_DLQ_SHOW, 3},     {OP_DLQ_REDRIVE, 4},  {OP_DLQ_PURGE, 3},     {OP_JOB_SHOW, 1},
        {OP_STATS, 0},        {OP_DLQ_REDRIVE, 5},  {OP_JOB_LIST, 2},      {OP_JOB_PAUSE, 1},
        {OP_JOB_RESUME, 1},   {OP_CLIENT_LIST, 2},  {OP_GROUP_HOLDERS, 4}, {OP_BREAKER_RESET, 2},
        {OP_KEY_LIST, 4},     {OP_OVERVIEW, 1},
    };
    const struct shape *shape = &shapes[source_u8(s) % (sizeof shapes / sizeof *shapes)];
    size_t frame = frame_begin(to, shape->op, request_id, shape->fields);
    put_fields(to, s, shape, seen);
    frame_end(to, frame);
}
