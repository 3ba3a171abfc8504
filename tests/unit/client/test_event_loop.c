/* A program with an event loop of its own against a real shuntd: nothing that it calls waits. */
#include "broker.h"
#include "calls.h"
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static struct broker broker;
static struct shunt *s;
static struct shunt_error err;

static struct shunt *open_with(const char *key, const char *value)
{
    struct shunt *one;
    struct shunt_options *o = shunt_options_new();
    ok(shunt_options_set(o, key, value));
    ok(shunt_options_set(o, "reconnect-max", "50ms"));
    ok(shunt_open(broker.url, o, &one, &err));
    shunt_options_free(o);
    return one;
}

static void setup(void)
{
    broker_start(&broker);
    s = open_with("request-timeout", "60s");
}

static void teardown(void)
{
    shunt_close(s, 1000);
    broker_stop(&broker);
}

TestSuite(event_loop, .init = setup, .fini = teardown, .timeout = 60);

struct told {
    int calls;
    int code;
    bool may_retry;
};

static void hear(void *context, const struct shunt_error *e)
{
    struct told *t = context;
    t->calls++;
    t->code = e ? e->code : 0;
    t->may_retry = e && e->may_retry;
}

static void hear_published(void *context, uint64_t seq, const struct shunt_error *e)
{
    (void)seq;
    hear(context, e);
}

/* Turn the loop as a program would: only the descriptor wakes it. */
static void turn(struct shunt *one)
{
    struct pollfd ready = {.fd = shunt_fd(one), .events = POLLIN};
    cr_assert_geq(poll(&ready, 1, WAIT_MS), 1, "the descriptor must wake its watcher");
    ok(shunt_process(one, &err));
}

static void await(struct shunt *one, const struct told *t, int code)
{
    while (t->calls == 0)
        turn(one);
    cr_assert_eq(t->calls, 1);
    cr_assert_eq(t->code, code, "%s", shunt_error_name(t->code));
}

static void publish(struct shunt *by, struct told *t)
{
    struct shunt_message *m = shunt_message_new();
    shunt_message_body(m, "m", 1);
    ok(shunt_publish_async(by, "orders", m, hear_published, t, &err));
    shunt_message_free(m);
}

Test(event_loop, a_life_without_waiting)
{
    struct told subscribed = {0}, published = {0}, acked = {0}, gone = {0}, bye = {0};
    struct shunt_consumer *c = NULL;
    struct shunt_delivery *d = NULL;
    ok(shunt_topic_create(s, "orders", NULL, WAIT_MS, &err));
    ok(shunt_subscribe_async(s, "orders", NULL, NULL, hear, &subscribed, &c, &err));
    cr_assert_eq(subscribed.calls, 0, "never from the call itself");
    await(s, &subscribed, 0);
    publish(s, &published);
    cr_assert_eq(shunt_pending(s), 1);
    await(s, &published, 0);
    cr_assert_eq(shunt_pending(s), 0);
    while (shunt_next(c, 0, &d, &err) != 0)
        turn(s);
    ok(shunt_resolve_async(d, SHUNT_ACK, 0, NULL, hear, &acked, &err));
    ok(shunt_unsubscribe_async(c, hear, &gone, &err));
    await(s, &gone, 0);
    await(s, &acked, 0);
    ok(shunt_goodbye_async(s, hear, &bye, &err));
    cr_assert_eq(shunt_goodbye_async(s, hear, &bye, &err), SHUNT_CLOSED);
    cr_assert_eq(shunt_ping(s, WAIT_MS, NULL, &err), SHUNT_CLOSED);
    await(s, &bye, 0);
}

