/* Blocks of received bytes, and the table of who waits for which reply. */
#include "client/wire/input.h"
#include "client/wire/requests.h"
#include <criterion/criterion.h>
#include <string.h>

static void receive(struct input *in, const void *bytes, size_t size)
{
    while (size > 0) {
        size_t room;
        void *space = input_space(in, &room);
        size_t part = size < room ? size : room;
        memcpy(space, bytes, part);
        input_received(in, part);
        bytes = (const uint8_t *)bytes + part;
        size -= part;
    }
}

Test(input, a_block_nobody_holds_is_used_again)
{
    struct input in = {0};
    struct slice payload;
    const char *why;
    receive(&in, "\0\0\0\3\x92\1\2", 7);
    struct block *first = in.block;
    for (int i = 0; i < 100000; i++) {
        cr_assert_eq(input_next(&in, &payload, &why), FRAME_WHOLE);
        receive(&in, "\0\0\0\3\x92\1\2", 7);
    }
    cr_assert_eq(in.block, first);
    input_done(&in);
}

Test(input, a_held_block_stays_as_it_is)
{
    struct input in = {0};
    struct slice payload;
    const char *why;
    receive(&in, "\0\0\0\3\x92\1\2", 7);
    cr_assert_eq(input_next(&in, &payload, &why), FRAME_WHOLE);
    struct block *held = in.block;
    block_hold(held);
    for (int i = 0; i < 100000; i++) {
        receive(&in, "\0\0\0\3\x92\3\4", 7);
        struct slice other;
        cr_assert_eq(input_next(&in, &other, &why), FRAME_WHOLE);
    }
    cr_assert_neq(in.block, held);
    cr_assert_arr_eq(payload.data, "\x92\1\2", 3);
    block_drop(held);
    input_done(&in);
}

Test(input, a_frame_larger_than_a_block_arrives_whole)
{
    enum { SIZE = 3000000 };
    struct mpack_buffer b = {0};
    struct input in = {0};
    struct slice payload;
    const char *why;
    size_t frame = frame_begin(&b, 128, 1, 1);
    memset(mpack_extend(&b, 5), 0, 5);
    b.data[b.size - 5] = 0xc6;
    b.data[b.size - 4] = (uint8_t)(SIZE >> 24);
    b.data[b.size - 3] = (uint8_t)(SIZE >> 16);
    b.data[b.size - 2] = (uint8_t)(SIZE >> 8 & 0xff);
    b.data[b.size - 1] = (uint8_t)(SIZE & 0xff);
    memset(mpack_extend(&b, SIZE), 'x', SIZE);
    frame_end(&b, frame);
    for (size_t at = 0; at < b.size; at += 10000) {
        receive(&in, b.data + at, b.size - at < 10000 ? b.size - at : 10000);
        enum frame_state state = input_next(&in, &payload, &why);
        cr_assert_eq(state, at + 10000 >= b.size ? FRAME_WHOLE : FRAME_PARTIAL);
    }
    cr_assert_eq(payload.size, b.size - 4);
    mpack_buffer_done(&b);
    input_done(&in);
}

Test(requests, replies_find_their_waiters_in_any_order)
{
    struct requests t = {0};
    int marks[1000];
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(requests_add(&t, WAITER_CALL, &marks[i]), (uint64_t)i + 1);
    for (int i = 0; i < 1000; i++) {
        int other = (i * 7) % 1000;
        struct waiter w = requests_take(&t, (uint64_t)other + 1);
        cr_assert_eq(w.kind, WAITER_CALL);
        cr_assert_eq(w.who, &marks[other]);
        cr_assert_eq(requests_take(&t, (uint64_t)other + 1).kind, WAITER_NONE, "only once");
    }
    cr_assert_eq(t.first, t.next, "nothing is kept");
    cr_assert_eq(requests_take(&t, 0).kind, WAITER_NONE);
    cr_assert_eq(requests_take(&t, UINT64_MAX).kind, WAITER_NONE);
    requests_done(&t);
}

Test(requests, an_old_wait_does_not_stop_new_ids)
{
    struct requests t = {0};
    int old;
    uint64_t first = requests_add(&t, WAITER_PUBLISH, &old);
    for (int i = 0; i < 5000; i++)
        (void)requests_take(&t, requests_add(&t, WAITER_CALL, NULL));
    struct waiter w;
    cr_assert_eq(requests_from(&t, 0, &w), first);
    cr_assert_eq(requests_from(&t, first + 1, &w), 0);
    cr_assert_eq(requests_take(&t, first).who, &old);
    requests_done(&t);
}
