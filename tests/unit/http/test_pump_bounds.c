/* pump, its bounds: those whose handshake is not done, those that leave, those that wait; and how it stops. */
#include "broker/http/pump_conn.h"
#include "pump_rig.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MANY    500
#define LONG_MS 60000
#define OWED                                                                                                 \
    150000 /* more than the kernel takes for a client with next to no room, and less than with the pump */
#define END_MS   20000 /* for the last of an answer */
#define SHORT_MS 100

/* The beginning of a ClientHello. */
static const uint8_t half[] = {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3};

static void expect_end(int fd)
{
    uint8_t byte;
    cr_assert_leq(recv(fd, &byte, 1, 0), 0);
    cr_assert_neq(errno, EAGAIN, "it is still there");
}

static bool is_there(int fd)
{
    uint8_t byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* A client and its served end have spoken: the pump's thread has had a turn. */
static void have_a_turn(struct client *c, int served)
{
    char got[4];
    client_say(c, "ask", 3);
    cr_assert_eq(recv(served, got, 3, MSG_WAITALL), 3);
    cr_assert_eq(send(served, "did", 3, 0), 3);
    cr_assert_eq(client_hear(c, got, 3), 3);
}

Test(pump_bounds, so_many_handshakes_may_be_under_way_and_one_more_ends_the_oldest)
{
    enum { MOST = 4, CROWD = 10 };
    struct rig r;
    int fds[CROWD];
    rig_start(&r, TLS_CLIENT_AUTH_OFF, MOST, LONG_MS);
    struct client in = client_call(&r, NULL);
    int served = rig_served(&r);
    for (unsigned i = 0; i < CROWD; i++) {
        fds[i] = rig_dial(&r);
        cr_assert_eq(send(fds[i], half, sizeof half, MSG_NOSIGNAL), (ssize_t)sizeof half);
        have_a_turn(&in, served);
        have_a_turn(&in, served); /* of the socket as well: it was taken in the first */
        cr_assert_eq(rig_events(&r, HTTP_CROWDED_OUT), i < MOST ? 0 : i + 1 - MOST);
    }
    for (unsigned i = 0; i < CROWD - MOST; i++)
        expect_end(fds[i]);
    for (unsigned i = CROWD - MOST; i < CROWD; i++)
        cr_assert(is_there(fds[i]));
    struct client late = client_call(&r, NULL); /* ends one more, and is let in */
    close(rig_served(&r));
    client_hang_up(&late);
    const struct http_handshakes fewer = {1, LONG_MS};
    pump_handshakes_set(r.pump, &fewer);
    int last = rig_dial(&r);
    rig_reported(&r, HTTP_CROWDED_OUT, CROWD);
    for (unsigned i = 0; i < CROWD; i++)
        close(fds[i]);
    close(last);
    close(served);
    client_hang_up(&in);
    rig_done(&r);
}

Test(pump_bounds, a_handshake_that_is_not_done_in_time_is_ended)
{
    struct rig r;
    rig_start(&r, TLS_CLIENT_AUTH_OFF, MANY, LONG_MS);
    int begun = rig_dial(&r), silent = rig_dial(&r);
    struct client in = client_call(&r, NULL);
    int served = rig_served(&r);
    cr_assert_eq(send(begun, half, sizeof half, MSG_NOSIGNAL), (ssize_t)sizeof half);
    have_a_turn(&in, served);
    const struct http_handshakes shorter = {MANY, SHORT_MS};
    pump_handshakes_set(r.pump, &shorter);
    expect_end(begun);
    expect_end(silent);
    rig_reported(&r, HTTP_TIMED_OUT, 1);
    have_a_turn(&in, served);
    cr_assert_eq(rig_events(&r, HTTP_TIMED_OUT), 1, "who said nothing is not worth a line");
    close(begun);
    close(silent);
    close(served);
    client_hang_up(&in);
    rig_done(&r);
}

/* A client that does not read, whose answer is more than there is room for, and is over. */
static struct client owe(struct rig *r)
{
    static uint8_t bytes[10000];
    struct pollfd p = {.events = POLLOUT};
    struct client c = client_call(r, NULL);
    p.fd = rig_served(r);
    cr_assert_neq(fcntl(p.fd, F_SETFL, O_NONBLOCK), -1);
    for (size_t size = 0; size < OWED || poll(&p, 1, SHORT_MS) > 0;) {
        ssize_t n = send(p.fd, bytes, sizeof bytes, MSG_NOSIGNAL);
        cr_assert(n > 0 || errno == EAGAIN);
        size += n > 0 ? (size_t)n : 0;
    }
    close(p.fd);
    return c;
}

/* Read all; true if its end was told. */
static bool is_whole(struct client *c)
{
    static uint8_t bytes[1u << 16];
    while (client_hear(c, bytes, sizeof bytes) == sizeof bytes)
        continue;
    return client_is_told_the_end(c);
}

Test(pump_bounds, so_many_may_be_leaving_and_one_more_ends_the_oldest)
{
    enum { COUNT = PUMP_LEAVING_MAX + 2 };
    struct rig r;
    struct client leaving[COUNT];
    rig_start(&r, TLS_CLIENT_AUTH_OFF, MANY, LONG_MS);
    struct client in = client_call(&r, NULL);
    int served = rig_served(&r);
    r.narrow = true;
    for (unsigned i = 0; i < COUNT; i++) {
        leaving[i] = owe(&r);
        have_a_turn(&in, served);
        have_a_turn(&in, served);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        cr_assert_eq(is_whole(&leaving[i]), i >= COUNT - PUMP_LEAVING_MAX, "%u", i);
        client_hang_up(&leaving[i]);
    }
    close(served);
    client_hang_up(&in);
    rig_done(&r);
}

Test(pump_bounds, without_descriptors_one_is_closed_and_others_go_on)
{
    struct rig r;
    rig_start(&r, TLS_CLIENT_AUTH_OFF, MANY, LONG_MS);
    struct client in = client_call(&r, NULL);
    int served = rig_served(&r), fd = rig_dial(&r);
    have_a_turn(&in, served);
    struct client c = {.fd = fd, .ssl = client_end(&r.certs, NULL, 13)};
    int next = dup(fd); /* the lowest that is free */
    struct rlimit before, limit = {(rlim_t)next, (rlim_t)next};
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit.rlim_max = before.rlim_max;
    cr_assert_eq(close(next), 0);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_assert_eq(SSL_set_fd(c.ssl, fd), 1);
    cr_assert_eq(SSL_connect(c.ssl), 1);
    rig_reported(&r, HTTP_NO_DESCRIPTORS, 1);
    expect_end(fd);
    have_a_turn(&in, served);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    close(served);
    client_hang_up(&in);
    client_hang_up(&c);
    rig_done(&r);
}

static void *dial_all(void *argument)
{
    struct rig *r = argument;
    static int fds[PUMP_WAITING_MAX + 8];
    for (unsigned i = 0; i < sizeof fds / sizeof *fds; i++)
        fds[i] = rig_dial(r);
    return fds;
}

Test(pump_bounds, those_that_wait_for_its_thread_are_bounded_and_all_get_their_turn)
{
    struct rig r;
    pthread_t dialler;
    void *got;
    rig_start(&r, TLS_CLIENT_AUTH_OFF, MANY, LONG_MS);
    rig_gate(&r, true);
    struct client first = client_call(&r, NULL);
    rig_wait_at_gate(&r); /* its thread stands there */
    cr_assert_eq(pthread_create(&dialler, NULL, dial_all, &r), 0);
    while (atomic_load(&r.dialled) < 1 + PUMP_WAITING_MAX + 1)
        (void)sched_yield();
    cr_assert_leq(atomic_load(&r.handed), 1 + PUMP_WAITING_MAX);
    rig_gate(&r, false);
    cr_assert_eq(pthread_join(dialler, &got), 0);
    const int *fds = got;
    for (unsigned i = 0; i < PUMP_WAITING_MAX + 8; i++) {
        struct client c = client_shake(&r, fds[i], NULL);
        close(rig_served(&r));
        client_hang_up(&c);
    }
    client_hang_up(&first);
    rig_done(&r);
}

Test(pump_bounds, a_new_certificate_is_for_those_who_come_and_who_is_in_stays)
{
    struct rig r;
    rig_start(&r, TLS_CLIENT_AUTH_OFF, MANY, LONG_MS);
    struct client old = client_call(&r, NULL);
    int served = rig_served(&r);
    pump_tls_set(r.pump, r.renewed);
    tls_context_free(r.context);
    r.context = NULL;
    struct client new = client_call(&r, NULL);
    X509 *first = SSL_get1_peer_certificate(old.ssl), *second = SSL_get1_peer_certificate(new.ssl);
    cr_assert_neq(X509_cmp(first, second), 0);
    have_a_turn(&old, served);
    have_a_turn(&new, rig_served(&r));
    X509_free(first);
    X509_free(second);
    close(served);
    client_hang_up(&old);
    client_hang_up(&new);
    rig_done(&r);
}

/* ---- how it stops ---- */

Test(pump_stops, what_was_said_before_is_sent)
{
    struct rig r;
    char got[8] = "";
    rig_start(&r, TLS_CLIENT_AUTH_OFF, MANY, LONG_MS);
    struct client c = client_call(&r, NULL);
    int served = rig_served(&r);
    cr_assert_eq(send(served, "answer", 6, 0), 6);
    close(served);
    rig_stop(&r, END_MS);
    cr_assert_eq(client_hear(&c, got, sizeof got), 6);
    cr_assert(client_is_told_the_end(&c));
    client_hang_up(&c);
    rig_done(&r);
}

Test(pump_stops, a_client_that_does_not_read_does_not_hold_it_up)
{
    struct rig r;
    rig_start(&r, TLS_CLIENT_AUTH_OFF, MANY, LONG_MS);
    r.narrow = true;
    struct client c = owe(&r);
    rig_stop(&r, SHORT_MS);
    cr_assert_not(is_whole(&c));
    client_hang_up(&c);
    rig_done(&r);
}

Test(pump_stops, nobody_is_let_in_any_more_and_half_made_handshakes_end)
{
    struct rig r;
    rig_start(&r, TLS_CLIENT_AUTH_OFF, MANY, LONG_MS);
    int begun = rig_dial(&r), silent = rig_dial(&r);
    cr_assert_eq(send(begun, half, sizeof half, MSG_NOSIGNAL), (ssize_t)sizeof half);
    pump_close_door(r.pump);
    expect_end(begun);
    expect_end(silent);
    int late = rig_dial(&r);
    expect_end(late);
    rig_stop(&r, END_MS);
    cr_assert_eq(r.served_count, 0);
    close(begun);
    close(silent);
    close(late);
    rig_done(&r);
}
