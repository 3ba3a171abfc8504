/* Our msgpack against msgpack-c: what one writes the other reads as the same value. */
#include "proto/mpack.h"
#include "tests/unit/base/bytes.h"
#include <criterion/criterion.h>
#include <msgpack.h>

enum { ROUNDS = 3000, DEPTH_MAX = 6 };

/* ---- random values, written by either side from the same seed ---- */

static const uint32_t sizes[] = {0, 1, 15, 16, 31, 32, 33, 255, 256, 300};
static const uint8_t filler[70000];

static uint64_t random_number(uint64_t *state)
{
    return bytes_random(state) >> bytes_random(state) % 64;
}

static uint32_t random_size(uint64_t *state)
{
    return bytes_random(state) % 50 == 0 ? 65535 + (uint32_t)(bytes_random(state) % 3)
                                         : sizes[bytes_random(state) % COUNT_OF(sizes)];
}

/* Small counts deep down, so that a value stays small; at the top any. */
static uint32_t random_count(uint64_t *state, unsigned depth)
{
    return depth > 0 ? (uint32_t)(bytes_random(state) % 4) : sizes[bytes_random(state) % COUNT_OF(sizes)];
}

static void write_ours(struct mpack_buffer *b, uint64_t *state, unsigned depth)
{
    uint64_t kind = bytes_random(state) % (depth < DEPTH_MAX ? 8 : 6);
    switch (kind) {
    case 0:
        mpack_write_nil(b);
        break;
    case 1:
        mpack_write_bool(b, bytes_random(state) & 1);
        break;
    case 2:
        mpack_write_uint(b, random_number(state));
        break;
    case 3:
        mpack_write_int(b, -(int64_t)(random_number(state) >> 1) - 1);
        break;
    case 4:
        mpack_write_str(b, filler, random_size(state));
        break;
    case 5:
        mpack_write_bin(b, filler, random_size(state));
        break;
    default: {
        uint32_t count = random_count(state, depth);
        if (kind == 6)
            mpack_write_array(b, count);
        else
            mpack_write_map(b, count);
        for (uint32_t i = 0; i < count; i++) {
            if (kind == 7)
                mpack_write_str(b, filler, random_size(state) % 300);
            write_ours(b, state, depth + 1);
        }
    }
    }
}

static void write_theirs(msgpack_packer *p, uint64_t *state, unsigned depth)
{
    uint64_t kind = bytes_random(state) % (depth < DEPTH_MAX ? 8 : 6);
    uint32_t size;
    switch (kind) {
    case 0:
        msgpack_pack_nil(p);
        break;
    case 1:
        if (bytes_random(state) & 1)
            msgpack_pack_true(p);
        else
            msgpack_pack_false(p);
        break;
    case 2:
        msgpack_pack_uint64(p, random_number(state));
        break;
    case 3:
        msgpack_pack_int64(p, -(int64_t)(random_number(state) >> 1) - 1);
        break;
    case 4:
        size = random_size(state);
        msgpack_pack_str(p, size);
        msgpack_pack_str_body(p, filler, size);
        break;
    case 5:
        size = random_size(state);
        msgpack_pack_bin(p, size);
        msgpack_pack_bin_body(p, filler, size);
        break;
    default: {
        uint32_t count = random_count(state, depth);
        if (kind == 6)
            msgpack_pack_array(p, count);
        else
            msgpack_pack_map(p, count);
        for (uint32_t i = 0; i < count; i++) {
            if (kind == 7) {
                size = random_size(state) % 300;
                msgpack_pack_str(p, size);
                msgpack_pack_str_body(p, filler, size);
            }
            write_theirs(p, state, depth + 1);
        }
    }
    }
}

/* ---- one value as our reader and as msgpack-c see it ---- */

static void expect_bytes(struct slice ours, const char *bytes, uint32_t size)
{
    cr_assert_eq(ours.size, size);
    cr_assert(size == 0 || memcmp(ours.data, bytes, size) == 0);
}

