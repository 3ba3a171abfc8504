/* mpack_head: what the first bytes of a msgpack value say. For mpack_check.c and mpack_read.c alone.
 *
 *   00-7f  int    80-8f map    90-9f array    a0-bf str    e0-ff negative int
 *   c0-df  the rows of the table below: c1 is never used, extension types are refused
 */
#ifndef SHUNT_PROTO_MPACK_HEAD_H
#define SHUNT_PROTO_MPACK_HEAD_H

#include "proto/mpack.h"

enum head_kind {
    HEAD_BAD,
    HEAD_SCALAR, /* the value is in the head itself */
    HEAD_BYTES,  /* `count` bytes follow */
    HEAD_ARRAY,  /* `count` values follow */
    HEAD_MAP,    /* `count` pairs follow */
};

struct mpack_head {
    enum head_kind kind;
    uint32_t count;
    size_t size; /* bytes of the head: leading byte and number */
};

/* One leading byte from c0 to df: `width` is how many bytes of number follow it. */
struct head_row {
    uint8_t kind, type, width;
};

static const struct head_row head_rows[32] = {
    {HEAD_SCALAR, MPACK_NIL, 0},  {HEAD_BAD, MPACK_END, 0},      {HEAD_SCALAR, MPACK_BOOL, 0},
    {HEAD_SCALAR, MPACK_BOOL, 0}, {HEAD_BYTES, MPACK_BIN, 1},    {HEAD_BYTES, MPACK_BIN, 2},
    {HEAD_BYTES, MPACK_BIN, 4},   {HEAD_BAD, MPACK_END, 0},      {HEAD_BAD, MPACK_END, 0},
    {HEAD_BAD, MPACK_END, 0},     {HEAD_SCALAR, MPACK_FLOAT, 4}, {HEAD_SCALAR, MPACK_FLOAT, 8},
    {HEAD_SCALAR, MPACK_INT, 1},  {HEAD_SCALAR, MPACK_INT, 2},   {HEAD_SCALAR, MPACK_INT, 4},
    {HEAD_SCALAR, MPACK_INT, 8},  {HEAD_SCALAR, MPACK_INT, 1},   {HEAD_SCALAR, MPACK_INT, 2},
    {HEAD_SCALAR, MPACK_INT, 4},  {HEAD_SCALAR, MPACK_INT, 8},   {HEAD_BAD, MPACK_END, 0},
    {HEAD_BAD, MPACK_END, 0},     {HEAD_BAD, MPACK_END, 0},      {HEAD_BAD, MPACK_END, 0},
    {HEAD_BAD, MPACK_END, 0},     {HEAD_BYTES, MPACK_STR, 1},    {HEAD_BYTES, MPACK_STR, 2},
    {HEAD_BYTES, MPACK_STR, 4},   {HEAD_ARRAY, MPACK_ARRAY, 2},  {HEAD_ARRAY, MPACK_ARRAY, 4},
    {HEAD_MAP, MPACK_MAP, 2},     {HEAD_MAP, MPACK_MAP, 4},
};

static inline uint32_t head_number(const uint8_t *at, unsigned width)
{
    if (width == 1)
        return at[0];
    if (width == 2)
        return (uint32_t)at[0] << 8 | at[1];
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Read the head at `at`, of which `left` bytes may be looked at. A head that is cut off or refused is
 * HEAD_BAD. */
static inline struct mpack_head head_read(const uint8_t *at, size_t left)
{
    struct mpack_head bad = {HEAD_BAD, 0, 0};
    if (left == 0)
        return bad;
    uint8_t lead = at[0];
    if (lead < 0x80 || lead >= 0xe0)
        return (struct mpack_head){HEAD_SCALAR, 0, 1};
    if (lead < 0x90)
        return (struct mpack_head){HEAD_MAP, lead & 0x0f, 1};
    if (lead < 0xa0)
        return (struct mpack_head){HEAD_ARRAY, lead & 0x0f, 1};
    if (lead < 0xc0)
        return (struct mpack_head){HEAD_BYTES, lead & 0x1f, 1};
    const struct head_row *row = &head_rows[lead - 0xc0];
    size_t size = 1 + (size_t)row->width;
    if (row->kind == HEAD_BAD || left < size)
        return bad;
    uint32_t count = row->kind == HEAD_SCALAR ? 0 : head_number(at + 1, row->width);
    return (struct mpack_head){(enum head_kind)row->kind, count, size};
}

#endif
