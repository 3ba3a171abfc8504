/* The reader: values of every encoding, wrong types, and what happens after a failure. */
#include "proto/mpack.h"
#include "tests/unit/base/bytes.h"
#include <criterion/criterion.h>

struct number_row {
    struct slice bytes;
    bool as_uint; /* mpack_read_uint() takes it */
    bool as_int;  /* mpack_read_int() takes it */
    uint64_t bits;
};

static const struct number_row numbers[] = {
    {BYTES("\x00"), true, true, 0},
    {BYTES("\x7f"), true, true, 127},
    {BYTES("\xcc\x00"), true, true, 0},
    {BYTES("\xcc\x80"), true, true, 128},
    {BYTES("\xcc\xff"), true, true, 255},
    {BYTES("\xcd\x01\x00"), true, true, 256},
    {BYTES("\xcd\xff\xff"), true, true, 65535},
    {BYTES("\xce\x00\x01\x00\x00"), true, true, 65536},
    {BYTES("\xce\xff\xff\xff\xff"), true, true, UINT32_MAX},
    {BYTES("\xcf\x00\x00\x00\x01\x00\x00\x00\x00"), true, true, 1ull << 32},
    {BYTES("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), true, true, INT64_MAX},
    {BYTES("\xcf\x80\x00\x00\x00\x00\x00\x00\x00"), true, false, 1ull << 63},
    {BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), true, false, UINT64_MAX},
    {BYTES("\xd0\x7f"), true, true, 127},
    {BYTES("\xd0\x80"), false, true, (uint64_t)-128},
    {BYTES("\xd1\x7f\xff"), true, true, 32767},
    {BYTES("\xd1\x80\x00"), false, true, (uint64_t)-32768},
    {BYTES("\xd1\xff\xff"), false, true, (uint64_t)-1},
    {BYTES("\xd2\x7f\xff\xff\xff"), true, true, INT32_MAX},
    {BYTES("\xd2\x80\x00\x00\x00"), false, true, (uint64_t)INT32_MIN},
    {BYTES("\xd3\x7f\xff\xff\xff\xff\xff\xff\xff"), true, true, INT64_MAX},
    {BYTES("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), false, true, (uint64_t)INT64_MIN},
    {BYTES("\xe0"), false, true, (uint64_t)-32},
    {BYTES("\xff"), false, true, (uint64_t)-1},
};

static void expect_failed(const struct mpack_reader *r, const char *what)
{
    cr_expect(r->failed, "%s fails", what);
    cr_expect_eq(mpack_peek(r), MPACK_END, "%s: nothing is to be seen after a failure", what);
}

Test(mpack_read, reads_integers_of_every_encoding)
{
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        const struct number_row *row = &numbers[i];
        struct mpack_reader r;
        mpack_read_init(&r, row->bytes.data, row->bytes.size);
        cr_expect_eq(mpack_peek(&r), MPACK_INT);
        uint64_t as_uint = mpack_read_uint(&r);
        cr_expect_eq(r.failed, !row->as_uint, "row %zu as unsigned", i);
        cr_expect_eq(as_uint, row->as_uint ? row->bits : 0, "row %zu as unsigned", i);
        mpack_read_init(&r, row->bytes.data, row->bytes.size);
        int64_t as_int = mpack_read_int(&r);
        cr_expect_eq(r.failed, !row->as_int, "row %zu as signed", i);
        cr_expect_eq((uint64_t)as_int, row->as_int ? row->bits : 0, "row %zu as signed", i);
        cr_expect_eq(r.at, r.end, "row %zu is consumed whole", i);
    }
}

/* One value of each type, and each read function against each of them. */
static const struct {
    enum mpack_type type;
    struct slice bytes;
} one_of_each[] = {
    {MPACK_NIL, BYTES("\xc0")},       {MPACK_BOOL, BYTES("\xc3")},
    {MPACK_INT, BYTES("\x05")},       {MPACK_FLOAT, BYTES("\xca\x3f\x80\x00\x00")},
    {MPACK_STR, BYTES("\xa1x")},      {MPACK_BIN, BYTES("\xc4\x01x")},
    {MPACK_ARRAY, BYTES("\x91\x01")}, {MPACK_MAP, BYTES("\x81\x01\x02")},
    {MPACK_END, BYTES("\xc1")},       {MPACK_END, BYTES("\xd4\x01x")},
};

static void read_uint(struct mpack_reader *r)
{
    (void)mpack_read_uint(r);
}
static void read_int(struct mpack_reader *r)
{
    (void)mpack_read_int(r);
}
static void read_bool(struct mpack_reader *r)
{
    (void)mpack_read_bool(r);
}
static void read_str(struct mpack_reader *r)
{
    (void)mpack_read_str(r);
}
static void read_bin(struct mpack_reader *r)
{
    (void)mpack_read_bin(r);
}
static void read_text_or_bin(struct mpack_reader *r)
{
    (void)mpack_read_text_or_bin(r);
}
static void read_array(struct mpack_reader *r)
{
    (void)mpack_read_array(r);
}
static void read_map(struct mpack_reader *r)
{
    (void)mpack_read_map(r);
}

static const struct {
    const char *name;
    void (*read)(struct mpack_reader *);
    enum mpack_type takes, takes_too;
} readers[] = {
    {"uint", read_uint, MPACK_INT, MPACK_INT},
    {"int", read_int, MPACK_INT, MPACK_INT},
    {"bool", read_bool, MPACK_BOOL, MPACK_BOOL},
    {"nil", mpack_read_nil, MPACK_NIL, MPACK_NIL},
    {"str", read_str, MPACK_STR, MPACK_STR},
    {"bin", read_bin, MPACK_BIN, MPACK_BIN},
    {"text or bin", read_text_or_bin, MPACK_STR, MPACK_BIN},
    {"array", read_array, MPACK_ARRAY, MPACK_ARRAY},
    {"map", read_map, MPACK_MAP, MPACK_MAP},
};

Test(mpack_read, takes_its_own_type_and_fails_on_every_other)
{
    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        for (size_t j = 0; j < COUNT_OF(one_of_each); j++) {
            struct mpack_reader r;
            enum mpack_type type = one_of_each[j].type;
            mpack_read_init(&r, one_of_each[j].bytes.data, one_of_each[j].bytes.size);
            cr_expect_eq(mpack_peek(&r), type);
            readers[i].read(&r);
            bool takes = type == readers[i].takes || type == readers[i].takes_too;
            cr_expect_eq(r.failed, !takes, "%s of type %d", readers[i].name, (int)type);
        }
    }
}

Test(mpack_read, fails_at_the_end_and_stays_failed)
{
    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        struct mpack_reader r;
        mpack_read_init(&r, NULL, 0);
        cr_expect_eq(mpack_peek(&r), MPACK_END);
        cr_expect(!r.failed, "peeking at the end is no failure");
        readers[i].read(&r);
        expect_failed(&r, readers[i].name);
    }
    struct mpack_reader r;
    mpack_read_init(&r, "\xc0\x05", 2);
    cr_expect_eq(mpack_read_uint(&r), 0);
    cr_expect_eq(mpack_read_uint(&r), 0, "the 5 behind it is not read any more");
    expect_failed(&r, "a reader after a wrong type");
}

