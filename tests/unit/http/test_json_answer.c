/* json_answer: frames of the protocol as JSON, in pieces of any size. */
#include "broker/http/json_answer.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* All of it, taken in pieces of `max`. */
static char *taken(const struct mpack_buffer *b, enum wire_answer answer, size_t max)
{
    struct json_answer j;
    size_t size = 0, got;
    char *text = malloc(1 << 20);
    json_answer_begin(&j, (struct slice){b->data, b->size}, api_answer_of(answer));
    while ((got = json_answer_take(&j, text + size, max)) > 0) {
        cr_assert_leq(got, max);
        size += got;
    }
    cr_assert_not(json_answer_failed(&j));
    text[size] = '\0';
    json_answer_done(&j);
    return text;
}

static void expect(struct mpack_buffer *b, enum wire_answer answer, const char *wanted)
{
    static const size_t pieces[] = {1, 7, 4096, 1 << 16};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        char *text = taken(b, answer, pieces[i]);
        cr_assert_str_eq(text, wanted, "in pieces of %zu: %s", pieces[i], text);
        free(text);
    }
    mpack_buffer_done(b);
}

static struct mpack_buffer ok(uint32_t fields)
{
    struct mpack_buffer b = {0};
    mpack_write_array(&b, 2 + fields);
    mpack_write_uint(&b, OP_OK);
    mpack_write_uint(&b, 2);
    return b;
}

Test(json_answer, values_of_every_type)
{
    struct mpack_buffer b = ok(1);
    mpack_write_map(&b, 8);
    mpack_write_cstr(&b, "nil");
    mpack_write_nil(&b);
    mpack_write_cstr(&b, "yes");
    mpack_write_bool(&b, true);
    mpack_write_cstr(&b, "most");
    mpack_write_uint(&b, UINT64_MAX);
    mpack_write_cstr(&b, "least");
    mpack_write_int(&b, INT64_MIN);
    mpack_write_cstr(&b, "text");
    mpack_write_cstr(&b, "\"\\/\n\t\x01\x7f\xc3\xa4");
    mpack_write_cstr(&b, "bytes");
    mpack_write_bin(&b, "plain", 5);
    mpack_write_cstr(&b, "odd");
    mpack_write_bin(&b, "\xff\x00", 2);
    mpack_write_cstr(&b, "list");
    mpack_write_array(&b, 3);
    mpack_write_array(&b, 0);
    mpack_write_map(&b, 0);
    mpack_write_bin(&b, "\xfe", 1);
    expect(&b, ANSWER_INFO,
           "{\"nil\":null,\"yes\":true,\"most\":18446744073709551615,\"least\":-9223372036854775808,"
           "\"text\":\"\\\"\\\\/\\n\\t\\u0001\\u007f\xc3\xa4\",\"bytes\":\"plain\",\"odd_base64\":\"/"
           "wA=\",\"list\":[[],{},{\"base64\":\"/g==\"}]}\n");
}

Test(json_answer, a_message_is_an_object_and_its_headers_keep_their_names)
{
    struct mpack_buffer b = ok(1);
    mpack_write_map(&b, 1);
    mpack_write_cstr(&b, "message");
    mpack_write_array(&b, 8); /* two fields of a later version */
    mpack_write_bin(&b, "body", 4);
    mpack_write_map(&b, 2);
    mpack_write_cstr(&b, "a");
    mpack_write_bin(&b, "\xff", 1);
    mpack_write_cstr(&b, "a_base64");
    mpack_write_cstr(&b, "mine");
    mpack_write_nil(&b);
    mpack_write_uint(&b, 0);
    mpack_write_uint(&b, 5);
    mpack_write_uint(&b, 7);
    mpack_write_array(&b, 1);
    mpack_write_nil(&b);
    mpack_write_nil(&b);
    expect(&b, ANSWER_INFO,
           "{\"message\":{\"body\":\"body\",\"headers\":{\"a\":{\"base64\":\"/"
           "w==\"},\"a_base64\":\"mine\"},\"key\":null,\"delay\":0,\"ttl\":5,\"deadline\":7}}\n");
}

Test(json_answer, fields_have_their_names_and_later_ones_are_left_out)
{
    struct mpack_buffer b = ok(3);
    mpack_write_uint(&b, 7);
    mpack_write_uint(&b, 8);
    mpack_write_cstr(&b, "later");
    expect(&b, ANSWER_JOB_AND_COUNT, "{\"job\":7,\"count\":8}\n");
    b = ok(0);
    expect(&b, ANSWER_NOTHING, "{}\n");
    b = ok(1); /* an older server's: it sends no `next` */
    mpack_write_array(&b, 0);
    expect(&b, ANSWER_DEAD_LETTERS, "{\"letters\":[]}\n");
}

Test(json_answer, a_page_says_where_the_next_one_begins)
{
    struct mpack_buffer b = ok(2);
    mpack_write_array(&b, 2);
    for (unsigned i = 0; i < 2; i++) {
        mpack_write_map(&b, 2);
        mpack_write_cstr(&b, "groups");
        mpack_write_array(&b, 0);
        mpack_write_cstr(&b, "topic");
        mpack_write_cstr(&b, i ? "b\"" : "a");
    }
    mpack_write_bool(&b, true);
    expect(&b, ANSWER_TOPICS,
           "{\"topics\":[{\"groups\":[],\"topic\":\"a\"},{\"groups\":[],\"topic\":\"b\\\"\"}],\"more\":true,"
           "\"next\":\"b\\\"\"}\n");
    b = ok(2);
    mpack_write_array(&b, 0);
    mpack_write_bool(&b, false);
    expect(&b, ANSWER_TOPICS, "{\"topics\":[],\"more\":false,\"next\":null}\n");
}

Test(json_answer, long_strings_come_whole_and_keep_little_in_memory)
{
    enum { SIZE = 200000 };
    struct mpack_buffer b = ok(1);
    char *text = malloc(SIZE + 1), *all;
    for (size_t i = 0; i + 2 <= SIZE; i += 2)
        memcpy(text + i, "\xc3\xa4", 2);
    text[SIZE] = '\0';
    mpack_write_map(&b, 1);
    mpack_write_cstr(&b, "body");
    mpack_write_bin(&b, text, SIZE);
    struct json_answer j;
    char piece[100];
    size_t most = 0;
    json_answer_begin(&j, (struct slice){b.data, b.size}, api_answer_of(ANSWER_INFO));
    while (json_answer_take(&j, piece, sizeof piece) > 0)
        most = j.out.capacity > most ? j.out.capacity : most;
    cr_assert_lt(most, 65536);
    json_answer_done(&j);
    all = taken(&b, ANSWER_INFO, 1000);
    cr_assert_eq(strlen(all), SIZE + strlen("{\"body\":\"\"}\n"));
    cr_assert_eq(memcmp(all + strlen("{\"body\":\""), text, SIZE), 0);
    free(all);
    free(text);
    mpack_buffer_done(&b);
}
