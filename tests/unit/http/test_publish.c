/* publish: messages of HTTP as a frame that the engine takes, and what is said of its answer. */
#include "broker/http/publish.h"

#include "proto/frame.h"
#include "proto/message.h"
#include "proto/request.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const struct publish_headers no_headers = {.magic = PUBLISH_HEADERS_MAGIC};

/* The messages of what `body` becomes, up to `max`; they lie in `to`. */
static uint32_t read_messages(enum publish_form form, const struct publish_headers *h, struct slice body,
                              bool numbered, struct mpack_buffer *to, struct message_view *ret, uint32_t max)
{
    struct problem p = {0};
    struct slice payload;
    struct request_source from;
    union request_fields q;
    struct mpack_reader r;
    size_t need;
    const char *why;
    *to = (struct mpack_buffer){0};
    cr_assert(publish_frame(slice_of("t"), form, h, body, numbered, 2, to, &p), "%s", p.detail);
    cr_assert_eq(frame_next(to->data, to->size, FRAME_BYTES_MAX, &payload, &need, &why), FRAME_WHOLE);
    request_source_init(&from);
    mpack_read_init(&from.r, payload.data, payload.size);
    (void)mpack_read_array(&from.r);
    cr_assert_eq(mpack_read_uint(&from.r), OP_PUBLISH);
    cr_assert_eq(mpack_read_uint(&from.r), 2);
    request_read_publish(&from, &q);
    cr_assert_eq(request_verdict(&from), 0);
    cr_assert(slice_is(q.publish.topic, "t"));
    cr_assert_eq(q.publish.sequence, numbered);
    mpack_read_init(&r, q.publish.messages.bytes.data, q.publish.messages.bytes.size);
    for (uint32_t i = 0; i < q.publish.messages.count && i < max; i++)
        cr_assert_eq(message_read_new(&r, BODY_BYTES_MAX, &ret[i], &why), 0, "%s", why);
    return q.publish.messages.count;
}

static enum problem_code refused(enum publish_form form, const struct publish_headers *h, struct slice body)
{
    struct mpack_buffer b = {0};
    struct problem p = {0};
    cr_assert_not(publish_frame(slice_of("t"), form, h, body, false, 2, &b, &p));
    mpack_buffer_done(&b);
    return p.err ? PROBLEM_NONE : p.code;
}

Test(publish, an_object_is_one_message_with_all_that_it_has)
{
    struct mpack_buffer b;
    struct message_view m;
    struct slice body = slice_of(
        "{\"ttl_ms\":7,\"delay_ms\":5,\"key_base64\":\"/w==\",\"headers\":{\"a\":\"b\",\"c\":{\"base64\":"
        "\"AA==\"}},\"body\":\"x\\u0000y\",\"id\":\"t/1\",\"history\":[]}");
    cr_assert_eq(read_messages(PUBLISH_JSON, &no_headers, body, true, &b, &m, 1), 1);
    cr_assert(slice_equal(m.body, (struct slice){"x\0y", 3}));
    cr_assert(slice_is(m.key, "\xff"));
    cr_assert_eq(m.delay_ms, 5);
    cr_assert_eq(m.ttl_ms, 7);
    cr_assert_eq(m.headers_count, 2);
    cr_assert(slice_is(message_header(&m, "a"), "b"));
    cr_assert(slice_equal(message_header(&m, "c"), (struct slice){"", 1}));
    mpack_buffer_done(&b);
}

Test(publish, what_is_left_out_or_null_is_not_there)
{
    struct mpack_buffer b;
    struct message_view m[3];
    struct slice body =
        slice_of("[{\"body\":\"\"},{\"body\":\"x\",\"key\":null,\"headers\":null,\"delay_ms\":"
                 "null},{\"body\":\"\",\"ttl_ms\":1}]");
    cr_assert_eq(read_messages(PUBLISH_JSON, &no_headers, body, false, &b, m, 3), 3);
    cr_assert_eq(m[1].whole.size, 1 + 3, "an array of a body alone");
    cr_assert_eq(m[2].ttl_ms, 1);
    cr_assert_eq(m[2].headers.size + m[2].key.size, 0);
    mpack_buffer_done(&b);
}

