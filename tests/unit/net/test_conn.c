/* test_conn: one client at a time, over real sockets. */
#include "proto/errors.h"
#include "proto/limits.h"
#include "tests/unit/net/fixture.h"
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

Test(conn, frames_sent_a_byte_at_a_time_arrive)
{
    struct fixture f;
    struct mpack_buffer b = {0};
    fixture_start(&f, NULL);
    write_hello(&b, 1);
    write_frame(&b, 2, 40, 'x');
    int fd = client_connect(&f);
    for (size_t i = 0; i < b.size; i++)
        cr_assert(client_send(&f, fd, b.data + i, 1));
    fixture_until(&f, f.frames.size == b.size);
    cr_assert_eq(memcmp(f.frames.data, b.data, b.size), 0);
    cr_assert_eq(f.posts, 2);
    mpack_buffer_done(&b);
    close(fd);
    fixture_until(&f, f.lost == 1);
    fixture_stop(&f);
}

Test(conn, all_frames_of_one_read_are_one_item)
{
    struct fixture f;
    struct mpack_buffer b = {0};
    fixture_start(&f, NULL);
    int fd = client_greet(&f);
    for (unsigned i = 0; i < 100; i++)
        write_frame(&b, i, 10, 'x');
    cr_assert_eq(send(fd, b.data, b.size, 0), (ssize_t)b.size);
    fixture_until(&f, f.posts == 2);
    cr_assert_eq(memcmp(f.frames.data + f.frames.size - b.size, b.data, b.size), 0);
    mpack_buffer_done(&b);
    close(fd);
    fixture_stop(&f);
}

Test(conn, a_stream_of_mixed_sizes_arrives_unchanged)
{
    struct fixture f;
    struct mpack_buffer b = {0};
    fixture_start(&f, NULL);
    int fd = client_greet(&f);
    size_t hello = f.frames.size;
    for (unsigned i = 0; i < 60; i++)
        write_frame(&b, i, (i * 7919u) % 500000u, (uint8_t)i);
    cr_assert(client_send(&f, fd, b.data, b.size));
    fixture_until(&f, f.frames.size == hello + b.size);
    cr_assert_eq(memcmp(f.frames.data + hello, b.data, b.size), 0);
    mpack_buffer_done(&b);
    close(fd);
    fixture_stop(&f);
}

static void expect_refusal(const void *bytes, size_t size, uint64_t request_id)
{
    struct fixture f;
    uint64_t id = 99;
    fixture_start(&f, NULL);
    int fd = client_connect(&f);
    cr_assert(client_send(&f, fd, bytes, size));
    cr_assert_eq(client_receive_error(&f, fd, &id), SHUNT_PROTOCOL);
    cr_assert_eq(id, request_id);
    cr_assert_eq(f.posts, 0);
    cr_assert_eq(f.lost, 0, "the engine never heard of it");
    cr_assert_eq(f.events[NET_BAD_FRAME], 1);
    close(fd);
    fixture_until(&f, net_connections(f.net) == 0);
    fixture_stop(&f);
}

Test(conn, another_first_frame_than_hello_is_refused)
{
    struct mpack_buffer b = {0};
    write_frame(&b, 5, 10, 'x');
    expect_refusal(b.data, b.size, 5);
    mpack_buffer_done(&b);
}

Test(conn, http_spoken_to_the_port_is_refused)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    expect_refusal(request, sizeof request - 1, 0);
}

Test(conn, a_count_larger_than_its_frame_is_refused)
{
    expect_refusal("\0\0\0\x05\xdd\0\0\0\xc8", 9, 0);
}

/* The error must arrive although the client keeps sending: closing with unread bytes would reset the
 * connection. */
