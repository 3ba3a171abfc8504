/* The writer: shortest forms, patched counts, growth. */
#include "proto/mpack.h"
#include "tests/unit/base/bytes.h"
#include <criterion/criterion.h>

static void expect_bytes(struct mpack_buffer *b, struct slice want, const char *what)
{
    cr_expect(!b->failed);
    cr_expect_eq(b->size, want.size, "%s: %zu bytes, not %zu", what, b->size, want.size);
    cr_expect(b->size == want.size && memcmp(b->data, want.data, want.size) == 0, "%s", what);
    mpack_buffer_done(b);
}

Test(mpack_write, writes_integers_in_their_shortest_form)
{
    static const struct {
        int64_t value;
        struct slice bytes;
    } rows[] = {
        {0, BYTES("\x00")},
        {127, BYTES("\x7f")},
        {128, BYTES("\xcc\x80")},
        {255, BYTES("\xcc\xff")},
        {256, BYTES("\xcd\x01\x00")},
        {65535, BYTES("\xcd\xff\xff")},
        {65536, BYTES("\xce\x00\x01\x00\x00")},
        {UINT32_MAX, BYTES("\xce\xff\xff\xff\xff")},
        {1ll << 32, BYTES("\xcf\x00\x00\x00\x01\x00\x00\x00\x00")},
        {INT64_MAX, BYTES("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff")},
        {-1, BYTES("\xff")},
        {-32, BYTES("\xe0")},
        {-33, BYTES("\xd0\xdf")},
        {-128, BYTES("\xd0\x80")},
        {-129, BYTES("\xd1\xff\x7f")},
        {-32768, BYTES("\xd1\x80\x00")},
        {-32769, BYTES("\xd2\xff\xff\x7f\xff")},
        {INT32_MIN, BYTES("\xd2\x80\x00\x00\x00")},
        {INT32_MIN - 1ll, BYTES("\xd3\xff\xff\xff\xff\x7f\xff\xff\xff")},
        {INT64_MIN, BYTES("\xd3\x80\x00\x00\x00\x00\x00\x00\x00")},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct mpack_buffer b = {0};
        mpack_write_int(&b, rows[i].value);
        expect_bytes(&b, rows[i].bytes, "signed");
        if (rows[i].value >= 0) {
            mpack_write_uint(&b, (uint64_t)rows[i].value);
            expect_bytes(&b, rows[i].bytes, "unsigned");
        }
    }
    struct mpack_buffer b = {0};
    mpack_write_uint(&b, UINT64_MAX);
    expect_bytes(&b, (struct slice)BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), "largest");
}

Test(mpack_write, writes_scalars_and_texts)
{
    struct mpack_buffer b = {0};
    mpack_write_nil(&b);
    mpack_write_bool(&b, false);
    mpack_write_bool(&b, true);
    mpack_write_cstr(&b, "abc");
    mpack_write_cstr(&b, "");
    mpack_write_cstr(&b, NULL);
    mpack_write_bin(&b, NULL, 0);
    mpack_write_str(&b, NULL, 0);
    mpack_write_raw(&b, NULL, 0);
    mpack_write_raw(&b, "\x05", 1);
    expect_bytes(&b,
                 (struct slice)BYTES("\xc0\xc2\xc3\xa3"
                                     "abc\xa0\xc0\xc4\x00\xa0\x05"),
                 "scalars");
}

/* Lengths at each change of encoding: the head, then as many bytes. */
static const struct {
    size_t size;
    struct slice str, bin, array, map;
} lengths[] = {
    {0, BYTES("\xa0"), BYTES("\xc4\x00"), BYTES("\x90"), BYTES("\x80")},
    {15, BYTES("\xaf"), BYTES("\xc4\x0f"), BYTES("\x9f"), BYTES("\x8f")},
    {16, BYTES("\xb0"), BYTES("\xc4\x10"), BYTES("\xdc\x00\x10"), BYTES("\xde\x00\x10")},
    {31, BYTES("\xbf"), BYTES("\xc4\x1f"), BYTES("\xdc\x00\x1f"), BYTES("\xde\x00\x1f")},
    {32, BYTES("\xd9\x20"), BYTES("\xc4\x20"), BYTES("\xdc\x00\x20"), BYTES("\xde\x00\x20")},
    {255, BYTES("\xd9\xff"), BYTES("\xc4\xff"), BYTES("\xdc\x00\xff"), BYTES("\xde\x00\xff")},
    {256, BYTES("\xda\x01\x00"), BYTES("\xc5\x01\x00"), BYTES("\xdc\x01\x00"), BYTES("\xde\x01\x00")},
    {65535, BYTES("\xda\xff\xff"), BYTES("\xc5\xff\xff"), BYTES("\xdc\xff\xff"), BYTES("\xde\xff\xff")},
    {65536, BYTES("\xdb\x00\x01\x00\x00"), BYTES("\xc6\x00\x01\x00\x00"), BYTES("\xdd\x00\x01\x00\x00"),
     BYTES("\xdf\x00\x01\x00\x00")},
};

