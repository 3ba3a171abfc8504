/* The validator: every type at its boundaries, every cut, false counts and depth. */
#include "proto/mpack.h"
#include "tests/unit/base/bytes.h"
#include <criterion/criterion.h>

struct row {
    const char *name;
    struct slice bytes;
};

static const struct row valid[] = {
    {"zero", BYTES("\x00")},
    {"largest fixint", BYTES("\x7f")},
    {"smallest negative fixint", BYTES("\xe0")},
    {"minus one", BYTES("\xff")},
    {"nil", BYTES("\xc0")},
    {"false", BYTES("\xc2")},
    {"true", BYTES("\xc3")},
    {"uint 8", BYTES("\xcc\xff")},
    {"uint 16", BYTES("\xcd\xff\xff")},
    {"uint 32", BYTES("\xce\xff\xff\xff\xff")},
    {"uint 64", BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff")},
    {"int 8", BYTES("\xd0\x80")},
    {"int 16", BYTES("\xd1\x80\x00")},
    {"int 32", BYTES("\xd2\x80\x00\x00\x00")},
    {"int 64", BYTES("\xd3\x80\x00\x00\x00\x00\x00\x00\x00")},
    {"float 32", BYTES("\xca\x3f\x80\x00\x00")},
    {"float 64", BYTES("\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00")},
    {"empty fixstr", BYTES("\xa0")},
    {"longest fixstr", BYTES("\xbf"
                             "0123456789012345678901234567890")},
    {"str 8", BYTES("\xd9\x03"
                    "abc")},
    {"str 16", BYTES("\xda\x00\x03"
                     "abc")},
    {"str 32", BYTES("\xdb\x00\x00\x00\x03"
                     "abc")},
    {"str that is not UTF-8", BYTES("\xa2\xff\xfe")},
    {"bin 8", BYTES("\xc4\x03"
                    "abc")},
    {"bin 16", BYTES("\xc5\x00\x03"
                     "abc")},
    {"bin 32", BYTES("\xc6\x00\x00\x00\x03"
                     "abc")},
    {"empty bin 8", BYTES("\xc4\x00")},
    {"empty array", BYTES("\x90")},
    {"longest fixarray", BYTES("\x9f"
                               "\1\2\3\4\5\6\7\10\1\2\3\4\5\6\7")},
    {"array 16", BYTES("\xdc\x00\x02\x01\xc0")},
    {"array 32", BYTES("\xdd\x00\x00\x00\x02\x01\xc0")},
    {"empty map", BYTES("\x80")},
    {"longest fixmap", BYTES("\x8f"
                             "\xa0\2\xa0\2\xa0\2\xa0\2\xa0\2\xa0\2\xa0\2\xa0\2\xa0\2\xa0\2\xa0\2"
                             "\xa0\2\xa0\2\xa0\2\xa0\2")},
    {"keys of each length of str", BYTES("\x83\xd9\x01k\x01\xda\x00\x01k\x02\xdb\x00\x00\x00\x01k\x03")},
    {"maps within maps and arrays", BYTES("\x92\x82\xa1k\x81\xa1k\x80\xa1l\x91\x81\xa1k\x05\x06")},
    {"map 16", BYTES("\xde\x00\x01\xa1k\xc4\x01v")},
    {"map 32", BYTES("\xdf\x00\x00\x00\x01\xa1k\xc4\x01v")},
    {"nested", BYTES("\x93\x92\x01\x90\x81\xa1k\x91\xc0\xc3")},
    {"message", BYTES("\x95\xc4\x05hello\x81\xa1k\xa1v\xc0\x00\xcd\x03\xe8")},
};

static const struct row refused[] = {
    {"nothing", BYTES("")},
    {"never used c1", BYTES("\xc1")},
    {"ext 8", BYTES("\xc7\x01\x01x")},
    {"ext 16", BYTES("\xc8\x00\x01\x01x")},
    {"ext 32", BYTES("\xc9\x00\x00\x00\x01\x01x")},
    {"fixext 1", BYTES("\xd4\x01x")},
    {"fixext 2", BYTES("\xd5\x01xx")},
    {"fixext 4", BYTES("\xd6\x01xxxx")},
    {"fixext 8", BYTES("\xd7\x01xxxxxxxx")},
    {"fixext 16", BYTES("\xd8\x01xxxxxxxxxxxxxxxx")},
    {"ext inside an array", BYTES("\x92\x01\xd4\x01x")},
    {"two values", BYTES("\x01\x02")},
    {"a byte behind an array", BYTES("\x91\x01\x00")},
    {"array of 200 in five bytes", BYTES("\xdd\x00\x00\x00\xc8")},
    {"map of 200", BYTES("\xdf\x00\x00\x00\xc8")},
    {"map of so many that twice as many wrap 32 bits", BYTES("\xdf\x80\x00\x00\x01\xa0\x01")},
    {"bin of 200", BYTES("\xc6\x00\x00\x00\xc8")},
    {"str of 200", BYTES("\xdb\x00\x00\x00\xc8")},
    {"two of 200 within a third", BYTES("\xdc\x00\xc8\xdd\x00\x00\x00\xc8\xdd\x00\x00\x00\xc8\x00")},
    {"bin a byte short before another value", BYTES("\x92\xc4\x01")},
    {"str a byte short before another value", BYTES("\x92\xa2x")},
    {"map with a key and no value", BYTES("\x81\xa1k")},
    {"map of as many pairs as bytes", BYTES("\x84\xa0\x02\xa0\x04")},
    {"key that is a number", BYTES("\x81\x01\x02")},
    {"key that is nil", BYTES("\x81\xc0\x02")},
    {"key that is bin", BYTES("\x81\xc4\x01k\x02")},
    {"key that is an array", BYTES("\x81\x90\x02")},
    {"key that is a map", BYTES("\x81\x80\x02")},
    {"second key that is no str", BYTES("\x82\xa1k\x01\x02\x03")},
    {"key behind a nested map that is no str", BYTES("\x82\xa1k\x81\xa1k\x01\xc3\x03")},
    {"key within an ignored field", BYTES("\x93\x03\x01\x91\x81\x05\x06")},
};

Test(mpack_check, accepts_every_type_at_its_boundaries)
{
    for (size_t i = 0; i < COUNT_OF(valid); i++) {
        uint8_t *copy = bytes_copy(valid[i].bytes.data, valid[i].bytes.size);
        cr_expect(mpack_check(copy, valid[i].bytes.size, 8), "%s", valid[i].name);
        free(copy);
    }
}

Test(mpack_check, refuses_what_is_no_value_within_its_bytes)
{
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        uint8_t *copy = bytes_copy(refused[i].bytes.data, refused[i].bytes.size);
        cr_expect(!mpack_check(copy, refused[i].bytes.size, 8), "%s", refused[i].name);
        free(copy);
    }
}

