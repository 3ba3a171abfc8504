/* test_reading: what is read of one connection in one round of the loop. */
#include "tests/unit/net/fixture.h"
#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

/* As much as the kernel takes for it. */
static size_t send_all_it_can(int fd, const struct mpack_buffer *b)
{
    size_t sent = 0;
    ssize_t size;
    while (sent < b->size && (size = send(fd, b->data + sent, b->size - sent, MSG_DONTWAIT)) > 0)
        sent += (size_t)size;
    return sent;
}

Test(reading, in_each_so_much_is_read_of_one_connection_and_no_more)
{
    struct fixture f;
    struct mpack_buffer b = {0}, hello = {0};
    fixture_start(&f, NULL);
    int flood = client_greet(&f), quiet = client_greet(&f);
    for (unsigned i = 0; i < 4000; i++)
        write_frame(&b, i, 1000, 'x');
    write_frame(&hello, 1, 10, 'x');
    size_t sent = send_all_it_can(flood, &b), rounds = 0;
    cr_assert_gt(sent, 2 * NET_ROUND_BYTES_MAX, "%zu: it is no flood", sent);
    for (size_t read = f.frames.size, before; read < sent; rounds++) {
        before = read;
        unsigned posts = f.posts;
        cr_assert_eq(send(quiet, hello.data, hello.size, 0), (ssize_t)hello.size);
        fixture_turn(&f);
        read = f.frames.size;
        cr_assert_leq(read - before, NET_ROUND_BYTES_MAX + 1100 + hello.size, "round %zu", rounds);
        cr_assert_gt(f.posts, posts, "and the next round reads on");
    }
    cr_assert_geq(rounds, 2);
    cr_assert_eq(send(flood, b.data + sent, b.size - sent, 0) > 0, sent < b.size);
    close(flood);
    close(quiet);
    fixture_until(&f, f.lost == 2);
    mpack_buffer_done(&b);
    mpack_buffer_done(&hello);
    fixture_stop(&f);
}

Test(reading, a_server_that_stops_closes_who_rests)
{
    struct fixture f;
    struct mpack_buffer b = {0};
    fixture_start(&f, NULL);
    int flood = client_greet(&f);
    for (unsigned i = 0; i < 4000; i++)
        write_frame(&b, i, 1000, 'x');
    cr_assert_gt(send_all_it_can(flood, &b), 2 * NET_ROUND_BYTES_MAX);
    size_t before = f.frames.size;
    fixture_until(&f, f.frames.size > before); /* and then it rests */
    mpack_buffer_done(&b);
    fixture_stop(&f);
    close(flood);
}
