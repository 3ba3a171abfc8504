/* Messages: shape, and each limit at, below and above. */
#include "proto/errors.h"
#include "proto/limits.h"
#include "proto/message.h"
#include "tests/unit/base/bytes.h"
#include <criterion/criterion.h>

/* What to build; each field is left out if it and all after it are zero. */
struct plan {
    size_t body_bytes, headers, key_bytes;
    size_t header_key_bytes, header_value_bytes; /* of each header */
    int64_t delay_ms, ttl_ms;
};

static void build(struct mpack_buffer *b, const struct plan *p)
{
    uint8_t *bytes = malloc(BODY_BYTES_MAX + 1);
    memset(bytes, 'x', BODY_BYTES_MAX + 1);
    mpack_write_array(b, 5);
    mpack_write_bin(b, bytes, p->body_bytes);
    if (p->headers) {
        mpack_write_map(b, (uint32_t)p->headers);
        for (size_t i = 0; i < p->headers; i++) {
            mpack_write_str(b, bytes, p->header_key_bytes);
            mpack_write_bin(b, bytes, p->header_value_bytes);
        }
    } else {
        mpack_write_nil(b);
    }
    if (p->key_bytes)
        mpack_write_bin(b, bytes, p->key_bytes);
    else
        mpack_write_nil(b);
    mpack_write_int(b, p->delay_ms);
    mpack_write_int(b, p->ttl_ms);
    free(bytes);
}

static int read_plan(const struct plan *p, size_t body_bytes_max, const char *what)
{
    struct mpack_buffer b = {0};
    struct message_view m;
    struct mpack_reader r;
    const char *why = NULL;
    build(&b, p);
    size_t size = b.size;
    mpack_write_uint(&b, 99); /* the next value in the frame */
    mpack_read_init(&r, b.data, b.size);
    int code = message_read(&r, body_bytes_max, &m, &why);
    cr_expect_eq(code == SHUNT_OK, !why, "%s: an error says why", what);
    cr_expect_eq(mpack_read_uint(&r), 99, "%s: the reader stands behind the message", what);
    if (code == SHUNT_OK) {
        cr_expect_eq(m.whole.size, size, "%s", what);
        cr_expect_eq(m.body.size, p->body_bytes, "%s", what);
        cr_expect_eq(m.headers_count, p->headers, "%s", what);
        cr_expect_eq(m.key.size, p->key_bytes, "%s", what);
        cr_expect_eq(m.delay_ms, p->delay_ms, "%s", what);
        cr_expect_eq(m.ttl_ms, p->ttl_ms, "%s", what);
    }
    mpack_buffer_done(&b);
    return code;
}

