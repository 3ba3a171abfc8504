/* accept: what HTTP does when accepting fails, or too many come. accept4() is this file's, for our code
 * and for libmicrohttpd's. */
#include "broker/http/accept.h"
#include "broker/http/http.h"
#include "broker/http/peers.h"
#include "broker/http/process.h"
#include "broker/http/refuse.h"
#include "fake_engine.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FAILURES 4

static _Atomic bool failing;
static _Atomic unsigned failures;
static _Atomic int64_t failed_ms[FAILURES];

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The header's declaration has a union where the others have a pointer, so it goes by another name here. */
__attribute__((visibility("default"))) int take_peer(int fd, struct sockaddr *from, socklen_t *from_len,
                                                     int flags) __asm__("accept4");

int take_peer(int fd, struct sockaddr *from, socklen_t *from_len, int flags)
{
    if (!atomic_load(&failing)) {
        int (*real)(int, struct sockaddr *, socklen_t *, int);
        *(void **)&real = dlsym(RTLD_NEXT, "accept4");
        return real(fd, from, from_len, flags);
    }
    unsigned number = atomic_fetch_add(&failures, 1);
    if (number < FAILURES)
        atomic_store(&failed_ms[number], now_ms());
    errno = EMFILE;
    return -1;
}

static struct http *start_with(uint32_t connections)
{
    char why[512] = "";
    struct http *h = NULL;
    struct http_config config = {
        .listen = "127.0.0.1:0", .metrics_topics = 10, .version = "1", .connections_max = connections};
    cr_assert_eq(http_start(&config, NULL, &h, why, sizeof why), 0, "%s", why);
    http_set_ready(h, true);
    return h;
}

static struct http *start(void)
{
    return start_with(0);
}

static int dial(const struct http *h, const char *request)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)http_port(h))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    (void)send(fd, request, strlen(request), MSG_NOSIGNAL); /* it may be refused already */
    return fd;
}

