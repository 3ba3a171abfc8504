/* http: over real sockets on a free port, against the fake engine. */
#include "broker/http/http.h"

#include "fake_engine.h"
#include "proto/errors.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- what libmicrohttpd is asked for ---- */

/* A response that it has is one that the client gets, unless it is stopped before that has left. */
static _Atomic unsigned responses, responses_at_stop;

enum MHD_Result __real_MHD_queue_response(struct MHD_Connection *connection, unsigned status,
                                          struct MHD_Response *response);
enum MHD_Result __wrap_MHD_queue_response(struct MHD_Connection *connection, unsigned status,
                                          struct MHD_Response *response);
void __real_MHD_stop_daemon(struct MHD_Daemon *daemon);
void __wrap_MHD_stop_daemon(struct MHD_Daemon *daemon);

enum MHD_Result __wrap_MHD_queue_response(struct MHD_Connection *connection, unsigned status,
                                          struct MHD_Response *response)
{
    atomic_fetch_add(&responses, 1);
    return __real_MHD_queue_response(connection, status, response);
}

void __wrap_MHD_stop_daemon(struct MHD_Daemon *daemon)
{
    atomic_store(&responses_at_stop, atomic_load(&responses));
    __real_MHD_stop_daemon(daemon);
}

static struct http *start(void)
{
    char why[512] = "";
    struct http *h = NULL;
    struct http_config config = {.listen = "127.0.0.1:0", .metrics_topics = 10, .version = "1"};
    cr_assert_eq(http_start(&config, NULL, &h, why, sizeof why), 0, "%s", why);
    return h;
}

static int dial(const struct http *h)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)http_port(h))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void send_all(int fd, const char *bytes)
{
    size_t size = strlen(bytes);
    while (size) {
        ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* the server closed early: what it answered is still to be read */
        bytes += n;
        size -= (size_t)n;
    }
}

/* All that comes until the server closes. The caller frees it. */
static char *read_all(int fd)
{
    size_t size = 0, capacity = 65536;
    char *text = malloc(capacity);
    ssize_t n;
    while ((n = recv(fd, text + size, capacity - size - 1, 0)) > 0) {
        size += (size_t)n;
        if (capacity - size < 1024)
            text = realloc(text, capacity *= 2);
    }
    text[size] = '\0';
    close(fd);
    return text;
}

