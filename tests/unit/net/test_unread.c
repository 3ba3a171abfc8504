/* test_unread: connections that are not read, or that the engine waits for, and what lets them go on. Each
 * test waits for one word; without the wake-up it would hang, because no tick repairs it. */
#include "broker/net/conn.h"
#include "tests/unit/net/fixture.h"
#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

Test(unread, an_engine_that_waits_for_its_client_is_told_once_when_enough_was_written)
{
    struct fixture f;
    fixture_start(&f, NULL);
    int fd = client_greet(&f);
    engine_says(&f, 32 << 20, false);
    engine_waits(&f, FLOW_ASK_READ);
    fixture_until(&f, !f.outbox);
    cr_assert_eq(f.drained_posts, 0);
    static uint8_t got[32 << 20];
    cr_assert_eq(client_receive(&f, fd, got, sizeof got), sizeof got);
    fixture_until(&f, f.drained_posts == 1);
    for (int i = 0; i < 50; i++)
        (void)uv_run(&f.loop, UV_RUN_NOWAIT);
    cr_assert_eq(f.drained_posts, 1);
    close(fd);
    fixture_stop(&f);
}

Test(unread, an_engine_that_asks_just_after_the_last_byte_is_told_at_once)
{
    struct fixture f;
    fixture_start(&f, NULL);
    int fd = client_greet(&f);
    engine_waits(&f, FLOW_ASK_READ);
    fixture_until(&f, f.drained_posts == 1);
    close(fd);
    fixture_stop(&f);
}

Test(unread, an_engine_that_asks_after_a_bad_frame_is_told_too)
{
    struct fixture f;
    fixture_start(&f, NULL);
    f.silent = true;
    int fd = client_greet(&f);
    cr_assert_eq(send(fd, "\0\0\0\1\xc1", 5, 0), 5); /* no msgpack */
    fixture_until(&f, f.broken == 1);
    engine_waits(&f, FLOW_ASK_READ); /* what came before it waits */
    fixture_until(&f, f.drained_posts == 1);
    close(fd);
    fixture_stop(&f);
}

Test(unread, an_engine_that_asks_after_the_end_of_what_came_is_told_too)
{
    struct fixture f;
    fixture_start(&f, NULL);
    f.silent = true;
    int fd = client_greet(&f);
    cr_assert_eq(shutdown(fd, SHUT_WR), 0);
    fixture_until(&f, f.ended == 1);
    engine_waits(&f, FLOW_ASK_READ);
    fixture_until(&f, f.drained_posts == 1);
    close(fd);
    fixture_stop(&f);
}

/* Its client reads nothing; that others' bytes go is enough. */
Test(unread, a_client_is_read_again_when_others_bytes_have_gone)
{
    enum { ALL = 1 << 20, OWN = 1 << 17, OTHERS = ALL / 4 * 3 - OWN };
    struct fixture f;
    struct mpack_buffer b = {0};
    struct net_limits limits = fixture_limits();
    limits.unsent_total_max = ALL;
    fixture_start(&f, &limits);
    int fd = client_greet(&f);
    unsigned posts = f.posts;
    flow_unsent(&f.link->account, OWN);
    atomic_fetch_add(&f.totals.waiting_bytes, OTHERS + 1);
    write_frame(&b, 1, 10, 'x');
    cr_assert_eq(send(fd, b.data, b.size, 0), (ssize_t)b.size);
    for (int i = 0; i < 50; i++)
        (void)uv_run(&f.loop, UV_RUN_NOWAIT);
    cr_assert_eq(f.posts, posts, "its own and the others' together are too many");
    cr_assert_not(flow_net_goes_on(&f.totals));
    atomic_fetch_sub(&f.totals.waiting_bytes, OTHERS); /* the engine took requests out */
    cr_assert(flow_net_goes_on(&f.totals), "so it wakes the loop");
    net_notify(f.net);
    fixture_until(&f, f.posts == posts + 1);
    flow_written(&f.link->account, OWN);
    flow_freed(&f.link->account, OWN + 1);
    mpack_buffer_done(&b);
    close(fd);
    fixture_stop(&f);
}