Test(event_loop, what_was_held_is_back_when_unsubscribing_is_told)
{
    struct told gone = {0};
    struct shunt_consumer *c = NULL, *second = NULL;
    struct shunt_delivery *d = NULL;
    struct told published = {0};
    ok(shunt_topic_create(s, "orders", NULL, WAIT_MS, &err));
    publish(s, &published);
    ok(shunt_subscribe(s, "orders", NULL, NULL, WAIT_MS, &c, &err));
    ok(shunt_next(c, WAIT_MS, &d, &err));
    ok(shunt_unsubscribe_async(c, hear, &gone, &err));
    await(s, &gone, 0);
    ok(shunt_subscribe(s, "orders", NULL, NULL, WAIT_MS, &second, &err));
    ok(shunt_next(second, WAIT_MS, &d, &err));
    cr_assert_eq(shunt_delivery_deliveries(d), 2);
    cr_assert_eq(shunt_delivery_attempts(d), 0, "uncharged");
}

Test(event_loop, a_subscription_that_fails_is_told_why_and_stays_to_be_unsubscribed)
{
    struct told subscribed = {0}, gone = {0};
    struct shunt_consumer *c = NULL;
    struct shunt_delivery *d = NULL;
    ok(shunt_subscribe_async(s, "nowhere", NULL, NULL, hear, &subscribed, &c, &err));
    await(s, &subscribed, SHUNT_UNKNOWN_TOPIC);
    cr_assert_eq(shunt_next(c, 0, &d, &err), SHUNT_UNKNOWN_TOPIC);
    ok(shunt_unsubscribe_async(c, hear, &gone, &err));
    await(s, &gone, 0);
}

Test(event_loop, calls_to_a_broker_that_does_not_answer_are_told_in_time)
{
    struct told ping = {0}, published = {0};
    struct shunt *one = open_with("request-timeout", "100ms");
    ok(shunt_topic_create(one, "orders", NULL, WAIT_MS, &err));
    (void)kill(broker.pid, SIGSTOP);
    ok(shunt_ping_async(one, hear, &ping, &err));
    publish(one, &published);
    await(one, &ping, SHUNT_TIMEOUT);
    await(one, &published, SHUNT_TIMEOUT);
    cr_assert(!published.may_retry, "it is on its way");
    (void)kill(broker.pid, SIGCONT);
    ok(shunt_flush(one, WAIT_MS, &err));
    struct shunt_value *v = NULL;
    ok(shunt_group_show(one, "orders", "default", WAIT_MS, &v, &err));
    int64_t ready = shunt_value_integer(shunt_value_get(v, "ready"));
    shunt_value_free(v);
    ok(shunt_stats(one, WAIT_MS, &v, &err));
    int64_t expired = shunt_value_integer(shunt_value_get(v, "requests_expired"));
    /* The broker does not begin with what it finds to be over; whether it is depends on when it goes on. */
    cr_assert(ready == 1 || (ready == 0 && expired >= 1), "it is there %lld times, and %lld were too late",
              (long long)ready, (long long)expired);
    shunt_value_free(v);
    shunt_close(one, WAIT_MS);
}

Test(event_loop, a_blocking_publish_that_ran_out_of_time_must_not_be_repeated)
{
    struct shunt_message *m = shunt_message_new();
    ok(shunt_topic_create(s, "orders", NULL, WAIT_MS, &err));
    (void)kill(broker.pid, SIGSTOP);
    cr_assert_eq(shunt_publish(s, "orders", m, 50, NULL, &err), SHUNT_TIMEOUT);
    cr_assert(!err.may_retry, "%s", err.text);
    (void)kill(broker.pid, SIGCONT);
    shunt_message_free(m);
}

Test(event_loop, a_broker_that_hangs_is_left_and_found_again)
{
    struct told ping = {0};
    struct shunt *one = open_with("ping-interval", "50ms");
    ok(shunt_connect(one, WAIT_MS, &err));
    (void)kill(broker.pid, SIGSTOP);
    while (shunt_connected(one))
        turn(one);
    (void)kill(broker.pid, SIGCONT);
    ok(shunt_ping_async(one, hear, &ping, &err));
    await(one, &ping, 0);
    shunt_close(one, WAIT_MS);
}