Test(mpack_read, never_runs_past_bytes_that_were_not_checked)
{
    static const struct slice cut[] = {BYTES("\xcd\x01"),
                                       BYTES("\xc4\x05"
                                             "abc"),
                                       BYTES("\xdb\xff\xff\xff\xff"),
                                       BYTES("\xdd\x00\x00\x00\xc8"),
                                       BYTES("\xdf\x00"),
                                       BYTES("\xa5"
                                             "abcd")};
    for (size_t i = 0; i < COUNT_OF(cut); i++) {
        uint8_t *copy = bytes_copy(cut[i].data, cut[i].size);
        struct mpack_reader r;
        mpack_read_init(&r, copy, cut[i].size);
        struct slice any = mpack_read_any(&r);
        expect_failed(&r, "a cut value");
        cr_expect(any.data && any.size == 0);
        mpack_read_init(&r, copy, cut[i].size);
        struct slice bytes = mpack_read_text_or_bin(&r);
        expect_failed(&r, "a cut value as bytes");
        cr_expect(bytes.data && bytes.size == 0);
        mpack_read_init(&r, copy, cut[i].size);
        (void)mpack_read_uint(&r);
        expect_failed(&r, "a cut value as number");
        free(copy);
    }
}

Test(mpack_read, returns_bytes_in_place)
{
    static const char frame[] = "\x93\xa3"
                                "abc"
                                "\xc4\x02"
                                "de"
                                "\xc4\x00";
    struct mpack_reader r;
    mpack_read_init(&r, frame, sizeof frame - 1);
    cr_expect_eq(mpack_read_array(&r), 3);
    struct slice text = mpack_read_str(&r), bin = mpack_read_bin(&r), empty = mpack_read_bin(&r);
    cr_expect_eq(text.data, (const void *)(frame + 2));
    cr_expect_eq(text.size, 3);
    cr_expect_eq(bin.data, (const void *)(frame + 7));
    cr_expect_eq(bin.size, 2);
    cr_expect_eq(empty.size, 0);
    cr_expect_not_null(empty.data);
    cr_expect(!r.failed && mpack_peek(&r) == MPACK_END);
}

