/* batch: build one PUBLISH frame in place. */
#include "client/wire/batch.h"
#include "base/array.h"
#include "base/check.h"
#include "base/list.h"
#include "proto/frame.h"
#include "proto/message.h"
#include "proto/request.h"
#include <stdlib.h>
#include <string.h>

struct batch *batch_new(void)
{
    return calloc(1, sizeof(struct batch));
}

void batch_free(struct batch *b)
{
    if (!b)
        return;
    b->magic = 0;
    mpack_buffer_done(&b->bytes);
    free(b->promises);
    free(b);
}

int batch_begin(struct batch *b, const char *topic, size_t topic_bytes)
{
    check(topic_bytes <= NAME_BYTES_MAX);
    b->magic = BATCH_MAGIC;
    memcpy(b->topic, topic, topic_bytes);
    b->topic[topic_bytes] = '\0';
    b->topic_bytes = topic_bytes;
    b->bytes.size = 0;
    b->bytes.failed = false;
    b->begin = 0;
    b->count = b->accepted = b->called = 0;
    b->body_bytes_max = 0;
    b->id = b->number = b->sequence = b->first_seq = 0;
    b->begun = b->written = b->repeated = false;
    b->until_us = 0;
    b->error.code = 0;
    return mpack_extend(&b->bytes, BATCH_HEAD_BYTES_MAX) ? 0 : SHUNT_NO_MEMORY;
}

size_t batch_bytes(const struct batch *b)
{
    return b->bytes.size - BATCH_HEAD_BYTES_MAX;
}

static bool promise_room(struct batch *b)
{
    check(b->magic == BATCH_MAGIC && b->id == 0);
    return array_room(&b->promises, &b->promises_capacity, (size_t)b->count + 1);
}

/* Count the message that was just written behind `size_before`, or take it back if memory ran out. */
static int commit(struct batch *b, size_t size_before, size_t body_bytes, struct promise promise)
{
    if (b->bytes.failed) {
        b->bytes.failed = false;
        b->bytes.size = size_before;
        return SHUNT_NO_MEMORY;
    }
    b->promises[b->count++] = promise;
    int64_t until_us = promise.waits_us ? promise.waits_us : promise.until_us;
    if (until_us > b->until_us)
        b->until_us = until_us;
    if (body_bytes > b->body_bytes_max)
        b->body_bytes_max = body_bytes;
    return 0;
}

int batch_add(struct batch *b, const struct shunt_message *m, struct promise promise)
{
    if (!promise_room(b))
        return SHUNT_NO_MEMORY;
    size_t size_before = b->bytes.size;
    message_encode(m, &b->bytes);
    return commit(b, size_before, m->body_bytes, promise);
}

int batch_add_raw(struct batch *b, struct slice message, size_t body_bytes, struct promise promise)
{
    if (!promise_room(b))
        return SHUNT_NO_MEMORY;
    size_t size_before = b->bytes.size;
    mpack_write_raw(&b->bytes, message.data, message.size);
    return commit(b, size_before, body_bytes, promise);
}

void batch_remove(struct batch *b, uint32_t index)
{
    struct mpack_reader r;
    check(b->id == 0 && index < b->count);
    mpack_read_init(&r, b->bytes.data + BATCH_HEAD_BYTES_MAX, batch_bytes(b));
    for (uint32_t i = 0; i < index; i++)
        (void)mpack_read_any(&r); /* skipped: messages before it */
    struct slice gone = mpack_read_any(&r);
    size_t offset = (size_t)((const uint8_t *)gone.data - b->bytes.data);
    memmove(b->bytes.data + offset, b->bytes.data + offset + gone.size, b->bytes.size - offset - gone.size);
    b->bytes.size -= gone.size;
    b->count--;
    memmove(&b->promises[index], &b->promises[index + 1], (b->count - index) * sizeof *b->promises);
}

void batch_seal(struct batch *b, uint64_t id, uint64_t sequence, uint64_t forget_below)
{
    check(b->id == 0 && id != 0 && b->count > 0);
    b->id = id;
    b->sequence = sequence;
    b->forget_below = forget_below;
    batch_head(b, REQUEST_NO_LIMIT);
}

void batch_head(struct batch *b, uint64_t timeout_ms)
{
    uint8_t room[BATCH_HEAD_BYTES_MAX];
    struct mpack_buffer head = {.data = room,
                                .capacity = sizeof room}; /* never grows: the largest head fits */
    const union request_fields q = {.publish = {.topic = {b->topic, b->topic_bytes},
                                                .sequence = b->sequence,
                                                .forget_below = b->forget_below,
                                                .messages = {.count = b->count}}};
    /* The length is filled in below, because the messages stand elsewhere. */
    (void)request_begin_within(&head, timeout_ms, &request_publish, b->id, &q);
    size_t payload = head.size - FRAME_HEADER_BYTES + batch_bytes(b);
    for (int i = 0; i < FRAME_HEADER_BYTES; i++)
        room[i] = (uint8_t)(payload >> (8 * (FRAME_HEADER_BYTES - 1 - i)));
    b->begin = BATCH_HEAD_BYTES_MAX - head.size;
    memcpy(b->bytes.data + b->begin, room, head.size);
}

void batch_free_all(struct batch_queue *q)
{
    while (q->head) {
        struct batch *b = q->head;
        list_remove(q, b);
        batch_free(b);
    }
}
