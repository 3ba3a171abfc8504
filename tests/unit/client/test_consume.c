/* Consuming: deliveries, marks, resolutions, leases, and what a lost connection makes of them. */
#include "client/wire/delivery.h"
#include "client/wire/error.h"
#include "client/worker/delivery_pack.h"
#include "fake_server.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

FAKE_SUITE(consume);

static int resolve(struct shunt_delivery *d, enum shunt_outcome outcome, struct outcome *o)
{
    struct resolve_entry entry = {.seq = d->seq, .token = d->token, .outcome = outcome, .delay_ms = 5000};
    return delivery_resolve(d, &entry, (struct resolver){.callback = fake_hear, .context = o}, f.now_us);
}

Test(consume, a_delivery_shows_what_was_published)
{
    struct shunt_consumer *c = fake_consume(&f, 42, 1);
    struct shunt_delivery *d = fake_next(c, &f);
    size_t size = 0, value_size = 0;
    const char *key;
    const void *value;
    cr_assert_str_eq(shunt_delivery_topic(d), "orders");
    cr_assert_str_eq(shunt_delivery_group(d), "default");
    cr_assert_str_eq(shunt_delivery_id(d), "orders/42");
    cr_assert_eq(shunt_delivery_seq(d), 42);
    cr_assert_eq(shunt_delivery_attempts(d), 2);
    cr_assert_eq(shunt_delivery_deliveries(d), 3);
    cr_assert_eq(shunt_delivery_generation(d), 1);
    cr_assert_eq(shunt_delivery_published_ms(d), 1700000000000);
    cr_assert_arr_eq(shunt_delivery_body(d, &size), "m42", 3);
    cr_assert_eq(size, 3);
    cr_assert_arr_eq(shunt_delivery_key(d, &size), "key", 3);
    cr_assert_eq(shunt_delivery_headers(d), 1);
    cr_assert(shunt_delivery_header_at(d, 0, &key, &size, &value, &value_size));
    cr_assert_arr_eq(key, "file", 4);
    cr_assert_arr_eq(value, "m42", 3);
    cr_assert(!shunt_delivery_header_at(d, 1, &key, &size, &value, &value_size));
    cr_assert_not_null(shunt_delivery_header(d, "file", &size));
    cr_assert_null(shunt_delivery_header(d, "fil", &size));
}

static void expect_dead(const struct shunt_delivery *d)
{
    const struct shunt_value *dead = shunt_delivery_dead(d);
    const struct shunt_value *attempt = shunt_value_at(shunt_value_get(dead, "history"), 0);
    cr_assert_eq(shunt_value_type(dead), SHUNT_MAP);
    cr_assert_str_eq(shunt_value_text(shunt_value_get(dead, "reason"), NULL), "rejected");
    cr_assert_str_eq(shunt_value_text(shunt_value_get(attempt, "error_stack"), NULL), "at line 3");
    cr_assert_eq(shunt_delivery_dead(d), dead, "it lives as long as the delivery");
    cr_assert_eq(shunt_delivery_ttl_ms(d), 7000);
}

Test(consume, a_dead_letter_tells_what_it_died_of_to_a_child_too)
{
    fake_connect(&f);
    struct shunt_consumer *c = fake_subscribe(&f, 7, 65536);
    struct mpack_buffer packed = {0};
    struct shunt_delivery *copy = NULL;
    say_dead(&f, 7, 1);
    cr_assert_eq(fake_feed(&f), 0);
    struct shunt_delivery *d = fake_next(c, &f);
    cr_assert_not_null(d);
    expect_dead(d);
    cr_assert_eq(delivery_pack(d, &packed), 0);
    cr_assert_eq(delivery_unpack(packed.data, packed.size, &copy), 0);
    expect_dead(copy);
    delivery_unpacked_free(copy);
    mpack_buffer_done(&packed);
    delivery_free(d);
    say_delivered(&f, 7, 2, 1, 30000);
    cr_assert_eq(fake_feed(&f), 0);
    d = fake_next(c, &f);
    cr_assert_null(shunt_delivery_dead(d), "one that is alive");
    cr_assert_eq(shunt_delivery_ttl_ms(d), 0);
}