Test(unread, an_engine_that_has_a_long_answer_is_told_when_the_sum_is_below_the_mark)
{
    enum { ALL = 1 << 20, MARK = ALL / 4 * 3 };
    struct fixture f;
    struct net_limits limits = fixture_limits();
    limits.unsent_total_max = ALL;
    fixture_start(&f, &limits);
    int fd = client_greet(&f);
    atomic_fetch_add(&f.totals.waiting_bytes, MARK);
    engine_waits(&f, FLOW_ASK_LONG);
    for (int i = 0; i < 50; i++)
        (void)uv_run(&f.loop, UV_RUN_NOWAIT);
    cr_assert_eq(f.drained_posts, 0);
    atomic_fetch_sub(&f.totals.waiting_bytes, 1);
    net_notify(f.net);
    fixture_until(&f, f.drained_posts == 1);
    atomic_fetch_sub(&f.totals.waiting_bytes, MARK - 1);
    close(fd);
    fixture_stop(&f);
}

/* Requests that are held go only when their connections go on: for less of them nobody may wait, or all would. */
Test(unread, who_has_a_long_answer_and_has_read_all_does_not_wait_for_requests_that_are_held)
{
    enum { ALL = 1 << 20, MARK = ALL / 4 * 3 };
    struct fixture f;
    struct net_limits limits = fixture_limits();
    limits.unsent_total_max = ALL;
    fixture_start(&f, &limits);
    int fd = client_greet(&f);
    flow_hold(&f.link->account, 2 * MARK);
    atomic_fetch_add(&f.totals.waiting_bytes, MARK);
    engine_waits(&f, FLOW_ASK_LONG);
    for (int i = 0; i < 50; i++)
        (void)uv_run(&f.loop, UV_RUN_NOWAIT);
    cr_assert_eq(f.drained_posts, 0);
    atomic_fetch_sub(&f.totals.waiting_bytes, 1);
    net_notify(f.net);
    fixture_until(&f, f.drained_posts == 1);
    atomic_fetch_sub(&f.totals.waiting_bytes, MARK - 1);
    flow_release(&f.link->account, 2 * MARK);
    close(fd);
    fixture_stop(&f);
}

Test(unread, higher_limits_let_those_go_on_that_wait)
{
    struct fixture f;
    struct net_limits limits = fixture_limits();
    limits.unsent_total_max = 1 << 20;
    fixture_start(&f, &limits);
    int fd = client_greet(&f);
    atomic_fetch_add(&f.totals.waiting_bytes, 1 << 20);
    engine_waits(&f, FLOW_ASK_LONG);
    fixture_until(&f, !f.outbox);
    cr_assert_eq(f.drained_posts, 0);
    limits.unsent_total_max = 2 << 20;
    net_limits_set(f.net, &limits);
    net_notify(f.net); /* a reload comes on the loop, and so wakes it */
    fixture_until(&f, f.drained_posts == 1);
    atomic_fetch_sub(&f.totals.waiting_bytes, 1 << 20);
    close(fd);
    fixture_stop(&f);
}

/* The engine says nothing meanwhile. */
Test(unread, who_waits_for_memory_is_read_when_anothers_frame_is_whole)
{
    struct fixture f;
    struct mpack_buffer one = {0}, two = {0};
    struct net_limits limits = fixture_limits();
    limits.partial_bytes_max = 300 << 10;
    fixture_start(&f, &limits);
    int first = client_greet(&f), second = client_greet(&f);
    unsigned posts = f.posts;
    write_frame(&one, 1, 200 << 10, 'x');
    write_frame(&two, 1, 200 << 10, 'y');
    cr_assert(client_send(&f, first, one.data, one.size - 1)); /* it has its memory */
    cr_assert(client_send(&f, second, two.data, 100 << 10));   /* and this one waits for some */
    for (int i = 0; i < 50; i++)
        (void)uv_run(&f.loop, UV_RUN_NOWAIT);
    cr_assert_eq(send(second, two.data + (100 << 10), 1 << 10, 0), 1 << 10);
    cr_assert(client_send(&f, first, (const uint8_t *)one.data + one.size - 1, 1));
    fixture_until(&f, f.posts == posts + 1);
    cr_assert(client_send(&f, second, (const uint8_t *)two.data + (101 << 10), two.size - (101 << 10)));
    fixture_until(&f, f.posts == posts + 2);
    mpack_buffer_done(&one);
    mpack_buffer_done(&two);
    close(first);
    close(second);
    fixture_stop(&f);
}

