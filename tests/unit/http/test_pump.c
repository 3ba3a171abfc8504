/* pump: what goes through it, who is let in, and how it ends. */
#include "broker/http/process.h"
#include "broker/http/pump_conn.h"
#include "pump_rig.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MANY     500
#define LONG_MS  60000
#define BIG      (3u << 20)
#define PART     10000u /* written at a time to fill what has room */
#define IN_VAIN  500    /* ms without a change: no more room will come */
#define PLENTIES (64u << 20)

static void start(struct rig *r)
{
    rig_start(r, TLS_CLIENT_AUTH_OFF, MANY, LONG_MS);
}

static uint8_t *made(size_t size)
{
    uint8_t *bytes = malloc(size);
    cr_assert(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 251);
    return bytes;
}

/* Read until there are so many, or its end. */
static size_t read_of(int fd, uint8_t *to, size_t size)
{
    size_t got = 0;
    ssize_t n;
    while (got < size && (n = recv(fd, to + got, size - got, 0)) > 0)
        got += (size_t)n;
    return got;
}

static void write_all(int fd, const void *bytes, size_t size)
{
    cr_assert_eq(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size); /* it blocks */
}

static void expect_end(int fd)
{
    uint8_t byte;
    cr_assert_eq(recv(fd, &byte, 1, 0), 0);
}

/* One client's way to its served end, which sends back what it gets. */
static void *echo(void *argument)
{
    int fd = *(int *)argument;
    static uint8_t bytes[70000];
    ssize_t n;
    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0)
        write_all(fd, bytes, (size_t)n);
    close(fd);
    return NULL;
}

Test(pump, bytes_go_both_ways_unchanged_until_both_have_ended)
{
    static const size_t sizes[] = {1, 100, 16383, 16384, 16385, 100000, BIG};
    struct rig r;
    start(&r);
    uint8_t *bytes = made(BIG), *back = malloc(BIG);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct client c = client_call(&r, NULL);
        int served = rig_served(&r);
        pthread_t other;
        cr_assert_eq(pthread_create(&other, NULL, echo, &served), 0);
        for (size_t at = 0; at < sizes[i];) {
            size_t part = sizes[i] - at < 30000 ? sizes[i] - at : 30000;
            client_say(&c, bytes + at, part);
            cr_assert_eq(client_hear(&c, back + at, part), part);
            at += part;
        }
        cr_assert_eq(memcmp(bytes, back, sizes[i]), 0, "of %zu", sizes[i]);
        cr_assert_eq(SSL_shutdown(c.ssl), 0); /* its end, and the other one's has not come */
        cr_assert(client_is_told_the_end(&c));
        cr_assert_eq(pthread_join(other, NULL), 0);
        client_hang_up(&c);
    }
    free(bytes);
    free(back);
    rig_done(&r);
}

/* Write until there is no more room, and none comes. */
static size_t fill(int fd, SSL *ssl, const uint8_t *bytes)
{
    size_t size = 0;
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    cr_assert_neq(fcntl(fd, F_SETFL, O_NONBLOCK), -1);
    while (size < PLENTIES && poll(&p, 1, IN_VAIN) > 0) {
        size_t part = PART, done = 0;
        if (ssl) {
            (void)SSL_write_ex(ssl, bytes + size % BIG, part, &done);
        } else {
            ssize_t n = send(fd, bytes + size % BIG, part, MSG_NOSIGNAL);
            done = n < 0 ? 0 : (size_t)n;
        }
        size += done;
    }
    cr_assert_neq(fcntl(fd, F_SETFL, 0), -1);
    return size;
}

