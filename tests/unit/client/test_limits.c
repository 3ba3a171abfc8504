/* Calls that nobody waits for: each is told its end once, within request-timeout; and the broker that says nothing. */
#include "client/driving/hooks.h"
#include "client/wire/delivery.h"
#include "client/wire/error.h"
#include "fake_server.h"
#include <criterion/criterion.h>
#include <string.h>

static struct fake f;

static void setup(void)
{
    fake_init_with(&f, "request-timeout", "10s", "ping-interval", "2s", NULL);
    f.handle.magic = HANDLE_MAGIC;
}

static void teardown(void)
{
    fake_done(&f);
}

TestSuite(limits, .init = setup, .fini = teardown);

struct told {
    int calls;
    struct shunt_error error;
    uint64_t seq;
};

static void hear_published(void *context, uint64_t seq, const struct shunt_error *err)
{
    struct told *t = context;
    t->calls++;
    t->seq = seq;
    t->error = err ? *err : (struct shunt_error){0};
}

static void hear(void *context, const struct shunt_error *err)
{
    hear_published(context, 0, err);
}

static void publish(const char *body, struct told *t)
{
    struct shunt_message *m = shunt_message_new();
    struct promise promise = {hear_published, t, core_limit_us(&f.core, f.now_us), 0};
    bool full;
    shunt_message_body(m, body, strlen(body));
    cr_assert_eq(producer_add(&f.core.producer, "orders", m, promise, &full, NULL), 0);
    shunt_message_free(m);
}

static void pass(int64_t s)
{
    f.now_us += s * 1000000;
    core_expire(&f.core, f.now_us);
    fake_call_back(&f.core);
}

static struct call *call(const struct request_form *form, const union request_fields *q, struct told *t)
{
    struct call *c = call_new(form, q, false, notice_new(hear, t, core_limit_us(&f.core, f.now_us)));
    cr_assert_not_null(c);
    return c;
}

static void expect_told(const struct told *t, int code)
{
    cr_assert_eq(t->calls, 1, "told %d times", t->calls);
    cr_assert_eq(t->error.code, code, "%s", t->error.text);
}

Test(limits, what_was_not_sent_in_time_is_taken_back_and_may_be_tried_again)
{
    struct told early = {0}, late = {0};
    publish("early", &early);
    pass(9);
    publish("late", &late);
    cr_assert_eq(early.calls, 0);
    pass(1);
    expect_told(&early, SHUNT_TIMEOUT);
    cr_assert(early.error.may_retry, "%s", early.error.text);
    cr_assert_eq(late.calls, 0);
    cr_assert_eq(core_pending(&f.core), 1);
    fake_connect(&f);
    struct seen_frame *frame = fake_only(&f, OP_PUBLISH);
    (void)mpack_read_str(&frame->at);
    (void)mpack_read_uint(&frame->at);
    (void)mpack_read_uint(&frame->at);
    cr_assert_eq(mpack_read_array(&frame->at), 1, "only the late one goes");
    say_published(&f, frame->id, 1, 7, 0);
    cr_assert_eq(fake_feed(&f), 0);
    fake_call_back(&f.core);
    expect_told(&late, 0);
    cr_assert_eq(late.seq, 7);
}

Test(limits, all_of_a_batch_can_be_taken_back)
{
    struct told t[3] = {0};
    for (int i = 0; i < 3; i++)
        publish("m", &t[i]);
    pass(10);
    for (int i = 0; i < 3; i++)
        expect_told(&t[i], SHUNT_TIMEOUT);
    cr_assert_eq(core_pending(&f.core), 0);
    cr_assert_eq(f.core.producer.bytes, 0);
    fake_connect(&f);
    fake_take(&f);
    cr_assert_eq(f.count, 0);
    publish("later", &t[0]);
    (void)fake_only(&f, OP_PUBLISH);
}

Test(limits, what_was_sent_goes_on_and_must_not_be_tried_again)
{
    struct told t = {0};
    fake_connect(&f);
    publish("m", &t);
    (void)fake_only(&f, OP_PUBLISH);
    pass(10);
    expect_told(&t, SHUNT_TIMEOUT);
    cr_assert(!t.error.may_retry, "the library sends it again by itself");
    cr_assert_eq(core_pending(&f.core), 1, "it has its place in the window until it is answered");
    fake_lose(&f);
    fake_connect(&f);
    say_published(&f, fake_only(&f, OP_PUBLISH)->id, 1, 7, 0);
    cr_assert_eq(fake_feed(&f), 0);
    fake_call_back(&f.core);
    cr_assert_eq(t.calls, 1, "told once");
    cr_assert_eq(core_pending(&f.core), 0);
}