Test(consume, held_deliveries_outlive_the_bytes_that_follow)
{
    fake_connect(&f);
    struct shunt_consumer *c = fake_subscribe(&f, 7, 65536);
    struct shunt_delivery *held[20];
    for (uint64_t i = 0; i < 20; i++) {
        say_delivered(&f, 7, i * 5000, 1, 30000);
        cr_assert_eq(fake_feed(&f), 0);
        held[i] = fake_next(c, &f);
        say_delivered(&f, 7, 1 + i * 5000, 3000, 30000); /* more than a block */
        cr_assert_eq(fake_feed(&f), 0);
        while (c->queued.head)
            delivery_free(c->queued.head);
    }
    for (uint64_t i = 0; i < 20; i++) {
        char body[16];
        size_t size;
        const char *got = shunt_delivery_body(held[i], &size);
        cr_assert_eq(size, (size_t)snprintf(body, sizeof body, "m%llu", (unsigned long long)(i * 5000)));
        cr_assert_arr_eq(got, body, size);
    }
}

Test(consume, resolutions_ride_in_front_of_the_next_mark)
{
    struct outcome acked = {0};
    struct shunt_consumer *c = fake_consume(&f, 1, 2);
    struct shunt_delivery *d = fake_next(c, &f);
    cr_assert_eq(f.count, 1);
    (void)fake_frame(&f, 0, OP_STARTED);
    cr_assert_eq(resolve(d, SHUNT_ACK, &acked), 0);
    f.now_us += 1000;
    cr_assert_not_null(fake_next(c, &f));
    cr_assert_eq(f.count, 2);
    struct seen_frame *resolved = fake_frame(&f, 0, OP_RESOLVE);
    struct seen_frame *started = fake_frame(&f, 1, OP_STARTED);
    cr_assert_eq(mpack_read_uint(&started->at), 7);
    cr_assert_eq(mpack_read_array(&started->at), 2);
    cr_assert_eq(mpack_read_uint(&started->at), 2);
    cr_assert_eq(mpack_read_uint(&started->at), 1002);
    cr_assert_eq(mpack_read_uint(&resolved->at), 7);
    cr_assert_eq(mpack_read_array(&resolved->at), 1);
    cr_assert_eq(mpack_read_array(&resolved->at), 4);
    cr_assert_eq(mpack_read_uint(&resolved->at), 1);
    cr_assert_eq(mpack_read_uint(&resolved->at), 1001);
    cr_assert_eq(mpack_read_uint(&resolved->at), OUTCOME_ACK);
    cr_assert_gt(mpack_read_uint(&resolved->at), 0, "nobody waits: it may be kept back");
    say_resolved(&f, resolved->id, NULL, 0);
    cr_assert_eq(fake_feed(&f), 0);
    fake_call_back(&f.core);
    cr_assert_eq(acked.calls, 1);
    cr_assert_eq(acked.code, 0);
}

static bool has_tag(void *context, const struct shunt_delivery *d)
{
    (void)context;
    return client_tag(d) != NULL;
}

Test(consume, releasing_the_held_keeps_what_is_wanted)
{
    struct shunt_consumer *c = fake_consume(&f, 1, 4);
    client_mark_explicitly(c);
    struct shunt_delivery *kept = fake_next(c, &f);
    client_set_tag(kept, c);
    (void)fake_next(c, &f);
    client_release_held(c, has_tag, NULL);
    cr_assert_eq(client_held_count(c), 1);
    cr_assert_eq(client_held_first(c), kept);
    cr_assert_null(client_held_next(kept));
    struct seen_frame *resolved = fake_only(&f, OP_RESOLVE);
    (void)mpack_read_uint(&resolved->at);
    cr_assert_eq(mpack_read_array(&resolved->at), 3, "the held one and two that were only prefetched");
}

Test(consume, what_ran_out_before_it_was_started_is_dropped)
{
    struct shunt_consumer *c = fake_consume(&f, 1, 2);
    say_delivered(&f, 7, 3, 1, 60000);
    cr_assert_eq(fake_feed(&f), 0);
    f.now_us += 30000 * 1000;
    struct shunt_delivery *d = fake_next(c, &f);
    if (!d) /* the first call drops, and marks what is left */
        d = fake_next(c, &f);
    cr_assert_eq(shunt_delivery_seq(d), 3);
    cr_assert_eq(c->queued.count, 0);
}

