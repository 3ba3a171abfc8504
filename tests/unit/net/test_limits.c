/* test_limits: what a client may not do, over real sockets. */
#include "broker/net/reader.h"
#include "proto/errors.h"
#include "tests/unit/net/fixture.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <malloc.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

Test(limits, past_the_limit_on_connections_a_client_is_told_too_many)
{
    struct fixture f;
    struct net_limits limits = fixture_limits();
    uint64_t id = 99;
    limits.connections_max = 2;
    fixture_start(&f, &limits);
    int a = client_greet(&f), b = client_greet(&f), c = client_connect(&f);
    client_hello(&f, c); /* already under way when it is refused */
    cr_assert_eq(client_receive_error(&f, c, &id), SHUNT_TOO_MANY);
    cr_assert_eq(f.posts, 2);
    close(c);
    close(a);
    fixture_until(&f, net_connections(f.net) == 1);
    int d = client_greet(&f); /* room again */
    close(b);
    close(d);
    fixture_stop(&f);
}

Test(limits, past_the_limit_of_its_address_a_client_is_told_too_many_and_another_address_is_let_in)
{
    struct fixture f;
    struct net_limits limits = fixture_limits();
    uint64_t id = 99;
    limits.address_connections_max = 2;
    fixture_start(&f, &limits);
    int a = client_greet(&f), b = client_greet(&f), c = client_connect(&f);
    client_hello(&f, c); /* already under way when it is refused */
    cr_assert_eq(client_receive_error(&f, c, &id), SHUNT_TOO_MANY);
    cr_assert_eq(f.posts, 2);
    cr_assert_eq(atomic_load(&f.totals.crowded), 1);
    int other = net_connect(f.net, "10.0.0.9:1", NULL); /* as a call over HTTP of another address comes */
    fixture_until(&f, net_connections(f.net) == 4);
    client_hello(&f, other);
    fixture_until(&f, f.posts == 3);
    close(c);
    close(a);
    fixture_until(&f, net_connections(f.net) == 2);
    int d = client_greet(&f); /* room again */
    cr_assert_eq(f.posts, 4);
    close(b);
    close(d);
    close(other);
    fixture_stop(&f);
}

/* However many come, those that are being told do not fill the places of others. */
Test(limits, of_an_address_that_has_too_many_few_are_told_and_the_rest_closed)
{
    struct fixture f;
    struct net_limits limits = fixture_limits();
    enum { CLIENTS = 3 * NET_ADDRESS_REFUSALS_MAX };
    int clients[CLIENTS];
    limits.address_connections_max = 1;
    fixture_start(&f, &limits);
    int first = client_greet(&f);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = client_connect(&f); /* which do not close */
        fixture_until(&f, atomic_load(&f.totals.crowded) == (uint64_t)i + 1);
        cr_assert_leq(net_connections(f.net), 2 + NET_ADDRESS_REFUSALS_MAX);
    }
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    close(first);
    fixture_until(&f, net_connections(f.net) == 0);
    first = client_greet(&f);
    close(first);
    fixture_stop(&f);
}

Test(limits, a_limit_of_addresses_that_comes_later_counts_who_is_there)
{
    struct fixture f;
    struct net_limits limits = fixture_limits();
    uint64_t id = 99;
    fixture_start(&f, NULL);
    int a = client_greet(&f), b = client_greet(&f);
    limits.address_connections_max = 2;
    net_limits_set(f.net, &limits);
    int c = client_connect(&f);
    cr_assert_eq(client_receive_error(&f, c, &id), SHUNT_TOO_MANY);
    close(a);
    close(b);
    close(c);
    fixture_until(&f, net_connections(f.net) == 0);
    fixture_stop(&f);
}

Test(limits, a_flood_of_connections_is_accepted_at_a_rate)
{
    struct fixture f;
    struct net_limits limits = fixture_limits();
    int clients[5];
    limits.accepts_per_second = 100; /* one in each window */
    fixture_start(&f, &limits);
    for (int i = 0; i < 5; i++)
        clients[i] = client_connect(&f); /* in the kernel's queue */
    for (uint64_t before = 0; before < 5; before = net_connections(f.net)) {
        fixture_turn(&f);
        cr_assert_leq(net_connections(f.net), before + 1, "one turn is within one window");
    }
    for (int i = 0; i < 5; i++)
        close(clients[i]);
    fixture_until(&f, net_connections(f.net) == 0);
    fixture_stop(&f);
}