Test(limits, an_answer_is_told_once_and_pends_until_it_is_answered)
{
    struct told t = {0};
    struct shunt_consumer *c = fake_consume(&f, 1, 1);
    struct shunt_delivery *d = fake_next(c, &f);
    struct resolve_entry entry = {.seq = d->seq, .token = d->token, .outcome = SHUNT_ACK};
    struct resolver resolver = {
        .callback = hear, .context = &t, .until_us = core_limit_us(&f.core, f.now_us), 0};
    cr_assert_eq(delivery_resolve(d, &entry, resolver, f.now_us), 0);
    struct seen_frame *frame = fake_only(&f, OP_RESOLVE);
    uint64_t id = frame->id;
    pass(10);
    expect_told(&t, SHUNT_TIMEOUT);
    cr_assert(!t.error.may_retry);
    cr_assert_eq(core_pending(&f.core), 1);
    say_resolved(&f, id, NULL, 0);
    cr_assert_eq(fake_feed(&f), 0);
    fake_call_back(&f.core);
    cr_assert_eq(t.calls, 1);
    cr_assert_eq(core_pending(&f.core), 0);
}

Test(limits, a_kept_answer_has_a_limit_and_is_sent_all_the_same)
{
    struct told t = {0};
    struct shunt_consumer *c = fake_consume(&f, 1, 1);
    struct shunt_delivery *d = fake_next(c, &f);
    struct resolve_entry entry = {.seq = d->seq, .token = d->token, .outcome = SHUNT_ACK};
    struct resolver resolver = {
        .callback = hear, .context = &t, .until_us = core_limit_us(&f.core, f.now_us), 0};
    fake_lose(&f);
    cr_assert_eq(delivery_resolve(d, &entry, resolver, f.now_us), 0);
    pass(10);
    expect_told(&t, SHUNT_TIMEOUT);
    cr_assert_eq(c->ending.count, 1, "it still waits for the next connection");
    cr_assert_eq(core_pending(&f.core), 1);
}

Test(limits, a_subscription_is_told_of_when_it_stands)
{
    struct told t = {0};
    fake_connect(&f);
    struct shunt_consumer *c = consumer_new(&f.core, "orders", "default", 10, 1000);
    c->decided = notice_new(hear, &t, core_limit_us(&f.core, f.now_us));
    say_subscribed(&f, fake_only(&f, OP_SUBSCRIBE)->id, 3);
    cr_assert_eq(fake_feed(&f), 0);
    fake_call_back(&f.core);
    expect_told(&t, 0);
    pass(20);
    cr_assert_eq(t.calls, 1);
    cr_assert_eq(c->state, CONSUMER_ACTIVE);
}

Test(limits, a_subscription_that_is_not_answered_ends_and_leaves_none_behind)
{
    struct told t = {0};
    fake_connect(&f);
    struct shunt_consumer *c = consumer_new(&f.core, "orders", "default", 10, 1000);
    c->decided = notice_new(hear, &t, core_limit_us(&f.core, f.now_us));
    uint64_t id = fake_only(&f, OP_SUBSCRIBE)->id;
    pass(10);
    expect_told(&t, SHUNT_TIMEOUT);
    cr_assert_eq(c->state, CONSUMER_ENDED);
    fake_take(&f); /* a ping */
    say_subscribed(&f, id, 3);
    cr_assert_eq(fake_feed(&f), 0);
    (void)fake_only(&f, OP_UNSUBSCRIBE);
}

Test(limits, without_a_connection_the_end_is_unreachable)
{
    struct told t = {0}, pinged = {0};
    struct shunt_consumer *c = consumer_new(&f.core, "orders", "default", 10, 1000);
    c->decided = notice_new(hear, &t, core_limit_us(&f.core, f.now_us));
    core_queue_call(&f.core, call(&request_ping, NULL, &pinged));
    pass(10);
    expect_told(&t, SHUNT_UNREACHABLE);
    expect_told(&pinged, SHUNT_UNREACHABLE);
    cr_assert(!core_has_work(&f.core));
}