static char *request(const struct http *h, const char *line)
{
    char head[256];
    int fd = dial(h);
    snprintf(head, sizeof head, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", line);
    send_all(fd, head);
    return read_all(fd);
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void expect(const struct http *h, const char *line, const char *status, const char *part)
{
    char *got = request(h, line);
    char want[64];
    snprintf(want, sizeof want, "HTTP/1.1 %s", status);
    cr_assert(begins(got, want), "%s: %s", line, got);
    cr_assert(strstr(got, part), "%s: no `%s` in %s", line, part, got);
    free(got);
}

Test(http, serves_its_three_pages)
{
    struct http *h = start();
    expect(h, "GET /metrics", "200", "text/plain; version=0.0.4");
    expect(h, "GET /metrics", "200", "shunt_published_total{topic=\"topic0\",group=\"group0\"} 100");
    expect(h, "GET /healthz", "200", "\r\n\r\nok\n");
    expect(h, "GET /readyz", "503", "not ready");
    http_set_ready(h, true);
    expect(h, "GET /readyz", "200", "\r\n\r\nok\n");
    http_stop(h);
}

Test(http, the_accept_headers_choose_the_format_of_the_page)
{
    struct http *h = start();
    static const struct {
        const char *head, *type, *part, *end;
    } rows[] = {
        {"Accept: application/openmetrics-text; version=1.0.0",
         "application/openmetrics-text; version=1.0.0; charset=utf-8", "\n# TYPE shunt_published counter\n",
         "\n# EOF\n"},
        {"ACCEPT: text/plain;q=0.5\r\naccept: application/openmetrics-text",
         "application/openmetrics-text; version=1.0.0; charset=utf-8", "\n# TYPE shunt_published counter\n",
         "\n# EOF\n"},
        {"Accept: */*", "text/plain; version=0.0.4; charset=utf-8",
         "\n# TYPE shunt_published_total counter\n", "\nprocess_max_fds "},
        {"Accept: application/json", "text/plain; version=0.0.4; charset=utf-8",
         "\n# TYPE shunt_published_total counter\n", "\nprocess_max_fds "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[256], type[128];
        snprintf(line, sizeof line, "GET /metrics HTTP/1.1\r\n%s\r\nX:", rows[i].head);
        snprintf(type, sizeof type, "\r\nContent-Type: %s\r\n", rows[i].type);
        expect(h, line, "200", type);
        expect(h, line, "200", rows[i].part);
        expect(h, line, "200", rows[i].end);
    }
    http_stop(h);
}

Test(http, refuses_other_paths_and_methods)
{
    struct http *h = start();
    expect(h, "GET /", "404", "/metrics");
    expect(h, "GET /metrics/", "404", "not found");
    expect(h, "GET /../etc/passwd", "404", "not found");
    expect(h, "POST /metrics", "405", "Allow: GET, HEAD");
    expect(h, "DELETE /healthz", "405", "Allow: GET, HEAD");
    http_stop(h);
}

Test(http, head_has_no_body)
{
    struct http *h = start();
    char *got = request(h, "HEAD /metrics");
    cr_assert(begins(got, "HTTP/1.1 200"));
    cr_assert(strstr(got, "\r\n\r\n"));
    cr_assert_str_empty(strstr(got, "\r\n\r\n") + 4);
    free(got);
    http_stop(h);
}

Test(http, a_silent_engine_is_unhealthy_and_the_page_says_so)
{
    struct http *h = start();
    fake_answer(SHUNT_TIMEOUT);
    expect(h, "GET /healthz", "503", "the engine did not commit");
    expect(h, "GET /metrics", "200", "\nshunt_up 0\n");
    expect(h, "GET /metrics", "200", "\nprocess_open_fds ");
    http_stop(h);
}

Test(http, readyz_is_answered_while_the_engine_thinks)
{
    struct http *h = start();
    fake_gate(true);
    int fd = dial(h);
    send_all(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    fake_wait_until_asked();
    expect(h, "GET /readyz", "503", "not ready");
    fake_gate(false);
    char *got = read_all(fd);
    cr_assert(begins(got, "HTTP/1.1 200"));
    free(got);
    http_stop(h);
}

/* Whether it stops too early is a matter of chance: one of five rounds showed it. */
Test(http, who_waits_is_answered_before_it_stops)
{
    for (unsigned round = 1; round <= 40; round++) {
        struct http *h = start();
        fake_gate(true);
        fake_answer(SHUNT_SHUTTING_DOWN);
        int fd = dial(h);
        send_all(fd, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        fake_wait_until_asked();
        fake_gate(false);
        http_stop(h);
        cr_assert_eq(responses_at_stop, round, "stopped before it was answered");
        char *got = read_all(fd); /* ends: the connection is closed */
        cr_assert(begins(got, "HTTP/1.1 503"), "%s", got);
        free(got);
    }
}

static void *scrape(void *context)
{
    char *got = request(context, "GET /metrics");
    bool ok = begins(got, "HTTP/1.1 200") && strstr(got, "\nshunt_up 1\n");
    free(got);
    return ok ? context : NULL;
}

Test(http, concurrent_scrapers_ask_once_at_a_time)
{
    enum { COUNT = 32 };
    struct http *h = start();
    pthread_t threads[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, scrape, h), 0);
    for (size_t i = 0; i < COUNT; i++) {
        void *ok;
        pthread_join(threads[i], &ok);
        cr_assert_not_null(ok);
    }
    cr_assert_eq(fake_together_max(), 1);
    http_stop(h);
}

Test(http, a_kept_connection_serves_again_and_a_body_is_discarded)
{
    struct http *h = start();
    int fd = dial(h);
    send_all(fd, "GET /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    send_all(fd, "GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    char *got = read_all(fd);
    cr_assert(begins(got, "HTTP/1.1 503"));
    cr_assert(strstr(got, "HTTP/1.1 404"), "%s", got);
    free(got);
    http_stop(h);
}

Test(http, large_heads_and_bodies_are_refused)
{
    struct http *h = start();
    char *big = malloc(100001);
    memset(big, 'a', 100000);
    big[100000] = '\0';
    int fd = dial(h);
    send_all(fd, "GET /");
    send_all(fd, big);
    send_all(fd, " HTTP/1.1\r\nHost: x\r\n\r\n");
    char *got = read_all(fd);
    cr_assert(!begins(got, "HTTP/1.1 200"), "%s", got);
    free(got);
    fd = dial(h);
    send_all(fd, "POST /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
    send_all(fd, big);
    got = read_all(fd);
    cr_assert_str_empty(got);
    free(got);
    free(big);
    expect(h, "GET /readyz", "503", "not ready"); /* and nobody else is the worse for it */
    http_stop(h);
}

Test(http, garbage_disturbs_nobody)
{
    struct http *h = start();
    int fd = dial(h);
    send_all(fd, "\x01\x02\xff\xfe garbage\r\n\r\n");
    shutdown(fd, SHUT_WR);
    free(read_all(fd));
    expect(h, "GET /healthz", "200", "ok");
    http_stop(h);
}

Test(http, a_taken_port_and_a_bad_address_have_a_clear_message)
{
    struct http *h = start();
    char why[512] = "", taken[64];
    struct http *other = NULL;
    snprintf(taken, sizeof taken, "127.0.0.1:%d", http_port(h));
    struct http_config config = {.listen = taken, .version = "1"};
    cr_assert_eq(http_start(&config, NULL, &other, why, sizeof why), SHUNT_IO);
    cr_assert(strstr(why, taken) && strstr(why, "--http"), "%s", why);
    const char *const bad[] = {"",       "nonsense",       ":7481", "127.0.0.1:", "127.0.0.1:port",
                               "::1:80", "127.0.0.1:99999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        config.listen = bad[i];
        cr_assert_eq(http_start(&config, NULL, &other, why, sizeof why), SHUNT_BAD_ARGUMENT, "%s", bad[i]);
        cr_assert(strstr(why, "is not ADDR:PORT"), "%s", why);
    }
    cr_assert_null(other);
    http_stop(h);
}
