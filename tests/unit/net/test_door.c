/* door: connections that the process makes to itself. */
#include "tests/unit/net/fixture.h"

#include "base/clock.h"
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

Test(door, a_connection_from_within_is_one_like_any_other)
{
    struct fixture f;
    fixture_start(&f, NULL);
    int fd = net_connect(f.net, "10.0.0.1:99", NULL);
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

Test(door, it_is_who_the_certificate_says_that_was_shown_elsewhere)
{
    static const char shown[] = "dns:a\0cn:b\0";
    struct fixture f;
    char names[sizeof shown];
    memcpy(names, shown, sizeof shown);
    fixture_start(&f, NULL);
    int fd = net_connect(f.net, "10.0.0.1:99", names);
    memset(names, 'x', sizeof names - 2); /* they were copied */
    client_hello(&f, fd);
    fixture_until(&f, f.posts == 1);
    cr_assert_not_null(f.link->names);
    cr_assert_arr_eq(f.link->names, shown, sizeof shown);
    close(fd);
    fixture_until(&f, net_connections(f.net) == 0);
    fixture_stop(&f);
    fixture_start(&f, NULL);
    fd = net_connect(f.net, "10.0.0.1:99", NULL);
    client_hello(&f, fd);
    fixture_until(&f, f.posts == 1);
    cr_assert_null(f.link->names, "without a certificate it is nobody");
    close(fd);
    fixture_until(&f, net_connections(f.net) == 0);
    fixture_stop(&f);
}

/* The kernel does not say how long bytes have lain in such a socket, and the loop may have done something else meanwhile. */
Test(door, what_it_asks_counts_as_received_when_it_was_made)
{
    struct fixture f;
    fixture_start(&f, NULL);
    int64_t before_ms = clock_mono_ms();
    int fd = net_connect(f.net, "x", NULL);
    int64_t made_ms = clock_mono_ms();
    fixture_until(&f, net_connections(f.net) == 1);
    while (clock_mono_ms() == made_ms)
        continue;
    for (unsigned posts = 1; posts <= 2; posts++) {
        client_hello(&f, fd);
        fixture_until(&f, f.posts == posts);
        cr_assert(f.received_ms >= before_ms && f.received_ms <= made_ms);
    }
    close(fd);
    fixture_stop(&f);
}

Test(door, several_that_come_at_once_are_all_let_in)
{
    struct fixture f;
    fixture_start(&f, NULL);
    int fds[8];
    for (unsigned i = 0; i < 8; i++)
        cr_assert_geq(fds[i] = net_connect(f.net, "x", NULL), 0);
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
    int first = client_greet(&f), second = net_connect(f.net, "x", NULL);
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
    int fd = net_connect(f.net, "x", NULL);
    bool done = false;
    char byte;
    net_drain(f.net, 1000, drained, &done);
    cr_assert(done);
    cr_assert_eq(read(fd, &byte, 1), 0);
    close(fd);
    fixture_stop(&f);
}