Test(conn, a_bad_frame_ends_the_connection_after_an_error_even_under_load)
{
    struct fixture f;
    struct mpack_buffer b = {0};
    uint64_t id = 99;
    fixture_start(&f, NULL);
    int fd = client_greet(&f);
    mpack_write_raw(&b, "\0\0\0\x01\xc1", 5);
    write_frame(&b, 1, 3 << 20, 'x');
    cr_assert(client_send(&f, fd, b.data, b.size));
    cr_assert_eq(client_receive_error(&f, fd, &id), SHUNT_PROTOCOL);
    cr_assert_eq(f.lost, 1);
    cr_assert_eq(f.posts, 1);
    mpack_buffer_done(&b);
    close(fd);
    fixture_until(&f, net_connections(f.net) == 0);
    fixture_stop(&f);
}

Test(conn, answers_to_frames_before_a_bad_one_come_before_its_refusal)
{
    struct fixture f;
    uint8_t got[8];
    uint64_t id = 99;
    fixture_start(&f, NULL);
    int fd = client_greet(&f);
    engine_says(&f, sizeof got, false); /* waits in the outbox when the bad frame is read */
    cr_assert(client_send(&f, fd, "\0\0\0\x01\xc1", 5));
    cr_assert_eq(client_receive(&f, fd, got, sizeof got), sizeof got);
    for (size_t i = 0; i < sizeof got; i++)
        cr_assert_eq(got[i], (uint8_t)i);
    cr_assert_eq(client_receive_error(&f, fd, &id), SHUNT_PROTOCOL);
    close(fd);
    fixture_until(&f, f.lost == 1 && net_connections(f.net) == 0);
    fixture_stop(&f);
}

/* The engine holds the requests of such a connection, and nothing else bounds how many. */
Test(conn, requests_of_a_connection_that_the_engine_waits_for_are_not_read)
{
    struct fixture f;
    struct mpack_buffer b = {0};
    fixture_start(&f, NULL);
    int fd = client_greet(&f);
    size_t before = f.frames.size,
           pending = (1 << 20) * 3 / 4; /* less than the limit, more than half of it */
    atomic_fetch_add(&f.link->account.unsent_bytes, pending);
    engine_waits(&f, FLOW_ASK_READ);
    fixture_until(&f, !f.outbox);
    for (unsigned i = 0; i < 1000; i++)
        write_frame(&b, i + 1, 100, 'x');
    cr_assert_eq(send(fd, b.data, b.size, 0), (ssize_t)b.size);
    for (unsigned i = 0; i < 100; i++)
        (void)uv_run(&f.loop, UV_RUN_NOWAIT);
    cr_assert_leq(f.frames.size - before, 64 << 10, "at most what one read had brought already");
    atomic_fetch_sub(&f.link->account.unsent_bytes, pending);
    engine_says(&f, 10, false); /* its being written lets the connection go on */
    fixture_until(&f, f.frames.size - before == b.size);
    cr_assert_eq(f.drained_posts, 1);
    mpack_buffer_done(&b);
    close(fd);
    fixture_until(&f, f.lost == 1 && net_connections(f.net) == 0);
    fixture_stop(&f);
}

Test(conn, replies_of_many_items_arrive_in_order_and_the_close_comes_after_them)
{
    struct fixture f;
    fixture_start(&f, NULL);
    int fd = client_greet(&f);
    for (unsigned i = 0; i < 300; i++)
        engine_says(&f, 256, i == 299);
    engine_says(&f, 10, false); /* after the close: never sent */
    static uint8_t got[300 * 256 + 10];
    cr_assert_eq(client_receive(&f, fd, got, sizeof got), 300 * 256);
    for (size_t i = 0; i < 300 * 256; i++)
        cr_assert_eq(got[i], (uint8_t)i);
    close(fd);
    fixture_until(&f, f.lost == 1 && net_connections(f.net) == 0);
    cr_assert_eq(atomic_load(&f.link->account.unsent_bytes), 0);
    fixture_stop(&f);
}

