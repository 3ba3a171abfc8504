/* Publishing: batches, numbers, callbacks, and what happens to them when connections break. */
#include "client/wire/error.h"
#include "publishing.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(publish, .init = publishing_begin, .fini = publishing_end);

Test(publish, messages_queued_together_travel_in_one_frame_in_order)
{
    fake_connect(&fake);
    publish_many("orders", 0, 100);
    struct seen_frame *frame = fake_only(&fake, OP_PUBLISH);
    struct publish_fields p = read_publish(frame);
    cr_assert_str_eq(p.topic, "orders");
    cr_assert_eq(p.sequence, 1);
    cr_assert_eq(p.messages, 100);
    for (int i = 0; i < 100; i++) {
        char body[16];
        (void)snprintf(body, sizeof body, "%d", i);
        cr_assert_eq(mpack_read_array(&frame->at), 1);
        struct slice got = mpack_read_bin(&frame->at);
        cr_assert_eq(got.size, strlen(body));
        cr_assert_arr_eq(got.data, body, got.size);
    }
    say_published(&fake, frame->id, 100, 501, 0);
    cr_assert_eq(fake_feed(&fake), 0);
    cr_assert_eq(heard[0].calls, 0, "callbacks wait for core_call_back()");
    fake_call_back(&fake.core);
    expect_heard(0, 100, 501, 0);
    cr_assert_eq(fake.core.producer.messages, 0);
    cr_assert_eq(fake.core.producer.bytes, 0);
}

Test(publish, topics_taking_turns_share_a_frame_each)
{
    fake_connect(&fake);
    for (int i = 0; i < 20; i++)
        publish_many(i % 2 == 0 ? "orders" : "mails", i, 1);
    fake_take(&fake);
    cr_assert_eq(fake.count, 2);
    cr_assert_eq(read_publish(fake_frame(&fake, 0, OP_PUBLISH)).messages, 10);
    cr_assert_eq(read_publish(fake_frame(&fake, 1, OP_PUBLISH)).messages, 10);
}

Test(publish, a_frame_ends_at_frame_bytes_and_one_large_message_goes_alone)
{
    fake_done(&fake);
    fake_init_with(&fake, "frame-bytes", "1KiB", NULL);
    fake_connect(&fake);
    char *large = calloc(1, 5001);
    memset(large, 'x', 5000);
    publish_many("orders", 0, 1);
    cr_assert_eq(fake_publish(&fake, "orders", large, NULL, NULL), 0);
    publish_many("orders", 1, 1);
    large[600] = '\0';
    cr_assert_eq(fake_publish(&fake, "orders", large, NULL, NULL), 0);
    cr_assert_eq(fake_publish(&fake, "orders", large, NULL, NULL), 0);
    fake_take(&fake);
    cr_assert_eq(fake.count, 4);
    for (size_t i = 0; i < fake.count; i++) {
        uint32_t messages = read_publish(fake_frame(&fake, i, OP_PUBLISH)).messages;
        cr_assert_eq(messages, i == 2 ? 2 : 1, "frame %zu has %u", i, messages);
    }
    free(large);
}

Test(publish, output_taken_in_odd_pieces_is_the_same_stream)
{
    fake_connect(&fake);
    struct shunt_consumer *c = consumer_new(&fake.core, "orders", "default", 10, 1000);
    size_t publishes = 0, others = 0;
    for (int round = 0; round < 40; round++) {
        publish_many(round % 3 == 0 ? "orders" : "mails", round * 20, 20);
        c->credit_changed = c->state == CONSUMER_ACTIVE;
        fake.core.work = true;
        for (int i = 0; i < 5; i++)
            fake_take_bytes(&fake, (size_t)(1 + (round * 7 + i * 13) % 97));
    }
    fake_take(&fake); /* asserts that all of it is whole frames */
    for (size_t i = 0; i < fake.count; i++) {
        if (fake.frames[i].op != OP_PUBLISH) {
            others++;
            continue;
        }
        publishes += read_publish(&fake.frames[i]).messages;
    }
    cr_assert_eq(publishes, 800);
    cr_assert_geq(others, 1);
}

Test(publish, numbers_below_the_oldest_unanswered_frame_may_be_forgotten)
{
    fake_connect(&fake);
    uint64_t ids[3];
    for (int i = 0; i < 3; i++) {
        publish_many("orders", i, 1);
        struct seen_frame *frame = fake_only(&fake, OP_PUBLISH);
        ids[i] = frame->id;
        cr_assert_eq(read_publish(frame).forget_below, 1);
    }
    say_published(&fake, ids[1], 1, 2, 0);
    say_published(&fake, ids[0], 1, 1, 0);
    cr_assert_eq(fake_feed(&fake), 0);
    publish_many("orders", 3, 1);
    struct publish_fields p = read_publish(fake_only(&fake, OP_PUBLISH));
    cr_assert_eq(p.sequence, 4);
    cr_assert_eq(p.forget_below, 3);
}

