/* json: what is written is JSON, whatever bytes go in. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"

struct sink {
    char *text;
    size_t size;
    FILE *file;
    struct json json;
};

static void sink_open(struct sink *s, bool pretty)
{
    s->text = NULL;
    s->file = open_memstream(&s->text, &s->size);
    cr_assert_not_null(s->file);
    json_init(&s->json, s->file, pretty);
}

static void expect(struct sink *s, const char *wanted)
{
    fclose(s->file);
    cr_expect_str_eq(s->text, wanted);
    free(s->text);
}

static void expect_text(const char *bytes, size_t count, const char *wanted)
{
    struct sink s;
    sink_open(&s, false);
    json_text(&s.json, bytes, count);
    expect(&s, wanted);
}

Test(json, escapes_quotes_backslashes_and_controls)
{
    expect_text("a\"b\\c\n\r\t\b\f", 10, "\"a\\\"b\\\\c\\n\\r\\t\\b\\f\"");
    expect_text("\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\\u007f\"");
}

Test(json, leaves_valid_utf8_alone)
{
    expect_text("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

Test(json, replaces_each_invalid_byte)
{
    expect_text("a\xff"
                "b",
                3, "\"a\\ufffdb\"");
    expect_text("\xc0\xaf", 2, "\"\\ufffd\\ufffd\"");                       /* overlong */
    expect_text("\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\"");            /* a surrogate */
    expect_text("\xf4\x90\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\""); /* past U+10FFFF */
    expect_text("\xe2\x82", 2, "\"\\ufffd\\ufffd\"");                       /* cut off */
}

Test(json, puts_commas_between_members_only)
{
    struct sink s;
    sink_open(&s, false);
    json_object(&s.json);
    json_key(&s.json, "a");
    json_array(&s.json);
    json_integer(&s.json, -1);
    json_unsigned(&s.json, UINT64_MAX);
    json_array(&s.json);
    json_array_end(&s.json);
    json_object(&s.json);
    json_object_end(&s.json);
    json_array_end(&s.json);
    json_key(&s.json, "b");
    json_bool(&s.json, true);
    json_key(&s.json, "c");
    json_null(&s.json);
    json_object_end(&s.json);
    json_end(&s.json);
    json_bool(&s.json, false);
    json_end(&s.json);
    expect(&s, "{\"a\":[-1,18446744073709551615,[],{}],\"b\":true,\"c\":null}\nfalse\n");
}

Test(json, pretty_form_indents_by_two)
{
    struct sink s;
    sink_open(&s, true);
    json_object(&s.json);
    json_key(&s.json, "a");
    json_array(&s.json);
    json_integer(&s.json, 1);
    json_array_end(&s.json);
    json_key(&s.json, "b");
    json_array(&s.json);
    json_array_end(&s.json);
    json_object_end(&s.json);
    json_end(&s.json);
    expect(&s, "{\n  \"a\": [\n    1\n  ],\n  \"b\": []\n}\n");
}

Test(json, base64_pads_as_rfc_4648_says)
{
    static const char *const wanted[] = {"\"\"",         "\"Zg==\"",     "\"Zm8=\"",    "\"Zm9v\"",
                                         "\"Zm9vYg==\"", "\"Zm9vYmE=\"", "\"Zm9vYmFy\""};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        struct sink s;
        sink_open(&s, false);
        json_base64(&s.json, "foobar", i);
        expect(&s, wanted[i]);
    }
}

Test(json, bytes_are_text_or_base64_under_another_name)
{
    struct sink s;
    sink_open(&s, false);
    json_object(&s.json);
    json_bytes_member(&s.json, "body", "x", 1);
    json_bytes_member(&s.json, "body", "\xff", 1);
    json_bytes_member(&s.json, "key", NULL, 0);
    json_object_end(&s.json);
    expect(&s, "{\"body\":\"x\",\"body_base64\":\"/w==\",\"key\":null}");
}
