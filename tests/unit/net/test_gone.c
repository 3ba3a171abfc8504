/* test_gone: clients that go, and machines that have gone. */
#include "broker/net/conn.h"
#include "tests/unit/net/fixture.h"
#include <criterion/criterion.h>
#include <netinet/tcp.h>
#include <unistd.h>

Test(gone, a_client_that_goes_is_not_taken_for_one_that_was_closed)
{
    struct fixture f;
    fixture_start(&f, NULL);
    close(client_greet(&f));
    fixture_until(&f, net_connections(f.net) == 0);
    int rude = client_greet(&f);
    struct linger reset = {.l_onoff = 1};
    cr_assert_eq(setsockopt(rude, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    close(rude);
    fixture_until(&f, net_connections(f.net) == 0);
    cr_assert_eq(f.lost, 2);
    cr_assert_eq(f.closed, 0);
    fixture_stop(&f);
}

/* A process that crashes resets its connection, and what it sent in its last moment lies unread in ours. */
Test(gone, what_a_client_sent_before_it_crashed_is_read_though_writing_fails)
{
    struct fixture f;
    struct mpack_buffer b = {0};
    fixture_start(&f, NULL);
    int fd = client_greet(&f);
    size_t before = f.frames.size;
    struct linger reset = {.l_onoff = 1};
    write_frame(&b, 2, 100, 7);
    cr_assert_eq(send(fd, b.data, b.size, 0), (ssize_t)b.size);
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    close(fd);
    engine_says(&f, 100, false);
    struct outbox_item *item = f.outbox;
    f.outbox = f.outbox_tail = NULL;
    conn_send(f.link->conn, item); /* before the loop has looked at the socket */
    conn_flush(f.link->conn);
    fixture_until(&f, net_connections(f.net) == 0);
    cr_assert_eq(f.frames.size - before, b.size, "%zu of %zu bytes", f.frames.size - before, b.size);
    cr_assert(f.lost == 1 && f.closed == 0);
    mpack_buffer_done(&b);
    fixture_stop(&f);
}

/* What the kernel was asked to do about a machine that has gone. */
static int option_of(const struct fixture *f, int option)
{
    const struct conn *c = f->link->conn;
    uv_os_fd_t fd = -1;
    int value = -1;
    socklen_t size = sizeof value;
    cr_assert_eq(uv_fileno((const uv_handle_t *)&c->tcp, &fd), 0);
    cr_assert_eq(getsockopt(fd, IPPROTO_TCP, option, &value, &size), 0);
    return value;
}

Test(gone, a_machine_that_acknowledges_nothing_is_given_up_after_peer_timeout)
{
    struct fixture f;
    struct net_limits limits = fixture_limits();
    limits.peer_ms = 120000;
    limits.write_ms = 60000;
    fixture_start(&f, &limits);
    int fd = client_greet(&f);
    cr_assert_eq(option_of(&f, TCP_USER_TIMEOUT), 120000);
    cr_assert_eq(option_of(&f, TCP_KEEPIDLE), 60);
    cr_assert_eq(option_of(&f, TCP_KEEPINTVL), 15);
    close(fd);
    fixture_stop(&f);
}

Test(gone, write_timeout_comes_before_peer_timeout)
{
    struct fixture f;
    struct net_limits limits = fixture_limits();
    limits.peer_ms = 1000;
    limits.write_ms = 60000;
    fixture_start(&f, &limits);
    int fd = client_greet(&f);
    cr_assert_gt(option_of(&f, TCP_USER_TIMEOUT), 60000);
    close(fd);
    fixture_stop(&f);
}