Test(mpack_check, refuses_every_prefix_of_a_value)
{
    for (size_t i = 0; i < COUNT_OF(valid); i++) {
        for (size_t size = 0; size < valid[i].bytes.size; size++) {
            uint8_t *copy = bytes_copy(valid[i].bytes.data, size);
            cr_expect(!mpack_check(copy, size, 8), "%s cut to %zu bytes", valid[i].name, size);
            free(copy);
        }
    }
}

/* `depth` arrays one in the other, the innermost empty; or maps, whose values nest. */
static size_t nest(uint8_t *to, unsigned depth, bool maps)
{
    size_t size = 0;
    for (unsigned i = 1; i < depth; i++) {
        to[size++] = maps ? 0x81 : 0x91;
        if (maps)
            to[size++] = 0xa0;
    }
    to[size++] = maps ? 0x80 : 0x90;
    return size;
}

Test(mpack_check, holds_nesting_to_the_limit)
{
    uint8_t bytes[256];
    for (int maps = 0; maps < 2; maps++) {
        for (unsigned limit = 0; limit <= 32; limit++) {
            if (limit > 0) {
                cr_expect(mpack_check(bytes, nest(bytes, limit, maps), limit), "depth %u at its limit",
                          limit);
            }
            cr_expect(!mpack_check(bytes, nest(bytes, limit + 1, maps), limit), "depth %u over it",
                      limit + 1);
        }
    }
    cr_expect(mpack_check("\x07", 1, 0), "a scalar is depth 0");
}

Test(mpack_check, treats_a_limit_over_32_as_32)
{
    uint8_t bytes[256];
    cr_expect(mpack_check(bytes, nest(bytes, 32, false), 1000000));
    cr_expect(!mpack_check(bytes, nest(bytes, 33, false), 1000000));
}

Test(mpack_check, survives_a_megabyte_of_opening_brackets)
{
    size_t size = 1u << 20;
    uint8_t *bytes = malloc(size);
    memset(bytes, 0x91, size);
    cr_expect(!mpack_check(bytes, size, 32));
    free(bytes);
}

/* The aim: no bytes make it look outside. AddressSanitizer is the judge; agreement with the reader a second
 * one. */
Test(mpack_check, agrees_with_the_reader_on_random_bytes)
{
    uint64_t state = 1;
    size_t accepted = 0;
    for (int round = 0; round < 200000; round++) {
        size_t size = bytes_random(&state) % 12;
        uint8_t *bytes = bytes_copy(NULL, 0);
        bytes = realloc(bytes, size ? size : 1);
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)bytes_random(&state);
        struct mpack_reader r;
        mpack_read_init(&r, bytes, size);
        struct slice whole = mpack_read_any(&r);
        bool walked = !r.failed && whole.size == size, checked = mpack_check(bytes, size, 32);
        cr_assert(walked || !checked, "round %d", round);
        bool maps = false; /* whose keys the reader takes as they come */
        for (size_t i = 0; i < size; i++)
            maps |= (bytes[i] & 0xf0) == 0x80 || bytes[i] == 0xde || bytes[i] == 0xdf;
        cr_assert(checked || !walked || maps, "round %d", round);
        accepted += checked;
        free(bytes);
    }
    cr_expect_gt(accepted, 1000, "the bytes must not all be refused for the test to mean anything");
}
