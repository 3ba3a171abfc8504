/* mpack_write: msgpack into a growable buffer, each value in its shortest form.
 *
 * Running out of memory marks the buffer failed and is asked about once, at the end. */
#include "proto/mpack.h"

#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 256 };

static uint8_t *put_number(uint8_t *at, uint64_t v, unsigned width);
static void write_head(struct mpack_buffer *b, uint8_t lead, uint64_t v, unsigned width);
static void write_sized(struct mpack_buffer *b, uint8_t lead, const void *bytes, size_t size, unsigned width);
static size_t write_open(struct mpack_buffer *b, uint8_t lead);
static void patch(struct mpack_buffer *b, size_t offset, uint32_t count);

void mpack_buffer_done(struct mpack_buffer *b)
{
    if (!b)
        return;
    free(b->data);
    *b = (struct mpack_buffer){0};
}

void *mpack_extend(struct mpack_buffer *b, size_t size)
{
    if (b->failed)
        return NULL;
    if (!b->data || size > b->capacity - b->size) {
        size_t capacity = b->capacity ? b->capacity : CAPACITY_MIN;
        while (capacity - b->size < size && capacity <= SIZE_MAX / 2)
            capacity *= 2;
        uint8_t *data = capacity - b->size < size ? NULL : realloc(b->data, capacity);
        if (!data) {
            b->failed = true;
            return NULL;
        }
        b->data = data;
        b->capacity = capacity;
    }
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
    if (v < 0x80)
        write_head(b, (uint8_t)v, 0, 0);
    else if (v <= UINT8_MAX)
        write_head(b, 0xcc, v, 1);
    else if (v <= UINT16_MAX)
        write_head(b, 0xcd, v, 2);
    else if (v <= UINT32_MAX)
        write_head(b, 0xce, v, 4);
    else
        write_head(b, 0xcf, v, 8);
}

void mpack_write_int(struct mpack_buffer *b, int64_t v)
{
    if (v >= 0)
        mpack_write_uint(b, (uint64_t)v);
    else if (v >= -32)
        write_head(b, (uint8_t)v, 0, 0);
    else if (v >= INT8_MIN)
        write_head(b, 0xd0, (uint64_t)v, 1);
    else if (v >= INT16_MIN)
        write_head(b, 0xd1, (uint64_t)v, 2);
    else if (v >= INT32_MIN)
        write_head(b, 0xd2, (uint64_t)v, 4);
    else
        write_head(b, 0xd3, (uint64_t)v, 8);
}

void mpack_write_bool(struct mpack_buffer *b, bool v)
{
    write_head(b, v ? 0xc3 : 0xc2, 0, 0);
}

void mpack_write_nil(struct mpack_buffer *b)
{
    write_head(b, 0xc0, 0, 0);
}

void mpack_write_str(struct mpack_buffer *b, const void *text, size_t size)
{
    if (size < 32)
        write_sized(b, (uint8_t)(0xa0 | size), text, size, 0);
    else if (size <= UINT8_MAX)
        write_sized(b, 0xd9, text, size, 1);
    else if (size <= UINT16_MAX)
        write_sized(b, 0xda, text, size, 2);
    else
        write_sized(b, 0xdb, text, size, 4);
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
    if (size <= UINT8_MAX)
        write_sized(b, 0xc4, bytes, size, 1);
    else if (size <= UINT16_MAX)
        write_sized(b, 0xc5, bytes, size, 2);
    else
        write_sized(b, 0xc6, bytes, size, 4);
}

void mpack_write_array(struct mpack_buffer *b, uint32_t count)
{
    if (count < 16)
        write_head(b, (uint8_t)(0x90 | count), 0, 0);
    else if (count <= UINT16_MAX)
        write_head(b, 0xdc, count, 2);
    else
        write_head(b, 0xdd, count, 4);
}

void mpack_write_map(struct mpack_buffer *b, uint32_t count)
{
    if (count < 16)
        write_head(b, (uint8_t)(0x80 | count), 0, 0);
    else if (count <= UINT16_MAX)
        write_head(b, 0xde, count, 2);
    else
        write_head(b, 0xdf, count, 4);
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

static uint8_t *put_number(uint8_t *at, uint64_t v, unsigned width)
{
    for (unsigned shift = width * 8; shift > 0; shift -= 8)
        *at++ = (uint8_t)(v >> (shift - 8));
    return at;
}

static void write_head(struct mpack_buffer *b, uint8_t lead, uint64_t v, unsigned width)
{
    uint8_t *at = mpack_extend(b, 1 + (size_t)width);
    if (!at)
        return;
    *at = lead;
    (void)put_number(at + 1, v, width); /* where it ended is known */
}

static void write_sized(struct mpack_buffer *b, uint8_t lead, const void *bytes, size_t size, unsigned width)
{
    /* Longer than msgpack can say: nothing this large is ever built, but a wrong length must not go out. */
    if (size > UINT32_MAX) {
        b->failed = true;
        return;
    }
    uint8_t *at = mpack_extend(b, 1 + (size_t)width + size);
    if (!at)
        return;
    *at = lead;
    at = put_number(at + 1, size, width);
    if (size > 0)
        memcpy(at, bytes, size);
}

static size_t write_open(struct mpack_buffer *b, uint8_t lead)
{
    size_t offset = b->size;
    write_head(b, lead, 0, 4);
    return offset;
}

static void patch(struct mpack_buffer *b, size_t offset, uint32_t count)
{
    if (!b->failed)
        (void)put_number(b->data + offset + 1, count, 4); /* where it ended is known */
}
