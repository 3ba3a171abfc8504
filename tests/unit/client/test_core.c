/* The connection itself: HELLO, calls, and a server that misbehaves. */
#include "fake_server.h"
#include <criterion/criterion.h>
#include <string.h>

FAKE_SUITE(core);

static bool find_key(struct mpack_reader r, const char *name, struct mpack_reader *ret)
{
    uint32_t count = mpack_read_map(&r);
    for (uint32_t i = 0; i < count; i++) {
        struct slice key = mpack_read_str(&r);
        *ret = r;
        if (slice_is(key, name))
            return true;
        (void)mpack_read_any(&r);
    }
    return false;
}

static struct mpack_reader hello_options(void)
{
    cr_assert_eq(core_online(&f.core), 0);
    struct seen_frame *hello = fake_only(&f, OP_HELLO);
    cr_assert_leq(hello->size, FRAME_HEADER_BYTES + HELLO_BYTES_MAX);
    cr_assert_eq(mpack_read_uint(&hello->at), PROTOCOL_VERSION_MIN);
    cr_assert_eq(mpack_read_uint(&hello->at), PROTOCOL_VERSION_MAX);
    return hello->at;
}

Test(core, hello_says_who_we_are)
{
    fake_done(&f);
    fake_init_with(&f, "client", "worker-1", "host", "here", "build", "abc", NULL);
    struct mpack_reader options = hello_options(), value;
    cr_assert(find_key(options, "client", &value));
    cr_assert_arr_eq(mpack_read_str(&value).data, "worker-1", 8);
    cr_assert(find_key(options, "host", &value));
    cr_assert_arr_eq(mpack_read_str(&value).data, "here", 4);
    cr_assert(find_key(options, "producer", &value));
    cr_assert_eq(mpack_read_bin(&value).size, PRODUCER_ID_BYTES);
    cr_assert(!find_key(options, "marks", &value));
}

Test(core, hello_says_so_when_there_are_no_marks_and_no_numbers)
{
    fake_done(&f);
    fake_init_with(&f, "marks", "no", "idempotent", "no", NULL);
    struct mpack_reader options = hello_options(), value;
    cr_assert(!find_key(options, "producer", &value));
    cr_assert(find_key(options, "marks", &value));
    cr_assert(!mpack_read_bool(&value));
}

Test(core, nothing_but_hello_is_sent_before_its_answer)
{
    cr_assert_eq(fake_publish(&f, "orders", "x", NULL, NULL), 0);
    (void)consumer_new(&f.core, "orders", "default", 1, 1);
    cr_assert_eq(core_online(&f.core), 0);
    (void)fake_only(&f, OP_HELLO);
    fake_take(&f);
    cr_assert_eq(f.count, 0);
    cr_assert(!core_has_output(&f.core));
}

Test(core, a_refused_version_ends_the_handle)
{
    (void)hello_options();
    say_error(&f, f.frames[0].id, SHUNT_VERSION_MISMATCH, "only 2 to 3");
    cr_assert_eq(fake_feed(&f), SHUNT_VERSION_MISMATCH);
    cr_assert_eq(f.core.fatal.code, SHUNT_VERSION_MISMATCH);
}

Test(core, a_server_that_is_full_does_not_end_the_handle)
{
    (void)hello_options();
    say_error(&f, f.frames[0].id, SHUNT_TOO_MANY, "connections");
    cr_assert_eq(fake_feed(&f), SHUNT_TOO_MANY);
    cr_assert_eq(f.core.fatal.code, 0);
}

static void begin(struct call *call, bool repeatable)
{
    const union request_fields q = {.topic_show = {.topic = slice_of("orders")}};
    call_begin(call, &request_topic_show, &q, repeatable);
    core_queue_call(&f.core, call);
}

