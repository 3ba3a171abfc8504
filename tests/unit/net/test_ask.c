/* test_ask: whether all was read that had reached a socket; and when it had come. */
#include "proto/frame.h"
#include "tests/unit/net/fixture.h"
#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

Test(ask, when_all_was_read_it_says_so_behind_what_lay_in_the_socket)
{
    struct fixture f;
    struct mpack_buffer b = {0};
    fixture_start(&f, NULL);
    int fd = client_greet(&f);
    engine_asks(&f, 5);
    fixture_until(&f, f.caught_up == 1);
    cr_assert_eq(f.asked_ms, 5, "at once: there was nothing");
    f.full = true;
    write_frame(&b, 1, 10, 'x');
    cr_assert_eq(send(fd, b.data, b.size, 0), (ssize_t)b.size);
    for (int i = 0; i < 50; i++)
        (void)uv_run(&f.loop, UV_RUN_NOWAIT);
    engine_asks(&f, 6);
    for (int i = 0; i < 50; i++)
        (void)uv_run(&f.loop, UV_RUN_NOWAIT);
    cr_assert_eq(f.posts, 1);
    cr_assert_eq(f.caught_up, 1, "its answer may lie in the socket");
    f.full = false;
    net_notify(f.net);
    fixture_until(&f, f.caught_up == 2);
    cr_assert_eq(f.asked_ms, 6);
    cr_assert_eq(f.posts_before, 2, "the frame came first");
    mpack_buffer_done(&b);
    close(fd);
    fixture_stop(&f);
}

/* ---- when requests had come ---- */

enum { LAY_MS = 100, NEAR_MS = 60 }; /* in the socket; from then on at most, as the kernel counts in ticks */

static int64_t now_ms(void)
{
    return (int64_t)(uv_hrtime() / 1000000);
}

static void send_frame(int fd)
{
    struct mpack_buffer b = {0};
    write_frame(&b, 1, 10, 'x');
    cr_assert_eq(send(fd, b.data, b.size, 0), (ssize_t)b.size);
    mpack_buffer_done(&b);
}

/* Time that passes is what it is about. */
static void lie(void)
{
    for (int64_t until_ms = now_ms() + LAY_MS; now_ms() < until_ms;)
        (void)usleep(1000);
}

Test(ask, what_is_read_at_once_has_come_just_now)
{
    struct fixture f;
    fixture_start(&f, NULL);
    int fd = client_greet(&f);
    int64_t before_ms = now_ms();
    send_frame(fd);
    fixture_until(&f, f.posts == 2);
    cr_assert(f.received_ms >= before_ms && f.received_ms <= now_ms());
    close(fd);
    fixture_stop(&f);
}

Test(ask, what_lay_there_while_there_was_no_room_came_when_it_came)
{
    struct fixture f;
    fixture_start(&f, NULL);
    int fd = client_greet(&f);
    f.full = true;
    int64_t sent_ms = now_ms();
    send_frame(fd);
    for (int i = 0; i < 50; i++)
        (void)uv_run(&f.loop, UV_RUN_NOWAIT);
    lie();
    f.full = false;
    net_notify(f.net);
    fixture_until(&f, f.posts == 2);
    cr_assert_geq(f.received_ms, sent_ms, "never older than it is");
    cr_assert_leq(f.received_ms, sent_ms + NEAR_MS);
    sent_ms = now_ms();
    send_frame(fd);
    fixture_until(&f, f.posts == 3);
    cr_assert_geq(f.received_ms, sent_ms, "the next one is read at once");
    close(fd);
    fixture_stop(&f);
}

/* As it does while it runs a turn of the engine. */
Test(ask, what_lay_there_while_the_thread_did_something_else_came_when_it_came)
{
    struct fixture f;
    fixture_start(&f, NULL);
    int fd = client_greet(&f);
    fixture_until(&f, f.posts == 1);
    int64_t sent_ms = now_ms();
    send_frame(fd);
    lie();
    fixture_until(&f, f.posts == 2);
    cr_assert_geq(f.received_ms, sent_ms);
    cr_assert_leq(f.received_ms, sent_ms + NEAR_MS);
    close(fd);
    fixture_stop(&f);
}