Test(publish, lines_are_messages_and_empty_ones_are_none)
{
    struct mpack_buffer b;
    struct message_view m[2];
    cr_assert_eq(read_messages(PUBLISH_LINES, &no_headers,
                               slice_of("\n{\"body\":\"a\"}\r\n \n{\"body\":\"b\"}"), false, &b, m, 2),
                 2);
    cr_assert(slice_is(m[0].body, "a") && slice_is(m[1].body, "b"));
    mpack_buffer_done(&b);
    cr_assert_eq(refused(PUBLISH_LINES, &no_headers, slice_of("{\"body\":\"a\"}{\"body\":\"b\"}")),
                 PROBLEM_BAD_JSON);
}

Test(publish, bytes_are_a_body_and_headers_say_the_rest)
{
    struct publish_headers h = {.magic = PUBLISH_HEADERS_MAGIC};
    struct mpack_buffer b;
    struct message_view m;
    publish_header(&h, "x-shunt-key", "k");
    publish_header(&h, "X-Shunt-Delay-Ms", "315360000000");
    publish_header(&h, "X-Shunt-Header", "a=b=c");
    publish_header(&h, "User-Agent", "x");
    cr_assert_eq(read_messages(PUBLISH_RAW, &h, (struct slice){"\0\xff", 2}, false, &b, &m, 1), 1);
    cr_assert(slice_equal(m.body, (struct slice){"\0\xff", 2}));
    cr_assert(slice_is(m.key, "k") && slice_is(message_header(&m, "a"), "b=c"));
    cr_assert_eq(m.delay_ms, DURATION_MS_MAX);
    mpack_buffer_done(&b);
    cr_assert_eq(read_messages(PUBLISH_RAW, &no_headers, (struct slice){0}, false, &b, &m, 1), 1);
    cr_assert_eq(m.body.size, 0);
    mpack_buffer_done(&b);
    cr_assert_eq(refused(PUBLISH_JSON, &h, slice_of("{\"body\":\"\"}")), PROBLEM_BAD_FIELD);
    publish_header(&h, "X-Shunt-Key", "again");
    cr_assert_eq(refused(PUBLISH_RAW, &h, slice_of("x")), PROBLEM_BAD_FIELD);
}

Test(publish, headers_of_a_message_are_at_most_so_many)
{
    struct publish_headers h = {.magic = PUBLISH_HEADERS_MAGIC};
    for (int i = 0; i < HEADERS_MAX; i++)
        publish_header(&h, "X-Shunt-Header", "a=");
    cr_assert(problem_is_none(&h.problem));
    publish_header(&h, "X-Shunt-Header", "a=");
    cr_assert_eq(h.problem.err, SHUNT_TOO_LARGE);
}

Test(publish, a_key_is_one_producer_of_its_topic)
{
    struct publish_headers h = {.magic = PUBLISH_HEADERS_MAGIC};
    uint8_t a[PRODUCER_ID_BYTES], b[PRODUCER_ID_BYTES];
    struct problem p = {0};
    cr_assert_not(publish_producer(&h, slice_of("t"), a, &p));
    cr_assert(problem_is_none(&p), "no key is no problem");
    publish_header(&h, "idempotency-key", "bk");
    cr_assert(publish_producer(&h, slice_of("t"), a, &p));
    cr_assert(publish_producer(&h, slice_of("t"), b, &p));
    cr_assert_arr_eq(a, b, sizeof a);
    cr_assert(publish_producer(&h, slice_of("u"), b, &p));
    cr_assert_arr_neq(a, b, sizeof a);
    h.idempotency_key = slice_of("k");
    cr_assert(publish_producer(&h, slice_of("tb"), b, &p));
    cr_assert_arr_neq(a, b, sizeof a, "where the topic ends counts");
}

Test(publish, an_answer_that_is_not_whole_is_a_problem_with_what_was_stored)
{
    struct mpack_buffer b = {0};
    struct problem p = {0};
    struct text t = {0};
    for (uint64_t code = 0; code <= SHUNT_TOPIC_FULL; code += SHUNT_TOPIC_FULL) {
        b.size = 0;
        mpack_write_array(&b, 5);
        mpack_write_uint(&b, OP_OK);
        mpack_write_uint(&b, 2);
        mpack_write_uint(&b, 3);
        mpack_write_uint(&b, 17);
        mpack_write_uint(&b, code);
        cr_assert_eq(publish_is_whole((struct slice){b.data, b.size}, &p), code == 0);
    }
    problem_write(&p, &t);
    text_add_bytes(&t, "", 1);
    cr_assert(strstr(t.data, "\"status\":507,\"code\":\"TOPIC_FULL\""), "%s", t.data);
    cr_assert(strstr(t.data, "\"accepted\":3,\"first_seq\":17,"), "%s", t.data);
    text_done(&t);
    mpack_buffer_done(&b);
}