static int ask(const struct http *h)
{
    return dial(h, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
}

static void expect_answer(int fd)
{
    char got[16] = "";
    cr_assert_eq(recv(fd, got, 12, MSG_WAITALL), 12);
    cr_assert_str_eq(got, "HTTP/1.1 200");
}

Test(accept, without_descriptors_it_rests_and_peers_are_served_when_there_are_some)
{
    struct http *h = start();
    atomic_store(&failing, true);
    int fd = ask(h);
    while (atomic_load(&failures) < FAILURES)
        usleep(1000);
    int64_t took_ms = atomic_load(&failed_ms[FAILURES - 1]) - atomic_load(&failed_ms[0]);
    cr_assert_geq(took_ms, (FAILURES - 1) * (ACCEPT_REST_MS - 1), "%d failures in %d ms", FAILURES,
                  (int)took_ms);
    atomic_store(&failing, false);
    expect_answer(fd);
    close(fd);
    http_stop(h);
}

Test(accept, it_stops_while_it_rests)
{
    struct http *h = start();
    atomic_store(&failing, true);
    int fd = ask(h);
    while (atomic_load(&failures) == 0)
        usleep(1000);
    http_stop(h);
    close(fd);
}

/* All that comes until the server closes. */
static const char *read_all(int fd)
{
    static char got[4096];
    size_t size = 0;
    ssize_t n;
    while ((n = recv(fd, got + size, sizeof got - 1 - size, 0)) > 0)
        size += (size_t)n;
    cr_assert_eq(n, 0, "no orderly end: %s", strerror(errno));
    got[size] = '\0';
    close(fd);
    return got;
}

static void expect_refusal(int fd)
{
    const char *got = read_all(fd);
    cr_assert_eq(strncmp(got, "HTTP/1.1 503 ", 13), 0, "%s", got);
    cr_assert(strstr(got, "\r\nRetry-After: 1\r\n"), "%s", got);
    cr_assert(strstr(got, "\r\nConnection: close\r\n"), "%s", got);
    const char *body = strstr(got, "\r\n\r\n");
    cr_assert_not_null(body);
    cr_assert_str_eq(body + 4, "too many HTTP connections: 64 are being served, try again in a second\n");
    unsigned long length = strtoul(strstr(got, "Content-Length: ") + 16, NULL, 10);
    cr_assert_eq(length, strlen(body + 4));
}

#define SCRAPE "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"

/* As many as may be served at once, all waiting for the engine. */
static void fill(const struct http *h, int fds[PEERS_DEFAULT])
{
    fake_gate(true);
    for (int i = 0; i < PEERS_DEFAULT; i++)
        fds[i] = dial(h, SCRAPE);
    fake_wait_until_asked();
}

static void empty(int fds[PEERS_DEFAULT])
{
    fake_gate(false);
    for (int i = 0; i < PEERS_DEFAULT; i++) {
        expect_answer(fds[i]);
        close(fds[i]);
    }
}

Test(accept, at_the_limit_all_are_served_and_the_one_too_many_is_told)
{
    struct http *h = start();
    int fds[PEERS_DEFAULT];
    fill(h, fds);
    expect_refusal(dial(h, SCRAPE));
    expect_refusal(dial(h, "")); /* before it has said a word */
    expect_refusal(dial(h, "GET /healthz HTTP/1.1\r\nHo"));
    empty(fds);
    http_stop(h);
}

Test(accept, the_limit_is_the_one_that_was_set)
{
    enum { COUNT = 2 * PEERS_DEFAULT + 1 };
    struct http *h = start_with(COUNT);
    int fds[COUNT];
    fake_gate(true);
    for (int i = 0; i < COUNT; i++)
        fds[i] = dial(h, SCRAPE);
    fake_wait_until_asked();
    const char *got = read_all(dial(h, SCRAPE));
    cr_assert(strstr(got, "too many HTTP connections: 129 are being served"), "%s", got);
    fake_gate(false);
    for (int i = 0; i < COUNT; i++) {
        expect_answer(fds[i]);
        close(fds[i]);
    }
    http_stop(h);
}

Test(accept, many_too_many_are_all_told_and_leave_nothing_behind)
{
    enum { COUNT = 5 * REFUSED_MAX };
    struct http *h = start();
    int fds[PEERS_DEFAULT], late[COUNT];
    struct process_stats before, after;
    process_read(&before);
    fill(h, fds);
    for (int i = 0; i < COUNT; i++)
        late[i] = dial(h, SCRAPE);
    for (int i = 0; i < COUNT; i++)
        expect_refusal(late[i]);
    empty(fds);
    do { /* until the daemon has closed the last */
        usleep(1000);
        process_read(&after);
    } while (after.open_fds > before.open_fds);
    http_stop(h);
}

Test(accept, one_too_many_who_sends_without_end_is_closed)
{
    struct http *h = start();
    int fds[PEERS_DEFAULT];
    fill(h, fds);
    int fd = dial(h, SCRAPE);
    char rest[1024] = "";
    while (send(fd, rest, sizeof rest, MSG_NOSIGNAL) > 0)
        continue;
    close(fd);
    empty(fds);
    http_stop(h);
}

/* Asks as a scraper does, until it is served; the other connections stay as they are. */
static void expect_a_place(const struct http *h)
{
    bool served = false;
    while (!served) {
        const char *got = read_all(dial(h, "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        served = strncmp(got, "HTTP/1.1 200 ", 13) == 0;
        if (!served)
            usleep(20000);
    }
}

Test(accept, idle_connections_give_way_to_those_who_ask)
{
    struct http *h = start();
    int fds[PEERS_DEFAULT];
    for (int i = 0; i < PEERS_DEFAULT; i++) {
        fds[i] = ask(h);
        expect_answer(fds[i]);
    }
    for (int i = 0; i < 2 * PEERS_LEAVING_MAX; i++)
        expect_a_place(h);
    for (int i = 0; i < PEERS_DEFAULT; i++)
        close(fds[i]);
    http_stop(h);
}

Test(accept, requests_that_never_end_give_way_to_those_that_do)
{
    struct http *h = start();
    int fds[PEERS_DEFAULT];
    for (int i = 0; i < PEERS_DEFAULT; i++)
        fds[i] = dial(h, "GET /readyz HTTP/1.1\r\nX: ");
    for (int i = 0; i < 2 * PEERS_LEAVING_MAX; i++) {
        for (int k = 0; k < PEERS_DEFAULT; k++)
            (void)send(fds[k], "a", 1, MSG_NOSIGNAL); /* some have had to leave */
        expect_a_place(h);
    }
    for (int i = 0; i < PEERS_DEFAULT; i++)
        close(fds[i]);
    http_stop(h);
}

/* Up to the end of its body, behind which another one may come. */
static void expect_whole_answer(int fd)
{
    char last[8] = "";
    expect_answer(fd);
    while (strcmp(last, "\r\n\r\nok\n") != 0) {
        memmove(last, last + 1, 6);
        cr_assert_eq(recv(fd, last + 6, 1, 0), 1, "it ended too early");
    }
}

Test(accept, half_a_body_gives_way_before_one_who_was_silent_for_less_long)
{
    struct http *h = start();
    int fds[PEERS_DEFAULT];
    for (int i = 0; i < PEERS_DEFAULT - 1; i++)
        fds[i] = dial(h, "POST /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\na");
    fds[PEERS_DEFAULT - 1] = ask(h);
    expect_whole_answer(fds[PEERS_DEFAULT - 1]);
    expect_a_place(h);
    const char *again = "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n";
    cr_assert_eq(send(fds[PEERS_DEFAULT - 1], again, strlen(again), MSG_NOSIGNAL), (ssize_t)strlen(again));
    expect_whole_answer(fds[PEERS_DEFAULT - 1]);
    for (int i = 0; i < PEERS_DEFAULT; i++)
        close(fds[i]);
    http_stop(h);
}
