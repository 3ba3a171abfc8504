/* call_timeout: how long the client of a call waits. */
#include "broker/http/call_timeout.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/wire.h"

#include <criterion/criterion.h>

static struct call_timeout given(const char *value)
{
    struct call_timeout t = {.magic = CALL_TIMEOUT_MAGIC};
    call_timeout_header(&t, "X-Shunt-Key", "5");
    cr_assert_eq(t.seen, 0);
    call_timeout_header(&t, "x-shunt-timeout-ms", value);
    return t;
}

Test(call_timeout, it_is_a_whole_number_up_to_a_day)
{
    static const char *const bad[] = {"",   "0",        "-1",   "+1", "1s",       "1.5",
                                      " 1", "86400001", "0x10", "00", "99999999", "18446744073709551617"};
    struct problem problem = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct call_timeout t = given(bad[i]);
        cr_assert_not(call_timeout_is_good(&t, true, &problem), "`%s`", bad[i]);
    }
    struct call_timeout least = given("1"), most = given("86400000"), none = {.magic = CALL_TIMEOUT_MAGIC};
    cr_assert(call_timeout_is_good(&least, true, &problem) && least.ms == 1);
    cr_assert(call_timeout_is_good(&most, true, &problem) && most.ms == CALL_TIMEOUT_MS_MAX);
    cr_assert(call_timeout_is_good(&none, false, &problem));
}

Test(call_timeout, it_is_given_once_and_where_there_is_one)
{
    struct problem problem = {0};
    struct call_timeout t = given("5");
    cr_assert_not(call_timeout_is_good(&t, false, &problem));
    problem = (struct problem){0};
    call_timeout_header(&t, CALL_TIMEOUT_HEADER, "5");
    cr_assert_not(call_timeout_is_good(&t, true, &problem));
}

/* A request of two fields; returns the time that its envelope says, or -1: it has none. */
static int64_t wrapped(const char *value, int64_t waited_ms)
{
    struct mpack_buffer b = {0};
    struct slice payload;
    struct mpack_reader r;
    size_t need;
    const char *why;
    int64_t left_ms = -1;
    struct call_timeout t = {.magic = CALL_TIMEOUT_MAGIC};
    if (value)
        t = given(value);
    size_t begin = frame_begin(&b, OP_TOPIC_SHOW, 7, 2);
    mpack_write_cstr(&b, "t");
    mpack_write_uint(&b, 9);
    frame_end(&b, begin);
    cr_assert(call_timeout_wrap(&t, waited_ms, &b));
    cr_assert_eq(frame_next(b.data, b.size, FRAME_BYTES_MAX, &payload, &need, &why), FRAME_WHOLE);
    cr_assert_eq(payload.size + FRAME_HEADER_BYTES, b.size);
    mpack_read_init(&r, payload.data, payload.size);
    cr_assert_eq(mpack_read_array(&r), value ? 6u : 4u);
    if (value) {
        cr_assert(mpack_read_uint(&r) == OP_WITHIN && mpack_read_uint(&r) == 7);
        left_ms = (int64_t)mpack_read_uint(&r);
    }
    cr_assert_eq(mpack_read_uint(&r), OP_TOPIC_SHOW);
    if (!value)
        cr_assert_eq(mpack_read_uint(&r), 7);
    cr_assert(slice_is(mpack_read_str(&r), "t"));
    cr_assert(mpack_read_uint(&r) == 9 && r.at == r.end && !r.failed);
    mpack_buffer_done(&b);
    return left_ms;
}

Test(call_timeout, the_request_says_what_is_left_of_it)
{
    cr_assert_eq(wrapped(NULL, 5), -1);
    cr_assert_eq(wrapped("300", 0), 300);
    cr_assert_eq(wrapped("300", 100), 200);
    cr_assert_eq(wrapped("300", 300), 0);
    cr_assert_eq(wrapped("300", 1000), 0, "it is refused where it is counted");
}
