/* Composing a message. */
#include "client/wire/message.h"
#include "client/wire/split.h"
#include "proto/message.h"
#include <criterion/criterion.h>
#include <string.h>

static struct shunt_message *m;
static struct mpack_buffer encoded;

static void setup(void)
{
    m = shunt_message_new();
    encoded = (struct mpack_buffer){0};
}

static void teardown(void)
{
    shunt_message_free(m);
    mpack_buffer_done(&encoded);
}

TestSuite(message, .init = setup, .fini = teardown);

static struct message_view encode(void)
{
    struct message_view view;
    struct mpack_reader r;
    const char *why = NULL;
    encoded.size = 0;
    message_encode(m, &encoded);
    cr_assert_leq(encoded.size, message_encoded_bytes_max(m));
    mpack_read_init(&r, encoded.data, encoded.size);
    cr_assert_eq(message_read(&r, BODY_BYTES_MAX, &view, &why), 0, "%s", why);
    cr_assert_eq(mpack_peek(&r), MPACK_END);
    return view;
}

Test(message, an_empty_one_is_an_empty_body)
{
    struct message_view v = encode();
    cr_assert_eq(v.body.size, 0);
    cr_assert_eq(v.headers_count, 0);
    cr_assert_eq(v.key.size, 0);
    cr_assert_eq(encoded.size, 3, "what is not set is left out");
}

Test(message, all_that_was_set_arrives)
{
    shunt_message_body(m, "body", 4);
    cr_assert_eq(shunt_message_header(m, "a", "text", 4), 0);
    cr_assert_eq(shunt_message_header(m, "b", "\xff\x00", 2), 0);
    cr_assert_eq(shunt_message_key(m, "k\0ey", 4), 0);
    cr_assert_eq(shunt_message_delay(m, 1500), 0);
    cr_assert_eq(shunt_message_ttl(m, DURATION_MS_MAX), 0);
    struct message_view v = encode();
    cr_assert_arr_eq(v.body.data, "body", 4);
    cr_assert_eq(v.headers_count, 2);
    cr_assert_arr_eq(message_header(&v, "a").data, "text", 4);
    cr_assert_arr_eq(message_header(&v, "b").data, "\xff\x00", 2);
    cr_assert_arr_eq(v.key.data, "k\0ey", 4);
    cr_assert_eq(v.delay_ms, 1500);
    cr_assert_eq(v.ttl_ms, DURATION_MS_MAX);
}

Test(message, a_time_to_live_alone_keeps_its_place)
{
    cr_assert_eq(shunt_message_ttl(m, 9), 0);
    struct message_view v = encode();
    cr_assert_eq(v.ttl_ms, 9);
    cr_assert_eq(v.delay_ms, 0);
}

Test(message, a_header_set_twice_keeps_the_later_value)
{
    cr_assert_eq(shunt_message_header(m, "a", "1", 1), 0);
    cr_assert_eq(shunt_message_header(m, "ab", "2", 1), 0);
    cr_assert_eq(shunt_message_header(m, "b", "3", 1), 0);
    cr_assert_eq(shunt_message_header(m, "ab", "longer than before", 18), 0);
    struct message_view v = encode();
    cr_assert_eq(v.headers_count, 3);
    cr_assert_eq(message_header(&v, "ab").size, 18);
    cr_assert_arr_eq(message_header(&v, "a").data, "1", 1);
    cr_assert_arr_eq(message_header(&v, "b").data, "3", 1);
}

Test(message, headers_end_at_their_limits)
{
    char value[HEADER_VALUE_BYTES_MAX + 1] = {0}, key[HEADER_KEY_BYTES_MAX + 2];
    memset(key, 'k', sizeof key);
    key[HEADER_KEY_BYTES_MAX + 1] = '\0';
    cr_assert_eq(shunt_message_header(m, key, "v", 1), SHUNT_TOO_LARGE);
    key[HEADER_KEY_BYTES_MAX] = '\0';
    cr_assert_eq(shunt_message_header(m, key, "v", 1), 0);
    cr_assert_eq(shunt_message_header(m, "v", value, HEADER_VALUE_BYTES_MAX + 1), SHUNT_TOO_LARGE);
    cr_assert_eq(shunt_message_header(m, "v", value, HEADER_VALUE_BYTES_MAX), 0);
    cr_assert_eq(shunt_message_header(m, "", "v", 1), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_message_header(m, "\xff", "v", 1), SHUNT_BAD_ARGUMENT);
    shunt_message_clear(m);
    for (int i = 0; i < HEADERS_MAX; i++) {
        cr_assert_eq(
            shunt_message_header(m, (char[]){'a' + (char)(i / 26), 'a' + (char)(i % 26), '\0'}, "v", 1), 0);
    }
    cr_assert_eq(shunt_message_header(m, "zz", "v", 1), SHUNT_TOO_LARGE);
    cr_assert_eq(shunt_message_header(m, "aa", "w", 1), 0, "one that is there may change");
    cr_assert_eq(encode().headers_count, HEADERS_MAX);
    shunt_message_clear(m);
    int rc = 0;
    for (int i = 0; i < 9 && rc == 0; i++)
        rc = shunt_message_header(m, (char[]){'a' + (char)i, '\0'}, value, HEADER_VALUE_BYTES_MAX);
    cr_assert_eq(rc, SHUNT_TOO_LARGE, "all headers together");
    (void)encode();
}

