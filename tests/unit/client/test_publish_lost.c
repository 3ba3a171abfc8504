/* Publishing over connections that break: sent again, unchanged, once in effect. */
#include "fake_server.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEARD_MAX 5000

static struct heard {
    int calls;
    uint64_t seq;
    int code;
} heard[HEARD_MAX];

static struct fake f;

static void hear(void *context, uint64_t seq, const struct shunt_error *err)
{
    struct heard *h = context;
    h->calls++;
    h->seq = seq;
    h->code = err != NULL ? err->code : 0;
}

static void setup(void)
{
    fake_init(&f);
    memset(heard, 0, sizeof heard);
}

static void teardown(void)
{
    fake_done(&f);
}

TestSuite(publish_lost, .init = setup, .fini = teardown);

static void publish_many(const char *topic, int from, int count)
{
    for (int i = from; i < from + count; i++) {
        char body[16];
        (void)snprintf(body, sizeof body, "%d", i);
        cr_assert_eq(fake_publish(&f, topic, body, hear, &heard[i]), 0);
    }
}

static void expect_heard(int from, int count, uint64_t first_seq, int code)
{
    for (int i = from; i < from + count; i++) {
        cr_assert_eq(heard[i].calls, 1, "message %d was called back %d times", i, heard[i].calls);
        cr_assert_eq(heard[i].code, code, "message %d: %d", i, heard[i].code);
        cr_assert_eq(heard[i].seq, code == 0 ? first_seq + (uint64_t)(i - from) : 0);
    }
}

struct publish_fields {
    char topic[128];
    uint64_t sequence;
    uint64_t forget_below;
    uint32_t messages;
};

static struct publish_fields read_publish(struct seen_frame *frame)
{
    struct publish_fields p;
    struct slice topic = mpack_read_str(&frame->at);
    memcpy(p.topic, topic.data, topic.size);
    p.topic[topic.size] = '\0';
    p.sequence = mpack_read_uint(&frame->at);
    p.forget_below = mpack_read_uint(&frame->at);
    p.messages = mpack_read_array(&frame->at);
    cr_assert(!frame->at.failed);
    return p;
}

Test(publish_lost, after_a_lost_connection_the_same_bytes_go_again_before_new_ones)
{
    fake_connect(&f);
    publish_many("orders", 0, 10);
    fake_take(&f);
    publish_many("mails", 10, 10);
    fake_take(&f);
    size_t size = f.sent.size;
    const uint8_t *from = f.sent.data;
    size_t hello_size = FRAME_HEADER_BYTES + ((size_t)from[2] << 8 | from[3]);
    uint8_t *before = malloc(size);
    memcpy(before, from + hello_size, size - hello_size);

    fake_lose(&f);
    core_call_back(&f.core);
    cr_assert_eq(heard[0].calls, 0, "nobody is told before it is known");
    publish_many("later", 20, 1);
    fake_connect(&f);
    fake_take(&f);
    cr_assert_eq(f.count, 3);
    struct seen_frame *first = fake_frame(&f, 0, OP_PUBLISH), *second = fake_frame(&f, 1, OP_PUBLISH);
    cr_assert_eq(first->size + second->size, size - hello_size);
    cr_assert_arr_eq(f.sent.data + first->offset, before, size - hello_size);
    struct publish_fields p = read_publish(fake_frame(&f, 2, OP_PUBLISH));
    cr_assert_str_eq(p.topic, "later");
    cr_assert_eq(p.sequence, 3);
    free(before);

    say_published(&f, first->id, 10, 1, 0);
    say_published(&f, second->id, 10, 1, 0);
    say_published(&f, f.frames[2].id, 1, 1, 0);
    cr_assert_eq(fake_feed(&f), 0);
    core_call_back(&f.core);
    expect_heard(0, 10, 1, 0);
    expect_heard(10, 10, 1, 0);
    expect_heard(20, 1, 1, 0);
}