Test(core, a_lost_read_is_asked_again_and_a_lost_write_is_unknown)
{
    struct call read, write;
    fake_connect(&f);
    begin(&read, true);
    begin(&write, false);
    fake_take(&f);
    cr_assert_eq(f.count, 2);
    fake_lose(&f);
    cr_assert_eq(write.state, CALL_ENDED);
    cr_assert_eq(write.error.code, SHUNT_DISCONNECTED);
    fake_connect(&f);
    struct seen_frame *again = fake_only(&f, OP_TOPIC_SHOW);
    size_t frame = frame_begin(&f.said, OP_OK, again->id, 1);
    mpack_write_uint(&f.said, 5);
    frame_end(&f.said, frame);
    cr_assert_eq(fake_feed(&f), 0);
    cr_assert_eq(read.state, CALL_ENDED);
    cr_assert_eq(mpack_read_uint(&read.reply), 5);
    call_done(&read);
    call_done(&write);
}

Test(core, a_write_that_was_not_sent_yet_waits_for_the_next_connection)
{
    struct call write;
    fake_connect(&f);
    begin(&write, false);
    fake_lose(&f);
    cr_assert_eq(write.state, CALL_QUEUED);
    fake_connect(&f);
    (void)fake_only(&f, OP_TOPIC_SHOW);
    core_forget_call(&f.core, &write);
    call_done(&write);
}

Test(core, the_reply_nobody_waits_for_any_more_is_ignored)
{
    struct call call;
    fake_connect(&f);
    begin(&call, false);
    uint64_t id = fake_only(&f, OP_TOPIC_SHOW)->id;
    core_forget_call(&f.core, &call);
    call_done(&call);
    say_ok(&f, id);
    cr_assert_eq(fake_feed(&f), 0);
}

Test(core, the_same_stream_in_any_pieces_has_the_same_effect)
{
    for (size_t piece = 1; piece < 40; piece += 3) {
        fake_done(&f);
        fake_init(&f);
        fake_connect(&f);
        struct shunt_consumer *c = fake_subscribe(&f, 3, 1000);
        say_delivered(&f, 3, 1, 100, 30000);
        say_delivered(&f, 3, 101, 1, 30000);
        cr_assert_eq(fake_feed_in_pieces(&f, piece), 0);
        cr_assert_eq(c->queued.count, 101);
        cr_assert_eq(c->queued.tail->seq, 101);
    }
}

struct bad {
    const char *name;
    const char *bytes;
    size_t size;
};

#define BAD(name, literal)                                                                                   \
    {                                                                                                        \
        name, literal, sizeof literal - 1                                                                    \
    }

Test(core, what_is_not_the_protocol_closes_the_connection)
{
    static const struct bad rows[] = {
        BAD("a length over the limit", "\xff\xff\xff\xff"),
        BAD("not msgpack", "\0\0\0\1\xc1"),
        BAD("a bomb", "\0\0\0\5\xdd\0\0\0\xc8"),
        BAD("no array", "\0\0\0\1\x05"),
        BAD("an op that is text", "\0\0\0\4\x92\xa1x\0"),
        BAD("DELIVER with a map", "\0\0\0\6\x94\xcc\x82\0\1\x80"),
        BAD("DELIVER of half a delivery", "\0\0\0\x9\x94\xcc\x82\0\x09\x91\x92\1\1"),
        BAD("ERROR without a code", "\0\0\0\4\x92\xcc\x81\1"),
        BAD("CLOSED without a number", "\0\0\0\5\x93\xcc\x83\0\xc0"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fake_done(&f);
        fake_init(&f);
        fake_connect(&f);
        (void)fake_subscribe(&f, 9, 10);
        mpack_write_raw(&f.said, rows[i].bytes, rows[i].size);
        cr_assert_eq(fake_feed(&f), SHUNT_PROTOCOL, "%s", rows[i].name);
    }
}

Test(core, random_bytes_never_crash_it)
{
    struct random r = {.state = 7};
    for (int round = 0; round < 3000; round++) {
        fake_done(&f);
        fake_init(&f);
        fake_connect(&f);
        (void)fake_subscribe(&f, 1, 10);
        say_delivered(&f, 1, 1, 3, 1000);
        say_error(&f, 0, SHUNT_PROTOCOL, "x");
        say_closed(&f, 1, SHUNT_CLOSED, "y");
        f.said.data[random_next(&r) % f.said.size] = (uint8_t)random_next(&r);
        f.said.data[random_next(&r) % f.said.size] = (uint8_t)random_next(&r);
        (void)fake_feed(&f);
        fake_call_back(&f.core);
    }
}
