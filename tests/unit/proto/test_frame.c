/* Frames: found whole at every split of a stream, refused as early as can be. */
#include "proto/frame.h"
#include "proto/limits.h"
#include "tests/unit/base/bytes.h"
#include <criterion/criterion.h>

static struct mpack_buffer ping_then_names(void)
{
    struct mpack_buffer b = {0};
    size_t first = frame_begin(&b, 3, 1, 0);
    frame_end(&b, first);
    size_t second = frame_begin(&b, 45, 70000, 2);
    mpack_write_cstr(&b, "orders");
    mpack_write_cstr(&b, "default");
    frame_end(&b, second);
    return b;
}

Test(frame, reads_back_what_was_written)
{
    struct mpack_buffer b = ping_then_names();
    struct slice payload;
    size_t need;
    const char *why;
    cr_assert_eq(frame_next(b.data, b.size, 100, &payload, &need, &why), FRAME_WHOLE);
    cr_expect_eq(payload.data, (const void *)(b.data + FRAME_HEADER_BYTES));
    cr_expect_eq(payload.size, 3);
    size_t next = FRAME_HEADER_BYTES + payload.size;
    cr_assert_eq(frame_next(b.data + next, b.size - next, 100, &payload, &need, &why), FRAME_WHOLE);
    struct mpack_reader r;
    mpack_read_init(&r, payload.data, payload.size);
    cr_expect_eq(mpack_read_array(&r), 4);
    cr_expect_eq(mpack_read_uint(&r), 45);
    cr_expect_eq(mpack_read_uint(&r), 70000);
    cr_expect_eq(mpack_read_str(&r).size, 6);
    cr_expect_eq(mpack_read_str(&r).size, 7);
    cr_expect(!r.failed && r.at == r.end);
    mpack_buffer_done(&b);
}

Test(frame, asks_for_the_rest_at_every_split)
{
    struct mpack_buffer b = {0};
    size_t offset = frame_begin(&b, 10, 5, 1);
    mpack_write_bin(&b, "0123456789", 10);
    frame_end(&b, offset);
    for (size_t size = 0; size < b.size; size++) {
        uint8_t *copy = bytes_copy(b.data, size);
        struct slice payload;
        size_t need = 0;
        const char *why;
        cr_assert_eq(frame_next(copy, size, 100, &payload, &need, &why), FRAME_PARTIAL, "%zu bytes", size);
        cr_expect_eq(need, size < FRAME_HEADER_BYTES ? FRAME_HEADER_BYTES : b.size, "%zu bytes", size);
        free(copy);
    }
    mpack_buffer_done(&b);
}

Test(frame, refuses_a_payload_over_the_limit_with_its_length_alone)
{
    struct slice payload;
    size_t need;
    const char *why = NULL;
    cr_expect_eq(frame_next("\x00\x00\x00\x65", 4, 100, &payload, &need, &why), FRAME_BAD, "101 of 100");
    cr_expect_not_null(why);
    cr_expect_eq(frame_next("\x00\x00\x00\x64", 4, 100, &payload, &need, &why), FRAME_PARTIAL, "100 of 100");
    cr_expect_eq(need, 104);
    cr_expect_eq(frame_next("\xff\xff\xff\xff", 4, FRAME_BYTES_MAX, &payload, &need, &why), FRAME_BAD);
    cr_expect_eq(frame_next("GET / HTTP/1.1\r\n\r\n", 18, FRAME_BYTES_MAX, &payload, &need, &why), FRAME_BAD);
}

Test(frame, accepts_a_payload_of_exactly_the_limit)
{
    struct mpack_buffer b = {0};
    size_t offset = frame_begin(&b, 10, 5, 1);
    mpack_write_bin(&b, "0123456789", 10);
    frame_end(&b, offset);
    struct slice payload;
    size_t need;
    const char *why;
    size_t size = b.size - FRAME_HEADER_BYTES;
    cr_expect_eq(frame_next(b.data, b.size, size, &payload, &need, &why), FRAME_WHOLE);
    cr_expect_eq(frame_next(b.data, b.size, size - 1, &payload, &need, &why), FRAME_BAD);
    mpack_buffer_done(&b);
}

Test(frame, refuses_what_is_not_an_array_of_two_unsigned_integers_and_fields)
{
    static const struct {
        const char *name;
        struct slice bytes;
    } rows[] = {
        {"empty payload", BYTES("\0\0\0\0")},
        {"nil", BYTES("\0\0\0\1\xc0")},
        {"map", BYTES("\0\0\0\3\x81\x01\x02")},
        {"array of none", BYTES("\0\0\0\1\x90")},
        {"array of one", BYTES("\0\0\0\2\x91\x01")},
        {"op is text", BYTES("\0\0\0\4\x92\xa1x\x01")},
        {"op is negative", BYTES("\0\0\0\3\x92\xff\x01")},
        {"request id is nil", BYTES("\0\0\0\3\x92\x01\xc0")},
        {"request id is negative", BYTES("\0\0\0\3\x92\x01\xff")},
        {"request id is an array", BYTES("\0\0\0\3\x92\x01\x90")},
        {"a byte too many", BYTES("\0\0\0\4\x92\x01\x01\x00")},
        {"a bomb", BYTES("\0\0\0\5\xdd\x00\x00\x00\xc8")},
        {"too deep", BYTES("\0\0\0\xb\x93\x01\x01\x91\x91\x91\x91\x91\x91\x91\x90")},
        {"garbage", BYTES("\0\0\0\4\xc1\xc1\xc1\xc1")},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint8_t *copy = bytes_copy(rows[i].bytes.data, rows[i].bytes.size);
        struct slice payload;
        size_t need;
        const char *why = NULL;
        cr_expect_eq(frame_next(copy, rows[i].bytes.size, 100, &payload, &need, &why), FRAME_BAD, "%s",
                     rows[i].name);
        cr_expect_not_null(why, "%s", rows[i].name);
        free(copy);
    }
    struct slice payload, deep = BYTES("\0\0\0\xa\x93\x01\x01\x91\x91\x91\x91\x91\x91\x90");
    size_t need;
    const char *why;
    cr_expect_eq(frame_next(deep.data, deep.size, 100, &payload, &need, &why), FRAME_WHOLE,
                 "depth 8 is allowed");
}

Test(frame, leaves_a_failed_buffer_alone)
{
    struct mpack_buffer b = {0};
    size_t offset = frame_begin(&b, 1, 1, 0);
    (void)mpack_extend(&b, SIZE_MAX);
    frame_end(&b, offset);
    cr_expect(b.failed);
    mpack_buffer_done(&b);
}

Test(frame, refuses_a_frame_whose_length_does_not_fit)
{
    uint8_t bytes[FRAME_HEADER_BYTES] = {0};
    struct mpack_buffer b = {.data = bytes, .size = (size_t)UINT32_MAX + FRAME_HEADER_BYTES + 1};
    frame_end(&b, 0);
    cr_assert(b.failed);
    cr_assert_eq(bytes[0], 0, "nothing was written");
    b.failed = false;
    b.size--;
    frame_end(&b, 0);
    cr_assert(!b.failed && bytes[0] == 0xff && bytes[3] == 0xff);
}