Test(conn, who_has_said_all_gets_the_answers_and_then_the_end)
{
    struct fixture f;
    uint8_t got[1001];
    fixture_start(&f, NULL);
    int fd = client_greet(&f);
    cr_assert_eq(shutdown(fd, SHUT_WR), 0);
    engine_says(&f, 1000, false); /* the answer to what came before the end */
    cr_assert_eq(client_receive(&f, fd, got, sizeof got), 1000);
    fixture_until(&f, f.lost == 1 && net_connections(f.net) == 0); /* although the client does not close */
    cr_assert_eq(f.ended, 1);
    close(fd);
    fixture_stop(&f);
}

Test(conn, the_refusal_of_a_bad_frame_arrives_although_the_client_has_said_all)
{
    struct fixture f;
    uint64_t id = 99;
    fixture_start(&f, NULL);
    int fd = client_greet(&f);
    cr_assert_eq(send(fd, "\0\0\0\x01\xc1", 5, 0), 5);
    cr_assert_eq(shutdown(fd, SHUT_WR), 0);
    cr_assert_eq(client_receive_error(&f, fd, &id), SHUNT_PROTOCOL);
    fixture_until(&f, f.lost == 1 && net_connections(f.net) == 0);
    close(fd);
    fixture_stop(&f);
}

Test(conn, an_end_inside_a_frame_forgets_the_frame)
{
    struct fixture f;
    fixture_start(&f, NULL);
    int fd = client_greet(&f);
    cr_assert_eq(send(fd, "\0\0\1\0\x93", 5, 0), 5);
    cr_assert_eq(shutdown(fd, SHUT_WR), 0);
    fixture_until(&f, f.lost == 1 && net_connections(f.net) == 0);
    cr_assert_eq(f.posts, 1, "the hello's");
    close(fd);
    fixture_stop(&f);
}

Test(conn, an_empty_item_that_closes_closes)
{
    struct fixture f;
    char byte;
    fixture_start(&f, NULL);
    int fd = client_greet(&f);
    engine_says(&f, 0, true);
    cr_assert_eq(client_receive(&f, fd, &byte, 1), 0);
    close(fd);
    fixture_until(&f, net_connections(f.net) == 0);
    fixture_stop(&f);
}

Test(conn, what_is_said_to_a_lost_connection_is_dropped)
{
    struct fixture f;
    fixture_start(&f, NULL);
    int fd = client_greet(&f);
    close(fd);
    fixture_until(&f, f.lost == 1 && net_connections(f.net) == 0);
    engine_says(&f, 1000, false);
    fixture_until(&f, !f.outbox && atomic_load(&f.link->account.unsent_bytes) == 0);
    fixture_stop(&f);
}

static void set_done(void *context)
{
    ((struct fixture *)context)->drain_done = true;
}

Test(conn, draining_sends_what_is_queued_and_ends_every_connection)
{
    struct fixture f;
    fixture_start(&f, NULL);
    int fd = client_greet(&f), silent = client_connect(&f);
    fixture_until(&f, net_connections(f.net) == 2);
    engine_says(&f, 100000, true);
    net_stop_accepting(f.net);
    unsigned lost = f.lost;
    net_drain(f.net, 10000, set_done, &f);
    static uint8_t got[100001];
    cr_assert_eq(client_receive(&f, fd, got, sizeof got), 100000);
    cr_assert_eq(client_receive(&f, silent, got, 1), 0);
    close(fd);
    close(silent);
    fixture_until(&f, f.drain_done);
    cr_assert_eq(f.lost, lost, "the engine is gone: nothing may be posted to it");
    fixture_stop(&f);
}

Test(conn, draining_is_cut_short_for_a_client_that_does_not_read)
{
    struct fixture f;
    fixture_start(&f, NULL);
    int fd = client_greet(&f);
    engine_says(&f, 32 << 20, true);
    net_stop_accepting(f.net);
    net_drain(f.net, 50, set_done, &f);
    fixture_until(&f, f.drain_done);
    cr_assert_eq(atomic_load(&f.link->account.unsent_bytes), 0);
    close(fd);
    fixture_stop(&f);
}
