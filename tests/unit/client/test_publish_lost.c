/* Publishing over connections that break: sent again, unchanged, once in effect. */
#include "publishing.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(publish_lost, .init = publishing_begin, .fini = publishing_end);

Test(publish_lost, after_a_lost_connection_the_same_bytes_go_again_before_new_ones)
{
    fake_connect(&fake);
    publish_many("orders", 0, 10);
    fake_take(&fake);
    publish_many("mails", 10, 10);
    fake_take(&fake);
    size_t size = fake.sent.size;
    const uint8_t *from = fake.sent.data;
    size_t hello_size = FRAME_HEADER_BYTES + ((size_t)from[2] << 8 | from[3]);
    uint8_t *before = malloc(size);
    memcpy(before, from + hello_size, size - hello_size);

    fake_lose(&fake);
    fake_call_back(&fake.core);
    cr_assert_eq(heard[0].calls, 0, "nobody is told before it is known");
    publish_many("later", 20, 1);
    fake_connect(&fake);
    fake_take(&fake);
    cr_assert_eq(fake.count, 3);
    struct seen_frame *first = fake_frame(&fake, 0, OP_PUBLISH), *second = fake_frame(&fake, 1, OP_PUBLISH);
    cr_assert_eq(first->size + second->size, size - hello_size);
    cr_assert_arr_eq(fake.sent.data + first->offset, before, size - hello_size);
    struct publish_fields p = read_publish(fake_frame(&fake, 2, OP_PUBLISH));
    cr_assert_str_eq(p.topic, "later");
    cr_assert_eq(p.sequence, 3);
    free(before);

    say_published(&fake, first->id, 10, 1, 0);
    say_published(&fake, second->id, 10, 1, 0);
    say_published(&fake, fake.frames[2].id, 1, 1, 0);
    cr_assert_eq(fake_feed(&fake), 0);
    fake_call_back(&fake.core);
    expect_heard(0, 10, 1, 0);
    expect_heard(10, 10, 1, 0);
    expect_heard(20, 1, 1, 0);
}

Test(publish_lost, a_frame_cut_by_the_lost_connection_is_sent_whole)
{
    fake_connect(&fake);
    publish_many("orders", 0, 50);
    cr_assert_eq(fake_take_bytes(&fake, 37), 37);
    fake_lose(&fake);
    fake_connect(&fake);
    cr_assert_eq(read_publish(fake_only(&fake, OP_PUBLISH)).messages, 50);
}

Test(publish_lost, without_numbers_what_was_begun_is_lost_and_the_rest_is_sent)
{
    fake_done(&fake);
    fake_init_with(&fake, "idempotent", "no", NULL);
    fake_connect(&fake);
    publish_many("orders", 0, 5);
    cr_assert_eq(read_publish(fake_only(&fake, OP_PUBLISH)).sequence, 0);
    publish_many("orders", 5, 5);
    fake_lose(&fake);
    fake_call_back(&fake.core);
    expect_heard(0, 5, 0, SHUNT_DISCONNECTED);
    cr_assert_eq(heard[5].calls, 0);
    fake_connect(&fake);
    say_published(&fake, fake_only(&fake, OP_PUBLISH)->id, 5, 1, 0);
    cr_assert_eq(fake_feed(&fake), 0);
    fake_call_back(&fake.core);
    expect_heard(5, 5, 1, 0);
}

Test(publish_lost, a_withdrawn_message_is_not_sent_and_a_sealed_one_calls_nobody)
{
    fake_connect(&fake);
    publish_many("orders", 0, 3);
    cr_assert(producer_withdraw(&fake.core.producer, hear, &heard[1]));
    struct seen_frame *frame = fake_only(&fake, OP_PUBLISH);
    cr_assert_eq(read_publish(frame).messages, 2);
    cr_assert(!producer_withdraw(&fake.core.producer, hear, &heard[0]));
    say_published(&fake, frame->id, 2, 1, 0);
    cr_assert_eq(fake_feed(&fake), 0);
    fake_call_back(&fake.core);
    cr_assert_eq(heard[0].calls + heard[1].calls, 0);
    cr_assert_eq(heard[2].calls, 1);
    cr_assert_eq(heard[2].seq, 2);
    cr_assert_eq(fake.core.producer.messages, 0);
}

Test(publish_lost, lost_connections_at_every_byte_lose_and_double_nothing)
{
    /* The fake server stores a sequence once, as the real one does; the connection breaks after n bytes of
     * each output. */
    for (size_t bytes = 1; bytes < 200; bytes += 3) {
        uint64_t stored_upto = 0;
        int stored = 0;
        fake_done(&fake);
        fake_init(&fake);
        memset(heard, 0, sizeof heard);
        publish_many("orders", 0, 8);
        for (int round = 0; fake.core.producer.messages > 0; round++) {
            cr_assert_lt(round, 10);
            fake_connect(&fake);
            if (round == 0) {
                fake_take_bytes(&fake, bytes);
                publish_many("mails", 8, 8);
                fake_lose(&fake);
                continue;
            }
            fake_take(&fake);
            for (size_t i = 0; i < fake.count; i++) {
                struct publish_fields p = read_publish(fake_frame(&fake, i, OP_PUBLISH));
                cr_assert_leq(p.sequence, stored_upto + 1, "no gap");
                stored += p.sequence > stored_upto ? (int)p.messages : 0;
                stored_upto = p.sequence > stored_upto ? p.sequence : stored_upto;
                if (round > 1) /* the answers of the first whole round are lost */
                    say_published(&fake, fake.frames[i].id, p.messages, 1, 0);
            }
            cr_assert_eq(fake_feed(&fake), 0);
            fake_call_back(&fake.core);
            if (fake.core.producer.messages > 0)
                fake_lose(&fake);
        }
        cr_assert_eq(stored, 16, "%d stored when cut at %zu", stored, bytes);
        for (int i = 0; i < 16; i++)
            cr_assert_eq(heard[i].calls, 1);
    }
}