Test(limits, without_file_descriptors_accepting_rests_and_recovers)
{
    struct fixture f;
    struct rlimit old, low;
    uint64_t id;
    fixture_start(&f, NULL);
    int first = client_greet(&f);
    int clients[8];
    for (int i = 0; i < 8; i++)
        clients[i] = client_connect(&f); /* in the kernel's queue */
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    int lowest = dup(first);
    low = (struct rlimit){(rlim_t)lowest, old.rlim_max};
    close(lowest);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    fixture_until(&f, f.events[NET_NO_DESCRIPTORS] >= 2);
    /* One is turned away in each round; a loop that spins would have turned away all at once. */
    cr_assert_eq(f.events[NET_NO_DESCRIPTORS], 2);
    cr_assert_eq(f.events[NET_OPENED], 1);
    cr_assert_eq(client_receive_error(&f, clients[0], &id), SHUNT_TOO_MANY);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    fixture_until(&f, f.events[NET_OPENED] >= 6);
    for (int i = 0; i < 8; i++)
        close(clients[i]);
    close(first);
    fixture_until(&f, net_connections(f.net) == 0);
    fixture_stop(&f);
}

Test(limits, a_client_that_says_no_hello_is_closed_with_an_error)
{
    struct fixture f;
    struct net_limits limits = fixture_limits();
    uint64_t id = 99;
    limits.hello_ms = 30;
    fixture_start(&f, &limits);
    int fd = client_connect(&f);
    cr_assert(client_send(&f, fd, "\0\0", 2));
    cr_assert_eq(client_receive_error(&f, fd, &id), SHUNT_PROTOCOL);
    cr_assert_eq(f.events[NET_TIMED_OUT], 1);
    close(fd);
    fixture_stop(&f);
}

Test(limits, a_client_that_stops_inside_a_frame_is_closed_and_one_between_frames_is_not)
{
    struct fixture f;
    struct net_limits limits = fixture_limits();
    uint64_t id = 99;
    limits.frame_ms = 30;
    fixture_start(&f, &limits);
    int idle = client_greet(&f), slow = client_greet(&f);
    cr_assert(client_send(&f, slow, "\0\0\1\0\x93", 5));
    cr_assert_eq(client_receive_error(&f, slow, &id), SHUNT_PROTOCOL);
    cr_assert_eq(f.events[NET_TIMED_OUT], 1);
    close(slow);
    fixture_until(&f, net_connections(f.net) == 1);
    cr_assert_eq(f.lost, 1);
    cr_assert_eq(f.closed, 1);
    close(idle);
    fixture_stop(&f);
}

Test(limits, a_client_that_takes_nothing_is_closed)
{
    struct fixture f;
    struct net_limits limits = fixture_limits();
    limits.write_ms = 30;
    fixture_start(&f, &limits);
    int fd = client_greet(&f);
    engine_says(&f, 32 << 20, false); /* more than the kernel buffers */
    fixture_until(&f, f.lost == 1 && net_connections(f.net) == 0);
    cr_assert_eq(f.events[NET_TIMED_OUT], 1);
    cr_assert_eq(f.closed, 1, "it was not the client that went");
    cr_assert_eq(atomic_load(&f.link->account.unsent_bytes), 0);
    close(fd);
    fixture_stop(&f);
}

Test(limits, a_client_that_does_not_read_is_not_read_until_it_does)
{
    struct fixture f;
    struct mpack_buffer b = {0};
    fixture_start(&f, NULL);
    int fd = client_greet(&f), other = client_greet(&f);
    engine_says(&f, 32 << 20, false);
    fixture_until(&f, !f.outbox);
    write_frame(&b, 1, 10, 'x');
    cr_assert_eq(send(fd, b.data, b.size, 0), (ssize_t)b.size);
    cr_assert_eq(send(other, b.data, b.size, 0), (ssize_t)b.size);
    fixture_until(&f, f.posts == 3); /* the other's */
    for (int i = 0; i < 50; i++)
        (void)uv_run(&f.loop, UV_RUN_NOWAIT);
    cr_assert_eq(f.posts, 3);
    static uint8_t got[32 << 20];
    cr_assert_eq(client_receive(&f, fd, got, sizeof got), sizeof got);
    fixture_until(&f, f.posts == 4);
    for (size_t i = 0; i < sizeof got; i++) {
        if (got[i] != (uint8_t)i)
            cr_assert_fail("byte %zu is wrong", i);
    }
    mpack_buffer_done(&b);
    close(fd);
    close(other);
    fixture_stop(&f);
}

