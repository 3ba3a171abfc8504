/* accept: what becomes of HTTP when accepting fails, or too many come. accept4() is this file's, for our code
 * and for libmicrohttpd's. */
#include "broker/http/accept.h"
#include "broker/http/http.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
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

static struct http *start(void)
{
    char why[512] = "";
    struct http *h = NULL;
    struct http_config config = {.listen = "127.0.0.1:0", .metrics_topics = 10, .version = "1"};
    cr_assert_eq(http_start(&config, NULL, &h, why, sizeof(why)), 0, "%s", why);
    http_set_ready(h, true);
    return h;
}

static int ask(const struct http *h)
{
    static const char request[] = "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)http_port(h))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
    cr_assert_eq(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL), (ssize_t)sizeof(request) - 1);
    return fd;
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

Test(accept, peers_past_the_limit_wait_until_one_leaves)
{
    enum { COUNT = 33 };
    struct http *h = start();
    int fds[COUNT];
    for (int i = 0; i < COUNT; i++)
        fds[i] = ask(h);
    for (int i = 0; i < COUNT - 1; i++)
        expect_answer(fds[i]);
    char byte;
    cr_assert_eq(recv(fds[COUNT - 1], &byte, 1, MSG_DONTWAIT), -1, "one too many is served");
    cr_assert_eq(errno, EAGAIN, "one too many is turned away");
    close(fds[0]);
    expect_answer(fds[COUNT - 1]);
    for (int i = 1; i < COUNT; i++)
        close(fds[i]);
    http_stop(h);
}