Test(consume, extending_keeps_the_delivery_and_moves_its_deadline)
{
    struct outcome extended = {0};
    struct shunt_consumer *c = fake_consume(&f, 1, 1);
    struct shunt_delivery *d = fake_next(c, &f);
    cr_assert_eq(resolve(d, SHUNT_EXTEND, &extended), 0);
    cr_assert_eq(d->deadline_us, f.now_us + 5000 * 1000);
    cr_assert_eq(client_held_count(c), 1);
    struct seen_frame *frame = fake_only(&f, OP_RESOLVE);
    say_resolved(&f, frame->id, (uint64_t[]){0, SHUNT_STALE}, 2);
    cr_assert_eq(fake_feed(&f), 0);
    fake_call_back(&f.core);
    cr_assert_eq(extended.code, SHUNT_STALE);
}

Test(consume, the_one_ack_whose_lease_was_lost_says_stale)
{
    struct outcome o[3] = {0};
    struct shunt_consumer *c = fake_consume(&f, 1, 3);
    client_mark_explicitly(c);
    struct shunt_delivery *d[3];
    for (int i = 0; i < 3; i++)
        d[i] = fake_next(c, &f);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(resolve(d[i], SHUNT_ACK, &o[i]), 0);
    say_resolved(&f, fake_only(&f, OP_RESOLVE)->id, (uint64_t[]){1, SHUNT_STALE, 99, SHUNT_STALE}, 4);
    cr_assert_eq(fake_feed(&f), 0);
    fake_call_back(&f.core);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(o[i].calls, 1);
        cr_assert_eq(o[i].code, i == 1 ? SHUNT_STALE : 0);
    }
}

Test(consume, a_lost_connection_makes_held_deliveries_stale_and_answers_unknown)
{
    struct outcome sent = {0}, cut = {0}, unsent = {0}, later = {0};
    struct shunt_consumer *c = fake_consume(&f, 1, 5);
    client_mark_explicitly(c);
    struct shunt_delivery *d[4];
    for (int i = 0; i < 4; i++)
        d[i] = fake_next(c, &f);
    cr_assert_eq(resolve(d[0], SHUNT_ACK, &sent), 0);
    fake_take(&f);
    cr_assert_eq(resolve(d[1], SHUNT_ACK, &cut), 0);
    fake_take_bytes(&f, 3);
    cr_assert_eq(resolve(d[2], SHUNT_ACK, &unsent), 0);
    f.core.work = true;
    (void)consumer_write(c, f.now_us); /* in the output, not a byte of it sent */
    fake_lose(&f);
    fake_call_back(&f.core);
    cr_assert_eq(sent.code, SHUNT_DISCONNECTED);
    cr_assert_eq(cut.code, SHUNT_DISCONNECTED);
    cr_assert_eq(unsent.code, SHUNT_STALE);
    cr_assert(delivery_away(d[3]));
    cr_assert_eq(shunt_delivery_lease_left_ms(d[3]), 0);
    cr_assert_null(consumer_take(c, f.now_us), "what was fetched ahead may be somebody else's");
    fake_connect(&f);
    fake_take(&f);
    say_subscribed(&f, fake_frame(&f, 0, OP_SUBSCRIBE)->id, 7);
    cr_assert_eq(fake_feed(&f), 0);
    cr_assert_eq(c->queued.count, 0, "nothing was taken up again");
    cr_assert(client_stale(d[3]), "also with the same subscription number");
    cr_assert_eq(resolve(d[3], SHUNT_ACK, &later), SHUNT_STALE);
    cr_assert_eq(later.calls, 0, "the call itself said so");
    cr_assert_eq(client_held_count(c), 0);
    cr_assert_eq(sent.calls + cut.calls + unsent.calls, 3);
}

Test(consume, a_subscription_comes_back_with_the_credit_it_had)
{
    struct shunt_consumer *c = fake_consume(&f, 1, 1);
    cr_assert_eq(c->credit_messages, 100);
    c->credit_messages = 9;
    c->credit_bytes = 99;
    fake_lose(&f);
    fake_connect(&f);
    struct seen_frame *frame = fake_only(&f, OP_SUBSCRIBE);
    (void)mpack_read_str(&frame->at);
    (void)mpack_read_str(&frame->at);
    cr_assert_eq(mpack_read_uint(&frame->at), 9);
    cr_assert_eq(mpack_read_uint(&frame->at), 99);
}