Test(unread, while_the_inbox_is_full_no_socket_is_read)
{
    struct fixture f;
    struct mpack_buffer b = {0};
    fixture_start(&f, NULL);
    int one = client_greet(&f), two = client_greet(&f);
    f.full = true;
    write_frame(&b, 1, 10, 'x');
    cr_assert_eq(send(one, b.data, b.size, 0), (ssize_t)b.size);
    cr_assert_eq(send(two, b.data, b.size, 0), (ssize_t)b.size);
    for (int i = 0; i < 50; i++)
        (void)uv_run(&f.loop, UV_RUN_NOWAIT);
    cr_assert_eq(f.posts, 2);
    f.full = false;
    net_notify(f.net);
    fixture_until(&f, f.posts == 4);
    mpack_buffer_done(&b);
    close(one);
    close(two);
    fixture_stop(&f);
}

Test(unread, who_comes_while_the_inbox_is_full_is_read_when_it_is_not)
{
    struct fixture f;
    fixture_start(&f, NULL);
    f.full = true;
    int fd = client_connect(&f);
    client_hello(&f, fd);
    fixture_until(&f, net_connections(f.net) == 1);
    f.full = false;
    net_notify(f.net);
    fixture_until(&f, f.posts == 1);
    close(fd);
    fixture_stop(&f);
}

Test(unread, who_reads_again_while_the_inbox_is_full_is_read_when_it_is_not)
{
    struct fixture f;
    struct mpack_buffer b = {0};
    fixture_start(&f, NULL);
    int fd = client_greet(&f);
    flow_unsent(&f.link->account, 32 << 20); /* too much is unsent */
    write_frame(&b, 1, 10, 'x');
    cr_assert_eq(send(fd, b.data, b.size, 0), (ssize_t)b.size);
    for (int i = 0; i < 50; i++)
        (void)uv_run(&f.loop, UV_RUN_NOWAIT);
    f.full = true;
    flow_written(&f.link->account, 32 << 20);
    flow_freed(&f.link->account, 32 << 20);
    engine_says(&f, 10, false); /* its own bytes are no longer too many, but the inbox is full */
    fixture_until(&f, atomic_load(&f.link->account.unsent_bytes) == 0);
    for (int i = 0; i < 50; i++)
        (void)uv_run(&f.loop, UV_RUN_NOWAIT);
    cr_assert_eq(f.posts, 1);
    f.full = false;
    net_notify(f.net);
    fixture_until(&f, f.posts == 2);
    mpack_buffer_done(&b);
    close(fd);
    fixture_stop(&f);
}

Test(unread, whose_requests_wait_for_their_turn_is_not_read_and_others_are)
{
    struct fixture f;
    struct mpack_buffer b = {0};
    fixture_start(&f, NULL);
    int one = client_greet(&f);
    f.full_for = f.link;
    write_frame(&b, 1, 10, 'x');
    cr_assert_eq(send(one, b.data, b.size, 0), (ssize_t)b.size);
    int two = client_greet(&f);
    for (int i = 0; i < 50; i++)
        (void)uv_run(&f.loop, UV_RUN_NOWAIT);
    cr_assert_eq(f.posts, 2, "two hellos");
    f.full_for = NULL;
    net_notify(f.net);
    fixture_until(&f, f.posts == 3);
    mpack_buffer_done(&b);
    close(one);
    close(two);
    fixture_stop(&f);
}

Test(unread, an_engine_that_ran_out_of_room_is_told_of_room_once)
{
    struct fixture f;
    struct net_limits limits = fixture_limits();
    limits.unsent_total_max = 1 << 20;
    fixture_start(&f, &limits);
    atomic_store(&f.totals.waiting_bytes, 1 << 20);
    atomic_store(&f.totals.room_wanted, true);
    int fd = client_greet(&f);
    int64_t until_ms = (int64_t)uv_now(&f.loop) + 200;
    fixture_until(&f, (int64_t)uv_now(&f.loop) >= until_ms);
    cr_assert_eq(f.room_posts, 0);
    atomic_store(&f.totals.waiting_bytes, 0);
    net_notify(f.net);
    fixture_until(&f, f.room_posts == 1);
    cr_assert(!atomic_load(&f.totals.room_wanted));
    close(fd);
    fixture_stop(&f);
}