Test(publish, fewer_frames_than_the_server_keeps_answers_for_are_unanswered)
{
    fake_connect_with(&fake, 0, 0, 4);
    uint64_t first = 0;
    for (int i = 0; i < 3; i++) {
        publish_many("orders", i, 1);
        struct seen_frame *frame = fake_only(&fake, OP_PUBLISH);
        first = i == 0 ? frame->id : first;
    }
    publish_many("orders", 3, 5);
    fake_take(&fake);
    cr_assert_eq(fake.count, 0, "the fourth frame waits");
    cr_assert(!core_has_output(&fake.core), "and nobody spins for it");
    say_published(&fake, first, 1, 1, 0);
    cr_assert_eq(fake_feed(&fake), 0);
    cr_assert_eq(read_publish(fake_only(&fake, OP_PUBLISH)).messages, 5);
}

Test(publish, never_more_than_128_frames_are_unanswered)
{
    fake_connect(&fake);
    for (int i = 0; i < PRODUCER_FRAMES_MAX; i++) {
        publish_many("orders", i, 1);
        (void)fake_only(&fake, OP_PUBLISH);
    }
    publish_many("orders", PRODUCER_FRAMES_MAX, 1);
    fake_take(&fake);
    cr_assert_eq(fake.count, 0);
}

/* Messages to as many topics, one each. */
static void publish_to_topics(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char topic[16];
        (void)snprintf(topic, sizeof topic, "t%u", i);
        cr_assert_eq(fake_publish(&fake, topic, "x", NULL, NULL), 0);
    }
}

Test(publish, messages_to_many_topics_do_not_wait_for_each_other)
{
    fake_connect(&fake);
    publish_to_topics(300);
    fake_take(&fake);
    cr_assert_gt(fake.count, 2 * PRODUCER_FRAMES_MAX);
    cr_assert_leq(fake.core.producer.open.count, 300 / PRODUCER_FRAMES_EACH, "few wait");
}

Test(publish, not_even_to_many_topics_are_more_frames_unanswered_than_the_server_keeps)
{
    fake_connect_with(&fake, 0, 0, 200);
    publish_to_topics(300);
    fake_take(&fake);
    cr_assert_eq(fake.count, 199);
}

Test(publish, answers_out_of_order_do_not_stretch_the_window_of_numbers)
{
    uint64_t ids[3];
    fake_connect_with(&fake, 0, 0, 4);
    for (int i = 0; i < 3; i++) {
        publish_many("orders", i, 1);
        ids[i] = fake_only(&fake, OP_PUBLISH)->id;
    }
    say_published(&fake, ids[1], 1, 2, 0);
    say_published(&fake, ids[2], 1, 3, 0);
    cr_assert_eq(fake_feed(&fake), 0);
    publish_many("orders", 3, 1);
    fake_take(&fake);
    cr_assert_eq(fake.count, 0, "the server counts its answers by numbers");
    cr_assert(!core_has_output(&fake.core), "and nobody spins for it");
    say_published(&fake, ids[0], 1, 1, 0);
    cr_assert_eq(fake_feed(&fake), 0);
    cr_assert_eq(read_publish(fake_only(&fake, OP_PUBLISH)).sequence, 4);
}

/* However many topics there are, a topic's messages gather while its batch is open. */
Test(publish, messages_to_many_topics_in_turn_gather_by_topic)
{
    char topic[16];
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(topic, sizeof topic, "t%d", i % 100);
        publish_many(topic, i, 1);
    }
    fake_connect(&fake);
    fake_take(&fake);
    cr_assert_eq(fake.count, 100);
    for (size_t i = 0; i < fake.count; i++)
        cr_assert_eq(read_publish(&fake.frames[i]).messages, 20);
}

Test(publish, the_part_a_full_topic_refused_is_told_so)
{
    fake_connect(&fake);
    publish_many("orders", 0, 10);
    say_published(&fake, fake_only(&fake, OP_PUBLISH)->id, 4, 77, SHUNT_TOPIC_FULL);
    cr_assert_eq(fake_feed(&fake), 0);
    fake_call_back(&fake.core);
    expect_heard(0, 4, 77, 0);
    expect_heard(4, 6, 0, SHUNT_TOPIC_FULL);
}