Test(event_loop, goodbye_is_told_also_if_there_is_no_broker)
{
    struct told bye = {0}, published = {0};
    struct shunt *one = open_with("request-timeout", "50ms");
    broker_kill(&broker);
    publish(one, &published);
    ok(shunt_goodbye_async(one, hear, &bye, &err));
    await(one, &published, SHUNT_TIMEOUT);
    cr_assert(published.may_retry, "it was never sent");
    while (bye.calls == 0)
        turn(one);
    cr_assert(bye.code == 0 || bye.code == SHUNT_UNREACHABLE, "%s", shunt_error_name(bye.code));
    shunt_close(one, 0);
    broker_restart(&broker);
}

/* ---- several hosts, and being told of them ---- */

struct seen {
    int count[SHUNT_RETRYING + 1];
    int port[SHUNT_RETRYING + 1]; /* of the latest */
    char text[1024];
};

static void see(void *context, const struct shunt_event *event)
{
    struct seen *seen = context;
    cr_assert_eq(event->size, sizeof *event);
    seen->count[event->kind]++;
    seen->port[event->kind] = event->port;
    cr_assert_str_eq(event->host, "127.0.0.1");
    cr_assert_eq(!event->error, event->kind == SHUNT_CONNECTED);
    (void)snprintf(seen->text, sizeof seen->text, "%s", event->text);
}

/* A port at which nobody listens, as long as the socket is there. */
static int deaf_port(int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

Test(event_loop, the_next_host_is_tried_and_the_program_is_told)
{
    char url[400];
    int deaf[2], good;
    struct seen seen = {0};
    struct told ping = {0};
    struct shunt *one;
    const char *host = strstr(broker.url, "127.0.0.1:"), *query = strchr(broker.url, '?');
    cr_assert_eq(sscanf(host, "127.0.0.1:%d", &good), 1);
    (void)deaf_port(&deaf[0]);
    (void)deaf_port(&deaf[1]);
    (void)snprintf(url, sizeof url, "%.*s127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d%s", (int)(host - broker.url),
                   broker.url, deaf[0], good, deaf[1], query ? query : "");
    ok(shunt_open(url, NULL, &one, &err));
    shunt_on_event(one, see, &seen);
    ok(shunt_connect(one, WAIT_MS, &err));
    ok(shunt_ping(one, WAIT_MS, NULL, &err));
    cr_assert_eq(seen.count[SHUNT_CONNECTED], 1);
    cr_assert_eq(seen.port[SHUNT_CONNECTED], good);
    cr_assert_eq(seen.count[SHUNT_LOST], 0);
    broker_kill(&broker);
    while (seen.count[SHUNT_RETRYING] < 7) /* all hosts, and again */
        turn(one);
    cr_assert_eq(seen.count[SHUNT_LOST], 1);
    cr_assert_eq(seen.port[SHUNT_LOST], good);
    cr_assert_not_null(strstr(seen.text, "trying again"), "%s", seen.text);
    broker_restart(&broker);
    ok(shunt_ping_async(one, hear, &ping, &err));
    await(one, &ping, 0);
    cr_assert_eq(seen.count[SHUNT_CONNECTED], 2);
    shunt_close(one, WAIT_MS);
}

Test(event_loop, connecting_tries_each_host_once)
{
    char url[200];
    int deaf[2];
    struct seen seen = {0};
    struct shunt *one;
    (void)deaf_port(&deaf[0]);
    (void)deaf_port(&deaf[1]);
    (void)snprintf(url, sizeof url, "shunt://127.0.0.1:%d,127.0.0.1:%d", deaf[0], deaf[1]);
    ok(shunt_open(url, NULL, &one, &err));
    shunt_on_event(one, see, &seen);
    cr_assert_eq(shunt_connect(one, SHUNT_FOREVER, &err), SHUNT_UNREACHABLE);
    cr_assert_eq(seen.count[SHUNT_RETRYING], 2);
    shunt_close(one, 0);
}