Test(consume, a_subscription_refused_for_now_is_tried_again_later)
{
    struct shunt_consumer *c = fake_consume(&f, 1, 1);
    fake_lose(&f);
    fake_connect(&f);
    struct shunt_error busy;
    fake_take(&f);
    (void)requests_take(&f.core.requests, f.frames[0].id);
    error_set(&busy, SHUNT_TOO_MANY, NULL);
    consumer_refused(c, &busy, 0, f.now_us);
    fake_take(&f);
    cr_assert_eq(f.count, 0);
    f.now_us = core_due_us(&f.core);
    (void)fake_only(&f, OP_SUBSCRIBE);
}

Test(consume, a_refused_subscription_ends_with_what_the_broker_said)
{
    fake_connect(&f);
    struct shunt_consumer *c = consumer_new(&f.core, "orders", "default", 1, 1);
    say_error(&f, fake_only(&f, OP_SUBSCRIBE)->id, SHUNT_UNKNOWN_TOPIC, "no topic orders");
    cr_assert_eq(fake_feed(&f), 0);
    cr_assert_eq(c->state, CONSUMER_ENDED);
    cr_assert_eq(c->end.code, SHUNT_UNKNOWN_TOPIC);
    cr_assert_str_eq(c->end.text, "no topic orders");
}

Test(consume, a_deleted_topic_closes_the_subscription)
{
    struct outcome o = {0};
    struct shunt_consumer *c = fake_consume(&f, 1, 2);
    struct shunt_delivery *d = fake_next(c, &f);
    say_closed(&f, 7, SHUNT_UNKNOWN_TOPIC, "deleted");
    cr_assert_eq(fake_feed(&f), 0);
    cr_assert_eq(c->end.code, SHUNT_CLOSED);
    cr_assert_eq(c->queued.count, 0);
    cr_assert_eq(resolve(d, SHUNT_ACK, &o), SHUNT_STALE);
    fake_lose(&f);
    fake_connect(&f);
    fake_take(&f);
    cr_assert_eq(f.count, 0, "it does not subscribe again");
}

Test(consume, a_right_that_was_taken_away_ends_the_subscription_with_that)
{
    struct shunt_consumer *c = fake_consume(&f, 1, 2);
    say_closed(&f, 7, SHUNT_FORBIDDEN, "user `u` has no right `consume` on topic `orders` any more");
    cr_assert_eq(fake_feed(&f), 0);
    cr_assert_eq(c->state, CONSUMER_ENDED);
    cr_assert_eq(c->end.code, SHUNT_FORBIDDEN);
    cr_assert(strstr(c->end.text, "no right `consume`"));
    fake_lose(&f);
    fake_connect(&f);
    fake_take(&f);
    cr_assert_eq(f.count, 0, "it does not subscribe again");
}

Test(consume, a_subscription_nobody_waits_for_any_more_is_ended_when_it_has_a_number)
{
    fake_connect(&f);
    struct shunt_consumer *c = consumer_new(&f.core, "orders", "default", 1, 1);
    uint64_t id = fake_only(&f, OP_SUBSCRIBE)->id;
    consumer_free(c, false, f.now_us);
    say_subscribed(&f, id, 31);
    say_delivered(&f, 31, 1, 1, 30000);
    cr_assert_eq(fake_feed(&f), 0);
    cr_assert_eq(mpack_read_uint(&fake_only(&f, OP_UNSUBSCRIBE)->at), 31);
}

Test(consume, ending_a_subscription_sends_its_resolutions_first)
{
    struct outcome o = {0};
    struct shunt_consumer *c = fake_consume(&f, 1, 2);
    cr_assert_eq(resolve(fake_next(c, &f), SHUNT_ACK, &o), 0);
    consumer_free(c, false, f.now_us);
    fake_take(&f);
    cr_assert_eq(f.count, 2);
    struct seen_frame *frame = fake_frame(&f, 0, OP_RESOLVE);
    (void)fake_frame(&f, 1, OP_UNSUBSCRIBE);
    say_resolved(&f, frame->id, NULL, 0);
    cr_assert_eq(fake_feed(&f), 0);
    fake_call_back(&f.core);
    cr_assert_eq(o.calls, 1);
    cr_assert_eq(o.code, 0);
}