Test(message, holds_each_limit_at_and_above)
{
    static const struct {
        const char *name;
        struct plan plan;
        int code;
    } rows[] = {
        {"empty", {0}, SHUNT_OK},
        {"body below", {.body_bytes = 999}, SHUNT_OK},
        {"body at", {.body_bytes = 1000}, SHUNT_OK},
        {"body above", {.body_bytes = 1001}, SHUNT_TOO_LARGE},
        {"key at", {.key_bytes = KEY_BYTES_MAX}, SHUNT_OK},
        {"key above", {.key_bytes = KEY_BYTES_MAX + 1}, SHUNT_TOO_LARGE},
        {"headers at", {.headers = HEADERS_MAX, .header_key_bytes = 1}, SHUNT_OK},
        {"headers above", {.headers = HEADERS_MAX + 1, .header_key_bytes = 1}, SHUNT_TOO_LARGE},
        {"header key empty", {.headers = 1}, SHUNT_BAD_ARGUMENT},
        {"header key at", {.headers = 1, .header_key_bytes = HEADER_KEY_BYTES_MAX}, SHUNT_OK},
        {"header key above", {.headers = 1, .header_key_bytes = HEADER_KEY_BYTES_MAX + 1}, SHUNT_TOO_LARGE},
        {"header value at",
         {.headers = 1, .header_key_bytes = 1, .header_value_bytes = HEADER_VALUE_BYTES_MAX},
         SHUNT_OK},
        {"header value above",
         {.headers = 1, .header_key_bytes = 1, .header_value_bytes = HEADER_VALUE_BYTES_MAX + 1},
         SHUNT_TOO_LARGE},
        /* Per header: 3 of key head, 253 of key, 3 of value head, 3837 of value make 4096; one byte of map
           head. */
        {"headers together above",
         {.headers = 8, .header_key_bytes = 256, .header_value_bytes = 3834},
         SHUNT_TOO_LARGE},
        {"headers together below",
         {.headers = 8, .header_key_bytes = 256, .header_value_bytes = 3833},
         SHUNT_OK},
        {"delay at", {.delay_ms = DURATION_MS_MAX}, SHUNT_OK},
        {"delay above", {.delay_ms = DURATION_MS_MAX + 1}, SHUNT_BAD_ARGUMENT},
        {"delay negative", {.delay_ms = -1}, SHUNT_BAD_ARGUMENT},
        {"delay as small as can be", {.delay_ms = INT64_MIN}, SHUNT_BAD_ARGUMENT},
        {"time to live at", {.ttl_ms = DURATION_MS_MAX}, SHUNT_OK},
        {"time to live above", {.ttl_ms = DURATION_MS_MAX + 1}, SHUNT_BAD_ARGUMENT},
        {"time to live negative", {.ttl_ms = -5}, SHUNT_BAD_ARGUMENT},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_expect_eq(read_plan(&rows[i].plan, 1000, rows[i].name), rows[i].code, "%s", rows[i].name);
}

/* 8 headers of 259 + 3 + v bytes and one byte of map head: 32768 exactly needs two sizes of value. */
Test(message, holds_the_bytes_of_all_headers_at_exactly_the_limit)
{
    for (size_t extra = 0; extra <= 1; extra++) {
        struct mpack_buffer b = {0};
        uint8_t bytes[HEADER_VALUE_BYTES_MAX] = {0};
        memset(bytes, 'k', sizeof bytes);
        mpack_write_array(&b, 2);
        mpack_write_bin(&b, NULL, 0);
        size_t from = b.size;
        mpack_write_map(&b, 8);
        for (size_t i = 0; i < 8; i++) {
            mpack_write_str(&b, bytes, 256);
            size_t last = HEADERS_BYTES_MAX - (b.size - from) - 3 + extra;
            mpack_write_bin(&b, bytes, i < 7 ? 3834 : last);
        }
        cr_assert_eq(b.size - from, HEADERS_BYTES_MAX + extra);
        struct mpack_reader r;
        struct message_view m;
        const char *why;
        mpack_read_init(&r, b.data, b.size);
        cr_expect_eq(message_read(&r, 10, &m, &why), extra ? SHUNT_TOO_LARGE : SHUNT_OK);
        mpack_buffer_done(&b);
    }
}

Test(message, never_takes_a_body_over_the_hard_limit)
{
    struct plan at = {.body_bytes = BODY_BYTES_MAX}, above = {.body_bytes = BODY_BYTES_MAX + 1};
    cr_expect_eq(read_plan(&at, SIZE_MAX, "at"), SHUNT_OK);
    cr_expect_eq(read_plan(&above, SIZE_MAX, "above"), SHUNT_TOO_LARGE);
}

Test(message, refuses_numbers_over_63_bits_as_out_of_range)
{
    static const char bytes[] = "\x94\xc4\x00\xc0\xc0\xcf\xff\xff\xff\xff\xff\xff\xff\xff";
    struct mpack_reader r;
    struct message_view m;
    const char *why;
    mpack_read_init(&r, bytes, sizeof bytes - 1);
    cr_expect_eq(message_read(&r, 10, &m, &why), SHUNT_BAD_ARGUMENT);
    cr_expect(!r.failed && r.at == r.end);
}

Test(message, refuses_another_shape_as_a_protocol_error)
{
    static const struct {
        const char *name;
        struct slice bytes;
    } rows[] = {
        {"not an array", BYTES("\x05")},
        {"nil", BYTES("\xc0")},
        {"bare body", BYTES("\xc4\x01x")},
        {"empty array", BYTES("\x90")},
        {"empty array and a bin behind it", BYTES("\x90\xc4\x01x")},
        {"body is a str", BYTES("\x91\xa1x")},
        {"body is nil", BYTES("\x91\xc0")},
        {"headers are an array", BYTES("\x92\xc4\x00\x90")},
        {"header key is a number", BYTES("\x92\xc4\x00\x81\x01\xa1v")},
        {"header key is bin", BYTES("\x92\xc4\x00\x81\xc4\x01k\xa1v")},
        {"header value is a number", BYTES("\x92\xc4\x00\x81\xa1k\x01")},
        {"header value is nil", BYTES("\x92\xc4\x00\x81\xa1k\xc0")},
        {"header value is a map", BYTES("\x92\xc4\x00\x81\xa1k\x80")},
        {"key is a number", BYTES("\x93\xc4\x00\xc0\x05")},
        {"delay is text", BYTES("\x94\xc4\x00\xc0\xc0\xa1"
                                "1")},
        {"delay is nil", BYTES("\x94\xc4\x00\xc0\xc0\xc0")},
        {"delay is a float", BYTES("\x94\xc4\x00\xc0\xc0\xca\x3f\x80\x00\x00")},
        {"time to live is a bool", BYTES("\x95\xc4\x00\xc0\xc0\x00\xc3")},
        {"nothing", BYTES("")},
        {"cut", BYTES("\x92\xc4\x00\x81\xa1k")},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint8_t *copy = bytes_copy(rows[i].bytes.data, rows[i].bytes.size);
        struct mpack_reader r;
        struct message_view m;
        const char *why = NULL;
        mpack_read_init(&r, copy, rows[i].bytes.size);
        cr_expect_eq(message_read(&r, 10, &m, &why), SHUNT_PROTOCOL, "%s", rows[i].name);
        cr_expect(r.failed && why, "%s", rows[i].name);
        free(copy);
    }
}

Test(message, leaves_out_trailing_fields_and_ignores_later_ones)
{
    static const struct slice rows[] = {
        BYTES("\x91\xc4\x02hi"),
        BYTES("\x92\xc4\x02hi\xc0"),
        BYTES("\x93\xc4\x02hi\xc0\xc0"),
        BYTES("\x94\xc4\x02hi\xc0\xc0\x00"),
        BYTES("\x95\xc4\x02hi\xc0\xc0\x00\x00"),
        BYTES("\x98\xc4\x02hi\xc0\xc0\x00\x00\x00\x92\x01\x80\xc3"),
        /* as it was stored before there were deadlines */
        BYTES("\x97\xc4\x02hi\xc0\xc0\x00\x00\x92\x01\x80\xc3"),
        BYTES("\xdc\x00\x02\xc6\x00\x00\x00\x02hi\x80"),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct mpack_reader r;
        struct message_view m;
        const char *why;
        mpack_read_init(&r, rows[i].data, rows[i].size);
        cr_assert_eq(message_read(&r, 10, &m, &why), SHUNT_OK, "row %zu", i);
        cr_expect(r.at == r.end && m.whole.size == rows[i].size, "row %zu", i);
        cr_expect(slice_is(m.body, "hi"), "row %zu", i);
        cr_expect(m.headers_count == 0 && m.key.size == 0 && m.delay_ms == 0 && m.ttl_ms == 0, "row %zu", i);
    }
}

Test(message, checks_header_keys_for_utf8)
{
    static const char good[] = "\x92\xc4\x00\x81\xa2\xc3\xa9\xa1v",
                      bad[] = "\x92\xc4\x00\x81\xa2\xc3\xc3\xa1v";
    struct mpack_reader r;
    struct message_view m;
    const char *why;
    mpack_read_init(&r, good, sizeof good - 1);
    cr_expect_eq(message_read(&r, 10, &m, &why), SHUNT_OK);
    mpack_read_init(&r, bad, sizeof bad - 1);
    cr_expect_eq(message_read(&r, 10, &m, &why), SHUNT_BAD_ARGUMENT);
}

Test(message, finds_and_walks_headers)
{
    static const char bytes[] = "\x93\xc4\x00\x83\xa1"
                                "a\xa2va\xa4"
                                "file\xc4\x05"
                                "x.txt\xa1z\xa0\xa3key";
    struct mpack_reader r;
    struct message_view m;
    const char *why;
    mpack_read_init(&r, bytes, sizeof bytes - 1);
    cr_assert_eq(message_read(&r, 10, &m, &why), SHUNT_OK);
    cr_expect_eq(m.headers_count, 3);
    cr_expect(slice_is(m.key, "key"));
    struct slice file = message_header(&m, "file"), empty = message_header(&m, "z");
    cr_expect(slice_is(file, "x.txt"));
    cr_expect(empty.size == 0 && empty.data, "an empty value is there");
    cr_expect_null(message_header(&m, "fil").data);
    cr_expect_null(message_header(&m, "File").data);

    size_t cursor = 0, count = 0;
    struct slice key, value;
    char keys[16] = "";
    for (; message_header_next(&m, &cursor, &key, &value); count++)
        strncat(keys, key.data, key.size);
    cr_expect_eq(count, 3);
    cr_expect_str_eq(keys, "afilez");
    cr_expect(!message_header_next(&m, &cursor, &key, &value), "the end stays the end");

    struct message_view none = {0};
    cursor = 0;
    cr_expect(!message_header_next(&none, &cursor, &key, &value));
    cr_expect_null(message_header(&none, "file").data);
}

/* What is wrong first is what is said, whatever else is wrong behind it; and the walk goes on. */
Test(message, says_what_is_wrong_first)
{
    static const struct plan p = {.body_bytes = 11,
                                  .headers = 2,
                                  .header_value_bytes = 1,
                                  .key_bytes = KEY_BYTES_MAX + 1,
                                  .delay_ms = -1};
    struct mpack_buffer b = {0};
    struct message_view m;
    struct mpack_reader r;
    const char *why;
    build(&b, &p);
    mpack_read_init(&r, b.data, b.size);
    cr_assert_eq(message_read(&r, 10, &m, &why), SHUNT_TOO_LARGE);
    cr_assert(strstr(why, "the body"), "%s", why);
    mpack_read_init(&r, b.data, b.size);
    cr_assert_eq(message_read(&r, 11, &m, &why), SHUNT_BAD_ARGUMENT);
    cr_assert(strstr(why, "a header's key is empty"), "%s", why);
    cr_assert(!r.failed && r.at == r.end);
    mpack_buffer_done(&b);
}

Test(message, a_shape_broken_behind_a_limit_is_a_protocol_error)
{
    static const struct {
        const char *bytes;
        size_t size;
    } broken[] = {
        BYTES("\x92\xc4\x02xx\x83\xa1k\xc4\x00\x01\xc4\x00\xa1l\xc4\x00"), /* a body too large, then a header
                                                                 whose key is a number */
        BYTES("\x96\xc4\x00\xc0\xc0\x00\xa1t\x01"), /* a time to live that is a text, then a later field */
    };
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        struct message_view m;
        struct mpack_reader r;
        const char *why;
        uint8_t *copy = bytes_copy(broken[i].bytes, broken[i].size);
        mpack_read_init(&r, copy, broken[i].size);
        cr_assert_eq(message_read(&r, 1, &m, &why), SHUNT_PROTOCOL, "%zu", i);
        cr_assert(r.failed);
        free(copy);
    }
}

