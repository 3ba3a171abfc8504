/* test_within: requests tell how long somebody waits for their answers. */
#include "client/driving/hooks.h"
#include "client/wire/error.h"
#include "fake_server.h"
#include <criterion/criterion.h>
#include <string.h>

static struct fake f;

static void setup(void)
{
    fake_init_with(&f, "request-timeout", "10s", NULL);
    f.within = true;
}

static void teardown(void)
{
    fake_done(&f);
}

TestSuite(within, .init = setup, .fini = teardown);

struct told {
    int calls;
    struct shunt_error error;
};

static void hear_published(void *context, uint64_t seq, const struct shunt_error *err)
{
    struct told *t = context;
    (void)seq;
    t->calls++;
    t->error = err ? *err : (struct shunt_error){0};
}

static void hear(void *context, const struct shunt_error *err)
{
    hear_published(context, 0, err);
}

/* Its caller waits `wait_ms`, or (-1) without end. */
static void publish(int64_t wait_ms, struct told *t)
{
    struct shunt_message *m = shunt_message_new();
    struct promise promise = {hear_published, t, INT64_MAX, wait_ms < 0 ? 0 : f.now_us + wait_ms * 1000};
    bool full;
    shunt_message_body(m, "m", 1);
    cr_assert_eq(producer_add(&f.core.producer, "orders", m, promise, &full, NULL), 0);
    shunt_message_free(m);
}

static void queue_call(struct call *c, const struct request_form *form, int64_t wait_ms)
{
    const union request_fields q = {.topic_show = {.topic = slice_of("orders")}};
    call_begin(c, form, form == &request_topic_show ? &q : NULL, true);
    c->until_us = wait_ms < 0 ? INT64_MAX : f.now_us + wait_ms * 1000;
    core_queue_call(&f.core, c);
}

static void drop_call(struct call *c)
{
    core_forget_call(&f.core, c);
    call_done(c);
}

/* The only frame is a WITHIN of so much time around `op`. */
static struct seen_frame *expect_within(uint64_t timeout_ms, unsigned op)
{
    struct seen_frame *frame = fake_only(&f, OP_WITHIN);
    cr_assert_eq(mpack_read_uint(&frame->at), timeout_ms);
    cr_assert_eq(mpack_read_uint(&frame->at), op);
    return frame;
}

static uint64_t sequence_of(struct seen_frame *publish)
{
    cr_assert(slice_is(mpack_read_str(&publish->at), "orders"));
    return mpack_read_uint(&publish->at);
}

Test(within, a_call_says_what_is_left_of_its_time_when_it_is_sent)
{
    struct call c;
    queue_call(&c, &request_topic_show, 1000);
    f.now_us += 300001;
    fake_connect(&f);
    struct seen_frame *frame =
        expect_within(700, OP_TOPIC_SHOW); /* rounded up: it is never less than there is */
    cr_assert(slice_is(mpack_read_str(&frame->at), "orders"));
    cr_assert(!frame->at.failed);
    drop_call(&c);
}

Test(within, a_call_without_a_limit_and_what_gives_back_is_sent_as_it_is)
{
    struct call c;
    fake_connect(&f);
    queue_call(&c, &request_topic_show, -1);
    (void)fake_only(&f, OP_TOPIC_SHOW);
    drop_call(&c);
    struct call *goodbye = call_new(&request_goodbye, NULL, false, notice_new(hear, NULL, f.now_us + 1000));
    core_queue_call(&f.core, goodbye);
    (void)fake_only(&f, OP_GOODBYE);
}

Test(within, nothing_is_wrapped_for_a_broker_that_does_not_know_it)
{
    struct told t = {0};
    struct call c;
    f.within = false;
    fake_connect(&f);
    queue_call(&c, &request_topic_show, 1000);
    (void)fake_only(&f, OP_TOPIC_SHOW);
    drop_call(&c);
    publish(1000, &t);
    (void)fake_only(&f, OP_PUBLISH);
    fake_lose(&f);
    f.within = true;
    fake_connect(&f);
    cr_assert_eq(sequence_of(expect_within(1000, OP_PUBLISH)), 1, "the next one does");
    fake_lose(&f);
    f.within = false;
    fake_connect(&f);
    cr_assert_eq(sequence_of(fake_only(&f, OP_PUBLISH)), 1, "and the one after that does not");
}

Test(within, a_frame_of_messages_goes_on_as_long_as_one_of_their_callers_waits)
{
    struct told t[3] = {0};
    fake_connect(&f);
    publish(100, &t[0]);
    publish(250, &t[1]);
    publish(50, &t[2]);
    (void)expect_within(250, OP_PUBLISH);
    publish(100, &t[0]);
    publish(-1, &t[1]);
    (void)fake_only(&f, OP_PUBLISH);
}

Test(within, a_limit_of_its_callback_is_one)
{
    struct told t = {0};
    struct shunt_message *m = shunt_message_new();
    struct promise promise = {hear_published, &t, core_limit_us(&f.core, f.now_us), 0};
    bool full;
    fake_connect(&f);
    shunt_message_body(m, "m", 1);
    cr_assert_eq(producer_add(&f.core.producer, "orders", m, promise, &full, NULL), 0);
    (void)expect_within(10000, OP_PUBLISH);
    shunt_message_free(m);
}

Test(within, what_was_not_begun_failed_for_sure)
{
    struct told t = {0};
    fake_connect(&f);
    publish(100, &t);
    say_error(&f, expect_within(100, OP_PUBLISH)->id, SHUNT_DEADLINE_EXCEEDED, "");
    cr_assert_eq(fake_feed(&f), 0);
    fake_call_back(&f.core);
    cr_assert_eq(t.calls, 1);
    cr_assert_eq(t.error.code, SHUNT_DEADLINE_EXCEEDED);
}

/* The broker speaks of the second copy alone. */
Test(within, what_was_sent_before_may_have_been_stored)
{
    struct told t = {0};
    fake_connect(&f);
    publish(100, &t);
    uint64_t sequence = sequence_of(expect_within(100, OP_PUBLISH));
    fake_lose(&f);
    f.now_us += 60000;
    fake_connect(&f);
    struct seen_frame *again = expect_within(40, OP_PUBLISH);
    cr_assert_eq(sequence_of(again), sequence);
    say_error(&f, again->id, SHUNT_DEADLINE_EXCEEDED, "");
    cr_assert_eq(fake_feed(&f), 0);
    fake_call_back(&f.core);
    cr_assert_eq(t.calls, 1);
    cr_assert_eq(t.error.code, SHUNT_TIMEOUT);
    cr_assert_not(t.error.may_retry, "it could be there twice");
}

Test(within, what_has_been_given_up_has_no_time_left)
{
    struct told t = {0};
    fake_connect(&f);
    publish(100, &t);
    (void)expect_within(100, OP_PUBLISH);
    fake_lose(&f);
    f.now_us += 100000;
    fake_connect(&f);
    (void)expect_within(0, OP_PUBLISH);
}

Test(within, only_the_first_subscription_is_one_that_somebody_waits_for)
{
    fake_connect(&f);
    struct shunt_consumer *c = consumer_new(&f.core, "orders", "default", 10, 1000);
    c->until_us = f.now_us + 500000;
    say_subscribed(&f, expect_within(500, OP_SUBSCRIBE)->id, 7);
    cr_assert_eq(fake_feed(&f), 0);
    cr_assert_eq(c->state, CONSUMER_ACTIVE);
    fake_lose(&f);
    f.now_us += 600000;
    fake_connect(&f);
    (void)fake_only(&f, OP_SUBSCRIBE);
}