Test(limits, while_too_much_waits_for_all_who_takes_nothing_is_closed_and_who_reads_stays)
{
    struct fixture f;
    struct net_limits limits = fixture_limits();
    limits.unsent_total_max = 8 << 20;
    limits.unsent_bytes_max = 64 << 20; /* not this one */
    fixture_start(&f, &limits);
    int lazy = client_greet(&f);
    engine_says(&f, 32 << 20, false);
    struct link *first = f.link;
    f.link = NULL; /* the next to greet is the one spoken to */
    int reader = client_greet(&f);
    engine_says(&f, 32 << 20, false);
    static uint8_t got[32 << 20];
    cr_assert_eq(client_receive(&f, reader, got, sizeof got), sizeof got);
    fixture_until(&f, f.lost == 1 && net_connections(f.net) == 1);
    cr_assert_eq(f.events[NET_EVICTED], 1);
    cr_assert_eq(f.closed, 1, "it was not the client that went");
    cr_assert_eq(atomic_load(&first->account.unsent_bytes), 0);
    cr_assert_not_null(f.link->conn);
    link_unref(first);
    close(lazy);
    close(reader);
    fixture_stop(&f);
}

Test(limits, an_idle_connection_costs_a_few_kib)
{
    enum { COUNT = 100 };
    struct fixture f;
    int fds[COUNT];
    fixture_start(&f, NULL);
    fds[0] = client_greet(&f); /* the shared chunk is there after this */
    size_t before = mallinfo2().uordblks;
    for (int i = 1; i < COUNT; i++)
        fds[i] = client_greet(&f);
    size_t each = (mallinfo2().uordblks - before) / (COUNT - 1);
    cr_assert_lt(each, 4096, "%zu bytes", each);
    for (int i = 0; i < COUNT; i++)
        close(fds[i]);
    fixture_until(&f, net_connections(f.net) == 0);
    fixture_stop(&f);
}

Test(limits, large_frames_that_do_not_fit_together_arrive_one_after_the_other)
{
    enum { COUNT = 5 };
    struct fixture f;
    struct net_limits limits = fixture_limits();
    struct mpack_buffer b = {0};
    int fds[COUNT];
    limits.partial_bytes_max = 1 << 20;
    fixture_start(&f, &limits);
    for (int i = 0; i < COUNT; i++)
        fds[i] = client_greet(&f);
    size_t hellos = f.frames.size;
    write_frame(&b, 1, 900000, 'x');
    for (int i = 0; i < COUNT; i++) /* all begin */
        cr_assert_eq(send(fds[i], b.data, 5000, 0), 5000);
    for (int i = 0; i < 20; i++)
        (void)uv_run(&f.loop, UV_RUN_NOWAIT);
    size_t sent[COUNT] = {5000, 5000, 5000, 5000, 5000};
    while (f.frames.size < hellos + COUNT * b.size) { /* and all go on, as far as the server lets them */
        for (int i = 0; i < COUNT; i++) {
            ssize_t n = send(fds[i], b.data + sent[i], b.size - sent[i], MSG_DONTWAIT);
            sent[i] += n > 0 ? (size_t)n : 0;
        }
        net_notify(f.net);
        fixture_turn(&f);
    }
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(memcmp(f.frames.data + hellos + (size_t)i * b.size, b.data, b.size), 0);
    mpack_buffer_done(&b);
    for (int i = 0; i < COUNT; i++)
        close(fds[i]);
    fixture_stop(&f);
}

/* Slow but steady progress is allowed, unless the memory that it holds is what another waits for. */
Test(limits, a_slow_frame_gives_way_to_one_that_waits_for_its_memory)
{
    struct fixture f;
    struct net_limits limits = fixture_limits();
    struct mpack_buffer b = {0};
    uint64_t id = 99;
    limits.partial_bytes_max = 1 << 20;
    limits.frame_ms = 200;
    fixture_start(&f, &limits);
    int slow = client_greet(&f), other = client_greet(&f);
    write_frame(&b, 1, 15 << 20, 'x');
    cr_assert_eq(send(slow, b.data, 100, 0), 100);
    size_t sent = 100;
    while (sent < (1 << 20)) { /* as much as is asked for, again and again, for longer than frame_ms */
        ssize_t n = send(slow, b.data + sent, 2 * NET_FRAME_PROGRESS_BYTES, MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        uint64_t until_ms = uv_now(&f.loop) + 50;
        fixture_until(&f, uv_now(&f.loop) >= until_ms);
    }
    cr_assert_eq(f.events[NET_TIMED_OUT], 0);
    cr_assert(client_send(&f, other, b.data, READER_SMALL_BYTES * 4));
    cr_assert_eq(client_receive_error(&f, slow, &id), SHUNT_PROTOCOL);
    cr_assert(client_send(&f, other, b.data + READER_SMALL_BYTES * 4, b.size - READER_SMALL_BYTES * 4));
    fixture_until(&f, f.posts == 3);
    mpack_buffer_done(&b);
    close(slow);
    close(other);
    fixture_stop(&f);
}