Test(pump, what_a_client_sends_waits_with_the_client_while_nobody_takes_it)
{
    struct rig r;
    start(&r);
    struct client c = client_call(&r, NULL);
    (void)SSL_set_mode(c.ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    int served = rig_served(&r);
    uint8_t *bytes = made(BIG + PART), *got = malloc(PLENTIES);
    size_t size = fill(c.fd, c.ssl, bytes);
    cr_assert_lt(size, PLENTIES, "the pump takes all that comes");
    cr_assert_eq(read_of(served, got, size), size);
    for (size_t at = 0; at < size; at += PART)
        cr_assert_eq(memcmp(got + at, bytes + at % BIG, size - at < PART ? size - at : PART), 0);
    free(bytes);
    free(got);
    close(served);
    client_hang_up(&c);
    rig_done(&r);
}

Test(pump, what_is_answered_waits_while_the_client_does_not_read_and_then_all_of_it_arrives)
{
    struct rig r;
    start(&r);
    struct client c = client_call(&r, NULL);
    int served = rig_served(&r);
    uint8_t *bytes = made(BIG + PART), *got = malloc(PLENTIES);
    size_t size = fill(served, NULL, bytes);
    cr_assert_lt(size, PLENTIES, "the pump takes all that is answered");
    close(served); /* and the rest is owed nevertheless */
    cr_assert_eq(client_hear(&c, got, size), size);
    for (size_t at = 0; at < size; at += PART)
        cr_assert_eq(memcmp(got + at, bytes + at % BIG, size - at < PART ? size - at : PART), 0);
    cr_assert(client_is_told_the_end(&c));
    free(bytes);
    free(got);
    client_hang_up(&c);
    rig_done(&r);
}

Test(pump, a_client_that_has_ended_its_side_is_answered)
{
    for (int told = 0; told < 2; told++) {
        struct rig r;
        char got[8] = "";
        start(&r);
        struct client c = client_call(&r, NULL);
        int served = rig_served(&r);
        client_say(&c, "ask", 3);
        if (told)
            cr_assert_eq(SSL_shutdown(c.ssl), 0);
        else
            cr_assert_eq(shutdown(c.fd, SHUT_WR), 0);
        cr_assert_eq(read_of(served, (uint8_t *)got, sizeof got), 3);
        struct pollfd p = {.fd = served, .events = POLLRDHUP};
        cr_assert_eq(poll(&p, 1, 0), 1, "who waits with a long poll sees it");
        write_all(served, "answer", 6);
        close(served);
        cr_assert_eq(client_hear(&c, got, sizeof got), 6);
        cr_assert_eq(memcmp(got, "answer", 6), 0);
        cr_assert(client_is_told_the_end(&c));
        client_hang_up(&c);
        rig_done(&r);
    }
}

Test(pump, a_client_that_is_gone_is_gone_for_its_served_end_even_if_it_is_not_read)
{
    struct rig r;
    struct linger at_once = {.l_onoff = 1};
    start(&r);
    struct client c = client_call(&r, NULL);
    int served = rig_served(&r);
    uint8_t *bytes = made(BIG + PART);
    (void)SSL_set_mode(c.ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)fill(c.fd, c.ssl, bytes);
    cr_assert_eq(setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    client_hang_up(&c); /* a reset */
    struct pollfd p = {.fd = served, .events = POLLRDHUP};
    cr_assert_eq(poll(&p, 1, LONG_MS), 1);
    close(served);
    free(bytes);
    rig_done(&r);
}

Test(pump, an_answer_to_a_request_that_was_not_read_to_its_end_arrives)
{
    struct rig r;
    char got[8] = "";
    start(&r);
    struct client c = client_call(&r, NULL);
    (void)SSL_set_mode(c.ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    int served = rig_served(&r);
    uint8_t *bytes = made(BIG + PART);
    (void)fill(c.fd, c.ssl, bytes);
    write_all(served, "no", 2);
    close(served);
    cr_assert_eq(client_hear(&c, got, sizeof got), 2);
    cr_assert(client_is_told_the_end(&c));
    free(bytes);
    client_hang_up(&c);
    rig_done(&r);
}

Test(pump, who_is_told_to_leave_leaves)
{
    struct rig r;
    start(&r);
    struct client c = client_call(&r, NULL);
    int served = rig_served(&r);
    cr_assert_eq(shutdown(served, SHUT_RDWR), 0); /* as peers does */
    cr_assert(client_is_told_the_end(&c));
    expect_end(c.fd);
    client_hang_up(&c);
    close(served);
    rig_done(&r);
}

Test(pump, one_too_many_is_told_by_tls)
{
    struct rig r;
    char got[1024] = "";
    start(&r);
    r.full = true;
    struct client c = client_call(&r, NULL);
    (void)client_hear(&c, got, sizeof got - 1);
    cr_assert_eq(strncmp(got, "HTTP/1.1 503 ", 13), 0, "%s", got);
    cr_assert(strstr(got, "\r\n\r\ntoo many HTTP connections: 7 are being served, try again in a second\n"),
              "%s", got);
    client_hang_up(&c);
    rig_done(&r);
}

Test(pump, who_speaks_plainly_is_told_what_to_do)
{
    struct rig r;
    char got[1024] = "";
    start(&r);
    int fd = rig_dial(&r);
    write_all(fd, "GET / HTTP/1.1\r\n\r\n", 18);
    cr_assert_gt(read_of(fd, (uint8_t *)got, sizeof got - 1), 0);
    cr_assert_eq(strncmp(got, "HTTP/1.1 400 ", 13), 0, "%s", got);
    cr_assert(strstr(got, "ask for https:// in the place of http://\n"), "%s", got);
    rig_reported(&r, HTTP_TLS_FAILED, 1);
    cr_assert(strstr(r.why, "HTTPS: the client came plainly"), "%s", r.why);
    cr_assert_eq(strncmp(r.peer, "127.0.0.1:", 10), 0, "%s", r.peer);
    close(fd);
    rig_done(&r);
}

Test(pump, damage_on_the_way_ends_the_connection_on_both_sides)
{
    struct rig r;
    static const uint8_t record[] = {0x17, 3,  3,  0,  20, 1,  2,  3,  4,  5,  6,  7, 8,
                                     9,    10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};
    start(&r);
    struct client c = client_call(&r, NULL);
    int served = rig_served(&r);
    write_all(c.fd, record, sizeof record);
    expect_end(served);
    cr_assert_not(client_is_told_the_end(&c), "an alert, and not an end like others");
    rig_reported(&r, HTTP_TLS_FAILED, 1);
    close(served);
    client_hang_up(&c);
    rig_done(&r);
}

Test(pump, a_client_without_a_certificate_is_not_let_in_where_one_is_required)
{
    struct rig r;
    char got[8];
    rig_start(&r, TLS_CLIENT_AUTH_REQUIRE, MANY, LONG_MS);
    struct client c = client_call(&r, NULL); /* with TLS 1.3 it learns of it afterwards */
    cr_assert_eq(client_hear(&c, got, sizeof got), 0);
    rig_reported(&r, HTTP_TLS_FAILED, 1);
    cr_assert_eq(r.served_count, 0);
    struct client known = client_call(&r, &r.certs.client);
    int served = rig_served(&r);
    cr_assert_str_eq(r.name, "dns:client", "it is told who that is");
    write_all(served, "in", 2);
    cr_assert_eq(client_hear(&known, got, 2), 2);
    close(served);
    client_hang_up(&c);
    client_hang_up(&known);
    rig_done(&r);
}
