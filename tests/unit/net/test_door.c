/* door: connections that the process makes to itself. */
#include "tests/unit/net/fixture.h"

#include <criterion/criterion.h>
#include <unistd.h>

Test(door, a_connection_from_within_is_one_like_any_other)
{
    struct fixture f;
    fixture_start(&f, NULL);
    int fd = net_connect(f.net, "10.0.0.1:99");
    cr_assert_geq(fd, 0);
    client_hello(&f, fd);
    fixture_until(&f, f.posts == 1);
    cr_assert_str_eq(f.link->peer, "10.0.0.1:99");
    cr_assert_eq(net_connections(f.net), 1);
    close(fd);
    fixture_until(&f, net_connections(f.net) == 0);
    cr_assert_eq(f.lost, 1);
    fixture_stop(&f);
}

Test(door, several_that_come_at_once_are_all_let_in)
{
    struct fixture f;
    fixture_start(&f, NULL);
    int fds[8];
    for (unsigned i = 0; i < 8; i++)
        cr_assert_geq(fds[i] = net_connect(f.net, "x"), 0);
    fixture_until(&f, net_connections(f.net) == 8);
    for (unsigned i = 0; i < 8; i++)
        close(fds[i]);
    fixture_until(&f, net_connections(f.net) == 0);
    fixture_stop(&f);
}

Test(door, the_limit_on_connections_does_not_refuse_them)
{
    struct fixture f;
    struct net_limits limits = fixture_limits();
    limits.connections_max = 1;
    fixture_start(&f, &limits);
    int first = client_greet(&f), second = net_connect(f.net, "x");
    client_hello(&f, second);
    fixture_until(&f, f.posts == 2);
    close(first);
    close(second);
    fixture_stop(&f);
}

static void drained(void *context)
{
    *(bool *)context = true;
}

Test(door, whoever_is_not_let_in_when_it_drains_sees_the_end)
{
    struct fixture f;
    fixture_start(&f, NULL);
    int fd = net_connect(f.net, "x");
    bool done = false;
    char byte;
    net_drain(f.net, 1000, drained, &done);
    cr_assert(done);
    cr_assert_eq(read(fd, &byte, 1), 0);
    close(fd);
    fixture_stop(&f);
}