static void expect_head(struct mpack_buffer *b, struct slice head, size_t size, const char *what)
{
    cr_expect_eq(b->size, head.size + size, "%s of %zu", what, size);
    cr_expect(memcmp(b->data, head.data, head.size) == 0, "%s of %zu", what, size);
    mpack_buffer_done(b);
}

Test(mpack_write, writes_lengths_and_counts_in_their_shortest_form)
{
    uint8_t *bytes = calloc(1, 65536);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        struct mpack_buffer b = {0};
        size_t size = lengths[i].size;
        mpack_write_str(&b, bytes, size);
        expect_head(&b, lengths[i].str, size, "str");
        mpack_write_bin(&b, bytes, size);
        expect_head(&b, lengths[i].bin, size, "bin");
        mpack_write_array(&b, (uint32_t)size);
        expect_head(&b, lengths[i].array, 0, "array");
        mpack_write_map(&b, (uint32_t)size);
        expect_head(&b, lengths[i].map, 0, "map");
    }
    free(bytes);
}

Test(mpack_write, patches_counts_of_open_arrays_and_maps)
{
    struct mpack_buffer b = {0};
    mpack_write_uint(&b, 1);
    size_t array = mpack_write_array_open(&b);
    for (uint32_t i = 0; i < 1000; i++) /* grows, so that the bytes move */
        mpack_write_uint(&b, 7);
    mpack_patch_array(&b, array, 1000);
    size_t map = mpack_write_map_open(&b);
    mpack_write_cstr(&b, "k");
    mpack_write_nil(&b);
    mpack_patch_map(&b, map, 1);

    struct mpack_reader r;
    mpack_read_init(&r, b.data, b.size);
    cr_expect_eq(mpack_read_uint(&r), 1);
    cr_expect_eq(mpack_read_array(&r), 1000);
    for (uint32_t i = 0; i < 1000; i++)
        cr_expect_eq(mpack_read_uint(&r), 7);
    cr_expect_eq(mpack_read_map(&r), 1);
    cr_expect_eq(mpack_read_str(&r).size, 1);
    mpack_read_nil(&r);
    cr_expect(!r.failed && r.at == r.end);
    mpack_buffer_done(&b);
}

Test(mpack_write, writes_nothing_more_after_a_failure)
{
    struct mpack_buffer b = {0};
    mpack_write_uint(&b, 1);
    cr_expect_null(mpack_extend(&b, SIZE_MAX), "no machine has that much");
    cr_expect(b.failed);
    size_t size = b.size;
    mpack_write_uint(&b, 2);
    mpack_write_bin(&b, "x", 1);
    mpack_patch_array(&b, mpack_write_array_open(&b), 3);
    cr_expect_eq(b.size, size);
    cr_expect_null(mpack_extend(&b, 1));
    mpack_buffer_done(&b);
    cr_expect(!b.failed && !b.data && b.capacity == 0, "and is as new when done");
    mpack_buffer_done(&b);
    mpack_buffer_done(NULL);
}

Test(mpack_write, extends_by_exactly_what_was_asked)
{
    struct mpack_buffer b = {0};
    for (size_t size = 0; size < 2000; size++) {
        uint8_t *at = mpack_extend(&b, size);
        cr_assert_not_null(at);
        memset(at, (int)(size & 0xff), size);
    }
    cr_expect_eq(b.size, 1999u * 2000 / 2);
    cr_expect_leq(b.size, b.capacity);
    size_t offset = 0;
    for (size_t size = 0; size < 2000; offset += size++) {
        if (size)
            cr_assert_eq(b.data[offset + size - 1], size & 0xff);
    }
    mpack_buffer_done(&b);
}

/* Longer than msgpack can say; the bytes are not looked at. */
Test(mpack_write, refuses_what_has_no_length)
{
    static void (*const writers[])(struct mpack_buffer *, const void *, size_t) = {mpack_write_str,
                                                                                   mpack_write_bin};
    for (size_t i = 0; i < COUNT_OF(writers); i++) {
        struct mpack_buffer b = {0};
        writers[i](&b, "", (size_t)UINT32_MAX + 1);
        cr_assert(b.failed && b.size == 0);
        mpack_buffer_done(&b);
    }
}