Test(limits, who_unsubscribes_before_it_stands_is_told_closed)
{
    struct told t = {0};
    struct shunt_consumer *c = consumer_new(&f.core, "orders", "default", 10, 1000);
    c->decided = notice_new(hear, &t, core_limit_us(&f.core, f.now_us));
    consumer_free(c, false, f.now_us);
    fake_call_back(&f.core);
    expect_told(&t, SHUNT_CLOSED);
}

Test(limits, a_subscription_is_never_ended_on_another_connection_than_its_own)
{
    struct told t = {0};
    const union request_fields q = {.unsubscribe = {.sub = 7}};
    fake_connect(&f);
    struct call *unsubscribe = call(&request_unsubscribe, &q, &t);
    unsubscribe->bound = true;
    core_queue_call(&f.core, unsubscribe);
    fake_lose(&f); /* before a byte of it went */
    fake_connect(&f);
    fake_take(&f);
    cr_assert_eq(f.count, 0);
    fake_call_back(&f.core);
    expect_told(&t, SHUNT_DISCONNECTED);
}

Test(limits, goodbye_goes_when_all_is_answered_and_nothing_goes_after_it)
{
    struct told bye = {0}, published = {0};
    fake_connect(&f);
    publish("m", &published);
    core_part(&f.core, call(&request_goodbye, NULL, &bye));
    core_try_to_part(&f.core);
    uint64_t id = fake_only(&f, OP_PUBLISH)->id;
    core_try_to_part(&f.core);
    fake_take(&f);
    cr_assert_eq(f.count, 0, "the publish is not answered");
    say_published(&f, id, 1, 1, 0);
    cr_assert_eq(fake_feed(&f), 0);
    fake_call_back(&f.core);
    core_try_to_part(&f.core);
    struct seen_frame *frame = fake_only(&f, OP_GOODBYE);
    cr_assert_eq(bye.calls, 0);
    say_ok(&f, frame->id);
    cr_assert_eq(fake_feed(&f), 0);
    fake_call_back(&f.core);
    expect_told(&bye, 0);
    cr_assert(f.core.left);
}

Test(limits, goodbye_ends_in_time_also_if_what_is_before_it_does_not)
{
    struct told bye = {0}, published = {0};
    fake_connect(&f);
    core_part(&f.core, call(&request_goodbye, NULL, &bye));
    publish("m", &published);
    (void)fake_only(&f, OP_PUBLISH);
    pass(10);
    expect_told(&bye, SHUNT_TIMEOUT);
    cr_assert(f.core.left);
}

Test(limits, goodbye_without_a_connection_is_over_at_once)
{
    struct told bye = {0};
    core_part(&f.core, call(&request_goodbye, NULL, &bye));
    core_try_to_part(&f.core);
    fake_call_back(&f.core);
    expect_told(&bye, 0);
}

Test(limits, a_silent_broker_is_asked_once_and_any_byte_will_do)
{
    fake_connect(&f);
    fake_take(&f);
    cr_assert_eq(core_due_us(&f.core), f.now_us + 2000000);
    f.now_us += 1999999;
    fake_take(&f);
    cr_assert_eq(f.count, 0);
    f.now_us++;
    (void)fake_only(&f, OP_PING);
    f.now_us += 1999999;
    fake_take(&f);
    cr_assert_eq(f.count, 0, "asked once");
    cr_assert(!core_is_silent(&f.core, f.now_us));
    cr_assert(core_is_silent(&f.core, f.now_us + 1));
    say_closed(&f, 99, SHUNT_CLOSED, "of a subscription that nobody has");
    cr_assert_eq(fake_feed(&f), 0);
    cr_assert(!core_is_silent(&f.core, f.now_us + 1));
    cr_assert_eq(core_due_us(&f.core), f.now_us + 2000000);
}

Test(limits, a_new_connection_owes_no_answer_to_an_old_ping)
{
    fake_connect(&f);
    f.now_us += 2000000;
    (void)fake_only(&f, OP_PING);
    fake_lose(&f);
    f.now_us += 10000000;
    fake_connect(&f);
    cr_assert(!core_is_silent(&f.core, f.now_us));
}

Test(limits, zero_means_none)
{
    struct told t = {0};
    fake_done(&f);
    fake_init_with(&f, "request-timeout", "0", "ping-interval", "0", NULL);
    publish("m", &t);
    pass(100000);
    cr_assert_eq(t.calls, 0);
    fake_connect(&f);
    (void)fake_only(&f, OP_PUBLISH);
    cr_assert_eq(core_due_us(&f.core), INT64_MAX);
}
