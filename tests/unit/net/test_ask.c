/* test_ask: whether all was read that had reached a socket. */
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