Test(publish, a_refused_frame_fails_with_what_the_broker_said)
{
    fake_connect(&fake);
    publish_many("orders", 0, 3);
    cr_assert_eq(fake_publish(&fake, "orders", "nobody listens", NULL, NULL), 0);
    say_error(&fake, fake_only(&fake, OP_PUBLISH)->id, SHUNT_UNKNOWN_TOPIC, "no topic orders");
    cr_assert_eq(fake_feed(&fake), 0);
    fake_call_back(&fake.core);
    expect_heard(0, 3, 0, SHUNT_UNKNOWN_TOPIC);
    cr_assert_eq(fake.core.producer.failure.code, SHUNT_UNKNOWN_TOPIC, "kept for shunt_flush()");
    cr_assert_str_eq(fake.core.producer.failure.text, "no topic orders");
}

Test(publish, a_body_over_the_limit_is_refused_at_once_when_the_limit_is_known)
{
    fake_connect_with(&fake, 5, 0, 0);
    cr_assert_eq(fake_publish(&fake, "orders", "12345", hear, &heard[0]), 0);
    cr_assert_eq(fake_publish(&fake, "orders", "123456", hear, &heard[1]), SHUNT_TOO_LARGE);
    fake_call_back(&fake.core);
    cr_assert_eq(heard[1].calls, 0);
}

Test(publish, a_body_over_a_limit_learned_later_does_not_condemn_its_neighbours)
{
    const char *bodies[] = {"a", "123456", "b", "1234567", "c"};
    for (int i = 0; i < 5; i++)
        cr_assert_eq(fake_publish(&fake, "orders", bodies[i], hear, &heard[i]), 0);
    fake_connect_with(&fake, 5, 2, 0);
    fake_take(&fake);
    cr_assert_eq(fake.count, 2, "three messages, two to a frame");
    say_published(&fake, fake.frames[0].id, 2, 1, 0);
    say_published(&fake, fake.frames[1].id, 1, 3, 0);
    cr_assert_eq(fake_feed(&fake), 0);
    fake_call_back(&fake.core);
    int codes[] = {0, SHUNT_TOO_LARGE, 0, SHUNT_TOO_LARGE, 0};
    uint64_t seqs[] = {1, 0, 2, 0, 3};
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(heard[i].calls, 1);
        cr_assert_eq(heard[i].code, codes[i]);
        cr_assert_eq(heard[i].seq, seqs[i]);
    }
    cr_assert_eq(fake.core.producer.bytes, 0);
}

Test(publish, a_full_window_says_busy_until_a_callback_was_made)
{
    fake_done(&fake);
    fake_init_with(&fake, "window", "3", "window-bytes", "1KiB", NULL);
    fake_connect(&fake);
    publish_many("orders", 0, 3);
    cr_assert_eq(fake_publish(&fake, "orders", "x", hear, &heard[3]), SHUNT_BUSY);
    say_published(&fake, fake_only(&fake, OP_PUBLISH)->id, 3, 1, 0);
    cr_assert_eq(fake_feed(&fake), 0);
    fake_call_back(&fake.core);
    publish_many("orders", 3, 1);
}

Test(publish, window_bytes_hold_but_one_message_always_fits)
{
    char large[901];
    memset(large, 'x', 900);
    large[900] = '\0';
    fake_done(&fake);
    fake_init_with(&fake, "window-bytes", "1KiB", NULL);
    cr_assert_eq(fake_publish(&fake, "orders", large, hear, &heard[0]), 0);
    cr_assert_eq(fake_publish(&fake, "orders", large, hear, &heard[1]), SHUNT_BUSY);
}

Test(publish, names_that_cannot_be_published_to_are_refused_at_once)
{
    cr_assert_eq(fake_publish(&fake, "dlq:orders:default", "x", hear, &heard[0]), SHUNT_RESERVED);
    cr_assert_eq(fake_publish(&fake, "", "x", hear, &heard[0]), SHUNT_BAD_NAME);
    cr_assert_eq(fake_publish(&fake, "a b", "x", hear, &heard[0]), SHUNT_BAD_NAME);
    cr_assert_eq(fake.core.producer.messages, 0);
}

static void publish_again(void *context, uint64_t seq, const struct shunt_error *err)
{
    hear(context, seq, err);
    cr_assert_eq(fake_publish(&fake, "orders", "again", hear, (struct heard *)context + 100), 0);
}