Test(mpack_read, skips_any_value_whole)
{
    static const char frame[] = "\x92\x82\xa1k\x92\x01\xc4\x02xy\x05\xcb\x00\x00\x00\x00\x00\x00\x00\x00\x2a";
    struct mpack_reader r;
    mpack_read_init(&r, frame, sizeof frame - 1);
    cr_expect_eq(mpack_read_array(&r), 2);
    struct slice map = mpack_read_any(&r);
    cr_expect_eq(map.data, (const void *)(frame + 1));
    cr_expect_eq(map.size, sizeof frame - 3);
    cr_expect_eq(mpack_read_uint(&r), 42);
    cr_expect(!r.failed);
}

Test(mpack_read, consumes_nil_only_if_it_is_there)
{
    struct mpack_reader r;
    mpack_read_init(&r, "\xc0\x07", 2);
    cr_expect(mpack_read_is_nil(&r));
    cr_expect(!mpack_read_is_nil(&r));
    cr_expect_eq(mpack_read_uint(&r), 7);
    cr_expect(!mpack_read_is_nil(&r));
    cr_expect(!r.failed);
}

Test(mpack_read, reads_counts_of_every_width)
{
    static const struct {
        struct slice bytes;
        uint32_t array, map;
    } rows[] = {
        {BYTES("\x90"), 0, 0},
        {BYTES("\x9f"), 15, 0},
        {BYTES("\xdc\x00\x10"), 16, 0},
        {BYTES("\xdd\x00\x01\x00\x00"), 65536, 0},
        {BYTES("\x8f"), 0, 15},
        {BYTES("\xde\xff\xff"), 0, 65535},
        {BYTES("\xdf\x01\x00\x00\x00"), 0, 1u << 24},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct mpack_reader r;
        mpack_read_init(&r, rows[i].bytes.data, rows[i].bytes.size);
        bool is_map = mpack_peek(&r) == MPACK_MAP;
        uint32_t count = is_map ? mpack_read_map(&r) : mpack_read_array(&r);
        cr_expect_eq(count, is_map ? rows[i].map : rows[i].array, "row %zu", i);
        cr_expect(!r.failed);
    }
}

/* A head without the length that it announces. */
Test(mpack_read, takes_no_text_without_its_length)
{
    static const char *const heads[] = {"\xd9", "\xda\x01", "\xc4", "\xc6\x01\x01"};
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        struct mpack_reader r;
        uint8_t *copy = bytes_copy(heads[i], strlen(heads[i]));
        mpack_read_init(&r, copy, strlen(heads[i]));
        cr_assert_eq(mpack_read_text_or_bin(&r).size, 0);
        cr_assert(r.failed);
        free(copy);
    }
}
