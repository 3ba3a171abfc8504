/* reader: bytes to frames, in shared chunks. */
#include "broker/net/reader.h"

#include "base/check.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/wire.h"
#include <string.h>

#define SHARED_TAIL_BYTES_MIN (16u * 1024) /* a shared chunk with less room left is done */
#define HELD_BYTES_MIN        512u
#define HELD_BYTES_BUSY       (64u * 1024) /* room behind the unfinished frame for those that follow it at once */

static bool hold(struct reader *r, struct reader_pool *pool, const uint8_t *bytes, size_t size);
static bool grow(struct reader *r, struct reader_pool *pool);
static void put_held(struct reader *r, struct reader_pool *pool, struct chunk *chunk, uint32_t size);
static struct chunk *take_held(struct reader *r, struct reader_pool *pool);
static void unreserve(struct reader *r, struct reader_pool *pool);
static size_t find_frames(struct reader *r, const uint8_t *bytes, size_t size, size_t payload_max,
                          struct reader_result *ret);
static bool is_hello(struct slice payload, uint64_t *ret_request_id);
static bool looks_like_tls(const uint8_t *bytes, size_t size);
static bool is_short(const struct reader *r);
static bool may_reserve(const struct reader_pool *pool, size_t more);

void reader_pool_done(struct reader_pool *pool)
{
    chunk_unref(pool->shared);
    pool->shared = NULL;
    pool->shared_used = 0;
}

enum reader_room reader_room(struct reader *r, struct reader_pool *pool, uint8_t **ret_at, size_t *ret_size)
{
    if (r->held) {
        if (is_short(r)) {
            unreserve(r, pool);
            if (reader_must_wait(r, pool))
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
    if (pool->held_bytes >= pool->held_bytes_max && *ret_size > READER_SMALL_BYTES)
        *ret_size = READER_SMALL_BYTES;
    return READER_ROOM;
}

bool reader_must_wait(const struct reader *r, const struct reader_pool *pool)
{
    return is_short(r) && r->need > READER_SMALL_BYTES && !may_reserve(pool, r->need);
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
    check(r->held_size <= r->held->capacity);
    if (r->held_size < r->need)
        return;
    size_t whole = find_frames(r, r->held->data, r->held_size, payload_max, ret);
    if (whole == 0)
        return; /* only now the length is known, or it is bad */
    struct chunk *chunk = r->held;
    size_t rest = r->held_size - whole;
    take_held(r, pool);
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
    chunk_unref(take_held(r, pool));
}

/* Copy the beginning of a frame to a chunk of its own; with room for the whole of it if there is memory for
 * that now. */
static bool hold(struct reader *r, struct reader_pool *pool, const uint8_t *bytes, size_t size)
{
    size_t capacity = r->need > size ? r->need : size;
    if (capacity > READER_SMALL_BYTES && !may_reserve(pool, capacity))
        capacity = size;
    else if (r->busy && capacity < HELD_BYTES_BUSY && may_reserve(pool, HELD_BYTES_BUSY))
        capacity = HELD_BYTES_BUSY;
    if (capacity < HELD_BYTES_MIN)
        capacity = HELD_BYTES_MIN;
    struct chunk *chunk = chunk_new((uint32_t)capacity);
    if (!chunk)
        return false;
    memcpy(chunk->data, bytes, size);
    put_held(r, pool, chunk, (uint32_t)size);
    return true;
}

static bool grow(struct reader *r, struct reader_pool *pool)
{
    size_t capacity = r->need > r->held_size ? r->need : (size_t)r->held_size * 2;
    struct chunk *chunk = chunk_new((uint32_t)capacity);
    if (!chunk)
        return false;
    uint32_t size = r->held_size;
    memcpy(chunk->data, r->held->data, size);
    chunk_unref(take_held(r, pool));
    put_held(r, pool, chunk, size);
    return true;
}

static void put_held(struct reader *r, struct reader_pool *pool, struct chunk *chunk, uint32_t size)
{
    r->held = chunk;
    r->held_size = size;
    pool->held_bytes += chunk->capacity;
    r->reserved = chunk->capacity > READER_SMALL_BYTES && chunk->capacity >= r->need;
    if (r->reserved)
        pool->reserved_bytes += chunk->capacity;
}

/* Returns the chunk with its reference; NULL if there is none. */
static struct chunk *take_held(struct reader *r, struct reader_pool *pool)
{
    struct chunk *chunk = r->held;
    if (!chunk)
        return NULL;
    unreserve(r, pool);
    check(pool->held_bytes >= chunk->capacity);
    pool->held_bytes -= chunk->capacity;
    pool->freed = true;
    r->held = NULL;
    r->held_size = 0;
    return chunk;
}

static void unreserve(struct reader *r, struct reader_pool *pool)
{
    if (!r->reserved)
        return;
    check(pool->reserved_bytes >= r->held->capacity);
    pool->reserved_bytes -= r->held->capacity;
    pool->freed = true;
    r->reserved = false;
}

/* How many bytes from `bytes` on are whole frames. Sets r->need for what follows them. */
static size_t find_frames(struct reader *r, const uint8_t *bytes, size_t size, size_t payload_max,
                          struct reader_result *ret)
{
    static const char spoke_tls[] =
        "TLS was spoken to an address that speaks plainly: connect with shunt://, "
        "or set tls-cert and tls-key";
    size_t at = 0;
    while (at < size) {
        struct slice payload;
        size_t limit = r->greeted ? payload_max : HELLO_BYTES_MAX;
        enum frame_state state = frame_next(bytes + at, size - at, limit, &payload, &r->need, &ret->why);
        if (state != FRAME_WHOLE && !r->greeted && looks_like_tls(bytes + at, size - at))
            ret->why = spoke_tls;
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

/* As it begins: a record of a handshake, of any version. As a frame's length it is more than a HELLO may have. */
static bool looks_like_tls(const uint8_t *bytes, size_t size)
{
    return size >= 2 && bytes[0] == 0x16 && bytes[1] == 0x03;
}

/* It has no room for the next bytes, or not for the whole frame. */
static bool is_short(const struct reader *r)
{
    return r->held && (r->held->capacity < r->need || r->held->capacity == r->held_size);
}

static bool may_reserve(const struct reader_pool *pool, size_t more)
{
    return pool->reserved_bytes == 0 || pool->reserved_bytes + more <= pool->held_bytes_max;
}