Test(publish, a_callback_may_publish)
{
    fake_connect(&fake);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(fake_publish(&fake, "orders", "x", publish_again, &heard[i]), 0);
    say_published(&fake, fake_only(&fake, OP_PUBLISH)->id, 10, 1, 0);
    cr_assert_eq(fake_feed(&fake), 0);
    fake_call_back(&fake.core);
    say_published(&fake, fake_only(&fake, OP_PUBLISH)->id, 10, 11, 0);
    cr_assert_eq(fake_feed(&fake), 0);
    fake_call_back(&fake.core);
    expect_heard(0, 10, 1, 0);
    expect_heard(100, 10, 11, 0);
}

Test(publish, the_end_of_the_handle_calls_everything_back_once)
{
    struct shunt_error closed;
    fake_connect(&fake);
    publish_many("orders", 0, 5); /* answered, not called back yet */
    say_published(&fake, fake_only(&fake, OP_PUBLISH)->id, 5, 1, 0);
    cr_assert_eq(fake_feed(&fake), 0);
    publish_many("orders", 5, 5); /* sent */
    fake_take(&fake);
    publish_many("orders", 10, 5); /* queued */
    error_set(&closed, SHUNT_CLOSED, NULL);
    core_end(&fake.core, &closed);
    fake_call_back(&fake.core);
    fake_call_back(&fake.core);
    expect_heard(0, 5, 1, 0);
    expect_heard(5, 10, 0, SHUNT_CLOSED);
}

Test(publish, an_answer_to_what_was_not_sent_is_a_protocol_error)
{
    fake_connect(&fake);
    publish_many("orders", 0, 5);
    cr_assert_eq(fake_take_bytes(&fake, 10), 10);
    say_published(&fake, fake.core.producer.sealed.head->id, 5, 1, 0);
    cr_assert_eq(fake_feed(&fake), SHUNT_PROTOCOL);
}

/* ---- numbers of the program's own ---- */

static int publish_numbered(uint64_t number, int i)
{
    struct shunt_message *m = shunt_message_new();
    bool full;
    if (number != 0)
        cr_assert_eq(shunt_message_number(m, number), 0);
    int rc = producer_add(&fake.core.producer, "orders", m, (struct promise){hear, &heard[i], INT64_MAX, 0},
                          &full, NULL);
    shunt_message_free(m);
    return rc;
}

static void have_producer(void)
{
    fake_done(&fake);
    fake_init_with(&fake, "producer", "import-7", NULL);
}

Test(publish, each_numbered_message_has_a_frame_with_its_number_and_nothing_is_forgotten)
{
    have_producer();
    fake_connect(&fake);
    cr_assert_eq(publish_numbered(41, 0) + publish_numbered(50, 1), 0);
    fake_take(&fake);
    cr_assert_eq(fake.count, 2);
    for (size_t i = 0; i < 2; i++) {
        struct publish_fields p = read_publish(fake_frame(&fake, i, OP_PUBLISH));
        cr_assert_eq(p.sequence, i == 0 ? 41 : 50);
        cr_assert_eq(p.forget_below, 0);
        cr_assert_eq(p.messages, 1);
    }
    fake_lose(&fake);
    fake_connect(&fake);
    fake_take(&fake);
    cr_assert_eq(read_publish(fake_frame(&fake, 0, OP_PUBLISH)).sequence, 41, "again, under the same number");
}

Test(publish, numbers_wait_until_the_broker_can_still_tell_the_lowest)
{
    have_producer();
    fake_connect_with(&fake, 0, 0, 100);
    cr_assert_eq(publish_numbered(1, 0) + publish_numbered(99, 1) + publish_numbered(100, 2), 0);
    fake_take(&fake);
    cr_assert_eq(fake.count, 2);
    say_published(&fake, fake.frames[0].id, 1, 1, 0);
    cr_assert_eq(fake_feed(&fake), 0);
    cr_assert_eq(read_publish(fake_only(&fake, OP_PUBLISH)).sequence, 100);
}

Test(publish, numbers_and_the_option_go_together)
{
    cr_assert_eq(publish_numbered(1, 0), SHUNT_BAD_ARGUMENT);
    have_producer();
    cr_assert_eq(publish_numbered(0, 0), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(publish_numbered(1, 0), 0);
}

Test(publish, a_producer_that_was_taken_over_ends_the_handle)
{
    have_producer();
    fake_connect(&fake);
    cr_assert_eq(publish_numbered(1, 0), 0);
    say_error(&fake, fake_only(&fake, OP_PUBLISH)->id, SHUNT_PROTOCOL,
              "a newer connection speaks for this producer");
    cr_assert_eq(fake_feed(&fake), SHUNT_PROTOCOL);
    cr_assert_eq(fake.core.fatal.code, SHUNT_PROTOCOL);
}
