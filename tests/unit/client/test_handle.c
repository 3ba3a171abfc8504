/* The blocking driver over real sockets, with nobody, or nobody useful, at the other end. */
#include "client/driving/handle.h"
#include "proto/wire.h"
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A bound socket, listening or not: while it is only bound, connecting is refused. */
static int make_socket(bool listening, char url[64])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    if (listening)
        cr_assert_eq(listen(fd, 4), 0);
    (void)snprintf(url, 64, "shunt://127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

static struct shunt *open_with(const char *url, const char *key, const char *value)
{
    struct shunt_options *o = shunt_options_new();
    struct shunt *s = NULL;
    struct shunt_error err;
    cr_assert_eq(shunt_options_set(o, key, value), 0);
    cr_assert_eq(shunt_open(url, o, &s, &err), 0, "%s", err.text);
    shunt_options_free(o);
    return s;
}

Test(handle, bad_urls_and_options_are_refused_at_open)
{
    struct shunt *s = NULL;
    struct shunt_options *o = shunt_options_new();
    struct shunt_error err;
    cr_assert_eq(shunt_open("http://x", NULL, &s, &err), SHUNT_BAD_ARGUMENT);
    (void)shunt_options_set(o, "windov", "1");
    cr_assert_eq(shunt_open(NULL, o, &s, &err), SHUNT_BAD_ARGUMENT);
    cr_assert_not_null(strstr(err.text, "windov"));
    cr_assert_null(s);
    shunt_options_free(o);
}

Test(handle, connecting_to_nobody_says_unreachable_at_once, .timeout = 20)
{
    char url[64];
    int fd = make_socket(false, url);
    struct shunt *s = open_with(url, "client", "test");
    struct shunt_error err;
    cr_assert_eq(shunt_connect(s, SHUNT_FOREVER, &err), SHUNT_UNREACHABLE);
    cr_assert_not_null(strstr(err.text, "refused"), "%s", err.text);
    cr_assert(err.may_retry);
    cr_assert(!shunt_connected(s));
    shunt_close(s, SHUNT_FOREVER);
    (void)close(fd);
}

Test(handle, a_server_that_says_nothing_is_given_up_after_connect_timeout, .timeout = 20)
{
    char url[64];
    int fd = make_socket(true, url);
    struct shunt *s = open_with(url, "connect-timeout", "20ms");
    struct shunt_error err;
    cr_assert_eq(shunt_connect(s, SHUNT_FOREVER, &err), SHUNT_UNREACHABLE);
    cr_assert_not_null(strstr(err.text, "did not answer"), "%s", err.text);
    shunt_close(s, SHUNT_FOREVER);
    (void)close(fd);
}

Test(handle, a_deadline_before_that_is_a_timeout, .timeout = 20)
{
    char url[64];
    int fd = make_socket(true, url);
    struct shunt *s = open_with(url, "connect-timeout", "1h");
    cr_assert_eq(shunt_connect(s, 10, NULL), SHUNT_TIMEOUT);
    shunt_close(s, SHUNT_FOREVER);
    (void)close(fd);
}

static void count_call(void *context, uint64_t seq, const struct shunt_error *err)
{
    (void)seq;
    cr_assert_not_null(err);
    cr_assert_eq(err->code, SHUNT_CLOSED);
    ++*(int *)context;
}

Test(handle, calls_keep_their_deadlines_with_nobody_there, .timeout = 20)
{
    char url[64];
    int fd = make_socket(false, url), calls = 0;
    struct shunt *s = open_with(url, "reconnect-max", "50ms");
    struct shunt_message *m = shunt_message_new();
    struct shunt_consumer *c = NULL;
    struct shunt_value *v = NULL;
    struct shunt_error err;
    cr_assert_eq(shunt_publish(s, "orders", m, 20, NULL, &err), SHUNT_UNREACHABLE);
    cr_assert_eq(s->core.producer.messages, 0, "it was withdrawn and will not be sent later");
    cr_assert_eq(shunt_subscribe(s, "orders", NULL, NULL, 20, &c, &err), SHUNT_UNREACHABLE);
    cr_assert_null(c);
    cr_assert_eq(shunt_ping(s, 0, NULL, &err), SHUNT_UNREACHABLE);
    cr_assert_eq(shunt_topic_list(s, 10, &v, &err), SHUNT_UNREACHABLE);
    cr_assert_eq(shunt_publish_async(s, "orders", m, count_call, &calls, NULL), 0);
    cr_assert_eq(shunt_flush(s, 10, NULL), SHUNT_TIMEOUT);
    cr_assert_eq(calls, 0);
    shunt_close(s, 1000);
    cr_assert_eq(calls, 1);
    shunt_message_free(m);
    (void)close(fd);
}

Test(handle, names_are_checked_before_anything_is_sent)
{
    struct shunt *s = open_with(NULL, "client", "test");
    struct shunt_consumer *c;
    struct shunt_value *v;
    struct shunt_error err;
    char large[300];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    cr_assert_eq(shunt_subscribe(s, "a b", NULL, NULL, 0, &c, &err), SHUNT_BAD_NAME);
    cr_assert_eq(shunt_subscribe(s, "orders", large, NULL, 0, &c, &err), SHUNT_BAD_NAME);
    cr_assert_eq(shunt_subscribe(s, "orders", "dlq:x", NULL, 0, &c, &err), SHUNT_RESERVED);
    cr_assert_eq(shunt_topic_create(s, "dlq:orders:default", NULL, 0, &err), SHUNT_RESERVED);
    cr_assert_eq(shunt_topic_create(s, large, NULL, 0, &err), SHUNT_BAD_NAME);
    cr_assert_eq(shunt_dlq_show(s, "orders", NULL, "\xff", 0, &v, &err), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(
        shunt_dlq_purge(s, "orders", NULL, (const char *[]){"1"}, IDS_MAX + 1, 0, 0, NULL, NULL, &err),
        SHUNT_BAD_ARGUMENT);
    cr_assert_eq(s->loop.failures, 0, "no connection was tried");
    shunt_close(s, 0);
}

Test(handle, names_that_are_null_are_refused_and_not_left_out)
{
    struct shunt *s = open_with(NULL, "client", "test");
    struct shunt_message *m = shunt_message_new();
    struct shunt_consumer *c;
    struct shunt_value *v;
    int64_t number;
    cr_assert_eq(shunt_publish(s, NULL, m, 0, NULL, NULL), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_publish_async(s, "orders", NULL, NULL, NULL, NULL), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_subscribe(s, NULL, NULL, NULL, 0, &c, NULL), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_topic_create(s, NULL, NULL, 0, NULL), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_group_create(s, "orders", NULL, NULL, false, 0, NULL), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_group_show(s, "orders", NULL, 0, &v, NULL), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_group_delete(s, "orders", NULL, 0, NULL, NULL), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_dlq_show(s, "orders", NULL, NULL, 0, &v, NULL), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_parse_duration(NULL, &number, NULL), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(shunt_parse_size(NULL, &number, NULL), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(s->loop.failures, 0, "no connection was tried");
    shunt_message_free(m);
    shunt_close(s, 0);
}

Test(handle, the_descriptor_wakes_its_watcher_for_what_is_queued_outside, .timeout = 20)
{
    char url[64];
    int fd = make_socket(false, url);
    struct shunt *s = open_with(url, "reconnect-max", "50ms");
    struct shunt_message *m = shunt_message_new();
    struct pollfd watched = {.fd = shunt_fd(s), .events = POLLIN};
    cr_assert_eq(poll(&watched, 1, -1), 1, "the first time, something may be queued already");
    cr_assert_eq(shunt_process(s, NULL), 0);
    cr_assert_eq(poll(&watched, 1, 0), 0, "nothing to do, nothing to wake for");
    cr_assert_eq(shunt_publish_async(s, "orders", m, NULL, NULL, NULL), 0);
    for (uint64_t i = 1; i <= 3; i++) { /* and again for each attempt to connect */
        while (s->loop.failures < i) {
            cr_assert_eq(poll(&watched, 1, -1), 1);
            cr_assert_eq(shunt_process(s, NULL), 0);
        }
    }
    cr_assert_eq(shunt_fd(s), watched.fd);
    shunt_message_free(m);
    shunt_close(s, 0);
    (void)close(fd);
}

/* Read HELLO and say yes. The first request of a handle has id 1. */
static void greet(int peer)
{
    static const uint8_t answer[] = {0, 0, 0, 6, 0x94, 0xcc, OP_OK, 1, 1, 0x80};
    uint8_t frame[256];
    cr_assert_gt(recv(peer, frame, sizeof frame, 0), 8);
    cr_assert_eq(send(peer, answer, sizeof answer, 0), sizeof answer);
}

Test(handle, a_connection_that_breaks_under_a_publish_wakes_the_watcher, .timeout = 20)
{
    static const char large[300000];
    char url[64];
    int listener = make_socket(true, url);
    struct shunt *s = open_with(url, "reconnect-max", "50ms");
    struct shunt_message *m = shunt_message_new();
    struct pollfd watched = {.fd = shunt_fd(s), .events = POLLIN};
    (void)shunt_connect(s, 0, NULL);
    int peer = accept(listener, NULL, NULL);
    (void)shunt_connect(s, 10, NULL);
    greet(peer);
    cr_assert_eq(shunt_connect(s, SHUNT_FOREVER, NULL), 0);
    cr_assert_eq(shunt_process(s, NULL), 0);
    struct linger at_once = {.l_onoff = 1};
    cr_assert_eq(setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    (void)close(peer);
    shunt_message_body(m, large, sizeof large);
    cr_assert_eq(shunt_publish_async(s, "orders", m, NULL, NULL, NULL), 0,
                 "a whole frame: it is written at once");
    cr_assert(!shunt_connected(s));
    cr_assert_eq(poll(&watched, 1, -1), 1);
    while (s->loop.socket.state == SOCKET_CLOSED) {
        cr_assert_eq(shunt_process(s, NULL), 0);
        cr_assert_eq(s->loop.socket.state != SOCKET_CLOSED || poll(&watched, 1, -1) == 1, true);
    }
    cr_assert_eq(s->core.producer.messages, 1, "and the message is still on its way");
    shunt_message_free(m);
    shunt_close(s, 0);
    (void)close(listener);
}

Test(handle, a_forked_child_that_abandons_the_handle_leaves_the_parents_connection_alone, .timeout = 20)
{
    char url[64], byte;
    int listener = make_socket(true, url);
    struct shunt *s = open_with(url, "connect-timeout", "1h");
    (void)shunt_connect(s, 0, NULL);
    int peer = accept(listener, NULL, NULL);
    (void)shunt_connect(s, 10, NULL);
    pid_t pid = fork();
    if (pid == 0) {
        client_abandon_after_fork(s);
        _exit(s->loop.epoll_fd == -1 && s->loop.socket.fd == -1 ? 0 : 1);
    }
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
    cr_assert_gt(recv(peer, &byte, 1, 0), 0, "HELLO is there");
    while (recv(peer, &byte, 1, MSG_DONTWAIT) > 0)
        continue;
    cr_assert_eq(recv(peer, &byte, 1, MSG_DONTWAIT), -1, "and the connection is open");
    shunt_close(s, 0);
    (void)close(peer);
    (void)close(listener);
}