Test(message, keys_and_times_end_at_their_limits)
{
    uint8_t key[KEY_BYTES_MAX + 1] = {0};
    cr_assert_eq(shunt_message_key(m, key, KEY_BYTES_MAX + 1), SHUNT_TOO_LARGE);
    cr_assert_eq(shunt_message_key(m, key, 0), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_message_key(m, key, KEY_BYTES_MAX), 0);
    cr_assert_eq(shunt_message_delay(m, -1), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_message_delay(m, DURATION_MS_MAX + 1), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_message_ttl(m, -1), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_message_ttl(m, DURATION_MS_MAX + 1), SHUNT_BAD_ARGUMENT);
    shunt_message_clear(m);
    cr_assert_eq(encode().key.size, 0);
}

/* ---- keys in parts */

static struct slice base_of(struct message_view v)
{
    return split_base_key(&v);
}

Test(message, a_split_key_is_its_part_and_the_base_is_read_from_it)
{
    static const char *const keys[] = {"k#0", "k#1", "k#2", "k#0"};
    cr_assert_eq(shunt_message_key(m, "k", 1), 0);
    for (uint64_t i = 0; i < 4; i++) {
        cr_assert_eq(shunt_message_split(m, 3, i), 0);
        struct message_view v = encode();
        cr_assert(slice_is(v.key, keys[i]));
        cr_assert(slice_is(base_of(v), "k"));
        cr_assert_eq(v.headers_count, 1, "the header is there once");
        cr_assert(slice_is(message_header(&v, "shunt-split"), "3"));
    }
    cr_assert_eq(shunt_message_split(m, SHUNT_SPLIT_PARTS_MAX, UINT64_MAX), 0);
    cr_assert(slice_is(encode().key, "k#1023"));
    cr_assert(slice_is(base_of(encode()), "k"));
}

Test(message, with_one_part_or_another_key_it_is_whole_again)
{
    cr_assert_eq(shunt_message_key(m, "k", 1), 0);
    cr_assert_eq(shunt_message_split(m, 8, 5), 0);
    cr_assert_eq(shunt_message_split(m, 1, 5), 0);
    cr_assert(slice_is(encode().key, "k"));
    cr_assert_eq(encode().headers_count, 0);
    cr_assert_eq(shunt_message_split(m, 8, 5), 0);
    cr_assert_eq(shunt_message_key(m, "other", 5), 0);
    cr_assert(slice_is(encode().key, "other"));
    cr_assert_eq(encode().headers_count, 0);
    cr_assert_eq(shunt_message_split(m, 8, 5), 0);
    shunt_message_clear(m);
    cr_assert_eq(encode().key.size, 0);
    cr_assert_eq(encode().headers_count, 0);
}

Test(message, what_cannot_be_split_is_refused_and_stays_whole)
{
    uint8_t long_key[KEY_BYTES_MAX] = {1};
    cr_assert_eq(shunt_message_split(m, 8, 0), SHUNT_BAD_ARGUMENT, "there is no key");
    cr_assert_eq(shunt_message_key(m, "k", 1), 0);
    cr_assert_eq(shunt_message_split(m, 0, 0), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_message_split(m, SHUNT_SPLIT_PARTS_MAX + 1, 0), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_message_key(m, long_key, KEY_BYTES_MAX - 2), 0);
    cr_assert_eq(shunt_message_split(m, 8, 0), 0, "there is just room");
    cr_assert_eq(shunt_message_key(m, long_key, KEY_BYTES_MAX - 1), 0);
    cr_assert_eq(shunt_message_split(m, 8, 0), SHUNT_TOO_LARGE);
    cr_assert_eq(encode().key.size, KEY_BYTES_MAX - 1);
    cr_assert_eq(encode().headers_count, 0);
}

Test(message, a_key_that_only_looks_like_a_part_is_its_own_base)
{
    static const struct {
        const char *key, *parts, *base;
    } rows[] = {
        {"k#1", NULL, "k#1"},        {"k#1", "", "k#1"},  {"k#1", "x8", "k#1"},  {"k#1", "8x", "k#1"},
        {"k#1", "1025", "k#1"},      {"k#8", "8", "k#8"}, {"k#01", "8", "k#01"}, {"k1", "8", "k1"},
        {"#1", "8", "#1"},           {"1", "8", "1"},     {"k#", "8", "k#"},     {"k", "8", "k"},
        {"k#00000", "8", "k#00000"}, {"k#7", "8", "k"},   {"k#2#7", "8", "k#2"}, {"##0", "2", "#"},
        {"k#7", "008", "k#7"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        shunt_message_clear(m);
        cr_assert_eq(shunt_message_key(m, rows[i].key, strlen(rows[i].key)), 0);
        if (rows[i].parts)
            cr_assert_eq(shunt_message_header(m, SPLIT_HEADER, rows[i].parts, strlen(rows[i].parts)), 0);
        cr_assert(slice_is(base_of(encode()), rows[i].base), "row %zu", i);
    }
}