static void expect_same(struct mpack_reader *r, const msgpack_object *o)
{
    switch (mpack_peek(r)) {
    case MPACK_NIL:
        cr_assert_eq(o->type, MSGPACK_OBJECT_NIL);
        mpack_read_nil(r);
        break;
    case MPACK_BOOL:
        cr_assert_eq(o->type, MSGPACK_OBJECT_BOOLEAN);
        cr_assert_eq(mpack_read_bool(r), o->via.boolean);
        break;
    case MPACK_INT:
        if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER) {
            cr_assert_eq(mpack_read_int(r), o->via.i64);
        } else {
            cr_assert_eq(o->type, MSGPACK_OBJECT_POSITIVE_INTEGER);
            cr_assert_eq(mpack_read_uint(r), o->via.u64);
        }
        break;
    case MPACK_STR:
        cr_assert_eq(o->type, MSGPACK_OBJECT_STR);
        expect_bytes(mpack_read_str(r), o->via.str.ptr, o->via.str.size);
        break;
    case MPACK_BIN:
        cr_assert_eq(o->type, MSGPACK_OBJECT_BIN);
        expect_bytes(mpack_read_bin(r), o->via.bin.ptr, o->via.bin.size);
        break;
    case MPACK_ARRAY:
        cr_assert_eq(o->type, MSGPACK_OBJECT_ARRAY);
        cr_assert_eq(mpack_read_array(r), o->via.array.size);
        for (uint32_t i = 0; i < o->via.array.size; i++)
            expect_same(r, &o->via.array.ptr[i]);
        break;
    case MPACK_MAP:
        cr_assert_eq(o->type, MSGPACK_OBJECT_MAP);
        cr_assert_eq(mpack_read_map(r), o->via.map.size);
        for (uint32_t i = 0; i < o->via.map.size; i++) {
            expect_same(r, &o->via.map.ptr[i].key);
            expect_same(r, &o->via.map.ptr[i].val);
        }
        break;
    case MPACK_FLOAT:
    case MPACK_END:
        cr_assert_fail("neither side wrote this");
    }
    cr_assert(!r->failed);
}

static void expect_both_read(const void *bytes, size_t size)
{
    msgpack_unpacked peer;
    msgpack_unpacked_init(&peer);
    size_t offset = 0;
    struct mpack_reader r;
    cr_assert(mpack_check(bytes, size, 16));
    cr_assert_eq(msgpack_unpack_next(&peer, bytes, size, &offset), MSGPACK_UNPACK_SUCCESS);
    cr_assert_eq(offset, size);
    mpack_read_init(&r, bytes, size);
    expect_same(&r, &peer.data);
    cr_assert_eq(r.at, r.end);
    mpack_read_init(&r, bytes, size);
    cr_assert_eq(mpack_read_any(&r).size, size);
    msgpack_unpacked_destroy(&peer);
}

Test(mpack_peer, reads_what_we_write)
{
    uint64_t state = 11;
    for (int i = 0; i < ROUNDS; i++) {
        struct mpack_buffer b = {0};
        write_ours(&b, &state, 0);
        expect_both_read(b.data, b.size);
        mpack_buffer_done(&b);
    }
}

Test(mpack_peer, is_read_by_us)
{
    uint64_t state = 12;
    for (int i = 0; i < ROUNDS; i++) {
        msgpack_sbuffer theirs;
        msgpack_packer packer;
        msgpack_sbuffer_init(&theirs);
        msgpack_packer_init(&packer, &theirs, msgpack_sbuffer_write);
        write_theirs(&packer, &state, 0);
        expect_both_read(theirs.data, theirs.size);
        msgpack_sbuffer_destroy(&theirs);
    }
}

/* Both choose the shortest form, so that from one seed come the same bytes. */
Test(mpack_peer, writes_the_same_bytes)
{
    uint64_t our_state = 13, their_state = 13;
    for (int i = 0; i < ROUNDS; i++) {
        struct mpack_buffer b = {0};
        msgpack_sbuffer theirs;
        msgpack_packer packer;
        msgpack_sbuffer_init(&theirs);
        msgpack_packer_init(&packer, &theirs, msgpack_sbuffer_write);
        write_ours(&b, &our_state, 0);
        write_theirs(&packer, &their_state, 0);
        cr_assert_eq(b.size, theirs.size, "round %d", i);
        cr_assert(memcmp(b.data, theirs.data, b.size) == 0, "round %d", i);
        mpack_buffer_done(&b);
        msgpack_sbuffer_destroy(&theirs);
    }
}
