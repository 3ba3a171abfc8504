/* mpack_read: a cursor over validated msgpack bytes.
 *
 * A failed reader stands at its end, so that "nothing is left" is the one test each read makes. */
#include "proto/mpack_head.h"

static void fail(struct mpack_reader *r);
static size_t left(const struct mpack_reader *r);
static struct slice read_bytes(struct mpack_reader *r, bool str, bool bin);
static uint32_t read_count(struct mpack_reader *r, enum head_kind kind);
static bool read_number(struct mpack_reader *r, uint64_t *ret_bits, bool *ret_negative);

void mpack_read_init(struct mpack_reader *r, const void *bytes, size_t size)
{
    static const uint8_t nothing;
    r->at = size ? bytes : &nothing;
    r->end = r->at + size;
    r->failed = false;
}

enum mpack_type mpack_peek(const struct mpack_reader *r)
{
    if (r->at == r->end)
        return MPACK_END;
    uint8_t lead = *r->at;
    if (lead < 0x80 || lead >= 0xe0)
        return MPACK_INT;
    if (lead < 0x90)
        return MPACK_MAP;
    if (lead < 0xa0)
        return MPACK_ARRAY;
    if (lead < 0xc0)
        return MPACK_STR;
    return (enum mpack_type)head_rows[lead - 0xc0].type;
}

uint64_t mpack_read_uint(struct mpack_reader *r)
{
    uint64_t bits;
    bool negative;
    if (r->at != r->end && *r->at < 0x80) /* most are: operations, versions, and 0 for none */
        return *r->at++;
    if (!read_number(r, &bits, &negative))
        return 0;
    if (negative) {
        fail(r);
        return 0;
    }
    return bits;
}

int64_t mpack_read_int(struct mpack_reader *r)
{
    uint64_t bits;
    bool negative;
    if (!read_number(r, &bits, &negative))
        return 0;
    if (!negative && bits > INT64_MAX) {
        fail(r);
        return 0;
    }
    return (int64_t)bits;
}

bool mpack_read_bool(struct mpack_reader *r)
{
    if (mpack_peek(r) != MPACK_BOOL) {
        fail(r);
        return false;
    }
    return *r->at++ == 0xc3;
}

void mpack_read_nil(struct mpack_reader *r)
{
    if (!mpack_read_is_nil(r))
        fail(r);
}

bool mpack_read_is_nil(struct mpack_reader *r)
{
    if (mpack_peek(r) != MPACK_NIL)
        return false;
    r->at++;
    return true;
}

struct slice mpack_read_str(struct mpack_reader *r)
{
    return read_bytes(r, true, false);
}

struct slice mpack_read_bin(struct mpack_reader *r)
{
    return read_bytes(r, false, true);
}

struct slice mpack_read_text_or_bin(struct mpack_reader *r)
{
    return read_bytes(r, true, true);
}

uint32_t mpack_read_array(struct mpack_reader *r)
{
    return read_count(r, HEAD_ARRAY);
}

uint32_t mpack_read_map(struct mpack_reader *r)
{
    return read_count(r, HEAD_MAP);
}

struct slice mpack_read_any(struct mpack_reader *r)
{
    const uint8_t *from = r->at;
    uint64_t values = 1;
    while (values > 0) {
        struct mpack_head head = head_read(r->at, left(r));
        r->at += head.size;
        values--;
        if (head.kind == HEAD_ARRAY)
            values += head.count;
        else if (head.kind == HEAD_MAP)
            values += 2 * (uint64_t)head.count;
        /* Each value still to come takes a byte at least: more of them than bytes cannot be. */
        if (head.kind == HEAD_BAD || values > left(r) || (head.kind == HEAD_BYTES && head.count > left(r))) {
            fail(r);
            return (struct slice){r->at, 0};
        }
        if (head.kind == HEAD_BYTES)
            r->at += head.count;
    }
    return (struct slice){from, (size_t)(r->at - from)};
}

static void fail(struct mpack_reader *r)
{
    r->failed = true;
    r->at = r->end;
}

static size_t left(const struct mpack_reader *r)
{
    return (size_t)(r->end - r->at);
}

static struct slice read_bytes(struct mpack_reader *r, bool str, bool bin)
{
    enum mpack_type type = mpack_peek(r);
    struct mpack_head head = head_read(r->at, left(r));
    bool wanted = (str && type == MPACK_STR) || (bin && type == MPACK_BIN);
    if (!wanted || head.kind != HEAD_BYTES || head.count > left(r) - head.size) {
        fail(r);
        return (struct slice){r->at, 0};
    }
    struct slice bytes = {r->at + head.size, head.count};
    r->at += head.size + head.count;
    return bytes;
}

static uint32_t read_count(struct mpack_reader *r, enum head_kind kind)
{
    struct mpack_head head = head_read(r->at, left(r));
    if (head.kind != kind) {
        fail(r);
        return 0;
    }
    r->at += head.size;
    return head.count;
}

/* Any integer: its 64 bits in two's complement, and whether it is below zero. */
static bool read_number(struct mpack_reader *r, uint64_t *ret_bits, bool *ret_negative)
{
    struct mpack_head head = head_read(r->at, left(r));
    if (mpack_peek(r) != MPACK_INT || head.kind != HEAD_SCALAR) {
        fail(r);
        return false;
    }
    uint8_t lead = r->at[0];
    bool is_signed = lead >= 0xd0; /* d0-d3, and e0-ff which hold the number themselves */
    uint64_t bits = 0;
    if (head.size == 1) {
        bits = is_signed ? (uint64_t)(int64_t)(int8_t)lead : lead;
    } else {
        /* Shifting in from all ones extends the sign. */
        if (is_signed && (r->at[1] & 0x80))
            bits = UINT64_MAX;
        for (size_t i = 1; i < head.size; i++)
            bits = bits << 8 | r->at[i];
    }
    r->at += head.size;
    *ret_bits = bits;
    *ret_negative = is_signed && bits >> 63;
    return true;
}