Test(consume, a_failure_is_cut_to_the_limits_and_made_valid_text)
{
    char long_text[20001];
    memset(long_text, 'a', 20000);
    memcpy(long_text + 19990, "the end!!!", 10);
    long_text[20000] = '\0';
    char word[ERROR_FINGERPRINT_BYTES_MAX + 2];
    memset(word, 'w', sizeof word);
    memcpy(word + ERROR_FINGERPRINT_BYTES_MAX - 1, "\xc3\xa4", 3); /* a character over the limit */
    struct shunt_failure failure = {
        .type = long_text, .message = "bad \xff byte", .stack = long_text, .fingerprint = word};
    struct shunt_consumer *c = fake_consume(&f, 1, 1);
    client_mark_explicitly(c);
    struct shunt_delivery *d = fake_next(c, &f);
    struct resolve_entry entry = {.seq = d->seq,
                                  .token = d->token,
                                  .outcome = SHUNT_NACK,
                                  .delay_ms = SHUNT_BACKOFF,
                                  .failure = &failure};
    cr_assert_eq(delivery_resolve(d, &entry, (struct resolver){0}, f.now_us), 0);
    struct seen_frame *frame = fake_only(&f, OP_RESOLVE);
    (void)mpack_read_uint(&frame->at);
    (void)mpack_read_array(&frame->at);
    cr_assert_eq(mpack_read_array(&frame->at), 8);
    for (int i = 0; i < 3; i++)
        (void)mpack_read_uint(&frame->at);
    cr_assert(mpack_read_is_nil(&frame->at), "the group's own back-off");
    cr_assert_eq(mpack_read_str(&frame->at).size, ERROR_TYPE_BYTES_MAX);
    struct slice message = mpack_read_str(&frame->at);
    cr_assert_arr_eq(message.data, "bad ? byte", message.size);
    struct slice stack = mpack_read_str(&frame->at);
    cr_assert_eq(stack.size, ERROR_STACK_BYTES_MAX);
    cr_assert_arr_eq((const char *)stack.data + stack.size - 10, "the end!!!", 10);
    cr_assert_eq(mpack_read_str(&frame->at).size, ERROR_FINGERPRINT_BYTES_MAX - 1);
}

static void take_all(void *context, struct shunt_consumer *c)
{
    int *taken = context;
    while (c->queued.head) {
        delivery_free(c->queued.head);
        ++*taken;
    }
}

Test(consume, arrivals_are_told_once_for_each_time_messages_came)
{
    int taken = 0;
    struct shunt_consumer *c = fake_consume(&f, 1, 5);
    c->callback = take_all;
    c->context = &taken;
    fake_call_back(&f.core);
    cr_assert_eq(taken, 5);
    fake_call_back(&f.core);
    say_delivered(&f, 7, 6, 2, 30000);
    cr_assert_eq(fake_feed_in_pieces(&f, 1), 0);
    fake_call_back(&f.core);
    cr_assert_eq(taken, 7);
}

static void end_it(void *context, struct shunt_consumer *c)
{
    consumer_free(c, false, f.now_us);
    ++*(int *)context;
}

Test(consume, an_arrival_callback_may_end_its_subscription)
{
    int ended = 0;
    struct shunt_consumer *c = fake_consume(&f, 1, 5);
    struct shunt_consumer *other = fake_subscribe(&f, 8, 10);
    say_delivered(&f, 8, 1, 1, 30000);
    cr_assert_eq(fake_feed(&f), 0);
    c->callback = other->callback = end_it;
    c->context = other->context = &ended;
    fake_call_back(&f.core);
    cr_assert_eq(ended, 2);
    cr_assert_null(f.core.consumers);
}

/* The library takes a delivery with its answer; who gives a second one holds memory that is somebody else's by now. */
Test(consume, a_second_answer_to_one_delivery_ends_the_process, .signal = SIGABRT)
{
    struct shunt_consumer *c = fake_consume(&f, 1, 1);
    struct shunt_delivery *d = fake_next(c, &f);
    cr_assert_eq(shunt_resolve_async(d, SHUNT_ACK, 0, NULL, NULL, NULL, NULL), 0);
    (void)shunt_resolve_async(d, SHUNT_ACK, 0, NULL, NULL, NULL, NULL);
}

Test(consume, a_reply_to_what_has_ended_ends_the_process, .signal = SIGABRT)
{
    struct shunt_consumer *c = fake_consume(&f, 1, 1);
    struct shunt_delivery *d = fake_next(c, &f);
    struct outcome o = {0};
    cr_assert_eq(resolve(d, SHUNT_ACK, &o), 0);
    uint64_t id = fake_only(&f, OP_RESOLVE)->id;
    f.core.resolutions.sent.head->magic = 0; /* as one that went back to the pool, and is waited for */
    say_resolved(&f, id, NULL, 0);
    (void)fake_feed(&f);
}
