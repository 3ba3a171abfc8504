/* message_json: a line becomes a message or a reason; the bytes of the body live until it is done with. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/message_json.h"
#include "client/shunt.h"
#include "client/wire/message.h"

static struct shunt_message *message;
static char why[MESSAGE_JSON_WHY_BYTES];

static void make(void)
{
    message = shunt_message_new();
    cr_assert_not_null(message);
}

static void release(void)
{
    shunt_message_free(message);
}

TestSuite(message_json, .init = make, .fini = release);

static bool reads(const char *line, size_t bytes)
{
    struct message_json json;
    why[0] = '\0';
    bool ok = message_json_read(&json, message, line, bytes, why);
    message_json_done(&json);
    cr_expect_eq(ok, why[0] == '\0', "%s", why);
    return ok;
}

static void expect_refused(const char *line, const char *says)
{
    shunt_message_clear(message);
    cr_expect_not(reads(line, strlen(line)), "%s", line);
    cr_expect_not_null(strstr(why, says), "%s: %s", line, why);
}

Test(message_json, everything_that_a_publish_carries_is_taken_over)
{
    static const char line[] =
        "{\"body_base64\":\"AP8=\",\"headers\":{\"a\":\"1\",\"b\":{\"base64\":\"/w==\"}},\"key_base64\":"
        "\"/wA=\",\"delay_ms\":5,\"ttl_ms\":7,\"history\":[{\"number\":1}],\"size\":2}";
    struct message_json json;
    cr_assert(message_json_read(&json, message, line, sizeof line - 1, why), "%s", why);
    cr_expect_eq(message->body_bytes, 2);
    cr_expect_arr_eq(message->body, "\0\xff", 2);
    cr_expect_eq(message->headers_count, 2);
    cr_expect_eq(message->key_bytes, 2);
    cr_expect_arr_eq(message->key, "\xff\0", 2);
    cr_expect_eq(message->delay_ms, 5);
    cr_expect_eq(message->ttl_ms, 7);
    message_json_done(&json);
}

Test(message_json, a_nul_in_a_body_is_a_byte_as_any_other)
{
    static const char line[] = "{\"body\":\"a\\u0000b\"}";
    struct message_json json;
    cr_assert(message_json_read(&json, message, line, sizeof line - 1, why), "%s", why);
    cr_expect_eq(message->body_bytes, 3);
    cr_expect_arr_eq(message->body, "a\0b", 3);
    message_json_done(&json);
}

Test(message_json, hostile_lines_get_a_reason)
{
    expect_refused("", "no JSON object");
    expect_refused("{", "no JSON object");
    expect_refused("{} {}", "no JSON object");
    expect_refused("[1]", "no object");
    expect_refused("{}", "no body");
    expect_refused("{\"body\":\"\\ud800\"}", "no JSON object");
    expect_refused("{\"body\":\"x\",\"body\":\"y\"}", "no JSON object");
    expect_refused("{\"body\":\"x\",\"headers\":{\"a\\u0000b\":\"1\"}}", "no JSON object");
    expect_refused("{\"body\":\"x\",\"ttl_ms\":1e3}", "ttl_ms");
    expect_refused("{\"body\":\"x\",\"deadline\":\"soon\"}", "deadline is a time");
    expect_refused("{\"body\":\"x\",\"deadline\":0}", "deadline is a time");
    expect_refused("{\"body\":\"x\",\"deadline\":253402300800000}", "deadline is a time");
    expect_refused("{\"body\":\"x\",\"deadline\":\"2001-01-01T00:00:00Z\"}", "passed");
    expect_refused("{\"body\":\"x\",\"ttl_ms\":9223372036854775807}", "ttl_ms");
    expect_refused("{\"body\":\"x\",\"ttl_ms\":99999999999999999999}", "no JSON object");
    expect_refused("{\"body_base64\":\"\",\"body\":\"x\"}", "both");
    expect_refused("{\"body_base64\":7}", "a text of base64");
    expect_refused("{\"body\":\"x\",\"headers\":{\"n\":{\"base64\":\"/w==\",\"more\":1}}}", "the header n");
    expect_refused("{\"body\":\"x\",\"\\u001b[31m\":1}", "no member");
    cr_expect_null(strchr(why, '\x1b'), "a terminal obeys it");
}

Test(message_json, a_deep_line_is_refused_before_the_stack_is_full)
{
    size_t bytes = 1000000;
    char *deep = malloc(bytes);
    cr_assert_not_null(deep);
    memset(deep, '[', bytes);
    cr_expect_not(reads(deep, bytes));
    free(deep);
}

Test(message_json, the_longest_body_and_one_byte_more)
{
    size_t most = 16u * 1024 * 1024;
    char *line = malloc(most + 64);
    cr_assert_not_null(line);
    for (size_t more = 0; more < 2; more++) {
        size_t bytes = (size_t)sprintf(line, "{\"body\":\"");
        memset(line + bytes, 'x', most + more);
        bytes += most + more;
        memcpy(line + bytes, "\"}", 2);
        cr_expect_eq(reads(line, bytes + 2), more == 0, "%s", why);
    }
    free(line);
}
