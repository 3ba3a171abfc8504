/* reader: bytes to frames, in shared chunks. */
#include "broker/net/reader.h"

#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/wire.h"
#include <assert.h>
#include <string.h>

#define SHARED_TAIL_BYTES_MIN (16u * 1024) /* a shared chunk with less room left is done */
#define HELD_BYTES_MIN        512u
#define HELD_BYTES_BUSY       (64u * 1024) /* room behind the unfinished frame for those that follow it at once */

static bool hold(struct reader *r, struct reader_pool *pool, const uint8_t *bytes, size_t size);
static bool grow(struct reader *r, struct reader_pool *pool);
static void drop_held(struct reader *r, struct reader_pool *pool);
static size_t find_frames(struct reader *r, const uint8_t *bytes, size_t size, size_t payload_max,
                          struct reader_result *ret);
static bool is_hello(struct slice payload, uint64_t *ret_request_id);
static bool over(const struct reader_pool *pool, size_t more);

void reader_pool_done(struct reader_pool *pool)
{
    chunk_unref(pool->shared);
    pool->shared = NULL;
    pool->shared_used = 0;
}

enum reader_room reader_room(struct reader *r, struct reader_pool *pool, uint8_t **ret_at, size_t *ret_size)
{
    if (r->held) {
        if (r->held->capacity < r->need || r->held->capacity == r->held_size) {
            if (r->need > READER_SMALL_BYTES && over(pool, r->need))
                return READER_WAIT;
            if (!grow(r, pool))
                return READER_NO_MEMORY;
        }
        *ret_at = r->held->data + r->held_size;
        *ret_size = r->held->capacity - r->held_size;
        return READER_ROOM;
    }
    if (!pool->shared || pool->shared->capacity - pool->shared_used < SHARED_TAIL_BYTES_MIN) {
        struct chunk *fresh = chunk_new(READER_CHUNK_BYTES);
        if (!fresh)
            return READER_NO_MEMORY;
        reader_pool_done(pool);
        pool->shared = fresh;
    }
    *ret_at = pool->shared->data + pool->shared_used;
    *ret_size = pool->shared->capacity - pool->shared_used;
    if (over(pool, 0) && *ret_size > READER_SMALL_BYTES)
        *ret_size = READER_SMALL_BYTES;
    return READER_ROOM;
}

void reader_took(struct reader *r, struct reader_pool *pool, size_t size, size_t room, size_t payload_max,
                 struct reader_result *ret)
{
    *ret = (struct reader_result){0};
    r->busy = size == room;
    if (!r->held) {
        const uint8_t *at = pool->shared->data + pool->shared_used;
        size_t whole = find_frames(r, at, size, payload_max, ret);
        if (whole > 0) {
            chunk_ref(pool->shared);
            ret->chunk = pool->shared;
            ret->frames = (struct slice){at, whole};
            pool->shared_used += (uint32_t)whole;
        }
        /* The unfinished bytes move away at once, so their place in the shared chunk is free again. */
        if (!ret->why && whole < size && !hold(r, pool, at + whole, size - whole))
            ret->no_memory = true;
        return;
    }

    r->held_size += (uint32_t)size;
    assert(r->held_size <= r->held->capacity);
    if (r->held_size < r->need)
        return;
    size_t whole = find_frames(r, r->held->data, r->held_size, payload_max, ret);
    if (whole == 0)
        return; /* only now the length is known, or it is bad */
    struct chunk *chunk = r->held;
    size_t rest = r->held_size - whole;
    pool->held_bytes -= chunk->capacity;
    r->held = NULL;
    r->held_size = 0;
    ret->chunk = chunk; /* the reader's reference goes to the caller */
    ret->frames = (struct slice){chunk->data, whole};
    if (!ret->why && rest > 0 && !hold(r, pool, chunk->data + whole, rest))
        ret->no_memory = true;
}

bool reader_is_partial(const struct reader *r)
{
    return r->held != NULL;
}

void reader_done(struct reader *r, struct reader_pool *pool)
{
    drop_held(r, pool);
}

/* Copy the beginning of a frame to a chunk of its own; with room for the whole of it if there is memory for
 * that now. */
static bool hold(struct reader *r, struct reader_pool *pool, const uint8_t *bytes, size_t size)
{
    size_t capacity = r->need > size ? r->need : size;
    if (capacity > READER_SMALL_BYTES && over(pool, capacity))
        capacity = size;
    else if (r->busy && capacity < HELD_BYTES_BUSY && !over(pool, HELD_BYTES_BUSY))
        capacity = HELD_BYTES_BUSY;
    if (capacity < HELD_BYTES_MIN)
        capacity = HELD_BYTES_MIN;
    struct chunk *chunk = chunk_new((uint32_t)capacity);
    if (!chunk)
        return false;
    memcpy(chunk->data, bytes, size);
    r->held = chunk;
    r->held_size = (uint32_t)size;
    pool->held_bytes += capacity;
    return true;
}

static bool grow(struct reader *r, struct reader_pool *pool)
{
    size_t capacity = r->need > r->held_size ? r->need : (size_t)r->held_size * 2;
    struct chunk *chunk = chunk_new((uint32_t)capacity);
    if (!chunk)
        return false;
    memcpy(chunk->data, r->held->data, r->held_size);
    uint32_t size = r->held_size;
    drop_held(r, pool);
    r->held = chunk;
    r->held_size = size;
    pool->held_bytes += capacity;
    return true;
}

static void drop_held(struct reader *r, struct reader_pool *pool)
{
    if (!r->held)
        return;
    assert(pool->held_bytes >= r->held->capacity);
    pool->held_bytes -= r->held->capacity;
    chunk_unref(r->held);
    r->held = NULL;
    r->held_size = 0;
}

/* How many bytes from `bytes` on are whole frames. Sets r->need for what follows them. */
static size_t find_frames(struct reader *r, const uint8_t *bytes, size_t size, size_t payload_max,
                          struct reader_result *ret)
{
    size_t at = 0;
    while (at < size) {
        struct slice payload;
        size_t limit = r->greeted ? payload_max : HELLO_BYTES_MAX;
        enum frame_state state = frame_next(bytes + at, size - at, limit, &payload, &r->need, &ret->why);
        if (state != FRAME_WHOLE)
            return at;
        if (!r->greeted && !is_hello(payload, &ret->request_id)) {
            ret->why = "the first frame must be HELLO";
            return at;
        }
        r->greeted = true;
        at += FRAME_HEADER_BYTES + payload.size;
    }
    r->need = 0;
    return at;
}

static bool is_hello(struct slice payload, uint64_t *ret_request_id)
{
    struct mpack_reader reader;
    mpack_read_init(&reader, payload.data, payload.size);
    (void)mpack_read_array(&reader); /* frame_next() saw an array that begins with two integers */
    uint64_t op = mpack_read_uint(&reader);
    *ret_request_id = mpack_read_uint(&reader);
    return op == OP_HELLO;
}

static bool over(const struct reader_pool *pool, size_t more)
{
    return pool->held_bytes > 0 && pool->held_bytes + more > pool->held_bytes_max;
}
