/* mpack_write: msgpack into a growable buffer, each value in its shortest form. The bytes are msgpack-c's doing,
 * whose packer is inlined here; the library itself is not linked.
 *
 * Running out of memory marks the buffer failed and is asked about once, at the end. */
#include "base/array.h"
#include "proto/mpack.h"

#include <limits.h> /* which the packer takes for granted */
#include <msgpack/pack.h>
#include <stdlib.h>
#include <string.h>

static size_t write_open(struct mpack_buffer *b, uint8_t lead);
static void patch(struct mpack_buffer *b, size_t offset, uint32_t count);

/* What msgpack-c's packer calls with each piece. */
static int append(void *buffer, const char *bytes, size_t size)
{
    void *at = mpack_extend(buffer, size);
    if (!at)
        return -1;
    memcpy(at, bytes, size);
    return 0;
}

/* The packer's results are those of append(), which the buffer remembers. */
static msgpack_packer packer(struct mpack_buffer *b)
{
    return (msgpack_packer){.data = b, .callback = append};
}

void mpack_buffer_done(struct mpack_buffer *b)
{
    if (!b)
        return;
    free(b->data);
    *b = (struct mpack_buffer){0};
}

/* Apart from mpack_extend(), which then needs no frame of its own. */
__attribute__((noinline, cold)) static void *grow_and_extend(struct mpack_buffer *b, size_t size)
{
    if (b->failed || size > SIZE_MAX - b->size ||
        !array_room(&b->data, &b->capacity, b->size + (size ? size : 1))) {
        b->failed = true;
        return NULL;
    }
    uint8_t *at = b->data + b->size;
    b->size += size;
    return at;
}

/* Not inlined: without it append() is small enough to be, into packers that know the size. */
__attribute__((noinline)) void *mpack_extend(struct mpack_buffer *b, size_t size)
{
    if (__builtin_expect(b->failed || size >= b->capacity - b->size, false))
        return grow_and_extend(b, size);
    uint8_t *at = b->data + b->size;
    b->size += size;
    return at;
}

void mpack_write_raw(struct mpack_buffer *b, const void *bytes, size_t size)
{
    if (size == 0)
        return;
    void *at = mpack_extend(b, size);
    if (at)
        memcpy(at, bytes, size);
}

void mpack_write_uint(struct mpack_buffer *b, uint64_t v)
{
    msgpack_packer p = packer(b);
    (void)msgpack_pack_uint64(&p, v);
}

void mpack_write_int(struct mpack_buffer *b, int64_t v)
{
    msgpack_packer p = packer(b);
    (void)msgpack_pack_int64(&p, v);
}

void mpack_write_bool(struct mpack_buffer *b, bool v)
{
    msgpack_packer p = packer(b);
    (void)(v ? msgpack_pack_true(&p) : msgpack_pack_false(&p));
}

void mpack_write_nil(struct mpack_buffer *b)
{
    msgpack_packer p = packer(b);
    (void)msgpack_pack_nil(&p);
}

/* Longer than msgpack can say: nothing this large is ever built, but a wrong length must not go out. */
static bool fits(struct mpack_buffer *b, size_t size)
{
    b->failed |= size > UINT32_MAX;
    return !b->failed;
}

void mpack_write_str(struct mpack_buffer *b, const void *text, size_t size)
{
    msgpack_packer p = packer(b);
    if (!fits(b, size))
        return;
    (void)msgpack_pack_str(&p, size);
    mpack_write_raw(b, text, size);
}

void mpack_write_cstr(struct mpack_buffer *b, const char *text)
{
    if (text)
        mpack_write_str(b, text, strlen(text));
    else
        mpack_write_nil(b);
}

void mpack_write_bin(struct mpack_buffer *b, const void *bytes, size_t size)
{
    msgpack_packer p = packer(b);
    if (!fits(b, size))
        return;
    (void)msgpack_pack_bin(&p, size);
    mpack_write_raw(b, bytes, size);
}

void mpack_write_array(struct mpack_buffer *b, uint32_t count)
{
    msgpack_packer p = packer(b);
    (void)msgpack_pack_array(&p, count);
}

void mpack_write_map(struct mpack_buffer *b, uint32_t count)
{
    msgpack_packer p = packer(b);
    (void)msgpack_pack_map(&p, count);
}

size_t mpack_write_array_open(struct mpack_buffer *b)
{
    return write_open(b, 0xdd);
}

void mpack_patch_array(struct mpack_buffer *b, size_t offset, uint32_t count)
{
    patch(b, offset, count);
}

size_t mpack_write_map_open(struct mpack_buffer *b)
{
    return write_open(b, 0xdf);
}

void mpack_patch_map(struct mpack_buffer *b, size_t offset, uint32_t count)
{
    patch(b, offset, count);
}

static size_t write_open(struct mpack_buffer *b, uint8_t lead)
{
    size_t offset = b->size;
    uint8_t *at = mpack_extend(b, 5);
    if (at)
        *at = lead;
    return offset;
}

static void patch(struct mpack_buffer *b, size_t offset, uint32_t count)
{
    for (unsigned i = 0; i < 4 && !b->failed; i++)
        b->data[offset + 1 + i] = (uint8_t)(count >> (24 - 8 * i));
}