/* Stored messages may have anything there; only one that is published now is told. */
Test(message, a_deadline_is_a_time_and_what_is_none_says_nothing)
{
    static const struct {
        const char *name;
        struct slice bytes;
        int code;
        int64_t deadline_ms;
        bool later;
    } rows[] = {
        {"none", BYTES("\x96\xc4\x00\xc0\xc0\x00\x00\x00"), SHUNT_OK, 0, false},
        {"one", BYTES("\x96\xc4\x00\xc0\xc0\x00\x00\xcd\x01\x00"), SHUNT_OK, 256, false},
        {"the last", BYTES("\x96\xc4\x00\xc0\xc0\x00\x00\xcf\x00\x00\xe6\x77\xd2\x1f\xdb\xff"), SHUNT_OK,
         DEADLINE_MS_MAX, false},
        {"beyond", BYTES("\x96\xc4\x00\xc0\xc0\x00\x00\xcf\x00\x00\xe6\x77\xd2\x1f\xdc\x00"),
         SHUNT_BAD_ARGUMENT, 0, true},
        {"over 63 bits", BYTES("\x96\xc4\x00\xc0\xc0\x00\x00\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
         SHUNT_BAD_ARGUMENT, 0, true},
        {"negative", BYTES("\x96\xc4\x00\xc0\xc0\x00\x00\xff"), SHUNT_BAD_ARGUMENT, 0, true},
        {"a text", BYTES("\x96\xc4\x00\xc0\xc0\x00\x00\xa1t"), SHUNT_PROTOCOL, 0, true},
        {"nil", BYTES("\x96\xc4\x00\xc0\xc0\x00\x00\xc0"), SHUNT_PROTOCOL, 0, true},
        {"a map", BYTES("\x97\xc4\x00\xc0\xc0\x00\x00\x81\xa1k\x01\x05"), SHUNT_PROTOCOL, 0, true},
        {"one, and a later field", BYTES("\x97\xc4\x00\xc0\xc0\x00\x00\x05\x80"), SHUNT_OK, 5, true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct mpack_reader r;
        struct message_view m;
        const char *why = NULL;
        mpack_read_init(&r, rows[i].bytes.data, rows[i].bytes.size);
        cr_expect_eq(message_read(&r, 10, &m, &why), SHUNT_OK, "%s", rows[i].name);
        cr_expect(r.at == r.end && m.deadline_ms == rows[i].deadline_ms && m.later == rows[i].later, "%s",
                  rows[i].name);
        cr_expect_eq(message_is_timed(&m), rows[i].deadline_ms != 0, "%s", rows[i].name);
        mpack_read_init(&r, rows[i].bytes.data, rows[i].bytes.size);
        cr_expect_eq(message_read_new(&r, 10, &m, &why), rows[i].code, "%s", rows[i].name);
        cr_expect_eq(rows[i].code == SHUNT_OK, !why, "%s", rows[i].name);
        cr_expect_eq(r.failed, rows[i].code == SHUNT_PROTOCOL, "%s", rows[i].name);
    }
}

/* Headers that were never checked, as a damaged row would have them. */
Test(message, a_walk_over_broken_headers_ends)
{
    const struct message_view m = {.headers = {"\x81\xa1k\xc4\x09", 5}};
    struct slice key, value;
    size_t cursor = 0;
    cr_assert_not(message_header_next(&m, &cursor, &key, &value));
    cr_assert_null(message_header(&m, "k").data);
}