Test(publish_lost, a_frame_cut_by_the_lost_connection_is_sent_whole)
{
    fake_connect(&f);
    publish_many("orders", 0, 50);
    cr_assert_eq(fake_take_bytes(&f, 37), 37);
    fake_lose(&f);
    fake_connect(&f);
    cr_assert_eq(read_publish(fake_only(&f, OP_PUBLISH)).messages, 50);
}

Test(publish_lost, without_numbers_what_was_begun_is_lost_and_the_rest_is_sent)
{
    fake_done(&f);
    fake_init_with(&f, "idempotent", "no", NULL);
    fake_connect(&f);
    publish_many("orders", 0, 5);
    cr_assert_eq(read_publish(fake_only(&f, OP_PUBLISH)).sequence, 0);
    publish_many("orders", 5, 5);
    fake_lose(&f);
    core_call_back(&f.core);
    expect_heard(0, 5, 0, SHUNT_DISCONNECTED);
    cr_assert_eq(heard[5].calls, 0);
    fake_connect(&f);
    say_published(&f, fake_only(&f, OP_PUBLISH)->id, 5, 1, 0);
    cr_assert_eq(fake_feed(&f), 0);
    core_call_back(&f.core);
    expect_heard(5, 5, 1, 0);
}

Test(publish_lost, a_withdrawn_message_is_not_sent_and_a_sealed_one_calls_nobody)
{
    fake_connect(&f);
    publish_many("orders", 0, 3);
    cr_assert(producer_withdraw(&f.core.producer, hear, &heard[1]));
    struct seen_frame *frame = fake_only(&f, OP_PUBLISH);
    cr_assert_eq(read_publish(frame).messages, 2);
    cr_assert(!producer_withdraw(&f.core.producer, hear, &heard[0]));
    say_published(&f, frame->id, 2, 1, 0);
    cr_assert_eq(fake_feed(&f), 0);
    core_call_back(&f.core);
    cr_assert_eq(heard[0].calls + heard[1].calls, 0);
    cr_assert_eq(heard[2].calls, 1);
    cr_assert_eq(heard[2].seq, 2);
    cr_assert_eq(f.core.producer.messages, 0);
}

Test(publish_lost, lost_connections_at_every_byte_lose_and_double_nothing)
{
    /* The fake server stores a sequence once, as the real one does; the connection breaks after n bytes of
     * each output. */
    for (size_t bytes = 1; bytes < 200; bytes += 3) {
        uint64_t stored_upto = 0;
        int stored = 0;
        fake_done(&f);
        fake_init(&f);
        memset(heard, 0, sizeof heard);
        publish_many("orders", 0, 8);
        for (int round = 0; f.core.producer.messages > 0; round++) {
            cr_assert_lt(round, 10);
            fake_connect(&f);
            if (round == 0) {
                fake_take_bytes(&f, bytes);
                publish_many("mails", 8, 8);
                fake_lose(&f);
                continue;
            }
            fake_take(&f);
            for (size_t i = 0; i < f.count; i++) {
                struct publish_fields p = read_publish(fake_frame(&f, i, OP_PUBLISH));
                cr_assert_leq(p.sequence, stored_upto + 1, "no gap");
                stored += p.sequence > stored_upto ? (int)p.messages : 0;
                stored_upto = p.sequence > stored_upto ? p.sequence : stored_upto;
                if (round > 1) /* the answers of the first whole round are lost */
                    say_published(&f, f.frames[i].id, p.messages, 1, 0);
            }
            cr_assert_eq(fake_feed(&f), 0);
            core_call_back(&f.core);
            if (f.core.producer.messages > 0)
                fake_lose(&f);
        }
        cr_assert_eq(stored, 16, "%d stored when cut at %zu", stored, bytes);
        for (int i = 0; i < 16; i++)
            cr_assert_eq(heard[i].calls, 1);
    }
}
